"""What the vendor's older and current interfaces have in common: a request is a struct that says what it answers, knows its
bounds and shows nothing of what it holds; an answer is judged by its JSON alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar, cast, get_args

import msgspec
from msgspec import Struct

from kiosk.errors import ContractViolation
from kiosk.recognition.tencent import bounds

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")


class Describing(Struct, Generic[R_co], frozen=True):
    """A request of an interface that answers what stands in the brackets.

    Its repr tells which fields are there, and no more: they hold faces and names. `WRITE`: changes something that a second
    call would change again or refuse. `EITHER`: pairs of fields of which exactly one is given.
    """

    WRITE: ClassVar[bool] = False
    EITHER: ClassVar[tuple[tuple[str, str], ...]] = ()

    def settled(self) -> Mapping[str, R_co]:
        """For writes: the code by which the vendor refuses the repeat of one that worked → the answer taken for the lost one.

        What only the lost answer knew is empty in it.
        """
        return {}

    def check(self) -> None:
        """Raises ProbeRejected `request_out_of_bounds`."""
        bounds.check(self)
        for first, second in self.EITHER:
            bounds.check_one_of(self, first, second)

    def given(self) -> Iterator[tuple[str, Any]]:
        """The fields that are not left out, under the vendor's names and in the vendor's order."""
        for name, encoded in zip(self.__struct_fields__, self.__struct_encode_fields__, strict=True):
            value = getattr(self, name)
            if value is not None:
                yield encoded, value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={size}' for name, size in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        given = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return [(name, f"<{type(value).__name__}>") for name, value in given if value is not None]


def answer_type(request: type[Describing[R]]) -> type[R]:
    """What stands in the brackets of a request's base."""
    (base,) = (b for b in getattr(request, "__orig_bases__", ()) if get_args(b))
    return cast("type[R]", get_args(base)[0])


@cache
def decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


@contextmanager
def judged(body: bytes) -> Iterator[None]:
    """Whatever is wrong with an answer's JSON becomes a ContractViolation `answer_makes_no_sense`."""
    try:
        body.decode("utf-8")
        yield
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        start = ascii(body[:60].decode("utf-8", "replace"))
        raise ContractViolation("answer_makes_no_sense", f"{error} ({len(body)} bytes, starts with {start})") from error
