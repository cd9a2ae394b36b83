"""`config/kiosk.toml` written from the settings themselves, so that the two cannot differ."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kiosk.settings import (
    NESTING,
    PREFIX,
    HolidaySettings,
    PersonSettings,
    RuleSettings,
    RuleTestSettings,
    ScheduleSettings,
    Settings,
)

_HEAD = f"""\
# Every setting of kiosk with its default.
#
# Stronger than this file are environment variables ({PREFIX}WEB{NESTING}PORT=9180 for web.port) and, strongest,
# command-line options (--set web.port=9180). Unknown names are refused, with the nearest right one.
# `kiosk check --config FILE` says whether a file is right and what it would run.
"""
_EXAMPLE_RULE = RuleSettings(name="enrolled-people", when="verdict.kind == 'match'", effect="grant")
_ASLEEP = {
    "[[rule_tests]]": RuleTestSettings(name="strangers stay out", given={"verdict.kind": "non_match"}, expect="deny"),
    "[schedules.office]": ScheduleSettings(spans=("mon-fri 08:00-18:00", "sat 10:00-14:00")),
    "[holidays.christmas]": HolidaySettings(yearly="12-25"),
    "[people.alice]": PersonSettings(groups=("staff",), cards=("26:12:3456",)),
}
"""Sections there are none of by default: shown as comments."""
_EXAMPLES = {
    "occupancy_limit": 50,
    "require": ("second_person",),
    "valid_from": date(2026, 1, 1),
    "valid_until": date(2026, 12, 31),
    "exposure_ms": 10.0,
    "focus": 30,
    "gain": 64,
    "white_balance": 4600,
    "ca_file": "/etc/kiosk/ca.pem",
    "gallery": "/var/lib/kiosk/gallery.sqlite",
    "path": "/var/lib/kiosk/journal.sqlite",
    "threshold": 60.0,
    "token_file": "tencent-token",
}


def reference() -> str:
    """The reference as TOML text; it loads as the defaults plus one example rule."""
    defaults = Settings.model_construct()
    parts = [_HEAD]
    for name in Settings.model_fields:
        value = getattr(defaults, name)
        if isinstance(value, BaseModel):
            parts.append(_table(f"[{name}]", value))
        elif isinstance(value, dict):
            parts += [_table(f"[{name}.{key}]", section) for key, section in value.items()]
    parts.append(_table("[[rules]]", _EXAMPLE_RULE))
    parts += [_asleep(header, section) for header, section in _ASLEEP.items()]
    return "\n".join(parts)


def _asleep(header: str, section: BaseModel) -> str:
    lines = _table(header, section).splitlines()
    return "\n".join(line if line.startswith("# ") else f"#{line}" for line in lines) + "\n"


def _table(header: str, section: BaseModel) -> str:
    about = textwrap.dedent(type(section).__doc__ or "").strip().splitlines()
    lines = [*(f"# {line}" for line in about if line), header]
    for name, field in type(section).model_fields.items():
        lines += _entry(name, field, getattr(section, name))
    return "\n".join(lines) + "\n"


def _entry(name: str, field: FieldInfo, value: Any) -> Iterator[str]:
    if field.description:
        for paragraph in field.description.splitlines():
            yield from (f"# {line}" for line in textwrap.wrap(paragraph, 110))
    if value is None:
        yield f"# {name} = {_toml(_EXAMPLES[name])}"
    else:
        yield f"{name} = {_toml(value)}"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_toml(key)} = {_toml(one)}' for key, one in value.items())} }}" if value else "{}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, int) else repr(value)
    text = str(value).replace(str(Path.home()), "~", 1) if isinstance(value, Path) else str(value)
    return msgspec.json.encode(text).decode()
