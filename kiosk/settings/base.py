"""What the sections of the configuration have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PositiveSeconds = Annotated[float, Field(gt=0, le=3600)]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
GroupIdentifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9%@#&_-]{1,64}$")]
"""The vendor's alphabet for ids."""
ConsoleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,64}$")]
"""What the vendor's console calls an application or a bucket; it stands in signatures."""
Rate = Annotated[int, Field(ge=1, le=1000)]
Share = Annotated[float, Field(ge=0, le=1)]
FalseMatches = Annotated[float, Field(gt=0, lt=1)]
Score = Annotated[float, Field(ge=0, le=100)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True)


def is_loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host in {"::1", "[::1]"}
