"""Whether a host can be reached: name, port, certificate. Each step is a function that tells what it found."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from kiosk.recognition.tencent.transport import NOT_YET_VALID, PORTS, is_loopback

SOON = 14
"""Days before a certificate's end that are worth a word."""

State = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Step:
    """`found`: what there is, or what is wrong; a step that is skipped is no failure."""

    name: str
    state: State
    found: str
    milliseconds: float | None = None


class Way(NamedTuple):
    """How to an endpoint: `host` and `port` are the proxy's where there is one."""

    name: str
    host: str
    port: int
    tls: bool
    proxy: bool


def way_to(endpoint: str) -> Way:
    """Proxies come from the environment, except for loopback, as for the calls themselves."""
    parts = urlsplit(endpoint)
    name, tls = parts.hostname or "", parts.scheme == "https"
    proxies = getproxies()
    address = proxies.get(parts.scheme) or proxies.get("all")
    if not address or is_loopback(name) or proxy_bypass(parts.netloc):
        return Way(name, name, parts.port or PORTS[parts.scheme], tls, proxy=False)
    proxy = urlsplit(address)
    return Way(name, proxy.hostname or "", proxy.port or PORTS.get(proxy.scheme, 1080), tls, proxy=True)


async def reach(way: Way, ca_file: Path | None, within: float, wall: Callable[[], float]) -> list[Step]:
    """The steps dns, tcp and tls, up to the first that fails; each within `within` seconds. `wall`: Unix seconds."""
    addresses: list[str] = []

    async def dns() -> str:
        addresses.extend(await _look_up(way))
        return ("the proxy's: " if way.proxy else "") + ", ".join(addresses[:4])

    async def tcp() -> str:
        return await _connect(way, addresses)

    async def tls() -> str:
        return await _shake_hands(way, ca_file, wall)

    steps: list[Step] = []
    for name, look in (("dns", dns), ("tcp", tcp), ("tls", tls)):
        if name == "tls" and (way.proxy or not way.tls):
            steps.append(Step(name, "skipped", "goes through the proxy, see http" if way.tls else "plain http"))
            continue
        steps.append(await _timed(name, look, within))
        if steps[-1].state == "failed":
            break
    return steps


async def _timed(name: str, look: Callable[[], Awaitable[str]], within: float) -> Step:
    started = time.perf_counter()
    state: State = "failed"
    try:
        async with asyncio.timeout(within):
            found = await look()
        state = "ok"
    except TimeoutError:
        found = f"no answer within {within:g} s"
    except (OSError, UnicodeError) as error:
        found = _of_error(error)
    return Step(name, state, found, (time.perf_counter() - started) * 1000)


async def _look_up(way: Way) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(way.host, way.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def _connect(way: Way, addresses: list[str]) -> str:
    """Every address is tried: a dead one costs each new connection a quarter of a second."""
    errors = await asyncio.gather(*(_dead(address, way.port) for address in addresses))
    dead = [address for address, error in zip(addresses, errors, strict=True) if error]
    if len(dead) == len(addresses):
        raise next(error for error in errors if error)
    return f"port {way.port}" + (f", but {', '.join(dead)} does not answer" if dead else "")


async def _dead(address: str, port: int) -> OSError | None:
    try:
        _, writer = await asyncio.open_connection(address, port)
    except OSError as error:
        return error
    await _close(writer)
    return None


async def _close(writer: asyncio.StreamWriter) -> None:
    """What the other side says to that is of no interest any more."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _shake_hands(way: Way, ca_file: Path | None, wall: Callable[[], float]) -> str:
    trust = ssl.create_default_context(cafile=ca_file)
    _, writer = await asyncio.open_connection(way.host, way.port, ssl=trust)
    connection = writer.get_extra_info("ssl_object")
    version, ends = connection.version(), ssl.cert_time_to_seconds(connection.getpeercert()["notAfter"])
    await _close(writer)
    days = int((ends - wall()) // 86_400)
    return f"{version}, certificate good for {days} days" + (", which the vendor should have renewed" if days < SOON else "")


def _of_error(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        clock = ": is this box's clock right?" if error.verify_code == NOT_YET_VALID else ""
        return f"certificate refused: {error.verify_message}{clock}"
    return str(error) or type(error).__name__
