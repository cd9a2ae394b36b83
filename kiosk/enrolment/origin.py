"""Where a reference comes from, as its face's tag in the gallery says it."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

MODEL = "sface-2021dec"
"""The model that makes the embeddings; references of another one compare with nothing."""

_DIGEST = 12
"""Bytes: among a million photos, two share one by chance once in 10^17."""
_TAG = re.compile(
    r"(?P<kind>photo (?P<photo>[0-9a-f]{24})|embedding) (?P<model>[a-z0-9.-]+)(?P<masked> masked)?( turned (?P<turned>[1-3]))?"
)


class Origin(NamedTuple):
    """`photo`: the photo's digest, empty where an embedding was handed in; `masked`: whether a mask is worn on it; `turned`:
    quarter turns clockwise, 0–3, after which the face stands where its box says.
    """

    model: str = MODEL
    photo: str = ""
    masked: bool = False
    turned: int = 0

    @property
    def tag(self) -> str:
        kind = f"photo {self.photo}" if self.photo else "embedding"
        return f"{kind} {self.model}" + " masked" * self.masked + f" turned {self.turned}" * bool(self.turned)


def origin_of(tag: str) -> Origin | None:
    """None for the tag of a face that came by another way, as through the sandbox."""
    found = _TAG.fullmatch(tag)
    return found and Origin(found["model"], found["photo"] or "", found["masked"] is not None, int(found["turned"] or 0))


def digest_of(photo: bytes, key: bytes) -> str:
    """Tells the same file again; without the gallery's `key` nobody can try whether a photo is enrolled."""
    return hashlib.blake2b(photo, key=key, digest_size=_DIGEST).hexdigest()
