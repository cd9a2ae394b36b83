"""The eye: the process that sees. It holds no secret, and before the first frame is decoded no network."""

from __future__ import annotations

import collections
import os
import signal
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from kiosk.capture.frame import Frame
from kiosk.capture.slot import CaptureThread, NewestSlot
from kiosk.capture.soundness import judge
from kiosk.capture.source import listener
from kiosk.domain import Ended, PresentationEvent, Told
from kiosk.errors import CameraError, KioskError, PhotoRejected
from kiosk.eye import messages
from kiosk.eye.channel import EyeEnd
from kiosk.eye.confinement import bind_to_parent, confine, limit_memory
from kiosk.eye.glancing import glance
from kiosk.eye.opening import open_confined
from kiosk.settings import CameraSettings, EyeSettings, LivenessSettings, PresentationSettings, QualitySettings
from kiosk.vision.annotate import draw
from kiosk.vision.codes import CodeReader
from kiosk.vision.examiner import Examination, Examiner
from kiosk.vision.photo import PhotoReader
from kiosk.vision.sketch import sketch
from kiosk.vision.thumbnail import thumbnail

_NOTHING = Examination((), (), (), {}, {})


def main(channel_fd: int, parent: int) -> int:
    """Runs one eye on its end of the socket pair; returns the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = EyeEnd(socket.socket(fileno=channel_fd))
    try:
        bind_to_parent(parent)
        orders = channel.receive()
        if isinstance(orders, messages.LookOrders):
            return _Watcher(channel, orders).run()
        if isinstance(orders, messages.AnalyseOrders):
            _analyse_photos(channel, orders)
        if isinstance(orders, messages.GlanceOrders):
            glance(channel, orders)
    except KioskError as error:
        channel.send(_fault(error))
        return 1
    except BrokenPipeError:
        return 0
    return 0


class _Watcher:
    """Looks at one camera until told to stop, the camera fails or the daemon is gone."""

    def __init__(self, channel: EyeEnd, orders: messages.LookOrders) -> None:
        begun = time.monotonic()
        self._channel = channel
        self._orders = orders
        eye = EyeSettings.model_validate(orders.eye)
        # Past this silence the supervisor would call the eye wedged; the camera is named first.
        self._stall = 0.75 * eye.wedged_after
        camera = CameraSettings.model_validate(orders.camera)
        self._source, self._refused = open_confined(orders.name, camera, eye, orders.origin)
        self._listener, self._spoken_to = listener(self._source), 0
        opened = time.monotonic()
        self._examiner = Examiner(
            orders.name,
            QualitySettings.model_validate(orders.quality),
            PresentationSettings.model_validate(orders.presentation),
            eye,
            Path(orders.models_dir),
            embed=orders.embed,
            first_presentation=orders.first_presentation,
            policy=orders.liveness_policy,
            liveness=LivenessSettings.model_validate(orders.liveness),
            crowd=orders.crowd,
        )
        self._start_seconds = {"camera": opened - begun, "models": time.monotonic() - opened}
        self._codes = CodeReader() if orders.codes else None
        self._slot = NewestSlot()
        self._capture = CaptureThread(self._source, self._slot, judge(camera))
        self._inbox: collections.deque[messages.ToEye | None] = collections.deque()
        self._examined = 0
        self._pictured_at = 0.0

    def run(self) -> int:
        """Returns the exit code."""
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        self._capture.start()
        try:
            while self._obey():
                self._look()
        except KioskError as error:
            # Said before the camera is given back: that may take longer than an eye may be silent.
            self._channel.send(_fault(error))
            return 1
        finally:
            self._capture.stop()
            self._examiner.close()
        return 0

    def _listen(self) -> None:
        while True:
            try:
                message = self._channel.receive()
            except (CameraError, OSError):
                message = None
            self._inbox.append(message)
            if message is None:
                return

    def _obey(self) -> bool:
        while self._inbox:
            message = self._inbox.popleft()
            if message is None or isinstance(message, messages.Stop):
                return False
            if isinstance(message, messages.Outcome):
                self._examiner.outcome(message.presentation, message.result, time.monotonic())
        return True

    def _look(self) -> None:
        frame = self._slot.take(self._stall)
        if frame is None:
            raise self._capture.error or CameraError("camera_lost", f"no frame for {self._stall:.1f} s")
        # What cannot be believed is not examined: no face in it is followed, shown or sent.
        seen = _NOTHING if frame.unsound else self._examiner.examine(frame.image, frame.captured_at)
        self._examined += 1
        if self._examined == 1:
            self._report_start()
        self._report(frame, seen)
        if self._codes and not frame.unsound and (text := self._codes.look(frame.image, frame.captured_at)):
            self._channel.send(messages.Code(frame.captured_at, text))

    def _report(self, frame: Frame, seen: Examination) -> None:
        for event in seen.events:
            self._channel.send(event)
            self._play(event)
        self._channel.send(
            messages.Examined(
                at=frame.captured_at,
                captured=self._slot.captured,
                dropped=self._slot.dropped,
                examined=self._examined,
                faces=len(seen.faces),
                present=seen.present,
                stage_seconds=seen.stage_seconds,
                unsound=frame.unsound,
            )
        )
        every = self._orders.picture_every
        if every is not None and frame.captured_at - self._pictured_at >= every:
            self._pictured_at = frame.captured_at
            self._channel.send(messages.Picture(frame.captured_at, draw(frame.image, seen)))

    def _play(self, event: PresentationEvent) -> None:
        """Lets the people of a scene read what a screen would show them. Nobody else is a listener."""
        if self._listener is None:
            return
        if isinstance(event, Told):
            self._spoken_to = event.presentation
            self._listener.hear(event.slug)
        elif isinstance(event, Ended) and event.presentation == self._spoken_to:
            self._listener.hear("")

    def _report_start(self) -> None:
        source = self._source
        self._channel.send(
            messages.Started(
                opened_at=source.opened_at,
                width=source.width,
                height=source.height,
                fps=source.fps,
                refused=self._refused,
                start_seconds=self._start_seconds,
                notes=source.notes,
            )
        )


def _fault(error: KioskError) -> messages.Fault:
    return messages.Fault(error.slug, error.detail[:500])


def _analyse_photos(channel: EyeEnd, orders: messages.AnalyseOrders) -> None:
    begun = time.monotonic()
    eye = EyeSettings.model_validate(orders.eye)
    refused = confine(required=eye.confinement == "required")
    quality = QualitySettings.model_validate(orders.quality)
    with ExitStack() as stack:
        reader = None if orders.draws_only else stack.enter_context(PhotoReader(quality, eye, Path(orders.models_dir)))
        spent = {"models": time.monotonic() - begun}
        limit_memory(eye.photo_memory_mb * 1_000_000)
        channel.send(messages.Started(opened_at=begun, width=0, height=0, fps=0.0, refused=refused, start_seconds=spent))
        while isinstance(message := channel.receive(), messages.Question):
            channel.send(_answer(reader, message))


def _answer(
    reader: PhotoReader | None, message: messages.Question
) -> messages.Analysed | messages.Drawn | messages.Thumbnail | messages.Refused:
    try:
        if isinstance(message, messages.Draw):
            return messages.Drawn(message.request, sketch(message.photo, message.shapes))
        if isinstance(message, messages.Cut):
            return messages.Thumbnail(message.request, thumbnail(message.photo, message.box, message.turned, message.side))
        if reader is None:
            raise CameraError("eye_contract", "asked to analyse, after the orders were to draw only")
        return messages.Analysed(message.request, reader.read(message.photo, message.wish))
    except PhotoRejected as error:
        return messages.Refused(message.request, error.slug, error.detail[:500])


def run_from_command_line(arguments: list[str]) -> int:
    fd, parent = (int(argument) for argument in arguments)
    os.set_inheritable(fd, False)
    return main(fd, parent)
