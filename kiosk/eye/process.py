"""One eye process as the daemon sees it: started with nothing it could leak, killed without asking."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections import deque

import structlog

from kiosk import processes
from kiosk.errors import CameraError
from kiosk.eye import messages
from kiosk.eye.channel import DaemonEnd

QUIET = {"OPENCV_LOG_LEVEL": "ERROR", "GLOG_minloglevel": "2", "TF_CPP_MIN_LOG_LEVEL": "2"}
"""OpenCV and MediaPipe would otherwise chat on standard error about every source and delegate."""

_SMALL = {"MALLOC_ARENA_MAX": "2"}
"""glibc keeps eight heaps for each core apart otherwise (mallopt(3)): 20 to 40 MB of an eye, and no frame is faster for it."""

_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "HOME", "XDG_CACHE_HOME")
_log = structlog.get_logger()


class EyeProcess:
    """Event loop only. Use `start`, then `receive` until it returns None, then `end`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, channel: DaemonEnd) -> None:
        self.name = name
        self._process = process
        self._channel = channel
        self._last_words: deque[str] = deque(maxlen=5)
        self._drain = asyncio.create_task(self._read_stderr(), name=f"eye {name}: stderr")

    @classmethod
    async def start(cls, name: str, orders: messages.Orders) -> EyeProcess:
        """Raises CameraError `eye_lost` where no process can be started."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-m", "kiosk.eye", str(theirs.fileno()), str(os.getpid())),
                    pass_fds=(theirs.fileno(),),
                    env=bare_environment(),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                )
            except OSError as error:
                ours.close()
                raise CameraError("eye_lost", f"cannot start {sys.executable}: {error.strerror}") from error
        eye = cls(name, process, await DaemonEnd.over(ours))
        eye.send(orders)
        return eye

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    @property
    def last_words(self) -> str:
        """The last lines of its standard error, for the log of a crash."""
        return " | ".join(self._last_words)

    def send(self, message: messages.ToEye) -> None:
        self._channel.send(message)

    async def receive(self, timeout: float) -> messages.FromEye | None:  # noqa: ASYNC109 (silence is a result here)
        """The next message; None when the eye is gone.

        Raises TimeoutError when it is silent for `timeout` seconds, CameraError `eye_contract`.
        """
        async with asyncio.timeout(timeout):
            return await self._channel.receive()

    async def answer(self, within: float) -> messages.FromEye:
        """The next message, where there has to be one.

        Raises CameraError: `eye_wedged` after `within` seconds of silence, `eye_lost`, or what the eye says is wrong.
        """
        try:
            message = await self.receive(within)
        except TimeoutError as error:
            raise CameraError("eye_wedged", f"silent for {within:g} s") from error
        if message is None:
            raise CameraError("eye_lost", self.last_words)
        if isinstance(message, messages.Fault):
            raise CameraError(message.slug, message.detail)
        return message

    async def end(self, grace: float = 0.0) -> int:
        """Asks it to stop, waits `grace` seconds, kills it; returns the exit code (negative: the signal)."""
        if grace and self._process.returncode is None:
            self.send(messages.Stop())
            try:
                async with asyncio.timeout(grace):
                    await self._process.wait()
            except TimeoutError:
                _log.warning("eye_killed", eye=self.name, why="did not stop when asked")
        processes.send(self._process, signal.SIGKILL)
        code = await self._process.wait()
        await self._drain
        self._channel.close()
        return code

    async def _read_stderr(self) -> None:
        stream = self._process.stderr
        if stream is None:
            return
        while chunk := await stream.read(4096):
            for line in chunk.decode(errors="replace").splitlines():
                self._last_words.append(line[:300])
                _log.debug("eye_said", eye=self.name, line=line[:300])


def bare_environment() -> dict[str, str]:
    """The variables a child that sees pictures is given: no secret is among them."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return kept | QUIET | _SMALL
