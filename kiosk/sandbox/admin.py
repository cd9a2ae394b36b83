"""What the sandbox's owner may see and change, on a port of its own: faults, calls, clock, persons, metrics, and a page.

On loopback only. Pages of other sites can make a browser ask here: so it answers to loopback names only (no DNS
rebinding), and writes for nobody who says that a page made them.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from kiosk.errors import KioskError
from kiosk.sandbox import faults
from kiosk.sandbox.census import census
from kiosk.sandbox.page import HEADERS, Page
from kiosk.sandbox.server import Sandbox

MOST_SCRIPT = 1_000_000
"""Bytes of a fault script."""
_LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]
_SAFE = {"GET", "HEAD"}
_MOST_SHIFT = 1e9
_PERSONS = 100


class Shift(Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds by which the sandbox's clock is to be wrong from now on."""

    shift: Annotated[float, Meta(ge=-_MOST_SHIFT, le=_MOST_SHIFT)]


def create_admin(sandbox: Sandbox) -> Starlette:
    admin, page = _Admin(sandbox), Page(sandbox)
    return Starlette(
        routes=[
            Route("/", page.get),
            Route("/page.css", page.style),
            Route("/metrics", admin.metrics),
            Route("/faults", admin.faults, methods=["GET"]),
            Route("/faults", admin.follow, methods=["PUT"]),
            Route("/faults", admin.no_faults, methods=["DELETE"]),
            Route("/calls", admin.calls),
            Route("/clock", admin.clock, methods=["GET"]),
            Route("/clock", admin.shift, methods=["POST"]),
            Route("/persons", admin.persons),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=_LOOPBACK, www_redirect=False), Middleware(_NoPages)],
        exception_handlers={KioskError: _refused, msgspec.DecodeError: _misunderstood, HTTPException: _unknown},
    )


class _NoPages:
    """A browser names the page that asks for a write as its Origin; those who should write are no browsers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in _SAFE and any(name == b"origin" for name, _ in scope["headers"]):
            answer = _json({"error": "request_refused", "detail": "no page may change anything here"}, 403)
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class _Admin:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def metrics(self, _: Request) -> Response:
        body, content_type = self._sandbox.records.render()
        return Response(body, headers={"Content-Type": content_type})

    async def faults(self, _: Request) -> Response:
        return _json(self._sandbox.script.state())

    async def follow(self, request: Request) -> Response:
        """A script in TOML, or in JSON where the content type says so; it starts from its beginning."""
        text = await _body(request)
        is_json = request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
        read = faults.read_json if is_json else faults.read_toml
        self._sandbox.script.follow(read(text, self._sandbox.interfaces))
        return _json(self._sandbox.script.state())

    async def no_faults(self, _: Request) -> Response:
        self._sandbox.script.follow(faults.NO_FAULTS)
        return _json(self._sandbox.script.state())

    async def calls(self, _: Request) -> Response:
        return _json(list(self._sandbox.records.recent))

    async def clock(self, _: Request) -> Response:
        clock = self._sandbox.clock
        return _json({"shift": clock.shift, "now": clock.now()})

    async def shift(self, request: Request) -> Response:
        self._sandbox.clock.shift = msgspec.json.decode(await _body(request), type=Shift).shift
        return await self.clock(request)

    async def persons(self, request: Request) -> Response:
        """A hundred from `offset` on: ids, groups and how many faces; `group`: of this one only."""
        gallery = self._sandbox.gallery
        wanted = request.query_params.get("group")
        offset = request.query_params.get("offset", "0")
        groups = [wanted] if wanted is not None else [group.group_id for group in gallery.groups]
        persons = gallery.members(groups)[int(offset) if offset.isdecimal() else 0 :][:_PERSONS]
        told = [{"person_id": one.person_id, "groups": list(one.groups), "faces": len(one.faces)} for one in persons]
        return _json({**census(gallery)._asdict(), "page": told})


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_SCRIPT:
            raise HTTPException(413)
    return bytes(body)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, KioskError)
    return _json({"error": error.slug, "detail": error.detail}, 422)


async def _misunderstood(_: Request, error: Exception) -> Response:
    return _json({"error": "request_refused", "detail": str(error)[:300]}, 422)


async def _unknown(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"error": "request_refused", "detail": error.detail}, error.status_code)


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, headers=HEADERS, media_type="application/json")
