"""Credentials at a portal: real readers, a real eye, the real journal; what is resolved, written down and handed on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from joserfc.jwk import OKPKey

from kiosk.access import code, pin
from kiosk.access.code import Token
from kiosk.access.people import People
from kiosk.capture.script import Act, Scene
from kiosk.domain import Credential
from kiosk.errors import ConfigurationError, JournalError
from kiosk.eye.messages import Code
from kiosk.hardware.readers import simulated
from kiosk.heartbeat import Heartbeat
from kiosk.journal.log import Journal, tail
from kiosk.metrics import Metrics
from kiosk.service.credentials import Credentials, Register, read_key
from kiosk.service.tally import Tally
from kiosk.settings import CredentialSettings, PersonSettings, PortalSettings, Settings, SiteSettings
from tests.eye_stage import Watch

KEY = OKPKey.generate_key("Ed25519")
NOW = 1_800_000_000.0
ALICE = PersonSettings(
    cards=("26:12:48913",), codes=("PARCEL-0042",), pin_hash=pin.hashed("25807913"), duress_pin_hash=pin.hashed("25817913")
)
SECRETS = ("26:12:48913", "48913", "PARCEL-0042", "25807913", "25817913", "99887766", "eyJ")


@dataclass
class Stage:
    """A portal's credentials with everything real but the attendant and the clock."""

    folder: Path
    journal: Journal
    tally: Tally
    credentials: Credentials = field(init=False)
    presented: asyncio.Queue[Credential] = field(default_factory=asyncio.Queue)
    awaited: str = ""
    wall: tuple[float, bool] = (NOW, True)
    unwritable: bool = False

    async def record(self, kind: str, presentation: int | None, body: Mapping[str, object]) -> None:
        if self.unwritable:
            raise JournalError("journal_unwritable", "full")
        await self.journal.append(kind, "door", presentation, body)

    async def came(self) -> tuple[str, str, bool]:
        """Kind, person and duress of the next credential that reaches the attendant."""
        async with asyncio.timeout(20):
            credential = await self.presented.get()
        assert abs(time.monotonic() - credential.at) < 20
        return credential.kind, credential.person, credential.duress

    def rows(self, kind: str = "credential") -> list[dict[str, object]]:
        rows = tail(self.folder / "journal.sqlite", 100)
        return [msgspec.json.decode(row.body, type=dict[str, object]) for row in rows if row.kind == kind]

    def issue(self, **changes: object) -> str:
        token = msgspec.structs.replace(Token("bob", "kiosk/door", NOW, NOW + 30, "0123456789abcdef"), **changes)
        return code.issue(token, KEY)


@asynccontextmanager
async def stage(folder: Path, **portal: object) -> AsyncIterator[Stage]:
    (folder / "code-key").write_bytes(KEY.as_pem(private=False))
    settings = Settings(
        site=SiteSettings(state_dir=folder),
        portals={"door": PortalSettings.model_validate({"readers": ("sim:front",), "codes": True, **portal})},
        people={"alice": ALICE, "bob": PersonSettings()},
    )
    journal = await Journal.open(folder / "journal.sqlite")
    tally = Tally(settings, Metrics("test"), Heartbeat())
    made = Stage(folder, journal, tally)
    register = Register.open(settings, lambda: made.wall, lambda: People(settings.people))
    made.credentials = credentials = Credentials(
        "door", register, tally, made.record, made.presented.put_nowait, lambda: made.awaited
    )
    running = asyncio.create_task(credentials.run())
    async with asyncio.timeout(20):
        while not all(credentials.readers.up.values()):
            await asyncio.sleep(0.01)
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.wait([running])
        await journal.close()


async def test_a_card_becomes_a_person_and_a_row_without_its_number(tmp_path: Path) -> None:
    async with stage(tmp_path) as at:
        simulated.present(tmp_path, "front", "card", "26:12:48913")
        assert await at.came() == ("card", "alice", False)
        simulated.present(tmp_path, "front", "card", "26:9:9999")
        assert await at.came() == ("card", "", False)
        assert at.rows() == [
            {"credential": "card", "person": "alice", "reader": "sim:front", "slug": "credential_known"},
            {"credential": "card", "person": "unknown", "reader": "sim:front", "slug": "credential_unknown"},
        ]


class TestPins:
    async def test_a_pin_names_nobody(self, tmp_path: Path) -> None:
        async with stage(tmp_path) as at:
            assert await at.credentials.enter_pin("25807913") == "pin_unexpected"
            assert at.presented.empty()
            assert [row["person"] for row in at.rows()] == ["unknown"]

    async def test_it_is_held_to_the_person_awaited(self, tmp_path: Path) -> None:
        async with stage(tmp_path) as at:
            at.awaited = "alice"
            assert await at.credentials.enter_pin("25807913") == "credential_known"
            assert await at.came() == ("pin", "alice", False)
            assert await at.credentials.enter_pin("99887766") == "pin_wrong"
            assert await at.came() == ("pin", "", False)
            at.awaited = "bob"  # who has none
            assert await at.credentials.enter_pin("25807913") == "pin_wrong"
            assert await at.came() == ("pin", "", False)

    async def test_duress_shows_to_the_attendant_and_nowhere_else(self, tmp_path: Path) -> None:
        async with stage(tmp_path) as at:
            at.awaited = "alice"
            answers = [await at.credentials.enter_pin(typed) for typed in ("25807913", "25817913")]
            assert answers[0] == answers[1]
            assert [await at.came(), await at.came()] == [("pin", "alice", False), ("pin", "alice", True)]
            first, second = at.rows()
            assert first == second

    async def test_it_is_held_to_whoever_was_claimed_a_moment_ago_from_the_keypad_too(self, tmp_path: Path) -> None:
        async with stage(tmp_path) as at:
            simulated.present(tmp_path, "front", "card", "26:12:48913")
            assert (await at.came())[0] == "card"
            simulated.present(tmp_path, "front", "pin", "25807913")
            assert await at.came() == ("pin", "alice", False)

    async def test_a_claim_does_not_last(self, tmp_path: Path) -> None:
        async with stage(tmp_path, claim_within=0.05) as at:
            simulated.present(tmp_path, "front", "card", "26:12:48913")
            await at.came()
            await asyncio.sleep(0.1)
            assert await at.credentials.enter_pin("25807913") == "pin_unexpected"

    async def test_after_too_many_wrong_ones_the_right_one_is_not_looked_at(self, tmp_path: Path) -> None:
        async with stage(tmp_path, lock_out_after=3) as at:
            at.awaited = "alice"
            assert [await at.credentials.enter_pin(f"000{last}") for last in range(3)] == ["pin_wrong"] * 3
            assert await at.credentials.enter_pin("25807913") == "pin_locked_out"
            assert [await at.came() for _ in range(3)] == [("pin", "", False)] * 3
            assert at.presented.empty()

    async def test_one_is_looked_at_at_a_time(self, tmp_path: Path) -> None:
        async with stage(tmp_path) as at:
            at.awaited = "alice"
            first = asyncio.create_task(at.credentials.enter_pin("99887766"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert await at.credentials.enter_pin("25807913") == "credentials_too_fast"
            assert await first == "pin_wrong"


class TestCodes:
    async def test_a_plain_code_is_its_owners(self, tmp_path: Path) -> None:
        async with stage(tmp_path) as at:
            at.credentials.hear(Code(time.monotonic(), "PARCEL-0042"))
            assert await at.came() == ("qr", "alice", False)
            at.credentials.hear(Code(time.monotonic(), "PARCEL-0043"))
            assert await at.came() == ("qr", "", False)
            assert [row["reader"] for row in at.rows()] == ["camera", "camera"]

    async def test_a_code_held_up_is_one_showing(self, tmp_path: Path) -> None:
        async with stage(tmp_path) as at:
            for _ in range(10):
                at.credentials.hear(Code(time.monotonic(), at.issue()))
            at.credentials.hear(Code(time.monotonic(), "PARCEL-0042"))
            assert [await at.came(), await at.came()] == [("qr", "bob", False), ("qr", "alice", False)]
            assert at.presented.empty()

    async def test_a_signed_code_is_good_once_also_after_a_restart(self, tmp_path: Path) -> None:
        async with stage(tmp_path) as at:
            text = at.issue()
            for _ in range(2):
                simulated.present(tmp_path, "front", "qr", text)
            assert [await at.came(), await at.came()] == [("qr", "bob", False), ("qr", "", False)]
        async with stage(tmp_path) as at:
            simulated.present(tmp_path, "front", "qr", text)
            assert await at.came() == ("qr", "", False)
            assert [row["slug"] for row in at.rows()] == ["credential_known", "code_replayed", "code_replayed"]

    @pytest.mark.parametrize(
        ("changes", "wall", "slug"),
        [
            ({}, (NOW, False), "code_clock_untrusted"),
            ({}, (NOW + 30, True), "code_expired"),
            ({"exp": NOW + 61}, (NOW, True), "code_lives_too_long"),
            ({"aud": "kiosk/gate"}, (NOW, True), "code_for_elsewhere"),
        ],
    )
    async def test_a_bad_one_is_nobodys_and_says_why(
        self, tmp_path: Path, changes: dict[str, object], wall: tuple[float, bool], slug: str
    ) -> None:
        async with stage(tmp_path) as at:
            at.wall = wall
            simulated.present(tmp_path, "front", "qr", at.issue(**changes))
            assert await at.came() == ("qr", "", False)
            assert [row["slug"] for row in at.rows()] == [slug]

    async def test_where_the_portal_takes_none_the_eyes_word_is_nothing(self, tmp_path: Path) -> None:
        async with stage(tmp_path, codes=False) as at:
            at.credentials.hear(Code(time.monotonic(), "PARCEL-0042"))
            simulated.present(tmp_path, "front", "card", "26:12:48913")
            assert (await at.came())[0] == "card"

    async def test_an_eye_that_floods_is_dropped_and_counted(self, tmp_path: Path) -> None:
        async with stage(tmp_path) as at:
            for number in range(100):
                at.credentials.hear(Code(time.monotonic(), f"GUESS-{number}"))
            assert b'kind="qr",portal="door",result="credentials_too_fast"} 92.0' in at.tally.metrics.render()[0]


class TestClaims:
    async def test_a_claim_is_good_once(self, tmp_path: Path) -> None:
        async with stage(tmp_path) as at:
            assert await at.credentials.claim("alice", "nonce-0001", NOW + 30) == "credential_known"
            assert await at.came() == ("claim", "alice", False)
            assert await at.credentials.claim("alice", "nonce-0001", NOW + 30) == "claim_replayed"
            assert await at.came() == ("claim", "", False)

    @pytest.mark.parametrize(
        ("expires_at", "trusted", "slug"),
        [(NOW, True, "claim_expired"), (NOW + 61, True, "claim_lives_too_long"), (NOW + 30, False, "claim_clock_untrusted")],
    )
    async def test_a_bad_one_claims_nobody(self, tmp_path: Path, expires_at: float, trusted: bool, slug: str) -> None:
        async with stage(tmp_path) as at:
            at.wall = (NOW, trusted)
            assert await at.credentials.claim("alice", "nonce-0001", expires_at) == slug
            assert await at.credentials.enter_pin("25807913") == "pin_unexpected"


async def test_what_cannot_be_written_down_is_not_handed_on(tmp_path: Path) -> None:
    async with stage(tmp_path) as at:
        at.unwritable, at.awaited = True, "alice"
        assert await at.credentials.enter_pin("25807913") == "journal_unwritable"
        assert await at.credentials.claim("alice", "nonce-0001", NOW + 30) == "journal_unwritable"
        assert at.presented.empty()


async def test_a_reader_that_goes_and_comes_is_in_journal_and_metrics(tmp_path: Path) -> None:
    up = b'kiosk_reader_up{portal="door",reader="sim:front"} 1.0'
    async with stage(tmp_path) as at:
        assert up in at.tally.metrics.render()[0]
        simulated.break_off(tmp_path, "front")
        async with asyncio.timeout(20):
            while not at.rows("reader_fault"):
                await asyncio.sleep(0.01)
            while up not in at.tally.metrics.render()[0]:
                await asyncio.sleep(0.01)
        assert [row["slug"] for row in at.rows("reader_fault")] == ["reader_lost"]
        assert at.rows("reader_back") == [{"reader": "sim:front"}]
        assert at.tally.errors["reader_lost"] == 1


async def test_a_line_that_gives_only_noise_fills_no_journal(tmp_path: Path) -> None:
    async with stage(tmp_path) as at:
        for _ in range(50):
            simulated.break_off(tmp_path, "front", "wiegand_noise")
            await asyncio.sleep(0)
        simulated.present(tmp_path, "front", "card", "26:12:48913")
        assert await at.came() == ("card", "alice", False)
        assert [row["slug"] for row in at.rows("reader_fault")] == ["wiegand_noise"]
        assert b'kiosk_errors_total{slug="wiegand_noise"} 50.0' in at.tally.metrics.render()[0]


async def test_no_value_reaches_journal_log_feed_or_metrics(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with stage(tmp_path) as at:
        at.awaited = "alice"
        shown = [Code(1.0, at.issue()), Code(1.0, "PARCEL-0042")]
        for message in shown:
            at.credentials.hear(message)
            await at.came()
        for kind, value in (("card", "26:12:48913"), ("pin", "25807913"), ("pin", "99887766")):
            simulated.present(tmp_path, "front", kind, value)  # type: ignore[arg-type]  # mypy widens the literals
            await at.came()
        told = [*capfd.readouterr(), repr(shown), repr(at.tally.feed.recent), at.tally.metrics.render()[0].decode()]
        told += [row.body for row in tail(tmp_path / "journal.sqlite", 100)]
    told += [file.read_bytes().decode(errors="replace") for file in tmp_path.glob("journal.sqlite*")]
    told.append((tmp_path / "spent-codes.json").read_text())
    assert [secret for secret in SECRETS if any(secret in text for text in told)] == []


class TestKey:
    def test_without_a_file_there_is_none_but_a_named_one_must_be_there(self, tmp_path: Path) -> None:
        assert read_key(CredentialSettings().code_key_file, tmp_path) is None
        with pytest.raises(ConfigurationError, match="secret_missing"):
            read_key(tmp_path / "code-key", tmp_path)

    def test_systemds_credential_is_found(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        (tmp_path / "code-key").write_bytes(KEY.as_pem(private=False))
        assert read_key(Path("code-key"), tmp_path / "state") is not None

    def test_a_private_key_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "code-key").write_bytes(KEY.as_pem(private=True))
        with pytest.raises(ConfigurationError, match="key_unusable"):
            read_key(Path("code-key"), tmp_path)


async def test_a_code_held_up_to_a_real_eye_reaches_the_attendant(tmp_path: Path, models_dir: Path) -> None:
    token = Token("bob", "kiosk", NOW, NOW + 30, "0123456789abcdef")
    act = Act("shows a code", at=0.5, lasts=20, person="P002", expect="deny:not_recognised", code=code.issue(token, KEY))
    scene = tmp_path / "scene.toml"
    scene.write_text(_toml(Scene("a code", 21.0, (), (act,))))
    watch = Watch(models_dir, f"scene:{scene}", codes=True)
    async with watch.running(), stage(tmp_path) as at:
        at.credentials.hear(await watch.until(Code, 60))
        assert await at.came() == ("qr", "bob", False)


def _toml(scene: Scene) -> str:
    acts = [f"[[acts]]\n{_lines(msgspec.to_builtins(act))}" for act in scene.acts]
    return f'title = "{scene.title}"\nseconds = {scene.seconds}\nenrolled = []\n' + "\n".join(acts)


def _lines(fields: Mapping[str, object]) -> str:
    return "\n".join(f"{name} = {msgspec.json.encode(value).decode()}" for name, value in fields.items() if value is not None)
