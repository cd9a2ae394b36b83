"""What every action has in common: a name, parameters of its own, and an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from kiosk.sandbox.iai.parameters import P, understand

Answer = Mapping[str, object]
"""The `Response` but for its RequestId."""


@dataclass(frozen=True, slots=True)
class Action:
    """`run` takes a request's parameters, as `understand` does, and raises Refused or GalleryRefusal."""

    name: str
    run: Callable[[bytes | Mapping[str, Any]], Awaitable[Answer]]

    @classmethod
    def of(cls, kind: type[P], answer: Callable[[P], Awaitable[Answer]]) -> Self:
        """The action named as its parameters are."""

        async def run(sent: bytes | Mapping[str, Any]) -> Answer:
            return await answer(understand(sent, kind))

        return cls(kind.__name__, run)
