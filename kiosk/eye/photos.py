"""Photos measured by an eye: the daemon, the sandbox and the command line never decode one themselves."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from kiosk.domain import Box
from kiosk.errors import CameraError, PhotoRejected
from kiosk.eye import messages
from kiosk.eye.process import EyeProcess
from kiosk.ports import USUAL, AnalysedPhoto, Shape, Wish
from kiosk.settings import EyeSettings, QualitySettings

_T = TypeVar("_T", messages.Analysed, messages.Drawn, messages.Thumbnail)


_STOP_WITHIN = 3.0
"""Seconds a worker has to give its models back, on a busy box too."""


class PhotoEye:
    """A ports.PhotoAnalyser: one worker process, one photo at a time, replaced when it dies or dawdles.

    A photo that takes longer than `eye.photo_within` ends in CameraError `eye_wedged`; one that wants more memory than
    `eye.photo_memory_mb` in PhotoRejected `image_decode_failed` or, past the decoding, CameraError `eye_lost`.

    Use as an async context manager; event loop only.
    """

    def __init__(self, quality: QualitySettings, eye: EyeSettings, models_dir: Path, *, draws_only: bool = False) -> None:
        """`draws_only`: the worker needs no models, and `analyse` may not be called."""
        self._orders = messages.AnalyseOrders(
            quality=quality.model_dump(mode="json"),
            eye=eye.model_dump(mode="json"),
            models_dir=str(models_dir),
            draws_only=draws_only,
        )
        self._start_within = eye.start_within
        self._photo_within = eye.photo_within
        self._eye: EyeProcess | None = None
        self._turn = asyncio.Lock()
        self._numbers = itertools.count()

    async def __aenter__(self) -> Self:
        """Raises as `start` does."""
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.end()

    @property
    def alive(self) -> bool:
        """Whether a worker is there to take a photo."""
        return self._eye is not None and self._eye.alive

    async def start(self) -> None:
        """Starts the worker where none lives. Raises CameraError where it cannot start (`model_missing`, …)."""
        async with self._turn:
            await self._ready_eye()

    async def end(self) -> None:
        """Ends the worker, if there is one."""
        eye, self._eye = self._eye, None
        if eye is not None:
            await eye.end(_STOP_WITHIN)

    async def analyse(self, photo: bytes, wish: Wish = USUAL) -> AnalysedPhoto:
        """See ports.PhotoAnalyser."""
        return (await self._ask(messages.Analyse(next(self._numbers), photo, wish), messages.Analysed)).photo

    async def draw(self, photo: bytes, shapes: Sequence[Shape]) -> bytes:
        """A PNG of the photo with `shapes` on it. Raises as `analyse` does."""
        return (await self._ask(messages.Draw(next(self._numbers), photo, tuple(shapes)), messages.Drawn)).png

    async def thumbnail(self, photo: bytes, box: Box, turned: int = 0, side: int = 320) -> bytes:
        """A small JPEG, `side` pixels at most, of the face in `box` of the photo after so many quarter turns clockwise.

        Raises as `analyse` does.
        """
        return (await self._ask(messages.Cut(next(self._numbers), photo, box, turned, side), messages.Thumbnail)).jpeg

    async def _ask(self, question: messages.Question, kind: type[_T]) -> _T:
        if len(question.photo) > messages.MAX_PHOTO:
            raise PhotoRejected("image_too_large", f"{len(question.photo)} bytes; {messages.MAX_PHOTO} are allowed")
        async with self._turn:
            eye = await self._ready_eye()
            eye.send(question)
            answer = await self._answer(eye, self._photo_within)
            if isinstance(answer, kind | messages.Refused) and answer.request == question.request:
                if isinstance(answer, messages.Refused):
                    raise PhotoRejected(answer.slug, answer.detail)
                return answer
            await self.end()
        raise CameraError("eye_contract", "the answer is to another question")

    async def _ready_eye(self) -> EyeProcess:
        if self._eye is not None and not self._eye.alive:
            # It died between two photos: the next one is not to blame.
            await self.end()
        if self._eye is None:
            eye = await EyeProcess.start("photos", self._orders)
            self._eye = eye
            started = await self._answer(eye, self._start_within)
            if not isinstance(started, messages.Started):
                await self.end()
                raise CameraError("eye_contract", "expected to hear that the eye has started")
        return self._eye

    async def _answer(self, eye: EyeProcess, within: float) -> messages.FromEye:
        """The eye's next message; an eye that gives none, or a fault, is ended and forgotten."""
        answer: messages.FromEye | None = None
        why = CameraError("eye_lost")
        try:
            answer = await eye.receive(within)
        except TimeoutError:
            why = CameraError("eye_wedged", f"no answer within {within:g} s")
        except CameraError as error:
            why = error
        finally:
            if answer is None or isinstance(answer, messages.Fault):
                self._eye = None
                code = await eye.end()
        if isinstance(answer, messages.Fault):
            raise CameraError(answer.slug, answer.detail)
        if answer is None:
            raise CameraError(why.slug, why.detail or f"exit code {code}: {eye.last_words}")
        return answer
