"""What the web server and the desks hand each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Sent(NamedTuple):
    """A request. `headers` by their lower-case names, values as sent; `query` as sent, a character a byte."""

    method: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Said(NamedTuple):
    """An answer's body, and what a log may know of it: which interface, and the vendor's code, empty where all went well."""

    body: bytes
    action: str
    code: str
