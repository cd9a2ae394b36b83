"""An eye that looks at every frame of a camera by itself, as at a photo: for whoever sets a camera up."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

from kiosk.capture.frame import Frame
from kiosk.capture.slot import CaptureThread, NewestSlot
from kiosk.capture.soundness import judge
from kiosk.errors import CameraError
from kiosk.eye import messages
from kiosk.eye.channel import EyeEnd
from kiosk.eye.opening import open_confined
from kiosk.ports import AnalysedPhoto
from kiosk.settings import CameraSettings, EyeSettings, QualitySettings
from kiosk.vision.photo import PhotoReader
from kiosk.vision.pixels import encode_jpeg

_FORMAT = "frame"
_QUALITY = 90


def glance(channel: EyeEnd, orders: messages.GlanceOrders) -> None:
    """Until told to stop, or the asker is gone. Raises CameraError where the camera or a model fails."""
    begun = time.monotonic()
    eye, camera = EyeSettings.model_validate(orders.eye), CameraSettings.model_validate(orders.camera)
    source, refused = open_confined(orders.name, camera, eye)
    slot = NewestSlot()
    capture = CaptureThread(source, slot, judge(camera))
    opened = time.monotonic()
    try:
        with PhotoReader(QualitySettings.model_validate(orders.quality), eye, Path(orders.models_dir)) as reader:
            spent = {"camera": opened - begun, "models": time.monotonic() - opened}
            channel.send(
                messages.Started(source.opened_at, source.width, source.height, source.fps, refused, spent, source.notes)
            )
            stopped = threading.Event()
            threading.Thread(target=_listen, args=(channel, stopped), name="listen", daemon=True).start()
            capture.start()
            while not stopped.is_set():
                frame = slot.take(eye.wedged_after)
                if frame is None:
                    raise capture.error or CameraError("camera_lost", f"no frame for {eye.wedged_after:g} s")
                channel.send(_glanced(reader, frame, slot, orders))
    finally:
        capture.stop()


def _glanced(reader: PhotoReader, frame: Frame, slot: NewestSlot, orders: messages.GlanceOrders) -> messages.Glanced:
    height, width = frame.image.shape[:2]
    nothing = AnalysedPhoto(width, height, _FORMAT, ())
    return messages.Glanced(
        at=frame.captured_at,
        captured=slot.captured,
        dropped=slot.dropped,
        photo=nothing if frame.unsound else reader.look(frame.image, _FORMAT, orders.wish),
        unsound=frame.unsound,
        jpeg=encode_jpeg(frame.image, _QUALITY) if orders.pictures else None,
    )


def _listen(channel: EyeEnd, stopped: threading.Event) -> None:
    """Whatever comes, and that nothing comes any more, means to stop."""
    with suppress(CameraError, OSError):
        channel.receive()
    stopped.set()
