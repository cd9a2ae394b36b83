"""The admin API on a real server: who may, what is taken once, what the journal says, and the page's simulated lines."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from kiosk import http_server, slugs
from kiosk.errors import ConfigurationError, JournalError
from kiosk.hardware.inputs import open_input
from kiosk.hardware.outputs import open_output
from kiosk.hardware.relay import open_relay
from kiosk.service.spent import Spent
from kiosk.settings import WebSettings
from kiosk.web.admin import MOST_AHEAD, Admin, read_token
from kiosk.web.app import create_app
from tests.test_web import Board


class Door:
    def __init__(self, journal: Journal) -> None:
        self.given: list[tuple[str, str]] = []
        self.answer = "command_done"
        self.asks: Callable[[], str] = str
        self.told = ""
        self._journal = journal

    async def command(self, command: Any, by: str) -> str:
        assert self._journal.rows[-1][2]["command"] == command, "the row comes first"
        self.given.append((command, by))
        self.told = self.asks()
        return self.answer


class Journal:
    def __init__(self) -> None:
        self.rows: list[tuple[str, str, Mapping[str, object]]] = []
        self.broken = False

    async def __call__(self, kind: str, portal: str, body: Mapping[str, object]) -> None:
        if self.broken:
            raise JournalError("journal_unwritable", "disk full")
        self.rows.append((kind, portal, body))


class Site:
    """A served admin API; its clock says what `now` says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal()
        self.door = Door(self.journal)
        self.now = time.time()
        self.admin = Admin(folder, {"front": self.door}, self.journal, Spent(folder / "spent.json"), lambda: self.now)
        self.token = (folder / "admin-token").read_text().strip()
        self.client = httpx.AsyncClient()
        self._nonce = 0

    @asynccontextmanager
    async def served(self, *, page: bool = False) -> AsyncIterator[Site]:
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        app = create_app(Board(), page=page, events=False, admin=self.admin)
        server = asyncio.create_task(http_server.serve(app, "127.0.0.1", 0, port.set_result))
        bearer = {"Authorization": f"Bearer {self.token}"}
        url = f"http://127.0.0.1:{await port}"
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=5.0, headers=bearer) as self.client:
            yield self
        server.cancel()
        await asyncio.wait([server])

    def order(self, ahead: float = 30.0) -> dict[str, object]:
        self._nonce += 1
        return {"nonce": f"nonce-{self._nonce:04}", "expires_at": self.now + ahead}

    async def command(
        self, command: str = "unlock_once", order: dict[str, object] | None = None, portal: str = "front"
    ) -> httpx.Response:
        return await self.client.post(f"/admin/portals/{portal}/{command}", json=order or self.order())


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Site(tmp_path).served() as served:
        yield served


class TestWhoMay:
    def test_the_token_is_made_once_for_this_user_only(self, tmp_path: Path) -> None:
        token = read_token(tmp_path)
        assert len(token) >= 43
        assert (tmp_path / "admin-token").stat().st_mode & 0o777 == 0o600
        assert read_token(tmp_path) == token

    def test_a_token_that_others_may_read_is_refused(self, tmp_path: Path) -> None:
        read_token(tmp_path)
        (tmp_path / "admin-token").chmod(0o640)
        with pytest.raises(ConfigurationError, match="token_exposed"):
            read_token(tmp_path)

    def test_an_empty_token_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "admin-token").touch(mode=0o600)
        with pytest.raises(ConfigurationError, match="token_exposed"):
            read_token(tmp_path)

    @pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Basic {token}", "Bearer {token}x", "Bearer ü"])
    async def test_nobody_else_gets_anything(self, site: Site, given: str) -> None:
        headers = {b"Authorization": given.format(token=site.token).encode()}
        for method, path in (("GET", "/admin/lines"), ("POST", "/admin/lines/x"), ("POST", "/admin/portals/front/release")):
            answer = await site.client.request(method, path, headers=headers, json=site.order())
            assert (answer.status_code, answer.json()["error"]) == (401, "token_wrong")
        assert (site.door.given, site.journal.rows) == ([], [])

    async def test_another_name_for_this_host_is_refused(self, site: Site) -> None:
        assert (await site.client.get("/admin/lines", headers={"Host": "evil.example"})).status_code == 400

    async def test_without_it_there_is_no_admin(self, tmp_path: Path) -> None:
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        app = create_app(Board(), page=True, events=True)
        server = asyncio.create_task(http_server.serve(app, "127.0.0.1", 0, port.set_result))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{await port}", trust_env=False) as client:
            assert (await client.get("/admin/lines")).status_code == 404
            assert 'name="token" content=""' in (await client.get("/")).text
        server.cancel()
        await asyncio.wait([server])

    @pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::"])
    def test_it_is_served_on_loopback_only(self, host: str) -> None:
        with pytest.raises(ValidationError, match="host must be loopback"):
            WebSettings(host=host, admin=True)


class TestCommands:
    async def test_a_command_is_recorded_then_carried_out(self, site: Site) -> None:
        answer = await site.command("lockdown")
        assert (answer.status_code, answer.json()) == (200, {"outcome": "command_done"})
        assert site.door.given == [("lockdown", "admin at 127.0.0.1")]
        ((kind, portal, row),) = site.journal.rows
        assert (kind, portal, row["command"], row.get("refused")) == ("admin_command", "front", "lockdown", None)
        assert site.token not in str(site.journal.rows)

    async def test_what_the_door_refuses_is_told_with_its_slug(self, site: Site) -> None:
        site.door.answer = "portal_closed"
        answer = await site.command()
        assert (answer.status_code, answer.json()["error"]) == (409, "portal_closed")
        assert answer.json()["meaning"] == slugs.to_operator("portal_closed")

    async def test_a_replay_is_refused_and_recorded(self, site: Site) -> None:
        order = site.order()
        assert (await site.command(order=order)).status_code == 200
        for command in ("unlock_once", "lockdown"):
            answer = await site.command(command, order)
            assert (answer.status_code, answer.json()["error"]) == (409, "command_replayed")
        assert len(site.door.given) == 1
        assert [row.get("refused") for _, _, row in site.journal.rows] == [None, "command_replayed", "command_replayed"]

    @pytest.mark.parametrize("ahead", [-1.0, 0.0, MOST_AHEAD + 1, 1e12])
    async def test_what_is_too_old_or_good_for_too_long_is_refused(self, site: Site, ahead: float) -> None:
        answer = await site.command(order=site.order(ahead))
        assert (answer.status_code, answer.json()["error"]) == (409, "command_expired")
        assert site.door.given == []

    @pytest.mark.parametrize(
        "changes",
        [
            {"nonce": "short"},
            {"nonce": "a" * 65},
            {"nonce": "with blank"},
            {"nonce": 12345678},
            {"expires_at": "soon"},
            {"more": 1},
        ],
    )
    async def test_nonsense_is_refused(self, site: Site, changes: dict[str, object]) -> None:
        answer = await site.command(order=site.order() | changes)
        assert (answer.status_code, answer.json()["error"]) == (422, "request_malformed")
        assert site.journal.rows == []

    async def test_bodies_are_bounded_and_must_be_json(self, site: Site) -> None:
        path = "/admin/portals/front/release"
        assert (await site.client.post(path, content=b"{" * 20_000)).status_code == 413
        for content in (b"", b"nonce=1", b'{"nonce": "nonce-0001", "expires_at": NaN}', b"[]", b"\xff"):
            assert (await site.client.post(path, content=content)).status_code == 422
        assert site.door.given == []

    async def test_unknown_doors_and_commands_are_told(self, site: Site) -> None:
        assert (await site.command(portal="back")).json()["error"] == "portal_unknown"
        assert (await site.command("open_sesame")).status_code == 422
        assert (await site.client.get("/admin/portals/front/release")).status_code == 405

    async def test_what_cannot_be_recorded_is_not_done(self, site: Site) -> None:
        site.journal.broken = True
        answer = await site.command("release")
        assert (answer.status_code, answer.json()["error"]) == (503, "journal_unwritable")
        assert site.door.given == []


class TestNonces:
    async def test_a_command_is_not_taken_again_after_a_restart(self, tmp_path: Path) -> None:
        async with Site(tmp_path).served() as before:
            order = before.order()
            assert (await before.command(order=order)).status_code == 200
        async with Site(tmp_path).served() as after:
            again = await after.command("lockdown", order)
            assert (again.status_code, again.json()["error"]) == (409, "command_replayed")
            assert after.door.given == []
            assert (await after.command(order={**order, "nonce": "another-one"})).status_code == 200

    async def test_it_is_on_disk_before_anything_follows(self, site: Site) -> None:
        order = site.order()
        site.door.asks = (site.folder / "spent.json").read_text
        await site.command(order=order)
        assert str(order["nonce"]) in site.door.told

    async def test_a_clock_put_back_lets_nothing_in_again(self, site: Site) -> None:
        order = site.order()
        assert (await site.command(order=order)).status_code == 200
        site.now += 2000
        assert (await site.command()).status_code == 200
        site.now -= 2010
        assert (await site.command(order=order)).json()["error"] == "command_replayed"
        assert (await site.command()).status_code == 200

    async def test_what_cannot_be_remembered_is_not_done(self, site: Site) -> None:
        (site.folder / "spent.json.new").mkdir()
        answer = await site.command("release")
        assert (answer.status_code, answer.json()["error"]) == (503, "spent_unwritable")
        assert (site.door.given, site.journal.rows) == ([], [])


class TestLines:
    async def test_lines_are_seen_and_inputs_are_set(self, site: Site) -> None:
        changed: asyncio.Queue[bool] = asyncio.Queue()
        contact = await open_input("sim:contact", site.folder, lambda _, active: changed.put_nowait(active), lambda *_: None)
        relay = await open_relay("sim:door", site.folder, lambda *_: None, lambda *_: None)
        lamp = await open_output("sim:lamp_red", site.folder)
        lamp.set(active=True)
        assert (await site.client.post("/admin/lines/contact", json={"active": True})).status_code == 200
        assert await asyncio.wait_for(changed.get(), 5)
        seen = (await site.client.get("/admin/lines")).json()["lines"]
        assert [(line["name"], line["kind"], line["active"]) for line in seen] == [
            ("contact", "input", True),
            ("door", "output", False),
            ("lamp_red", "output", True),
        ]
        assert [(kind, row["line"], row["active"]) for kind, _, row in site.journal.rows] == [("admin_line", "contact", True)]
        for opened in (contact, relay, lamp):
            await opened.close()
        assert (await site.client.get("/admin/lines")).json() == {"lines": []}

    @pytest.mark.parametrize("name", ["door", "nowhere", "..%2Fx"])
    async def test_outputs_and_strangers_are_not_set(self, site: Site, name: str) -> None:
        relay = await open_relay("sim:door", site.folder, lambda *_: None, lambda *_: None)
        assert (await site.client.post(f"/admin/lines/{name}", json={"active": True})).status_code == 404
        await relay.close()
        assert site.journal.rows == []


class TestPage:
    async def test_the_page_may_set_lines_and_order_nothing(self, tmp_path: Path) -> None:
        async with Site(tmp_path).served(page=True) as site:
            page = await site.client.get("/", headers={"Authorization": ""})
            (token,) = re.findall(r'name="token" content="([^"]+)"', page.text)
            assert token != site.token
            assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
            assert "access-control-allow-origin" not in page.headers
            bearer = {"Authorization": f"Bearer {token}"}
            fire = await open_input("sim:fire?initial=active", tmp_path, lambda *_: None, lambda *_: None)
            assert (await site.client.post("/admin/lines/fire", headers=bearer, json={"active": False})).status_code == 200
            assert (await site.client.get("/admin/lines", headers=bearer)).json()["lines"][0]["name"] == "fire"
            refused = await site.client.post("/admin/portals/front/release", headers=bearer, json=site.order())
            assert (refused.status_code, site.door.given) == (401, [])
            await fire.close()
