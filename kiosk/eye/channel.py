"""Messages over a stream socket: four bytes of length, little endian, then msgpack.

Both ends refuse what is longer than MAX_MESSAGE before they read it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading

import msgspec

from kiosk.errors import CameraError
from kiosk.eye import messages

_LENGTH = struct.Struct("<I")


class EyeEnd:
    """The eye's blocking end. `send` may be called from any thread, `receive` from one."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._stream = sock.makefile("rb")
        self._lock = threading.Lock()

    def send(self, message: messages.FromEye) -> None:
        """Raises OSError when the daemon is gone."""
        data = _framed(messages.encode(message))
        with self._lock:
            self._socket.sendall(data)

    def receive(self) -> messages.ToEye | None:
        """The next message, or None when the daemon closed the channel.

        Raises CameraError `eye_contract` for a malformed one.
        """
        head = self._stream.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return None
        body = self._stream.read(_checked_length(head))
        try:
            message: messages.ToEye = messages.decode_to_eye(body)
        except msgspec.DecodeError as error:
            raise CameraError("eye_contract", str(error)) from error
        return message


class DaemonEnd:
    """The daemon's end. Event loop only."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, sock: socket.socket) -> DaemonEnd:
        return cls(*await asyncio.open_connection(sock=sock))

    def send(self, message: messages.ToEye) -> None:
        """Hands the message to the kernel as it takes it; an eye that does not read is found by its silence."""
        if not self._writer.is_closing():
            self._writer.write(_framed(messages.encode(message)))

    async def receive(self) -> messages.FromEye | None:
        """The next message, or None when the eye is gone.

        Raises CameraError `eye_contract` for anything malformed or too long.
        """
        try:
            head = await self._reader.readexactly(_LENGTH.size)
            body = await self._reader.readexactly(_checked_length(head))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        try:
            message: messages.FromEye = messages.decode_from_eye(body)
        except msgspec.DecodeError as error:
            raise CameraError("eye_contract", str(error)) from error
        return message

    def close(self) -> None:
        self._writer.close()


def _framed(body: bytes) -> bytes:
    return _LENGTH.pack(len(body)) + body


def _checked_length(head: bytes) -> int:
    (length,) = _LENGTH.unpack(head)
    if length > messages.MAX_MESSAGE:
        raise CameraError("eye_contract", f"a message of {length} bytes; {messages.MAX_MESSAGE} are allowed")
    return int(length)
