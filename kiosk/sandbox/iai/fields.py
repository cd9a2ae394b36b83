"""Parameters that come as text: in a query, a form, or the parts of a multipart body.

Lists and structures are flattened there: `GroupIds.0=staff&GroupIds.1=guests`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from kiosk.sandbox.forms import BadForm, parts_of
from kiosk.sandbox.refusals import Refused

FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 1000
"""Of a query or form; the longest list of the interfaces has a hundred items."""
_DEEPEST = 4
_PICTURES = frozenset({"Image", "ImageA", "ImageB"})
_INDEX = re.compile(r"\d{1,4}", re.ASCII)


def pairs(text: bytes) -> dict[str, str]:
    """A query's or form's fields. Raises Refused `InvalidParameter`."""
    if not text:
        return {}
    if text.count(b"&") >= MOST_FIELDS:
        raise Refused("InvalidParameter", f"more than {MOST_FIELDS} fields")
    found: dict[str, str] = {}
    for piece in text.split(b"&"):
        name, equals, value = piece.partition(b"=")
        if not equals:
            raise Refused("InvalidParameter", "a field without '='")
        decoded = _decoded(name)
        if decoded in found:
            raise Refused("InvalidParameter", f"the field {decoded[:60]!a} is there twice")
        found[decoded] = _decoded(value)
    return found


def nest(flat: Mapping[str, str]) -> dict[str, Any]:
    """Undoes the flattening. Raises Refused `InvalidParameter`."""
    root: dict[str, Any] = {}
    for name, value in flat.items():
        *steps, last = name.split(".")
        node = root
        for step in steps:
            node = node.setdefault(step, {})
            if not isinstance(node, dict):
                raise _muddle(name)
        if last in node or len(steps) > _DEEPEST:
            raise _muddle(name)
        node[last] = value
    return {name: _listed(value) for name, value in root.items()}


def from_parts(body: bytes, boundary: bytes) -> dict[str, Any]:
    """A multipart body's fields.

    Whether the vendor takes such bodies for these interfaces is not documented, but its package sends them: lists and
    structures as JSON, and pictures, where they come with a file name, as they are. Raises Refused `InvalidRequest`.
    """
    found: dict[str, Any] = {}
    try:
        for part in parts_of(body, boundary):
            if part.name in found:
                raise Refused("InvalidParameter", f"the field {part.name[:60]!a} is there twice")
            if part.kind.lower().startswith("application/json"):
                found[part.name] = msgspec.json.decode(part.value)
            elif part.named_file and part.name in _PICTURES:
                found[part.name] = base64.b64encode(part.value).decode()
            else:
                found[part.name] = part.value.decode()
    except (BadForm, UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise Refused("InvalidRequest", "the body is no sound multipart form") from error
    return found


def _decoded(text: bytes) -> str:
    try:
        return unquote_to_bytes(text.replace(b"+", b" ")).decode()
    except UnicodeDecodeError as error:
        raise Refused("InvalidParameter", "a field is not UTF-8") from error


def _muddle(name: str) -> Refused:
    return Refused("InvalidParameter", f"the field {name[:60]!a} does not fit the others")


def _listed(node: Any) -> Any:
    """Structures whose names are all numbers are lists, in the order of these."""
    if not isinstance(node, dict):
        return node
    children = {name: _listed(value) for name, value in node.items()}
    if all(_INDEX.fullmatch(name) for name in children):
        return [children[name] for name in sorted(children, key=int)]
    return children
