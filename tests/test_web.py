"""The daemon's web on a real server: health, metrics, events, page; and the feed behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest

from kiosk import http_server
from kiosk.errors import KioskError
from kiosk.web.app import create_app
from kiosk.web.feed import Feed


class Board:
    def __init__(self) -> None:
        self.dropped = 0
        self.feed = Feed(self._count)
        self.picture: bytes | None = None
        self.status = "ready"

    def _count(self) -> None:
        self.dropped += 1

    def health(self) -> Mapping[str, object]:
        return {"status": self.status}

    def metrics(self) -> tuple[bytes, str]:
        return b"kiosk_up 1\n", "text/plain; version=1.0.0"


@asynccontextmanager
async def served(board: Board, *, page: bool = False, events: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(http_server.serve(create_app(board, page=page, events=events), "127.0.0.1", 0, port.set_result))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{await port}", trust_env=False, timeout=5.0) as client:
        yield client
    board.feed.close()
    server.cancel()
    await asyncio.wait([server])


@pytest.mark.parametrize(("status", "code"), [("ready", 200), ("degraded", 503), ("starting", 503)])
async def test_health_says_so_in_its_status_code(status: str, code: int) -> None:
    board = Board()
    board.status = status
    async with served(board) as client:
        answer = await client.get("/health")
    assert (answer.status_code, answer.json()) == (code, {"status": status})


async def test_metrics_are_served_with_their_own_type() -> None:
    async with served(Board()) as client:
        answer = await client.get("/metrics")
    assert (answer.text, answer.headers["content-type"]) == ("kiosk_up 1\n", "text/plain; version=1.0.0")


@pytest.mark.parametrize("path", ["/", "/events", "/picture.jpg", "/status.js"])
async def test_names_and_faces_are_not_served_unless_asked_for(path: str) -> None:
    async with served(Board()) as client:
        assert (await client.get(path)).status_code == 404


async def test_the_page_loads_nothing_from_elsewhere() -> None:
    board = Board()
    board.picture = b"\xff\xd8picture"
    async with served(board, page=True) as client:
        page = await client.get("/")
        picture = await client.get("/picture.jpg")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http" not in page.text
    assert picture.content == board.picture


async def test_a_page_asked_for_under_another_name_is_refused() -> None:
    async with served(Board(), page=True) as client:
        assert (await client.get("/health", headers={"Host": "evil.example"})).status_code == 400


async def test_events_come_as_lines_the_recent_ones_first() -> None:
    board = Board()
    board.feed.publish({"event": "before"})
    async with served(board, events=True) as client, client.stream("GET", "/events") as answer:
        lines = answer.aiter_lines()
        assert msgspec.json.decode(await anext(lines)) == {"event": "before"}
        board.feed.publish({"event": "after"})
        assert msgspec.json.decode(await anext(lines)) == {"event": "after"}


async def test_a_taken_port_is_named() -> None:
    async with served(Board()) as client:
        port = client.base_url.port
        assert port is not None
        with pytest.raises(KioskError, match=f"address_in_use: 127.0.0.1 port {port}"):
            await http_server.serve(create_app(Board(), page=False, events=False), "127.0.0.1", port, lambda _: None)


async def test_a_slow_observer_loses_the_oldest_and_it_is_counted() -> None:
    board = Board()
    feed = Feed(board._count, remembered=1, queue=3)
    watching = feed.watch()
    feed.publish({"n": 0})
    assert await anext(watching) == {"n": 0}
    for number in range(1, 6):
        feed.publish({"n": number})
    assert [await anext(watching) for _ in range(3)] == [{"n": 3}, {"n": 4}, {"n": 5}]
    assert board.dropped == 2
    feed.close()
    with pytest.raises(StopAsyncIteration):
        await anext(watching)


async def test_an_idle_feed_shows_a_sign_of_life() -> None:
    feed = Feed(lambda: None)
    assert await anext(feed.watch(idle=0.01)) is None
