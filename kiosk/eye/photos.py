"""Photos measured by an eye: the daemon, the sandbox and the command line never decode one themselves."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from kiosk.errors import CameraError, PhotoRejected
from kiosk.eye import messages
from kiosk.eye.process import EyeProcess
from kiosk.ports import USUAL, AnalysedPhoto, Shape, Wish
from kiosk.settings import EyeSettings, QualitySettings

_ANSWER_WITHIN = 10.0
"""Seconds for one photo; the largest allowed takes well under one on a small box."""


class PhotoEye:
    """A ports.PhotoAnalyser: one worker process, one photo at a time, replaced when it dies or dawdles.

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
        self._eye: EyeProcess | None = None
        self._turn = asyncio.Lock()
        self._numbers = itertools.count()

    async def __aenter__(self) -> Self:
        """Raises CameraError where the worker cannot start (`model_missing`, `confinement_unavailable`, …)."""
        async with self._turn:
            await self._ready_eye()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._eye is not None:
            await self._eye.end(grace=0.5)

    async def analyse(self, photo: bytes, wish: Wish = USUAL) -> AnalysedPhoto:
        """See ports.PhotoAnalyser."""
        answer = await self._ask(messages.Analyse(next(self._numbers), photo, wish))
        if isinstance(answer, messages.Analysed):
            return answer.photo
        raise CameraError("eye_contract", "asked to analyse, it drew")

    async def draw(self, photo: bytes, shapes: Sequence[Shape]) -> bytes:
        """A PNG of the photo with `shapes` on it. Raises as `analyse` does."""
        answer = await self._ask(messages.Draw(next(self._numbers), photo, tuple(shapes)))
        if isinstance(answer, messages.Drawn):
            return answer.png
        raise CameraError("eye_contract", "asked to draw, it analysed")

    async def _ask(self, question: messages.Analyse | messages.Draw) -> messages.Analysed | messages.Drawn:
        if len(question.photo) > 5_000_000:
            raise PhotoRejected("image_too_large", f"{len(question.photo)} bytes; 5000000 are allowed")
        async with self._turn:
            eye = await self._ready_eye()
            eye.send(question)
            answer = await self._answer(eye)
        match answer:
            case messages.Analysed(request=request) | messages.Drawn(request=request) if request == question.request:
                return answer
            case messages.Refused(request=request, slug=slug, detail=detail) if request == question.request:
                raise PhotoRejected(slug, detail)
        raise CameraError("eye_contract", "the answer is to another question")

    async def _ready_eye(self) -> EyeProcess:
        if self._eye is None:
            eye = await EyeProcess.start("photos", self._orders)
            self._eye = eye
            started = await self._answer(eye, self._start_within)
            if not isinstance(started, messages.Started):
                raise CameraError("eye_contract", "expected to hear that the eye has started")
        return self._eye

    async def _answer(self, eye: EyeProcess, within: float = _ANSWER_WITHIN) -> messages.FromEye:
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
