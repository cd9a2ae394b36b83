"""A reader that anyone who may write to the state directory can hold a card to: for demos, tests and integrators."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from kiosk.domain import CredentialKind
from kiosk.errors import HardwareError
from kiosk.hardware.readers.reader import OnFault, OnValue, options

_LONGEST = 4096


class _Held(Struct, tag="held"):
    kind: CredentialKind
    value: str


class _Fault(Struct, tag="fault"):
    slug: str


_decode = msgspec.json.Decoder(_Held | _Fault).decode


def present(state_dir: Path, name: str, kind: CredentialKind, value: str) -> None:
    """Holds a credential to `sim:NAME`. Raises HardwareError `reader_missing` where no daemon has it open."""
    _send(state_dir, name, _Held(kind, value))


def break_off(state_dir: Path, name: str, slug: str = "reader_lost") -> None:
    """Makes `sim:NAME` report a fault; with `reader_lost`, as if unplugged. Raises as `present`."""
    _send(state_dir, name, _Fault(slug))


class SimulatedReader:
    """See Reader. Its socket is readable by its owner only."""

    def __init__(self, url: str, state_dir: Path, on_value: OnValue, on_fault: OnFault) -> None:
        name, _ = options(url, {})
        self._on_value = on_value
        self._on_fault = on_fault
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            (state_dir / "sim").mkdir(parents=True, exist_ok=True)
            with _address(state_dir, name) as address:
                _bind(self._socket, url, address)
        except HardwareError:
            self._socket.close()
            raise
        except OSError as error:
            self._socket.close()
            raise HardwareError("reader_missing", f"{url}: {error.strerror}") from error
        asyncio.get_running_loop().add_reader(self._socket, self._hear)

    async def close(self) -> None:
        if self._socket.fileno() != -1:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    def _hear(self) -> None:
        try:
            message = _decode(self._socket.recv(_LONGEST))
        except msgspec.MsgspecError:
            return  # not from `present`; whoever may write there need not be believed to be sane
        now = time.monotonic()
        if isinstance(message, _Held):
            self._on_value(now, message.kind, message.value)
        else:
            self._on_fault(now, message.slug)


def _send(state_dir: Path, name: str, message: _Held | _Fault) -> None:
    # Without waiting: the reader may be in this very thread, and ten values are all that may wait for it.
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
    with _address(state_dir, name) as address, socket.socket(socket.AF_UNIX, kind) as ours:
        try:
            ours.sendto(msgspec.json.encode(message), address)
        except OSError as error:
            raise HardwareError("reader_missing", f"sim:{name}: {error.strerror}") from error


def _bind(ours: socket.socket, url: str, address: str) -> None:
    """Takes the place of a socket that was left behind, never of one that is listened to."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as trial:
        if trial.connect_ex(address) == 0:
            raise HardwareError("reader_missing", f"{url}: another process has it open")
    Path(address).unlink(missing_ok=True)
    ours.bind(address)
    Path(address).chmod(0o600)


@contextmanager
def _address(state_dir: Path, name: str) -> Iterator[str]:
    """The socket's path by its directory's descriptor: a Unix socket's own may have 107 bytes only."""
    if not name or Path(name).name != name:
        raise HardwareError("reader_missing", f"sim:{name}: a simulated reader's name has no / in it")
    try:
        directory = os.open(state_dir / "sim", os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise HardwareError("reader_missing", f"sim:{name}: {state_dir / 'sim'}: {error.strerror}") from error
    try:
        yield f"/proc/self/fd/{directory}/{name}.reader"
    finally:
        os.close(directory)
