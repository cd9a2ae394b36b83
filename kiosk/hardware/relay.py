"""Relays as the daemon sees them: a channel to the keeper that holds the line."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import msgspec

from kiosk import processes
from kiosk.errors import HardwareError
from kiosk.hardware import keeper
from kiosk.settings.lines import LineAddress, parse

_OPEN_WITHIN = 5.0
_ANSWER_WITHIN = 1.0
"""Seconds. A keeper answers in well under a millisecond; one that takes longer cannot be relied on."""

_RENEW_EVERY = 1.0
"""Seconds; a `hold` outlives two that were missed, not three."""

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
    try:
        address = parse(f"sim:{name}", "output")
    except ValueError as error:
        raise HardwareError("relay_missing", str(error)) from error
    return state_dir / "sim" / f"{address.line}.json"


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

    `on_release` hears of every return to the safe state (monotonic time, why: `timer`, `lease`, `asked`), `on_lost` of a
    keeper that ended by itself (monotonic time, slug), once the line was made safe as far as it can be.
    Raises HardwareError where the line cannot be had: `relay_missing`, of a kernel's line `line_missing`, `line_busy`,
    `line_forbidden`, `line_unsupported`.
    """
    try:
        address = parse(url, "output")
    except ValueError as error:
        raise HardwareError("relay_missing", str(error)) from error
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with theirs:
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", keeper.__file__, str(theirs.fileno()), *_orders(address, state_dir)),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                env={},
                # What stops or interrupts the daemon's terminal must not stop the one that ends its pulses.
                start_new_session=True,
            )
        except HardwareError:
            ours.close()
            raise
    answer = await _first_word(ours)
    if answer != "ready":
        ours.close()
        processes.send(process, signal.SIGKILL)
        await process.wait()
        _refuse(address, answer, process.returncode)
    return KeptRelay(address, process, ours, on_release, on_lost)


def _orders(address: LineAddress, state_dir: Path) -> Sequence[str]:
    if address.scheme == "sim":
        return "sim", str(state_file(state_dir, address.line))
    from kiosk.hardware import lines  # noqa: PLC0415 (boxes without lines do not load the library)

    return "gpiod", lines.folder_of_gpiod(), json.dumps(lines.wiring(address, lines.locate(address)))


async def _first_word(channel: socket.socket) -> str:
    try:
        async with asyncio.timeout(_OPEN_WITHIN):
            return (await asyncio.get_running_loop().sock_recv(channel, 100)).decode()
    except (TimeoutError, ConnectionError):
        return ""


def _refuse(address: LineAddress, answer: str, code: int | None) -> NoReturn:
    verb, _, word = answer.partition(" ")
    if verb == "failed":
        from kiosk.hardware import lines  # noqa: PLC0415

        lines.refuse(address, word)
    why = f"process {word} holds it" if verb == "held" else f"its keeper ended with {code}"
    raise HardwareError("relay_missing", f"{address.url}: {why}")


class KeptRelay:
    """A ports.Relay. Event loop only."""

    def __init__(
        self,
        address: LineAddress,
        process: asyncio.subprocess.Process,
        channel: socket.socket,
        on_release: OnRelease,
        on_lost: OnLost,
    ) -> None:
        self._address = address
        self._url = address.url
        self._process = process
        self._channel = channel
        self._on_release = on_release
        self._on_lost = on_lost
        self._energised = False
        self._renewal: asyncio.TimerHandle | None = None
        self._answer: asyncio.Future[str] | None = None
        self._open = True
        self._loss: asyncio.Task[None] | None = None
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

    async def hold(self) -> float:
        """See ports.Relay. The keeper is told every second that this process still comes round."""
        if self._renewal is not None:
            self._renewal.cancel()
        verb, _, at = (await self._ask("hold")).partition(" ")
        if verb != "energised":
            raise HardwareError("relay_lost", f"{self._url}: its keeper refuses to hold")
        self._renewal = asyncio.get_running_loop().call_later(_RENEW_EVERY, self._renew)
        return float(at)

    async def release(self) -> None:
        """See ports.Relay. Raises HardwareError `relay_lost` where the keeper does not confirm it."""
        await self._ask("release")

    async def close(self) -> None:
        """See ports.Relay. The keeper lets go when the channel closes; one that does not is killed, which lets go too."""
        if self._open:
            self._shut()
        if self._loss is not None:
            await self._loss
        await self._ended()

    async def _ended(self) -> None:
        """Waits for the keeper's end, and makes safe what a keeper left that did not do so itself."""
        for _ in range(2):
            with suppress(TimeoutError):
                async with asyncio.timeout(_ANSWER_WITHIN):
                    await self._process.wait()
            if self._process.returncode is not None:
                break
            processes.send(self._process, signal.SIGKILL)
        if self._process.returncode != 0 and self._address.scheme == "gpiod":
            from kiosk.hardware import lines  # noqa: PLC0415

            # Some drivers leave a released line as it was. One that cannot be had is another's, or gone.
            with suppress(HardwareError):
                await lines.put_safe(self._address)

    async def _lose(self) -> None:
        await self._ended()
        self._on_lost(time.monotonic(), "relay_lost")

    def _renew(self) -> None:
        if self._open and self._energised:
            # A full channel is a keeper that does not come round: its lease, or the next question, ends the matter.
            with suppress(BlockingIOError, BrokenPipeError, ConnectionError):
                self._channel.send(b"renew")
            self._renewal = asyncio.get_running_loop().call_later(_RENEW_EVERY, self._renew)

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
            processes.send(self._process, signal.SIGKILL)
            if self._open:
                self._shut()
            await self._ended()
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
            self._loss = asyncio.get_running_loop().create_task(self._lose())
            return
        self._energised = verb == "energised" or (verb == "busy" and self._energised)
        if verb == "released":
            at, _, why = rest.partition(" ")
            self._on_release(float(at), why)
        # A release by the timer answers nothing: it may come between a question and its answer.
        unasked = verb == "released" and not rest.endswith("asked")
        if self._answer is not None and not self._answer.done() and not unasked:
            self._answer.set_result(message)

    def _shut(self) -> None:
        self._open = False
        self._energised = False
        if self._renewal is not None:
            self._renewal.cancel()
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(HardwareError("relay_lost", f"{self._url}: its keeper is gone"))
