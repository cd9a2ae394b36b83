"""Credentials over HTTP: a claim by another system, and the PIN pad on the terminal's own screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from kiosk import slugs
from kiosk.errors import HardwareError
from kiosk.hardware.readers import simulated
from kiosk.web.admin import body

_POLICY = ("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'")
_HEADERS = {
    "Content-Security-Policy": "; ".join(_POLICY),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_LONGEST = 1000
"""Bytes of a request's body."""
_STATUS = {"credential_known": 200, "credentials_too_fast": 429, "pin_locked_out": 429}
"""Anything else was refused: 403."""


class Desk(Protocol):
    """Where one portal's credentials are handed in; answers are slugs."""

    async def enter_pin(self, typed: str) -> str: ...

    async def claim(self, person: str, nonce: str, expires_at: float) -> str: ...


Desks = Mapping[str, Desk]
"""By the portal's name."""
Handler = Callable[[Request], Awaitable[Response]]
Guard = Callable[[Handler], Handler]


class Claim(Struct, forbid_unknown_fields=True):
    """`expires_at`: Unix seconds."""

    person: Annotated[str, Meta(min_length=1, max_length=64)]
    nonce: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
    expires_at: Annotated[float, Meta(ge=0, le=2**40)]


class Held(Struct, forbid_unknown_fields=True):
    """What is held to a simulated reader."""

    kind: Literal["card", "qr", "pin"]
    value: Annotated[str, Meta(min_length=1, max_length=500)]


class Pin(Struct, forbid_unknown_fields=True):
    pin: Annotated[str, Meta(pattern=r"^[0-9]{1,12}$")]


def claim_routes(desks: Desks, language: slugs.Language, guarded: Guard) -> list[BaseRoute]:
    """`POST /admin/portals/NAME/claim` with a Claim. `guarded` lets only the token's holder in."""
    return [Route("/admin/portals/{portal}/claim", guarded(_Counter(desks, language).claim), methods=["POST"])]


def reader_routes(state_dir: Path, guarded: Guard) -> list[BaseRoute]:
    """`POST /admin/readers/NAME` with what is Held to the reader `sim:NAME`."""

    async def hold(request: Request) -> Response:
        held = await _body(request, Held)
        if held is None:
            return Response(status_code=400)
        try:
            simulated.present(state_dir, request.path_params["reader"], held.kind, held.value)
        except HardwareError as error:
            return Response(msgspec.json.encode({"slug": error.slug}), 404, media_type="application/json")
        return Response(status_code=204)

    return [Route("/admin/readers/{reader}", guarded(hold), methods=["POST"])]


def pin_pad_routes(desks: Desks, language: slugs.Language) -> list[BaseRoute]:
    """`/pin/PORTAL`, the page, and what it posts to. Only on loopback, and only where a Host header is checked.

    Another site's page that runs in the terminal's browser cannot post here: it has another origin.
    """
    counter = _Counter(desks, language)
    return [
        Route("/pin/{portal}", counter.page),
        Route("/pin/{portal}", counter.pin, methods=["POST"]),
        Route("/pin-pad.css", counter.file),
        Route("/pin-pad.js", counter.file),
    ]


_Form = TypeVar("_Form", Claim, Held, Pin)


class _Counter:
    def __init__(self, desks: Desks, language: slugs.Language) -> None:
        self._desks = desks
        self._language = language
        static = resources.files("kiosk.web") / "static"
        self._page = (static / f"pin-pad.{language}.html").read_bytes()
        self._files = {
            "/pin-pad.css": ((static / "pin-pad.css").read_bytes(), "text/css"),
            "/pin-pad.js": ((static / "pin-pad.js").read_bytes(), "text/javascript"),
        }

    async def page(self, request: Request) -> Response:
        if request.path_params["portal"] not in self._desks:
            return Response(status_code=404)
        return Response(self._page, headers=_HEADERS, media_type="text/html")

    async def file(self, request: Request) -> Response:
        body, media_type = self._files[request.url.path]
        return Response(body, headers=_HEADERS, media_type=media_type)

    async def pin(self, request: Request) -> Response:
        if not _is_own(request):
            return Response(status_code=403)
        desk, entered = self._desks.get(request.path_params["portal"]), await _body(request, Pin)
        if desk is None or entered is None:
            return Response(status_code=400 if desk else 404)
        return self._answer(await desk.enter_pin(entered.pin))

    async def claim(self, request: Request) -> Response:
        desk, claim = self._desks.get(request.path_params["portal"]), await _body(request, Claim)
        if desk is None or claim is None:
            return Response(status_code=400 if desk else 404)
        return self._answer(await desk.claim(claim.person, claim.nonce, claim.expires_at))

    def _answer(self, slug: str) -> Response:
        body = msgspec.json.encode({"slug": slug, "sentence": slugs.to_person(slug, self._language)})
        return Response(body, _STATUS.get(slug, 403), media_type="application/json", headers=_HEADERS)


def _is_own(request: Request) -> bool:
    origin = request.headers.get("origin")
    same = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    return same and request.headers.get("content-type", "").partition(";")[0] == "application/json"


async def _body(request: Request, form: type[_Form]) -> _Form | None:
    """None where it is too long, or no such form."""
    try:
        return msgspec.json.decode(await body(request, _LONGEST), type=form)
    except (HTTPException, msgspec.MsgspecError, UnicodeDecodeError):
        return None
