"""Lines as URLs: which one is meant, and how it is to be driven or read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args
from urllib.parse import parse_qsl

from kiosk.errors import did_you_mean

Use = Literal["output", "input"]
Bias = Literal["as-is", "pull-up", "pull-down", "disabled"]
Drive = Literal["push-pull", "open-drain", "open-source"]

LINE_SCHEMES = ("sim", "gpiod")
MOST_DEBOUNCE = 1.0
"""Seconds; a contact that takes longer to settle is broken."""

_OPTIONS: Mapping[Use, Mapping[str, tuple[str, ...]]] = {
    "output": {
        "active": ("high", "low"),
        "bias": get_args(Bias),
        "drive": get_args(Drive),
        "safe": ("inactive",),
    },
    "input": {
        "active": ("high", "low"),
        "bias": get_args(Bias),
        "debounce_ms": (),
        "initial": ("active", "inactive"),
    },
}
_SIM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class LineAddress:
    """`chip`: a device, its name or its label, empty where all are searched; `line`: an offset or a name, of `sim` any name.

    `debounce`: seconds a level must stand before it counts. `initial`: what a simulated input is until somebody sets it.
    """

    url: str
    scheme: Literal["sim", "gpiod"]
    line: str
    chip: str = ""
    active_low: bool = False
    bias: Bias = "as-is"
    drive: Drive = "push-pull"
    debounce: float = 0.0
    initial: bool = False


def parse(url: str, use: Use) -> LineAddress:
    """Raises ValueError, saying what would be right."""
    scheme, _, rest = url.partition(":")
    place, _, query = rest.partition("?")
    if scheme not in LINE_SCHEMES or not place:
        raise ValueError(f"'{url}' is no line; write gpiod:/dev/gpiochip0/17, gpiod:LINE-NAME or sim:NAME")
    options = _options(url, query, use)
    chip, line = _place(url, scheme, place)
    return LineAddress(
        url,
        "sim" if scheme == "sim" else "gpiod",
        line,
        chip,
        active_low=options.get("active") == "low",
        bias=cast("Bias", options.get("bias", "as-is")),
        drive=cast("Drive", options.get("drive", "push-pull")),
        debounce=_debounce(url, options.get("debounce_ms", "0")),
        initial=options.get("initial") == "active",
    )


def _place(url: str, scheme: str, place: str) -> tuple[str, str]:
    if scheme == "sim":
        if not _SIM_NAME.fullmatch(place):
            raise ValueError(f"'{url}': a simulated line's name is of letters, digits and _.-")
        return "", place
    chip, slash, line = place.rpartition("/")
    if slash and (not line or not chip or chip == "/dev"):
        raise ValueError(f"'{url}' lacks its line; write gpiod:/dev/gpiochip0/17")
    if not slash and line.isdigit():
        raise ValueError(f"'{url}' lacks its chip; write gpiod:gpiochip0/{line}")
    return chip, line


def _options(url: str, query: str, use: Use) -> dict[str, str]:
    known = _OPTIONS[use]
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise ValueError(f"'{url}': an {use} has no option '{name}'{did_you_mean(name, known)}")
        if name in options:
            raise ValueError(f"'{url}': '{name}' stands there twice")
        if known[name] and value not in known[name]:
            why = "; the safe state of an output is to be inactive, which active=low or the wiring turns round"
            raise ValueError(f"'{url}': {name} is one of {', '.join(known[name])}{why if name == 'safe' else ''}")
        options[name] = value
    return options


def _debounce(url: str, milliseconds: str) -> float:
    if not milliseconds.isdigit() or int(milliseconds) > MOST_DEBOUNCE * 1000:
        raise ValueError(f"'{url}': debounce_ms is a whole number from 0 to {MOST_DEBOUNCE * 1000:.0f}")
    return int(milliseconds) / 1000
