"""Pictures by address: from the hosts allowed, against servers that lead, dribble, lie and never end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import ConfigurationError, KioskError
from kiosk.sandbox import fetching
from kiosk.sandbox.fetching import MAX_PICTURE, Allowed, Fetcher, is_public

PICTURE = b"\xff\xd8picture"


def plain(body: bytes = PICTURE, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


class Host:
    """Answers every request with the same bytes, and remembers what it was asked."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.port = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        try:
            writer.write(self.answer)
            while self.answer.endswith(b"endless"):
                writer.write(bytes(100_000))
                await writer.drain()
            if self.answer == b"":
                await reader.read()
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def host(answer: bytes) -> AsyncIterator[Host]:
    one = Host(answer)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    async with server:
        yield one
        for writer in one.writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def why(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(KioskError) as caught:
        await fetcher.fetch(url)
    assert caught.value.slug == "picture_not_fetched"
    return caught.value.detail


async def test_a_picture_comes_from_a_host_on_the_list() -> None:
    async with host(plain()) as one:
        fetcher = Fetcher([f"127.0.0.1:{one.port}"])
        assert await fetcher.fetch(f"http://127.0.0.1:{one.port}/a%20b.jpg?x=1#part") == PICTURE
        assert one.asked[0].startswith(b"GET /a%20b.jpg?x=1 HTTP/1.1\r\n")
        assert b"cookie" not in one.asked[0].lower()
        assert b"authorization" not in one.asked[0].lower()


async def test_an_empty_list_refuses_all() -> None:
    async with host(plain()) as one:
        assert "not on the list" in await why(Fetcher(()), f"http://127.0.0.1:{one.port}/")
        assert one.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}@evil.example/",
        "http://user:word@127.0.0.1:{port}/",
        "http://127.0.0.2:{port}/",
        "http://127.1:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f000001:{port}/",
        "http://127.0.0.1.:{port}/",
        "http://localhost:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://127.0.0.1/",
        "http://127.0.0.1:1/",
        "https:/127.0.0.1:{port}/",
        "ftp://127.0.0.1:{port}/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
        "http://127.0.0.1:{port}/ x",
        "http://127.0.0.1:{port}/\r\nX: y",
        "http://127.0.0.1:99999999/",
        "http://[::1/",
        "http://ex\u0430mple/",
        "",
        "http://",
    ],
)
async def test_what_is_not_exactly_on_the_list_is_not_asked(url: str) -> None:
    async with host(plain()) as one:
        await why(Fetcher([f"127.0.0.1:{one.port}"]), url.replace("{port}", str(one.port)))
        assert one.asked == []


async def test_redirects_and_refusals_are_not_followed() -> None:
    async with host(plain()) as other:
        away = f"Location: http://127.0.0.1:{other.port}/\r\n"
        for status in ("301 Moved", "302 Found", "307 Again", "404 Not Found", "206 Part", "500 Broken"):
            async with host(plain(status=status, more=away)) as one:
                allowed = [f"127.0.0.1:{one.port}", f"127.0.0.1:{other.port}"]
                assert f"answered {status[:3]}" in await why(Fetcher(allowed), f"http://127.0.0.1:{one.port}/")
        assert other.asked == []


async def test_size_is_bounded_while_it_comes() -> None:
    async with host(plain(bytes(MAX_PICTURE))) as one:
        assert len(await Fetcher([f"127.0.0.1:{one.port}"]).fetch(f"http://127.0.0.1:{one.port}/")) == MAX_PICTURE
    for answer in (plain(bytes(MAX_PICTURE + 1)), b"HTTP/1.1 200 OK\r\n\r\nendless"):
        async with host(answer) as one:
            assert "more than" in await why(Fetcher([f"127.0.0.1:{one.port}"]), f"http://127.0.0.1:{one.port}/")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", b"nonsense\r\n\r\n"])
async def test_time_and_lies_are_bounded(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "WITHIN", 0.5)
    async with host(answer) as one:
        assert await why(Fetcher([f"127.0.0.1:{one.port}"]), f"http://127.0.0.1:{one.port}/")


async def test_only_so_many_are_fetched_at_once_and_waiting_for_a_turn_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "WITHIN", 3.0)
    async with host(b"") as one:
        fetcher = Fetcher([f"127.0.0.1:{one.port}"])
        calls = [asyncio.create_task(why(fetcher, f"http://127.0.0.1:{one.port}/")) for _ in range(3 * fetching.AT_ONCE)]
        while len(one.asked) < fetching.AT_ONCE:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        # Until the first give up; at that moment some of the others get a turn for an instant.
        assert len(one.asked) == fetching.AT_ONCE
        assert all("not here within" in told for told in await asyncio.gather(*calls))


def resolving(monkeypatch: pytest.MonkeyPatch, names: Callable[[str], list[str]]) -> list[str]:
    """Names resolve by `names`; returns those that were looked up."""
    asked: list[str] = []

    async def look_up(_: Any, name: str, port: int, **__: Any) -> list[Any]:
        asked.append(name)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in names(name)]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", look_up)
    return asked


async def test_a_name_that_leads_home_is_refused_unless_it_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async with host(plain()) as one:
        url = f"http://pictures.example:{one.port}/"
        resolving(monkeypatch, lambda name: ["127.0.0.1"] if name == "pictures.example" else [name])
        assert "ConnectError" in await why(Fetcher([f"pictures.example:{one.port}"]), url)
        assert one.asked == []
        assert await Fetcher([f"private:pictures.example:{one.port}"]).fetch(url) == PICTURE
        assert f"host: pictures.example:{one.port}".encode() in one.asked[0].lower()


async def test_a_name_is_looked_up_once_and_that_address_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([["93.184.216.34"], ["127.0.0.1"], ["127.0.0.1"]])
    connected: list[str] = []

    async def connect(_: Any, address: str, *__: Any) -> Any:
        connected.append(address)
        raise httpcore.ConnectError("no network in tests")

    asked = resolving(monkeypatch, lambda _: next(answers))
    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
    await why(Fetcher(["pictures.example"]), "http://pictures.example/")
    assert (asked, connected) == (["pictures.example"], ["93.184.216.34"])


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::5db8:d822", True),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::127.0.0.1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
        ("2001:0:0:0:0:0:0:1", False),
        ("fc00::1", False),
        ("fe80::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("pictures.example", ("pictures.example", None, False)),
        ("Pictures.Example:8080", ("pictures.example", 8080, False)),
        ("private:nas:8080", ("nas", 8080, True)),
        ("192.168.1.5", ("192.168.1.5", None, True)),
        ("[::1]:80", ("::1", 80, True)),
        ("localhost:9000", ("localhost", 9000, True)),
    ],
)
def test_lines_of_the_list(text: str, read: tuple[str, int | None, bool]) -> None:
    assert Allowed.read(text) == read


@pytest.mark.parametrize("text", ["", "http://x", "x/y", "u@x", "x:port", "x:70000", "a b", "private:", "*"])
def test_lines_that_are_none(text: str) -> None:
    if text == "*":
        assert Allowed.read(text).host == "*"  # exactly that, which no address has
        return
    with pytest.raises(ConfigurationError):
        Allowed.read(text)


@given(st.text(max_size=60))
def test_any_text_is_refused_where_nothing_is_allowed(url: str) -> None:
    asyncio.run(why(Fetcher(()), url))
