"""Bodies of the type multipart/form-data, in whatever way the vendor's packages write them.

Parts may have a file name or not, come in any order and with a semicolon at the end of a line. Nothing is ever written to disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header

MULTIPART = "multipart/form-data"
MOST_PARTS = 200


class Part(NamedTuple):
    """`named_file`: it came with a file name; `kind`: its own content type, empty where none was given."""

    name: str
    value: bytes
    named_file: bool
    kind: str


class BadForm(Exception):
    """No whole form."""


class TooManyParts(BadForm):
    pass


def content_type(headers: Mapping[str, str]) -> tuple[str, bytes]:
    """In lower case and without its parameters; and the boundary, empty where there is none."""
    kind, options = parse_options_header(headers.get("content-type"))
    return kind.decode("latin-1"), options.get(b"boundary", b"")


def parts_of(body: bytes, boundary: bytes) -> list[Part]:
    """In their order. Raises BadForm, TooManyParts beyond MOST_PARTS."""
    parts: list[Part] = []
    ended: list[bool] = []

    def keep(name: bytes | None, value: bytes | None, kind: str | None, *, named_file: bool) -> None:
        if len(parts) >= MOST_PARTS:
            raise TooManyParts(f"more than {MOST_PARTS} parts")
        parts.append(Part((name or b"").decode("latin-1"), value or b"", named_file, kind or ""))

    def on_file(file: File) -> None:
        file.file_object.seek(0)
        keep(file.field_name, file.file_object.read(), file.content_type, named_file=True)

    def on_field(field: Field) -> None:
        keep(field.field_name, field.value, field.content_type, named_file=False)

    try:
        parser = FormParser(
            MULTIPART,
            on_field,
            on_file,
            on_end=lambda: ended.append(True),
            boundary=boundary,
            config={"MAX_MEMORY_FILE_SIZE": len(body) + 1},
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise BadForm(f"{error}") from error
    if not ended:
        raise BadForm("the last boundary is missing")
    return parts
