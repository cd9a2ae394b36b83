"""Pictures that a caller names by their address."""

from __future__ import annotations

from collections.abc import Sequence

from kiosk.errors import KioskError


class Fetcher:
    def __init__(self, hosts: Sequence[str]) -> None:
        self._hosts = hosts

    async def fetch(self, url: str) -> bytes:
        raise KioskError("picture_not_fetched", f"{len(url)} characters, {len(self._hosts)} hosts")
