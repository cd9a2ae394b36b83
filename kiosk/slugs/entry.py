"""What the table holds for one slug."""

from typing import Literal, NamedTuple

Kind = Literal["guidance", "prompt", "liveness", "refusal", "portal", "cloud", "photo", "gallery", "device", "setup"]
Language = Literal["en", "zh"]


class Entry(NamedTuple):
    """`kind` says where the slug comes from; `person` and `operator` are (English, Chinese)."""

    kind: Kind
    person: tuple[str, str]
    operator: tuple[str, str]


WAIT = ("Please wait", "请稍候")
AGAIN = ("Please try again", "请再试一次")
OUT = ("Out of service", "暂停服务")
NOBODY = ("", "")
