"""Numbers and names within their bounds."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Pixels = Annotated[float, Meta(ge=-65_536, le=65_536)]
Ratio = Annotated[float, Meta(ge=0, le=1)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Degrees = Annotated[float, Meta(ge=-180, le=180)]
Measure = Annotated[float, Meta(ge=-1, le=100)]
Slug = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{1,47}$")]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Seconds = Annotated[float, Meta(ge=0)]
PresentationId = Annotated[int, Meta(ge=1, le=2**53)]
Count = Annotated[int, Meta(ge=0)]
Embedding = Annotated[bytes, Meta(min_length=512, max_length=512)]
"""128 float32, little endian, L2-normalised: the dot product of two is their cosine."""
