"""Pictures that a caller names by their address: fetched from hosts on a list, and from nowhere else.

Whoever may make a server fetch addresses can make it knock on doors of its own network. So the host must be on the list,
a name is looked up once and that address is checked and used, and redirects are not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self
from urllib.parse import SplitResult, urlsplit

import httpcore

from kiosk import __version__
from kiosk.errors import ConfigurationError, KioskError

MAX_PICTURE = 5_000_000
"""Bytes, as the eye takes them."""
WITHIN = 5.0
"""Seconds for one picture, waiting for its turn included."""
AT_ONCE = 8
PORTS = {"http": 80, "https": 443}
_PRIVATE = "private:"
_LOOPBACK_NAME = "localhost"
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Allowed(NamedTuple):
    """One line of the list. `port` None: those of http and https; `private`: addresses of one's own network will do."""

    host: str
    port: int | None
    private: bool

    @classmethod
    def read(cls, text: str) -> Self:
        """`HOST`, `HOST:PORT`; `private:` before it where a name may lead into one's own network.

        An address, or `localhost`, says so by itself. Raises ConfigurationError `configuration_invalid`.
        """
        plain = text.removeprefix(_PRIVATE)
        try:
            parts = urlsplit(f"//{plain}")
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise ConfigurationError("configuration_invalid", f"'{text}' is no HOST or HOST:PORT: {error}") from error
        if not host or parts.netloc != plain or "@" in plain or not re.fullmatch(r"[!-~]+", host):
            raise ConfigurationError("configuration_invalid", f"'{text}' is no HOST or HOST:PORT")
        return cls(host, port, plain != text or _address(host) is not None or host == _LOOPBACK_NAME)

    def covers(self, parts: SplitResult, port: int) -> bool:
        return self.host == parts.hostname and (port == self.port or (self.port is None and port == PORTS[parts.scheme]))


class Fetcher:
    """Event loop only. `allowed`: see `Allowed.read`; an empty list refuses everything."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._allowed = [Allowed.read(text) for text in allowed]
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def fetch(self, url: str) -> bytes:
        """The body of a plain 200. Raises KioskError `picture_not_fetched`, whose detail holds no address."""
        parts, port = _understood(url)
        allowed = next((one for one in self._allowed if one.covers(parts, port)), None)
        if allowed is None:
            raise _refused("its host is not on the list")
        try:
            async with asyncio.timeout(WITHIN), self._turns:
                return await _get(parts, port, allowed)
        except TimeoutError as error:
            raise _refused(f"not here within {WITHIN:g} s") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise _refused(error.__class__.__name__) from error


class _Checked(httpcore.AnyIOBackend):
    """Connects to public addresses, or to any where that is allowed."""

    def __init__(self, *, private: bool) -> None:
        super().__init__()
        self._private = private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the library's interface)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(address[0]) for *_, address in found]
        good = [address for address in addresses if self._private or is_public(address)]
        if not good:
            raise httpcore.ConnectError("the name leads into a private network")
        return await super().connect_tcp(good[0], port, timeout, local_address, socket_options)


def is_public(address: str) -> bool:
    """Whether anybody on the internet could reach it; of an IPv6 address that stands for IPv4 ones, whether they could."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv4Address):
        return _is_open(found)
    within = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
    if found in _NAT64:
        within.append(ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF))
    embedded = [one for one in within if one is not None]
    return all(map(_is_open, embedded)) if embedded else _is_open(found) and not found.is_site_local


def _is_open(address: Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


def _understood(url: str) -> tuple[SplitResult, int]:
    if not re.fullmatch(r"[!-~]{1,2048}", url):
        raise _refused("no address")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _refused("no address") from error
    if parts.scheme not in PORTS or not parts.hostname or "@" in parts.netloc:
        raise _refused("neither http nor https, or with a login")
    return parts, PORTS[parts.scheme] if port is None else port


async def _get(parts: SplitResult, port: int, allowed: Allowed) -> bytes:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    url = httpcore.URL(scheme=parts.scheme, host=parts.hostname or "", port=port, target=target)
    headers = [("Host", parts.netloc), ("User-Agent", f"kiosk/{__version__}"), ("Accept-Encoding", "identity")]
    async with (
        httpcore.AsyncConnectionPool(network_backend=_Checked(private=allowed.private)) as pool,
        pool.stream("GET", url, headers=headers) as response,
    ):
        if response.status != 200:
            raise _refused(f"answered {response.status}")
        body = bytearray()
        async for chunk in response.aiter_stream():
            body += chunk
            if len(body) > MAX_PICTURE:
                raise _refused(f"more than {MAX_PICTURE} bytes")
    return bytes(body)


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _refused(why: str) -> KioskError:
    return KioskError("picture_not_fetched", why)
