"""A request's body for the older host where pictures go as file parts: multipart/form-data (RFC 7578)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Payload:
    """A request's body. It may hold a face, so its repr does not show it."""

    content_type: str
    body: bytes = field(repr=False)


class FilePart(NamedTuple):
    name: str
    filename: str
    content: bytes
    media_type: str


def encode_form(fields: Sequence[tuple[str, str]], *files: FilePart) -> Payload:
    """`fields` as plain parts in their order, then the files, as the vendor's PHP package sends them.

    Names are the vendor's own; nothing in them needs quoting.
    """
    boundary = secrets.token_hex(16)
    pieces: list[bytes] = []
    for name, value in fields:
        pieces += _part(boundary, f'name="{name}"', value.encode())
    for file in files:
        head = f'name="{file.name}"; filename="{file.filename}"\r\nContent-Type: {file.media_type}'
        pieces += _part(boundary, head, file.content)
    body = b"".join((*pieces, f"--{boundary}--\r\n".encode("ascii")))
    return Payload(f"multipart/form-data; boundary={boundary}", body)


def _part(boundary: str, head: str, content: bytes) -> tuple[bytes, bytes, bytes]:
    return f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode("ascii"), content, b"\r\n"
