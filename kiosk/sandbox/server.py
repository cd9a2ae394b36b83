"""The vendor's older host on this machine: same paths, signatures, forms, envelopes and codes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from kiosk import http_server
from kiosk.errors import ConfigurationError, ContractViolation
from kiosk.ports import PhotoAnalyser
from kiosk.recognition.tencent.codes import LEGACY
from kiosk.recognition.tencent.signing import Credentials
from kiosk.sandbox.faces import Data, Faces
from kiosk.sandbox.gate import Gate
from kiosk.sandbox.refusals import Refusal
from kiosk.sandbox.submission import Submission, receive
from kiosk.settings import is_loopback

Action = Callable[[Submission], Awaitable[Data]]

log = structlog.get_logger()


def create_app(
    analyser: PhotoAnalyser, credentials: Credentials, appid: str, bucket: str, wall: Callable[[], float] = time.time
) -> Starlette:
    """`/face/identify`, `newperson`, `getinfo` and `delperson` for one account, over a library in memory.

    An empty `bucket` accepts every bucket. `wall`: Unix seconds that signatures are held to.
    """
    gate = Gate(credentials, appid, bucket, wall)
    faces = Faces(analyser)
    actions = {"identify": faces.identify, "newperson": faces.newperson, "getinfo": faces.getinfo, "delperson": faces.delperson}
    return Starlette(
        routes=[Route(f"/face/{name}", _endpoint(name, action, gate), methods=["POST"]) for name, action in actions.items()],
        exception_handlers={HTTPException: _unknown, Exception: _broken},
    )


async def serve(app: Starlette, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serves until cancelled; calls `ready` with the port once it listens (`port` 0: any free one).

    Plain HTTP, hence loopback only. Raises ConfigurationError `configuration_invalid`, KioskError `address_in_use`.
    """
    if not is_loopback(host):
        raise ConfigurationError("configuration_invalid", f"the sandbox takes faces unencrypted: loopback only, not '{host}'")
    await http_server.serve(app, host, port, ready)


def _endpoint(name: str, action: Action, gate: Gate) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        started = time.monotonic()
        code, message, data = await _answer(action, gate, request)
        log.info("sandbox_request", interface=name, code=code, milliseconds=round(1000 * (time.monotonic() - started), 1))
        return _envelope(code, message, data)

    return endpoint


async def _answer(action: Action, gate: Gate, request: Request) -> tuple[int, str, Data]:
    try:
        signature = gate.admit(request.headers.get("authorization"))
        submission = await receive(request)
        gate.match(signature, submission)
        return 0, "OK", await action(submission)
    except Refusal as refusal:
        return refusal.code, refusal.detail, {}
    except ContractViolation as error:
        return 213, error.slug, {}
    except ClientDisconnect:
        return 3, "the caller hung up", {}


def _envelope(code: int, message: str, data: Data, status: int = 200) -> Response:
    # No charset: with one, the vendor's own package takes a failure for a success.
    body = msgspec.json.encode({"data": data, "code": code, "message": message})
    return Response(body, status, media_type="application/json")


async def _unknown(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _envelope(3, "no such interface", {}, error.status_code)


async def _broken(_: Request, __: Exception) -> Response:
    """What is unforeseen is logged by the server with its traceback and tells the caller nothing."""
    return _envelope(213, LEGACY[213].meaning, {}, 500)
