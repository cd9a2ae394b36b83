"""Relays as the daemon sees them: a channel to the keeper that holds the line."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from kiosk.errors import HardwareError
from kiosk.hardware import keeper

_OPEN_WITHIN = 5.0
_ANSWER_WITHIN = 1.0
"""Seconds. A keeper answers in well under a millisecond; one that takes longer cannot be relied on."""

OnRelease = Callable[[float, str], None]
OnLost = Callable[[float, str], None]


class RelayState(msgspec.Struct, frozen=True):
    """A simulated relay as anyone may look at it; `at`: monotonic seconds of the last change."""

    energised: bool
    at: float
    why: str
    pulses: int
    pid: int


def state_file(state_dir: Path, name: str) -> Path:
    """Where `sim:NAME` shows its state. Raises HardwareError `relay_missing` for a name that is none."""
    if not name or Path(name).name != name:
        raise HardwareError("relay_missing", f"sim:{name}: a simulated relay's name has no / in it")
    return state_dir / "sim" / f"{name}.json"


def read_state(state_dir: Path, name: str) -> RelayState:
    """Raises HardwareError `relay_missing` where there never was such a relay.

    A relay whose keeper is gone is de-energised, whatever was written last.
    """
    file = state_file(state_dir, name)
    try:
        seen = msgspec.json.decode(file.read_bytes(), type=RelayState)
        with file.with_suffix(".lock").open("rb") as lock:
            held = keeper.holder(lock)
    except (OSError, msgspec.MsgspecError) as error:
        raise HardwareError("relay_missing", f"sim:{name}: {file}: {error}") from error
    return seen if held else msgspec.structs.replace(seen, energised=False, why="keeper gone")


async def open_relay(url: str, state_dir: Path, on_release: OnRelease, on_lost: OnLost) -> KeptRelay:
    """Starts the keeper; the line is in its safe state on return.

    `on_release` hears of every return to the safe state (monotonic time, why), `on_lost` of a keeper that
    ended by itself (monotonic time, slug). Raises HardwareError `relay_missing` where the line cannot be had.
    """
    name = url.partition(":")[2]
    file = state_file(state_dir, name)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with theirs:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", keeper.__file__, str(theirs.fileno()), "sim", str(file)),
            pass_fds=(theirs.fileno(),),
            stdin=asyncio.subprocess.DEVNULL,
            env={},
            # What stops or interrupts the daemon's terminal must not stop the one that ends its pulses.
            start_new_session=True,
        )
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_OPEN_WITHIN):
            answer = (await loop.sock_recv(ours, 100)).decode()
    except TimeoutError:
        answer = "silence"
    if answer != "ready":
        ours.close()
        if process.returncode is None:
            process.kill()
        await process.wait()
        verb, _, pid = answer.partition(" ")
        why = f"process {pid} holds it" if verb == "held" else f"its keeper ended with {process.returncode}"
        raise HardwareError("relay_missing", f"{url}: {why}")
    return KeptRelay(url, process, ours, on_release, on_lost)


class KeptRelay:
    """A ports.Relay. Event loop only."""

    def __init__(
        self, url: str, process: asyncio.subprocess.Process, channel: socket.socket, on_release: OnRelease, on_lost: OnLost
    ) -> None:
        self._url = url
        self._process = process
        self._channel = channel
        self._on_release = on_release
        self._on_lost = on_lost
        self._energised = False
        self._answer: asyncio.Future[str] | None = None
        self._open = True
        asyncio.get_running_loop().add_reader(channel, self._hear)

    @property
    def energised(self) -> bool:
        return self._energised

    @property
    def keeper_pid(self) -> int:
        return self._process.pid

    async def pulse(self, seconds: float) -> float:
        """See ports.Relay."""
        if self._energised:
            raise HardwareError("relay_busy", f"{self._url} is still in its last pulse")
        verb, _, at = (await self._ask(f"pulse {seconds!r}")).partition(" ")
        if verb == "busy":
            raise HardwareError("relay_busy", f"{self._url} is still in its last pulse")
        if verb != "energised":
            raise HardwareError("relay_lost", f"{self._url}: its keeper refuses a pulse of {seconds} s")
        return float(at)

    async def release(self) -> None:
        """See ports.Relay. Raises HardwareError `relay_lost` where the keeper does not confirm it."""
        await self._ask("release")

    async def close(self) -> None:
        """See ports.Relay. The keeper lets go when the channel closes; one that does not is killed, which lets go too."""
        if self._open:
            self._shut()
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _ask(self, command: str) -> str:
        if not self._open:
            raise HardwareError("relay_lost", f"{self._url}: its keeper is gone")
        self._answer = asyncio.get_running_loop().create_future()
        try:
            self._channel.send(command.encode())
            async with asyncio.timeout(_ANSWER_WITHIN):
                return await self._answer
        except (TimeoutError, OSError) as error:
            # Its death is what makes a keeper that no longer listens let go of the line.
            if self._process.returncode is None:
                self._process.kill()
            self._shut()
            raise HardwareError("relay_lost", f"{self._url}: its keeper does not answer ({error.__class__.__name__})") from error
        finally:
            self._answer = None

    def _hear(self) -> None:
        try:
            message = self._channel.recv(100).decode()
        except ConnectionError:
            message = ""
        verb, _, rest = message.partition(" ")
        if not verb:
            self._shut()
            self._on_lost(time.monotonic(), "relay_lost")
            return
        self._energised = verb == "energised" or (verb == "busy" and self._energised)
        if verb == "released":
            at, _, why = rest.partition(" ")
            self._on_release(float(at), why)
        # The timer's release answers nothing: it may come between a question and its answer.
        unasked = verb == "released" and rest.endswith("timer")
        if self._answer is not None and not self._answer.done() and not unasked:
            self._answer.set_result(message)

    def _shut(self) -> None:
        self._open = False
        self._energised = False
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(HardwareError("relay_lost", f"{self._url}: its keeper is gone"))
