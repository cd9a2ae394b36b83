"""The newest-frame slot between the capture thread and the vision thread: frames are never queued."""

from __future__ import annotations

import dataclasses
import threading

from kiosk.capture.frame import Frame, Source
from kiosk.capture.soundness import Soundness, sample
from kiosk.errors import CameraError

JOIN_WITHIN = 2.0
"""Seconds `CaptureThread.stop` waits for a blocking read; the thread is a daemon and dies with the process."""


class NewestSlot:
    """One place, overwritten: a slow taker gets the newest frame and misses the others.

    Threads: any number may put and take; each frame goes to one taker at most.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._closed = False
        self._captured = 0
        self._dropped = 0

    @property
    def captured(self) -> int:
        """Frames put so far."""
        with self._changed:
            return self._captured

    @property
    def dropped(self) -> int:
        """Frames overwritten before anybody took them."""
        with self._changed:
            return self._dropped

    def put(self, frame: Frame) -> None:
        with self._changed:
            self._dropped += self._frame is not None
            self._captured += 1
            self._frame = frame
            self._changed.notify()

    def take(self, timeout: float) -> Frame | None:
        """The newest frame nobody has taken yet, waiting up to `timeout` seconds for one.

        None when there was none in time; at once when the slot is closed and empty.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._closed, timeout)
            frame, self._frame = self._frame, None
            return frame

    def close(self) -> None:
        """No more frames will come: wakes every taker."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class CaptureThread:
    """Carries frames from a source to a slot on a daemon thread until the source fails or `stop`.

    `judge` sees every frame, also those that nobody takes; None judges none.
    Threads: `start` and `stop` belong to the owner; `error` may be read by any. Only this thread reads the source.
    """

    def __init__(self, source: Source, slot: NewestSlot, judge: Soundness | None = None) -> None:
        self._source = source
        self._slot = slot
        self._judge = judge
        self._stopping = threading.Event()
        self._error: CameraError | None = None
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    @property
    def error(self) -> CameraError | None:
        """Why no more frames come; None while they do, and after `stop`."""
        return self._error

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Closes the source and joins, waiting `JOIN_WITHIN` seconds at most."""
        self._stopping.set()
        self._source.close()
        if self._thread.ident is not None:
            self._thread.join(JOIN_WITHIN)

    def _run(self) -> None:
        error = CameraError("camera_lost", "the capture thread broke off")
        try:
            while not self._stopping.is_set():
                self._slot.put(self._judged(self._source.read()))
        except CameraError as raised:
            error = raised
        finally:
            # Also on an error nobody foresaw: the taker must not wait for a dead thread.
            if not self._stopping.is_set():
                self._error = error
            self._slot.close()

    def _judged(self, frame: Frame) -> Frame:
        unsound = self._judge.look(frame.captured_at, sample(frame.image)) if self._judge else None
        return dataclasses.replace(frame, unsound=unsound) if unsound else frame
