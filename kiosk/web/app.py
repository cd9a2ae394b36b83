"""What the daemon shows over HTTP: `/health` and `/metrics` always; the page and the event stream where asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from importlib import resources
from typing import Protocol

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from kiosk.web.admin import Admin
from kiosk.web.feed import Feed

_encode = msgspec.json.Encoder().encode
# Nothing is loaded from elsewhere, framed or run inline but the page's own files.
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


class Board(Protocol):
    """What the web may know."""

    @property
    def feed(self) -> Feed: ...

    @property
    def picture(self) -> bytes | None:
        """The newest annotated picture (JPEG), where the page is on."""

    def health(self) -> Mapping[str, object]:
        """`status` is `ready`, `degraded` or `starting`; the rest says why."""

    def metrics(self) -> tuple[bytes, str]:
        """The exposition and its content type."""


def create_app(
    board: Board, *, page: bool, events: bool, admin: Admin | None = None, more: Sequence[BaseRoute] = ()
) -> Starlette:
    """With anything but `/health` and `/metrics` only requests addressed to a loopback name are answered (no DNS rebinding).

    `more`: further routes, which are looked at before the admin's.
    """
    routes: list[BaseRoute] = [Route("/health", _Health(board).get), Route("/metrics", _Metrics(board).get)]
    middleware = []
    if page:
        routes += _Page(board, admin.page_token if admin else "").routes
    if page or events:
        routes.append(Route("/events", _Events(board).get))
    routes += more
    if admin:
        routes += admin.routes
    if page or events or admin or more:
        middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "[::1]"])]
    return Starlette(routes=routes, middleware=middleware)


class _Health:
    def __init__(self, board: Board) -> None:
        self._board = board

    async def get(self, _: Request) -> Response:
        health = self._board.health()
        status = 200 if health["status"] == "ready" else 503
        return Response(_encode(health), status, media_type="application/json")


class _Metrics:
    def __init__(self, board: Board) -> None:
        self._board = board

    async def get(self, _: Request) -> Response:
        body, content_type = self._board.metrics()
        return Response(body, headers={"Content-Type": content_type})


class _Page:
    def __init__(self, board: Board, token: str) -> None:
        """`token`: lets the page see and set simulated lines; other sites cannot read the page, so they do not learn it."""
        self._board = board
        static = resources.files("kiosk.web") / "static"
        page = (static / "status.html").read_text("utf-8").replace('name="token" content=""', f'name="token" content="{token}"')
        self._files = {
            "/": (page.encode(), "text/html"),
            "/status.css": ((static / "status.css").read_bytes(), "text/css"),
            "/status.js": ((static / "status.js").read_bytes(), "text/javascript"),
        }

    @property
    def routes(self) -> list[Route]:
        return [*(Route(path, self._file) for path in self._files), Route("/picture.jpg", self._picture)]

    async def _file(self, request: Request) -> Response:
        body, media_type = self._files[request.url.path]
        return Response(body, headers=_PAGE_HEADERS, media_type=media_type)

    async def _picture(self, _: Request) -> Response:
        if self._board.picture is None:
            return Response(status_code=404)
        return Response(self._board.picture, media_type="image/jpeg", headers=_PAGE_HEADERS)


class _Events:
    def __init__(self, board: Board) -> None:
        self._board = board

    async def get(self, _: Request) -> Response:
        return StreamingResponse(self._lines(), media_type="application/x-ndjson", headers=_PAGE_HEADERS)

    async def _lines(self) -> AsyncIterator[bytes]:
        async for event in self._board.feed.watch():
            yield b"\n" if event is None else _encode(event) + b"\n"
