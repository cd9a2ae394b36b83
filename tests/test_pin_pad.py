"""Credentials over HTTP, on a real server: the PIN pad of the terminal's screen, claims, and simulated readers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from kiosk import http_server, slugs
from kiosk.settings import WebSettings
from kiosk.web.claims import Handler, claim_routes, pin_pad_routes, reader_routes
from tests.reader_stage import Ear

CLAIM = {"person": "alice", "nonce": "nonce-0001", "expires_at": 1_800_000_030.0}


@dataclass
class Desk:
    answer: str = "credential_known"
    handed_in: list[object] = field(default_factory=list)

    async def enter_pin(self, typed: str) -> str:
        self.handed_in.append(typed)
        return self.answer

    async def claim(self, person: str, nonce: str, expires_at: float) -> str:
        self.handed_in.append((person, nonce, expires_at))
        return self.answer


def bearers_only(handler: Handler) -> Handler:
    async def guard(request: Request) -> Response:
        return await handler(request) if "authorization" in request.headers else Response(status_code=401)

    return guard


@asynccontextmanager
async def served(desk: Desk, folder: Path, language: slugs.Language = "en") -> AsyncIterator[httpx.AsyncClient]:
    desks = {"door": desk}
    routes = [
        *pin_pad_routes(desks, language),
        *claim_routes(desks, language, bearers_only),
        *reader_routes(folder, bearers_only),
    ]
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(http_server.serve(Starlette(routes=routes), "127.0.0.1", 0, port.set_result))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{await port}", trust_env=False, timeout=5.0) as client:
        yield client
    server.cancel()
    await asyncio.wait([server])


@pytest.mark.parametrize(("language", "title"), [("en", "Enter your PIN"), ("zh", "请输入密码")])
async def test_the_page_is_whole_and_asks_nothing_of_anybody_else(tmp_path: Path, language: slugs.Language, title: str) -> None:
    async with served(Desk(), tmp_path, language) as client:
        page = await client.get("/pin/door")
        linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        parts = [await client.get(link) for link in linked]
    assert (page.status_code, title in page.text) == (200, True)
    assert sorted(linked) == ["/pin-pad.css", "/pin-pad.js"]
    assert [part.status_code for part in parts] == [200, 200]
    for answer in (page, *parts):
        assert "http://" not in answer.text
        assert "https://" not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
    assert re.findall(r"<button[^>]*>(\d)</button>", page.text) == list("1234567890")


@pytest.mark.parametrize(
    ("slug", "status"),
    [
        ("credential_known", 200),
        ("pin_wrong", 403),
        ("pin_locked_out", 429),
        ("credentials_too_fast", 429),
        ("pin_unexpected", 403),
    ],
)
async def test_a_pin_is_handed_in_and_the_person_told_what_came_of_it(tmp_path: Path, slug: str, status: int) -> None:
    desk = Desk(slug)
    async with served(desk, tmp_path, "zh") as client:
        answer = await client.post("/pin/door", json={"pin": "2580"})
    assert (answer.status_code, answer.json()) == (status, {"slug": slug, "sentence": slugs.to_person(slug, "zh")})
    assert desk.handed_in == ["2580"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"pin": "2580"}', {"content-type": "text/plain"}, 403),
        (b'{"pin": "2580"}', {"content-type": "application/json", "origin": "http://elsewhere.example"}, 403),
        (b'{"pin": "2580"}', {"content-type": "application/json", "origin": "null"}, 403),
        (b'{"pin": "letters"}', {"content-type": "application/json"}, 400),
        (b'{"pin": "1234567890123"}', {"content-type": "application/json"}, 400),
        (b'{"pin": 2580}', {"content-type": "application/json"}, 400),
        (b'{"pin": "2580", "person": "alice"}', {"content-type": "application/json"}, 400),
        (b"\xff", {"content-type": "application/json"}, 400),
        (b" " * 2000 + b'{"pin": "2580"}', {"content-type": "application/json"}, 400),
    ],
)
async def test_what_the_page_would_not_send_is_not_handed_in(
    tmp_path: Path, body: bytes, headers: dict[str, str], status: int
) -> None:
    desk = Desk()
    async with served(desk, tmp_path) as client:
        answer = await client.post("/pin/door", content=body, headers=headers)
    assert (answer.status_code, desk.handed_in) == (status, [])


async def test_a_portal_that_is_none_has_no_pad(tmp_path: Path) -> None:
    async with served(Desk(), tmp_path) as client:
        answers = [await client.get("/pin/gate"), await client.post("/pin/gate", json={"pin": "2580"})]
    assert [answer.status_code for answer in answers] == [404, 404]


class TestClaims:
    async def test_only_a_bearers_claim_is_handed_in(self, tmp_path: Path) -> None:
        desk = Desk()
        async with served(desk, tmp_path) as client:
            stranger = await client.post("/admin/portals/door/claim", json=CLAIM)
            bearer = await client.post("/admin/portals/door/claim", json=CLAIM, headers={"authorization": "Bearer x"})
        assert (stranger.status_code, bearer.status_code) == (401, 200)
        assert desk.handed_in == [tuple(CLAIM.values())]

    @pytest.mark.parametrize(
        "changes", [{"person": ""}, {"nonce": "short"}, {"nonce": None}, {"expires_at": "soon"}, {"more": 1}]
    )
    async def test_a_claim_that_is_none_is_not(self, tmp_path: Path, changes: dict[str, object]) -> None:
        desk = Desk()
        async with served(desk, tmp_path) as client:
            answer = await client.post("/admin/portals/door/claim", json={**CLAIM, **changes}, headers={"authorization": "x"})
        assert (answer.status_code, desk.handed_in) == (400, [])


async def test_a_credential_can_be_held_to_a_simulated_reader(tmp_path: Path) -> None:
    ear = Ear()
    async with served(Desk(), tmp_path) as client:
        client.headers["authorization"] = "Bearer x"
        held = {"kind": "card", "value": "26:12:3456"}
        nobody = await client.post("/admin/readers/front", json=held)
        reader = await ear.open("sim:front", tmp_path)
        somebody = await client.post("/admin/readers/front", json=held)
        nonsense = await client.post("/admin/readers/front", json={"kind": "claim", "value": "alice"})
        assert await ear.value() == ("card", "26:12:3456")
        await reader.close()
    assert [nobody.status_code, somebody.status_code, nonsense.status_code] == [404, 204, 400]


def test_pins_are_typed_on_this_box_only() -> None:
    with pytest.raises(ValidationError, match="typed in the clear"):
        WebSettings(pin_pad=True, host="0.0.0.0")
