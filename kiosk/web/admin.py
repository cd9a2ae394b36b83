"""What the box's owner may order over HTTP, with a token; and the simulated lines, which the page may set too.

A command is not a state: it carries a nonce, which is taken once, and an instant at which it is too old. Every call of a
bearer's is in the journal before anything follows from it. Loopback only; a proxy in front must bring TLS and its own log-in.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta, Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kiosk import slugs
from kiosk.access.events import Command
from kiosk.access.orders import DONE
from kiosk.errors import ConfigurationError, HardwareError, JournalError
from kiosk.hardware import simulated
from kiosk.hardware.inputs import set_sim

Handler = Callable[[Request], Awaitable[Response]]

TOKEN_FILE = "admin-token"  # noqa: S105 (a file's name)

MOST_AHEAD = 60.0
"""Seconds that a command may be good for."""
_MOST_BODY = 10_000
_ANSWER_WITHIN = 10.0
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Door(Protocol):
    """What takes commands; a refusal is a slug."""

    async def command(self, command: Command, by: str) -> str: ...


class Journal(Protocol):
    """Raises JournalError where the row is not on disk."""

    async def __call__(self, kind: str, portal: str, body: Mapping[str, object]) -> None: ...


class Spent(Protocol):
    """Remembers on disk what was used.

    Whether it is used for the first time; times are Unix seconds. Raises HardwareError where it cannot be remembered.
    """

    async def spend(self, identity: str, expires_at: float, now: float) -> bool: ...


class Order(Struct, frozen=True, forbid_unknown_fields=True):
    """`expires_at`: Unix seconds."""

    nonce: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
    expires_at: float


class Level(Struct, frozen=True, forbid_unknown_fields=True):
    active: bool


def read_token(state_dir: Path) -> str:
    """Made at the first start, for this user's eyes only. Raises ConfigurationError `token_exposed` where others may read it."""
    file = state_dir / TOKEN_FILE
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as made:
            made.write(secrets.token_urlsafe(32) + "\n")
    except FileExistsError:
        pass
    if file.stat().st_mode & 0o077:
        raise ConfigurationError("token_exposed", f"{file} may be read by others: remove it, and a new one is made")
    token = file.read_text(encoding="ascii").strip()
    if len(token) < 32:
        raise ConfigurationError("token_exposed", f"{file} holds no token: remove it, and a new one is made")
    return token


class Admin:
    """Event loop only. `page_token` is for the page, whoever may look at that: it is good for simulated lines alone."""

    def __init__(
        self,
        state_dir: Path,
        doors: Mapping[str, Door],
        journal: Journal,
        spent: Spent,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._state_dir = state_dir
        self._doors = doors
        self._journal = journal
        self._spent = spent
        self._wall = wall
        self._token = read_token(state_dir)
        self.page_token = secrets.token_urlsafe(32)

    def reload_route(self, reload: Callable[[], Awaitable[Mapping[str, object]]]) -> Route:
        """`POST /admin/rules/reload`; what `reload` tells has an `error` where the rules were refused."""

        async def reloaded(request: Request) -> Response:
            await self._journal("admin_reload", "", {"by": _by(request)})
            done = await reload()
            return told(409 if "error" in done else 200, done)

        return Route("/admin/rules/reload", self.guarded(reloaded), methods=["POST"])

    @property
    def routes(self) -> list[Route]:
        """Further ones are made with `guarded`."""
        return [
            Route("/admin/lines", self.guarded(self._lines, page=True), methods=["GET"]),
            Route("/admin/lines/{name}", self.guarded(self._set_line, page=True), methods=["POST"]),
            Route("/admin/portals/{portal}/{command}", self.guarded(self._command), methods=["POST"]),
        ]

    def guarded(self, handler: Handler, *, page: bool = False) -> Handler:
        """Answers bearers of the token only; with `page`, the page too. Errors become answers with their slug."""

        async def guard(request: Request) -> Response:
            try:
                if not self._bears(request, page):
                    return refusal(401, "token_wrong", {"WWW-Authenticate": "Bearer"})
                return await handler(request)
            except msgspec.MsgspecError as error:
                return refusal(422, "request_malformed", detail=str(error)[:300])
            except HTTPException as error:
                return refusal(error.status_code, "request_malformed", detail=error.detail)
            except (JournalError, HardwareError) as error:
                return refusal(503, error.slug, detail=error.detail)

        return guard

    def _bears(self, request: Request, page: bool) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        right = [self._token, self.page_token] if page else [self._token]
        # All are compared, each in constant time.
        return scheme.lower() == "bearer" and sum(hmac.compare_digest(given.encode(), one.encode()) for one in right) > 0

    async def _lines(self, _: Request) -> Response:
        return told(200, {"lines": simulated.lines(self._state_dir)})

    async def _set_line(self, request: Request) -> Response:
        name = request.path_params["name"]
        level = msgspec.json.decode(await body(request), type=Level)
        known = {line.name for line in simulated.lines(self._state_dir) if line.kind == "input"}
        if name not in known:
            return refusal(404, "line_missing", detail=f"no simulated input '{name}' is open")
        await self._journal("admin_line", "", {"line": name, "active": level.active, "by": _by(request)})
        try:
            set_sim(self._state_dir, name, level.active)
        except HardwareError as error:
            return refusal(404, error.slug, detail=error.detail)
        return told(200, {"line": name, "active": level.active})

    async def _command(self, request: Request) -> Response:
        portal, command = request.path_params["portal"], request.path_params["command"]
        order = msgspec.json.decode(await body(request), type=Order)
        if portal not in self._doors:
            return refusal(404, "portal_unknown", detail=f"no portal '{portal}'")
        ordered = msgspec.convert(command, Command)
        refused = await self._refused(order)
        by = _by(request)
        row: dict[str, object] = {"command": command, "nonce": order.nonce, "expires_at": order.expires_at, "by": by}
        row |= {"refused": refused} if refused else {}
        await self._journal("admin_command", portal, row)
        if refused is not None:
            return refusal(409, refused)
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                slug = await self._doors[portal].command(ordered, by)
        except TimeoutError:
            return refusal(504, "outcome_unknown")
        return told(200, {"outcome": slug}) if slug == DONE else refusal(409, slug)

    async def _refused(self, order: Order) -> str | None:
        """The slug of why it may not be carried out; None where it may, and never again."""
        now = self._wall()
        if not now < order.expires_at <= now + MOST_AHEAD:
            return "command_expired"
        return None if await self._spent.spend(order.nonce, order.expires_at, now) else "command_replayed"


def _by(request: Request) -> str:
    return f"admin at {request.client.host}" if request.client else "admin"


async def body(request: Request, most: int = _MOST_BODY) -> bytes:
    """Of a request, up to `most` bytes. Raises HTTPException 413."""
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > most:
            raise HTTPException(413)
    return bytes(read)


def refusal(status: int, slug: str, headers: Mapping[str, str] | None = None, *, detail: str = "") -> Response:
    meaning = slugs.to_operator(slug) if slug in slugs.TABLE else ""
    return told(status, {"error": slug, "meaning": meaning, "detail": detail}, headers)


def told(status: int, value: object, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers={**_HEADERS, **(headers or {})}, media_type="application/json")
