"""Messages between eye and daemon over a real socket pair."""

from __future__ import annotations

import asyncio
import collections
import socket
import struct
import threading
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import CameraError
from kiosk.eye import messages
from kiosk.eye.channel import DaemonEnd, EyeEnd

EXAMINED: dict[str, object] = {"type": "examined", "at": 1.0, "captured": 1, "dropped": 0, "examined": 1, "faces": 0}
EXAMINED |= {"present": [], "stage_seconds": {}}
ENDED: dict[str, object] = {"type": "ended", "presentation": 1, "at": 1.0, "began_at": 1.0, "usable_at": None, "frames": 1}
ENDED |= {"shots": 0, "defects": {}, "best": None}


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    theirs.close()
    ours.close()


async def test_messages_arrive_in_order_and_whole(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    eye = EyeEnd(theirs)
    daemon = await DaemonEnd.over(ours)
    sent = [messages.Picture(1.0, bytes(size)) for size in (0, 1, 100_000, 3_000_000)]
    sender = threading.Thread(target=lambda: collections.deque(map(eye.send, sent)))
    sender.start()
    assert [await daemon.receive() for _ in sent] == sent
    sender.join()
    daemon.send(messages.Outcome(7, "granted"))
    daemon.send(messages.Stop())
    assert [eye.receive(), eye.receive()] == [messages.Outcome(7, "granted"), messages.Stop()]
    daemon.close()
    assert await asyncio.to_thread(eye.receive) is None


async def test_the_daemon_hears_that_the_eye_is_gone(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    daemon = await DaemonEnd.over(ours)
    theirs.send(struct.pack("<I", 100) + b"half")
    theirs.shutdown(socket.SHUT_RDWR)
    assert await daemon.receive() is None
    daemon.close()


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack("<I", messages.MAX_MESSAGE + 1),
        struct.pack("<I", 3) + b"abc",
        struct.pack("<I", 1) + b"\x80",
    ],
)
async def test_what_is_malformed_or_too_long_is_refused(pair: tuple[socket.socket, socket.socket], raw: bytes) -> None:
    ours, theirs = pair
    daemon = await DaemonEnd.over(ours)
    theirs.sendall(raw)
    with pytest.raises(CameraError, match="eye_contract"):
        await daemon.receive()
    daemon.close()


@pytest.mark.parametrize(
    "message",
    [
        {"type": "told", "presentation": 1},
        {"type": "told", "presentation": 0, "at": 1.0, "slug": "good"},
        {"type": "told", "presentation": 1, "at": 1.0, "slug": "Not a slug!"},
        {"type": "told", "presentation": 1, "at": 1.0, "slug": "no_such_slug"},
        {"type": "fault", "slug": "no_such_slug"},
        {"type": "refused", "request": 1, "slug": "no_such_slug"},
        EXAMINED | {"unsound": "no_such_slug"},
        EXAMINED | {"stage_seconds": {"no such stage": 0.1}},
        ENDED | {"defects": {"no_such_slug": 1}},
        ENDED | {"best": {"measures": {}, "defects": ["no_such_slug"], "grade": 1}},
        ENDED | {"liveness": {"score": 1, "state": "attack", "cause": "no_such_slug", "frames": 1}},
        EXAMINED | {"captured": -1},
        {"type": "grant", "person": "anybody"},
    ],
)
def test_every_field_has_its_bounds(message: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        messages.decode_from_eye(msgspec.msgpack.encode(message))


@pytest.mark.parametrize("message", [EXAMINED, ENDED])
def test_within_them_they_are_taken(message: dict[str, object]) -> None:
    raw = msgspec.msgpack.encode(message)
    taken = msgspec.msgpack.decode(messages.encode(messages.decode_from_eye(raw)))
    assert message.items() <= taken.items()


@given(st.binary(max_size=300))
def test_no_bytes_make_anything_but_a_message_or_a_decode_error(raw: bytes) -> None:
    try:
        message = messages.decode_from_eye(raw)
    except msgspec.DecodeError:
        return
    assert isinstance(message, messages.FromEye)
