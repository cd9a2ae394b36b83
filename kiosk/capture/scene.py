"""A scripted entrance hall as a camera: people walk up, look and leave, in real time."""

from __future__ import annotations

import itertools
import math
import time
from pathlib import Path

import cv2
import numpy as np

from kiosk.capture import hall, motion, script
from kiosk.capture.cutout import CutOut, cut_out
from kiosk.capture.frame import Frame, Image, Pacer
from kiosk.capture.movements import MOVEMENTS, Movement, Understanding
from kiosk.capture.qr import held_up, modules
from kiosk.capture.script import Act, Scene
from kiosk.errors import CameraError
from kiosk.settings import CameraSettings


class SceneCamera:
    """Renders a scene at the pace of `settings.fps`. Threads: as for Source."""

    notes = ()

    def __init__(
        self, name: str, scene: Scene, settings: CameraSettings, origin: float | None, curtain: Path | None = None
    ) -> None:
        """`curtain`: see script.parted."""
        self._stage = Stage(scene, settings.width, settings.height)
        self._pacer = Pacer(origin, settings.fps)
        self.opened_at = self._pacer.origin
        self.width = settings.width
        self.height = settings.height
        self.fps = settings.fps
        self._name = name
        self._scene = scene
        self._loop = settings.loop
        self._curtain = curtain
        self._begun: float | None = None
        self._understanding = Understanding()

    def hear(self, slug: str) -> None:
        """What the person before this camera is told now; empty where nothing any more. May be called from any thread."""
        self._understanding.hear(slug, time.monotonic())

    def read(self) -> Frame:
        index, due = self._pacer.wait()
        elapsed = self._elapsed(index, due)
        if elapsed is None:
            return Frame(self._name, index, due, self._stage.empty(index))
        if elapsed >= self._scene.seconds and not self._loop:
            raise CameraError("source_ended", f"the scene is over after {self._scene.seconds:g} s")
        return Frame(self._name, index, due, self._stage.render(elapsed, index, self._understanding.movement(due)))

    def close(self) -> None:
        self._pacer.close()

    def _elapsed(self, index: int, due: float) -> float | None:
        """Seconds since the scene began; None where nobody plays."""
        if self._curtain is None:
            return index / self.fps
        if self._begun is None:
            self._begun = _rising(self._curtain)
        if self._begun is None or not self._begun <= due < self._begun + self._scene.seconds:
            return None
        return due - self._begun


class Stage:
    """Draws any moment of a scene in frames of `width` × `height` pixels. Not thread-safe.

    People are cut out when first needed, in the empty hall before their act, and kept for the next round.
    Raises CameraError `source_invalid` where the pictures of the people are missing.
    """

    def __init__(self, scene: Scene, width: int, height: int) -> None:
        self._scene = scene
        self._hall = hall.paint(width, height)
        self._noise = hall.noise(width, height)
        self._people: dict[tuple[object, ...], CutOut] = {}
        self._codes: dict[str, Image] = {}
        self._cast(scene.acts[0])

    def render(self, t: float, grain: int, movement: Movement = "look_ahead") -> Image:
        """The picture `t` seconds after the scene was first started; `grain` chooses the noise.

        `movement`: what those do now who obey.
        """
        picture = self._hall.copy()
        acts = self._scene.acts_at(t)
        if not acts:
            self._get_ready(self._scene.next_act(t))
        for act in acts:
            since = t % self._scene.seconds - act.at
            spots = motion.places(act, since)
            for person, place in zip(self._cast(act.as_at(since), movement), spots, strict=True):
                _draw(picture, person, place)
            if act.code:
                held_up(picture, self._code(act.code), spots[0])
        return self._with_noise(picture, grain)

    def empty(self, grain: int) -> Image:
        """The hall with nobody in it; `grain` as for `render`."""
        return self._with_noise(self._hall.copy(), grain)

    def _get_ready(self, act: Act) -> None:
        """Cuts out who comes next; of the movements of whoever obeys one at a time, since each costs a frame."""
        for movement, there in itertools.product(MOVEMENTS, (act, act.as_at(math.inf))):
            before = len(self._people)
            self._cast(there, movement)
            if len(self._people) > before:
                return

    def _cast(self, act: Act, movement: Movement = "look_ahead") -> list[CutOut]:
        own = movement if act.performed and act.obeys else "look_ahead"
        return [self._person(act, person, own if person == act.person else "look_ahead") for person in act.people]

    def _person(self, act: Act, person: str, movement: Movement) -> CutOut:
        # What the act's person shows and performs is nothing of those who come along.
        own = (act.performed, act.shows, act.on, movement) if person == act.person else ()
        key = (person, act.view, act.face, act.blur, act.brightness, person in act.masked, own)
        if key not in self._people:
            self._people[key] = cut_out(act, person, self._hall.shape[0], movement)
        return self._people[key]

    def _code(self, text: str) -> Image:
        if text not in self._codes:
            self._codes[text] = modules(text)
        return self._codes[text]

    def _with_noise(self, picture: Image, grain: int) -> Image:
        height, width = picture.shape[:2]
        # Two steps without a common divisor: no corner comes again for as many frames as there are corners.
        down, right = divmod(grain * 1597 % hall.NOISE_ROOM**2, hall.NOISE_ROOM)
        cv2.add(picture, self._noise[down : down + height, right : right + width], dst=picture)
        return picture


def open_scene(name: str, scene: str, settings: CameraSettings, origin: float | None) -> SceneCamera:
    """Opens a packaged scene or a scene's TOML file. Raises CameraError as `script.load` and `Stage` do."""
    play, curtain = script.parted(scene)
    return SceneCamera(name, script.load(play), settings, origin, curtain)


def _rising(curtain: Path) -> float | None:
    """When the scene begins, where that is known by now."""
    try:
        return float(curtain.read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CameraError("source_invalid", f"{curtain} holds no time: {error}") from error


def _draw(picture: Image, person: CutOut, place: motion.Place) -> None:
    """Blends one person into the picture; touches only the rectangle they cover."""
    height, width = picture.shape[:2]
    scale = place.face * height / person.face
    level = person.level(scale)
    factor = scale / level.scale
    left = round(place.x * width - level.anchor[0] * factor)
    top = round(place.y * height - level.anchor[1] * factor)
    sprite = _sized(level.pixels, factor, height - top)
    bounds = [round(share * side) for share, side in zip(place.seen_through, (width, height) * 2, strict=True)]
    x0, y0 = max(left, bounds[0]), max(top, bounds[1])
    x1, y1 = min(left + sprite.shape[1], bounds[2]), min(top + sprite.shape[0], bounds[3])
    if x0 >= x1 or y0 >= y1:
        return
    part = sprite[y0 - top : y1 - top, x0 - left : x1 - left]
    under = picture[y0:y1, x0:x1]
    through = cv2.cvtColor(cv2.extractChannel(part, 3), cv2.COLOR_GRAY2BGR)
    cv2.multiply(under, through, dst=under, scale=1 / 255)
    cv2.add(under, cv2.cvtColor(part, cv2.COLOR_BGRA2BGR), dst=under)


def _sized(pixels: Image, factor: float, room: int) -> Image:
    """The upper part of a sprite that fits into `room` rows, scaled."""
    rows = min(max(int(room / factor) + 1, 1), pixels.shape[0])
    if abs(factor - 1) < 1e-3:
        return pixels[:rows]
    size = max(round(pixels.shape[1] * factor), 1), max(round(rows * factor), 1)
    return np.asarray(cv2.resize(pixels[:rows], size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
