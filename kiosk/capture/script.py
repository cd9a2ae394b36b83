"""The script of a scene: who walks up when, how, and what the door should say to it.

No OpenCV and no numpy here: whoever plays a scene to the daemon reads it as well, to know what to expect.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Iterator
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from kiosk.capture.movements import performers, portraits
from kiosk.errors import CameraError
from kiosk.slugs import TABLE

OF_EXAMPLES = ("office", "clinic", "mantrap-outer", "mantrap-inner", "turnstile-in", "turnstile-out", "vault", "parcels")
"""Played with the configurations in config/examples, whose people, rules and hours they are about."""
PACKAGED = ("demo", "attack", "challenge", "masked", "claims", "crowd", *OF_EXAMPLES)

Person = Annotated[str, Meta(pattern=r"^P\d{3}$")]
Share = Annotated[float, Meta(ge=0, le=1)]
Expectation = Annotated[str, Meta(pattern="^(grant|deny):")]
_NO_RULE = "deny:no_rule_matched"


class Act(Struct, frozen=True, forbid_unknown_fields=True):
    """One appearance. Times in seconds, `at` since the scene's start; lengths as shares of the picture.

    `face`: height of the face where the person stands, as a share of the picture's height; 0.3 is a metre away.
    `x`: where the person stands, from the left; where several come, where their middle is. `beside`: who comes along (`with`
    in the file). `masked`: which of them wear a mask. `claim`: whose card is presented, `claim_at` seconds after the beginning.
    `view`: `profile` shows the head from the side. `move`: `approach` comes through the door, stands and
    looks; `across` passes from right to left. `leave`: `past` the camera, or `back` through the door.
    `shows`: whose portrait the person holds before their own face, `on` paper or a phone's screen; a `cutout` is paper cut along
    the face, with holes that the person's own eyes look through.
    `obeys`: whether the person does what the screen asks, where pictures show it (see movements); who comes along never does.
    `substitute`: who stands in the person's place from `substitute_at` seconds on, from one frame to the next.
    `blur`: standard deviation of a Gaussian, as a share of the face's height. `brightness`: a factor.
    `code`: text of a QR code that the person holds up under the face.
    `expect`: `grant:PERSON` or `deny:SLUG`; a list, where each of several has an answer of their own. `while_open`: a schedule
    during which that is so; at other times no rule matches.
    """

    name: Annotated[str, Meta(min_length=1, max_length=80)]
    at: Annotated[float, Meta(ge=0)]
    lasts: Annotated[float, Meta(ge=1, le=60)]
    person: Person
    expect: Expectation | tuple[Expectation, ...]
    beside: Person | tuple[Person, ...] | None = msgspec.field(name="with", default=None)
    masked: tuple[Person, ...] = ()
    claim: Person | None = None
    claim_at: Annotated[float, Meta(ge=0, le=60)] = 0.6
    face: Annotated[float, Meta(ge=0.02, le=0.6)] = 0.32
    x: Share = 0.5
    view: Literal["front", "profile"] = "front"
    move: Literal["approach", "across"] = "approach"
    leave: Literal["past", "back"] = "past"
    shows: Person | None = None
    on: Literal["paper", "phone", "cutout"] = "paper"
    obeys: bool = False
    substitute: Person | None = None
    substitute_at: Annotated[float, Meta(ge=0, le=60)] = 2.0
    blur: Annotated[float, Meta(ge=0, le=0.2)] = 0.0
    brightness: Annotated[float, Meta(gt=0, le=4)] = 1.0
    code: Annotated[str, Meta(max_length=500)] = ""
    while_open: str = ""

    @property
    def ends(self) -> float:
        return self.at + self.lasts

    @property
    def people(self) -> tuple[str, ...]:
        beside = self.beside or ()
        return (self.person, beside) if isinstance(beside, str) else (self.person, *beside)

    @property
    def performed(self) -> bool:
        """Whether `person` is shown from the pictures of their movements."""
        return (self.obeys and self.person in performers()) or self.on == "cutout"

    def as_at(self, t: float) -> Act:
        """With whoever stands there `t` seconds after it began."""
        if self.substitute is None or t < self.substitute_at:
            return self
        return msgspec.structs.replace(self, person=self.substitute)

    @property
    def expected(self) -> tuple[str, ...]:
        return (self.expect,) if isinstance(self.expect, str) else self.expect

    @property
    def granted(self) -> tuple[str, ...]:
        """The people who should be let in."""
        return tuple(who for kind, _, who in self._told() if kind == "grant")

    @property
    def refused(self) -> tuple[str, ...]:
        """The slugs of the refusals to expect."""
        return tuple(slug for kind, _, slug in self._told() if kind == "deny")

    def _told(self) -> list[tuple[str, str, str]]:
        return [one.partition(":") for one in self.expected]


class Scene(Struct, frozen=True, forbid_unknown_fields=True):
    """A scene repeats every `seconds`. `enrolled` are the people the door should know."""

    title: Annotated[str, Meta(min_length=1, max_length=80)]
    seconds: Annotated[float, Meta(gt=0, le=3600)]
    enrolled: tuple[Person, ...]
    acts: Annotated[tuple[Act, ...], Meta(min_length=1)]

    def acts_at(self, t: float) -> list[Act]:
        """The acts in view `t` seconds after the scene was first started."""
        now = t % self.seconds
        return [act for act in self.acts if act.at <= now < act.ends]

    def during(self, schedules: Collection[str]) -> Scene:
        """What to expect of it while these schedules are open, and no others."""
        acts = (act if not act.while_open or act.while_open in schedules else _at_another_time(act) for act in self.acts)
        return msgspec.structs.replace(self, acts=tuple(acts))

    def next_act(self, t: float) -> Act:
        """The act that comes into view next after `t`, in this round or the following one."""
        now = t % self.seconds
        return next((act for act in self.acts if act.at >= now), self.acts[0])


def _at_another_time(act: Act) -> Act:
    return msgspec.structs.replace(act, name=f"{act.name}, {act.while_open} being closed", expect=_NO_RULE)


def parted(url: str) -> tuple[str, Path | None]:
    """Of `NAME` or `FILE.toml`, perhaps with `?curtain=FILE`: what to `load`, and the file in which its beginning will stand.

    Without a curtain a scene begins when its camera is opened, and repeats. With one it is played once, from a time of the
    monotonic clock in seconds, as soon as the file holds it: so several cameras play together. Else the hall is empty.
    """
    name, _, curtain = url.partition("?curtain=")
    return name, Path(curtain) if curtain else None


def load(name_or_path: str) -> Scene:
    """Reads one of PACKAGED, or a TOML file.

    Raises CameraError: `camera_missing` where there is no such file, `source_invalid` for a mistake in it;
    the detail names the key and says what would be right.
    """
    try:
        table = tomllib.loads(_text(name_or_path))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CameraError("source_invalid", f"scene {name_or_path} is not TOML: {error}") from error
    try:
        scene = msgspec.convert(table, Scene)
    except msgspec.ValidationError as error:
        raise CameraError("source_invalid", f"scene {name_or_path}: {_sentence(str(error))}") from error
    for mistake in _mistakes(scene):
        raise CameraError("source_invalid", f"scene {name_or_path}: {mistake}")
    return msgspec.structs.replace(scene, acts=tuple(sorted(scene.acts, key=lambda act: act.at)))


def assets(person: str) -> Path:
    """The folder with a person's pictures, as the package openpeople carries them.

    Raises CameraError `source_invalid` where the package, or the person in it, is missing.
    """
    # Found without importing: the package is only looked at for its pictures.
    spec = find_spec("openpeople")
    if spec is None or not spec.submodule_search_locations:
        raise CameraError("source_invalid", "the people of scenes come with the package openpeople: install kiosk[demo]")
    folder = Path(spec.submodule_search_locations[0]) / "data" / "curated" / person / "assets"
    if not folder.is_dir():
        raise CameraError("source_invalid", f"openpeople has nobody called {person}")
    return folder


def portrait(person: str) -> bytes:
    """The photo a person is enrolled with; scenes show them from other pictures."""
    return (assets(person) / "studio_portrait.jpg").read_bytes()


Places = dict[int, tuple[float, float]]
"""A landmark's number of MediaPipe's 478, and where it is in pixels of the person's picture."""


@cache
def mask_places() -> dict[str, Places]:
    """For each person who can wear a mask, the landmarks that it is drawn by."""
    table = tomllib.loads(resources.files("kiosk.capture").joinpath("scenes", "masks.toml").read_text(encoding="utf-8"))
    ids = table.pop("ids")
    return {person: dict(zip(ids, map(tuple, points), strict=True)) for person, points in table.items()}


def _text(name_or_path: str) -> str:
    if name_or_path in PACKAGED:
        return resources.files("kiosk.capture").joinpath("scenes", f"{name_or_path}.toml").read_text(encoding="utf-8")
    try:
        return Path(name_or_path).expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise CameraError(
            "camera_missing",
            f"scene {name_or_path}: {error.strerror}; write scene:demo, scene:attack or the path of a TOML file",
        ) from error


def _sentence(message: str) -> str:
    """The library's message; an unknown key gets the nearest right one added."""
    unknown = re.search(r"unknown field `(.*?)`", message)
    if unknown is None:
        return message
    struct = Act if "$.acts" in message else Scene
    near = difflib.get_close_matches(unknown[1], struct.__struct_encode_fields__, n=1, cutoff=0.0)
    return f"{message}; did you mean `{near[0]}`?"


def _mistakes(scene: Scene) -> Iterator[str]:
    for number, act in enumerate(scene.acts):
        where = f"$.acts[{number}] ({act.name})"
        if act.ends > scene.seconds:
            yield f"{where}: `at` + `lasts` is {act.ends:g}, which must not be over `seconds`, {scene.seconds:g}"
        for slug in act.refused:
            if slug not in TABLE:
                near = difflib.get_close_matches(slug, TABLE, n=1, cutoff=0.0)
                yield f"{where}: `expect` names no known slug: `{slug}`; did you mean `{near[0]}`?"
        for who in act.granted:
            if who not in scene.enrolled or who not in act.people:
                yield f"{where}: `expect` grants `{who}`, who must be `enrolled` and the act's `person`"
        yield from (f"{where}: {mistake}" for mistake in _not_to_be_shown(act))


def _not_to_be_shown(act: Act) -> Iterator[str]:
    """What there are no pictures for."""
    for who in act.masked:
        if who not in act.people:
            yield f"`masked` names `{who}`, who does not come along"
        elif who not in mask_places():
            yield f"nobody knows where `{who}` wears a mask; {', '.join(sorted(mask_places()))} can"
    if (act.obeys or act.on == "cutout") and not performers().keys() & {act.person, act.substitute}:
        yield f"no picture shows `{act.person}` move; {', '.join(sorted(performers()))} can obey, and look through a cutout"
    if act.on == "cutout" and act.shows not in portraits():
        yield f"a `cutout` `shows` one of {', '.join(sorted(portraits()))}: of no other portrait it is known where the eyes are"
