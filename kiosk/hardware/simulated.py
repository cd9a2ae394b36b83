"""All simulated lines of a state directory, as they are now: for the admin API and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from kiosk.hardware import keeper
from kiosk.hardware.inputs import InputState
from kiosk.hardware.relay import RelayState


class SimLine(msgspec.Struct, frozen=True):
    """`at`: monotonic seconds of the last change."""

    name: str
    kind: Literal["input", "output"]
    active: bool
    at: float


def lines(state_dir: Path) -> list[SimLine]:
    """Those that somebody has open, by name."""
    files = sorted((state_dir / "sim").glob("*.json"))
    return [line for file in files if (line := _line(file)) is not None and _is_open(file)]


def _line(file: Path) -> SimLine | None:
    """None for what is another's file, or was just replaced."""
    try:
        state = msgspec.json.decode(file.read_bytes(), type=dict[str, object])
        if "energised" in state:
            relay = msgspec.convert(state, RelayState)
            return SimLine(file.stem, "output", relay.energised, relay.at)
        contact = msgspec.convert(state, InputState)
        return SimLine(file.stem, "input", contact.active, contact.at)
    except (OSError, msgspec.MsgspecError):
        return None


def _is_open(file: Path) -> bool:
    try:
        with file.with_suffix(".lock").open("rb") as lock:
            return keeper.holder(lock) != 0
    except FileNotFoundError:
        return False
