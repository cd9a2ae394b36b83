"""The vendor's hosts on this machine: same paths, signatures, forms, envelopes and codes.

One port serves both generations: the older interfaces below `/face/`, the current ones at `/`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from kiosk import http_server
from kiosk.errors import ConfigurationError
from kiosk.ports import PhotoAnalyser
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.tencent.codes import LEGACY
from kiosk.recognition.tencent.legacy_messages import MAX_BODY
from kiosk.recognition.tencent.signing import Credentials
from kiosk.sandbox.fetching import Fetcher
from kiosk.sandbox.iai.desk import MAX_POST, refuse
from kiosk.sandbox.iai.desk import Desk as CurrentDesk
from kiosk.sandbox.legacy.desk import Desk as OldDesk
from kiosk.sandbox.legacy.desk import envelope
from kiosk.sandbox.legacy.gate import Gate
from kiosk.sandbox.refusals import Refused
from kiosk.sandbox.wire import Sent
from kiosk.settings import is_loopback

Endpoint = Callable[[Request], Awaitable[Response]]

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]

log = structlog.get_logger()


def create_app(
    analyser: PhotoAnalyser,
    credentials: Credentials,
    appid: str,
    bucket: str,
    wall: Callable[[], float] = time.time,
    fetcher: Fetcher | None = None,
) -> Starlette:
    """Both generations of interfaces for one account, over one gallery in memory.

    An empty `bucket` accepts every bucket. `wall`: Unix seconds that signatures are held to. Without a `fetcher` no picture is
    fetched by its address. Credentials with a token accept calls with that token only, of the current interfaces.
    """
    gallery = Gallery(wall)
    fetcher = fetcher or Fetcher(())
    old = OldDesk(analyser, gallery, Gate(credentials, appid, bucket, wall), fetcher)
    current = CurrentDesk(analyser, gallery, credentials, wall, fetcher)
    return Starlette(
        routes=[
            *(Route(f"/face/{name}", _old(name, old), methods=["POST"]) for name in old.interfaces),
            Route("/", _current(current), methods=_METHODS),
        ],
        middleware=[Middleware(_OriginForm)],
        exception_handlers={HTTPException: _unknown, Exception: _broken},
    )


async def serve(app: Starlette, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serves until cancelled; calls `ready` with the port once it listens (`port` 0: any free one).

    Plain HTTP, hence loopback only. Raises ConfigurationError `configuration_invalid`, KioskError `address_in_use`.
    """
    if not is_loopback(host):
        raise ConfigurationError("configuration_invalid", f"the sandbox takes faces unencrypted: loopback only, not '{host}'")
    await http_server.serve(app, host, port, ready)


class _OriginForm:
    """Takes requests as proxies get them, with the whole address for a path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(("http://", "https://")):
            scope = {**scope, "path": urlsplit(scope["path"]).path or "/"}
        await self._app(scope, receive, send)


def _old(name: str, desk: OldDesk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        started = time.monotonic()
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                break
        said = await desk.answer(name, Sent(request.method, "", dict(request.headers), bytes(body)))
        _log(name, int(said.code or 0), started)
        return _json(said.body)

    return endpoint


def _current(desk: CurrentDesk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        started = time.monotonic()
        headers = dict(request.headers)
        try:
            body = await _body(request)
        except Refused as refusal:
            said = refuse(refusal, headers)
        else:
            query = request.scope["query_string"].decode("latin-1")
            said = await desk.answer(Sent(request.method, query, headers, body))
        _log(said.action, said.code or 0, started)
        return _json(said.body)

    return endpoint


async def _body(request: Request) -> bytes:
    """Raises Refused where it is larger than the vendor takes, or never came."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_POST:
                raise Refused("RequestSizeLimitExceeded")
    except ClientDisconnect as error:
        raise Refused("InvalidRequest", "the caller hung up") from error
    return bytes(body)


def _log(interface: str, code: int | str, started: float) -> None:
    log.info("sandbox_request", interface=interface, code=code, milliseconds=round(1000 * (time.monotonic() - started), 1))


def _json(body: bytes, status: int = 200) -> Response:
    # No charset: with one, the vendor's own packages take a failure for a success.
    return Response(body, status, media_type="application/json")


async def _unknown(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json(envelope(3, "no such interface", {}), error.status_code)


async def _broken(request: Request, __: Exception) -> Response:
    """What is unforeseen is logged by the server with its traceback and tells the caller nothing."""
    if request.url.path == "/":
        return _json(refuse(Refused("InternalError"), dict(request.headers)).body, 500)
    return _json(envelope(213, LEGACY[213].meaning, {}), 500)
