"""The register of people, signed codes, PINs, and the memory of what was used."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import os
import stat
import threading
from datetime import date
from pathlib import Path

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OKPKey

from kiosk.access import code, pin
from kiosk.access.code import Refused, Token
from kiosk.access.facts import Subject
from kiosk.access.people import People
from kiosk.access.pin import Guesses
from kiosk.errors import ConfigurationError, HardwareError
from kiosk.service.spent import ROOM, Spent
from kiosk.settings import PersonSettings
from kiosk.slugs import TABLE

KEY = OKPKey.generate_key("Ed25519")
PUBLIC = code.import_key(KEY.as_pem(private=False), private=False)
HERE = code.audiences("site", "door")
NOW = 1_800_000_000.0
TOKEN = Token("alice", "site/door", NOW - 1, NOW + 59, "0123456789abcdef")


class TestPeople:
    PEOPLE = People(
        {
            "alice": PersonSettings(groups=("staff",), tags=("night",), cards=("26:1:2", "04AB"), codes=("PARCEL-1",)),
            "bob": PersonSettings(valid_from=date(2026, 3, 1), valid_until=date(2026, 3, 31), cards=("26:1:3",)),
        }
    )

    def test_cards_and_codes_name_their_owner(self) -> None:
        assert [self.PEOPLE.by_card(card) for card in ("26:1:2", "04ab", "26:1:3", "26:1:4", "")] == [
            "alice",
            "alice",
            "bob",
            "",
            "",
        ]
        assert [self.PEOPLE.by_code(text) for text in ("PARCEL-1", "parcel-1", "")] == ["alice", "", ""]

    @pytest.mark.parametrize("what", ["cards", "codes"])
    def test_two_people_with_one_key_are_named_and_the_key_is_not(self, what: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            People({name: PersonSettings.model_validate({what: ("SECRET1",)}) for name in ("alice", "bob")})
        assert caught.value.slug == "configuration_invalid"
        assert {"people.alice", "people.bob"} <= set(caught.value.detail.split())
        assert "SECRET1" not in str(caught.value)

    def test_a_card_that_differs_in_capitals_only_is_the_same(self) -> None:
        with pytest.raises(ConfigurationError, match="same card"):
            People({"alice": PersonSettings(cards=("04AB",)), "bob": PersonSettings(cards=("04ab",))})

    @pytest.mark.parametrize(
        ("today", "valid"),
        [("2026-02-28", False), ("2026-03-01", True), ("2026-03-31", True), ("2026-04-01", False), (None, False)],
    )
    def test_dates_count_to_the_day_and_need_a_clock(self, today: str | None, valid: bool) -> None:
        assert self.PEOPLE.subject("bob", (), today).valid is valid

    def test_the_gallerys_groups_count_too(self) -> None:
        assert self.PEOPLE.subject("alice", ("visitors", "staff"), None) == Subject("alice", ("staff", "visitors"), ("night",))
        assert self.PEOPLE.subject("carol", ("visitors",), None) == Subject("carol", ("visitors",))

    @pytest.mark.parametrize(
        "unusable",
        [
            "1234",
            "$argon2id$v=19$m=19456,t=2,p=1$",
            argon2.PasswordHasher(type=argon2.Type.I, time_cost=1, memory_cost=64).hash("1234"),
            argon2.PasswordHasher(time_cost=11, memory_cost=64).hash("1234"),
            "$argon2id$v=19$m=4194304,t=2,p=1$53tYoiR2G37Jih7pRrsuFw$jeRbf+fzf7s9jfjufALul1cGlGlE3C6q94Wn/RdwTfzk",
        ],
        ids=["a PIN", "cut off", "another kind", "too slow", "four gigabytes"],
    )
    def test_a_hash_that_is_none_or_too_dear_is_refused(self, unusable: str) -> None:
        with pytest.raises(ConfigurationError, match=r"people\.alice\.duress_pin_hash") as caught:
            People({"alice": PersonSettings(duress_pin_hash=unusable)})
        assert unusable not in str(caught.value)


def read(
    text: str, now: float = NOW, *, key: OKPKey | None = PUBLIC, trusted: bool = True, lifetime: float = 60
) -> Token | Refused:
    return code.read(text, key, now, trusted=trusted, here=HERE, lifetime=lifetime)


def signed(**changes: object) -> str:
    """A code by our key that says what an honest issuer would not."""
    payload = {"sub": "alice", "aud": "site", "iat": NOW - 1, "exp": NOW + 59, "jti": "0123456789abcdef", **changes}
    return jws.serialize_compact({"alg": "Ed25519"}, json.dumps(payload).encode(), KEY, algorithms=["Ed25519"])


class TestCodes:
    def test_what_is_issued_is_read(self) -> None:
        text = code.issue(TOKEN, KEY)
        assert code.is_signed(text)
        assert len(text) <= code.LONGEST
        assert read(text) == TOKEN

    @given(st.floats(-1, 58.9), st.sampled_from(sorted(HERE)))
    def test_it_is_good_from_its_beginning_to_its_end(self, later: float, aud: str) -> None:
        assert isinstance(read(signed(aud=aud), NOW + later), Token)

    @pytest.mark.parametrize(
        ("changes", "slug"),
        [
            ({"exp": NOW}, "code_expired"),
            ({"iat": NOW + 6, "exp": NOW + 7}, "code_not_yet"),
            ({"exp": NOW + 60}, "code_lives_too_long"),
            ({"iat": 0, "exp": 2**40}, "code_lives_too_long"),
            ({"aud": "site/gate"}, "code_for_elsewhere"),
            ({"aud": "door"}, "code_for_elsewhere"),
            ({"aud": ["site"]}, "code_invalid"),
            ({"sub": ""}, "code_invalid"),
            ({"sub": "a" * 65}, "code_invalid"),
            ({"exp": None}, "code_invalid"),
            ({"exp": "2099-01-01"}, "code_invalid"),
            ({"exp": -1}, "code_invalid"),
            ({"jti": "short"}, "code_invalid"),
        ],
    )
    def test_it_is_refused_with_its_reason(self, changes: dict[str, object], slug: str) -> None:
        assert read(signed(**changes)) == Refused(slug)

    def test_without_a_key_or_a_trusted_clock_nothing_is_good(self) -> None:
        assert read(signed(), key=None) == Refused("code_key_missing")
        assert read(signed(), trusted=False) == Refused("code_clock_untrusted")

    def test_another_key_or_algorithm_is_not_ours(self) -> None:
        stranger = OKPKey.generate_key("Ed25519")
        assert read(code.issue(TOKEN, stranger)) == Refused("code_invalid")
        payload = signed().split(".")[1]
        bare = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}
        assert read(f"{bare}.{payload}.") == Refused("code_invalid")
        # The public key, known to everybody, as the secret of a symmetric signature.
        body = f"eyJhbGciOiJIUzI1NiJ9.{payload}"  # {"alg":"HS256"}
        mac = hmac.digest(PUBLIC.as_pem(private=False), body.encode(), "sha256")
        forged = f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
        assert read(forged) == Refused("code_invalid")

    @given(st.data())
    def test_a_changed_character_breaks_it(self, data: st.DataObject) -> None:
        text = code.issue(TOKEN, KEY)
        # The last character has bits that stand for nothing.
        place = data.draw(st.integers(0, len(text) - 2))
        other = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda one: one != text[place]))
        assert read(text[:place] + other + text[place + 1 :]) == Refused("code_invalid")

    @given(st.one_of(st.text(max_size=600), st.from_regex(r"eyJ[A-Za-z0-9_-]{0,80}\.[A-Za-z0-9_-]{0,80}\.[A-Za-z0-9_-]{0,80}")))
    def test_a_strangers_text_is_refused_and_does_no_harm(self, text: str) -> None:
        assert read(text) == Refused("code_invalid")

    def test_a_box_is_not_given_the_key_that_issues(self) -> None:
        with pytest.raises(ConfigurationError, match="a private key"):
            code.import_key(KEY.as_pem(private=True), private=False)

    @pytest.mark.parametrize("pem", [b"", b"nonsense", OKPKey.generate_key("X25519").as_pem(private=False)])
    def test_what_is_no_ed25519_key_is_refused(self, pem: bytes) -> None:
        with pytest.raises(ConfigurationError) as caught:
            code.import_key(pem, private=False)
        assert caught.value.slug == "key_unusable"


class TestPins:
    HASHES = pin.hashed("2580"), pin.hashed("2581")

    def test_each_pin_has_its_meaning(self) -> None:
        assert [pin.answer(typed, self.HASHES) for typed in ("2580", "2581", "2582", "")] == ["right", "duress", "wrong", "wrong"]

    def test_who_has_no_pin_is_not_let_in_by_any(self) -> None:
        assert [pin.answer(typed, ("", "")) for typed in ("", "2580", "a PIN has no letters")] == ["wrong"] * 3
        assert pin.answer("2580", (self.HASHES[0], "")) == "right"

    def test_somebody_without_a_pin_takes_the_same_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        work = []
        verify = argon2.PasswordHasher.verify

        def counted(self: argon2.PasswordHasher, known: str, typed: str) -> bool:
            work.append(argon2.extract_parameters(known))
            return verify(self, known, typed)

        monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
        pin.answer("2580", self.HASHES)
        pin.answer("2580", ("", ""))
        assert work[:2] == work[2:]

    @pytest.mark.parametrize(
        ("text", "good"), [("1234", True), ("123", False), ("1" * 13, False), ("12a4", False), ("١٢٣٤", False)]
    )
    def test_what_a_pin_may_be(self, text: str, good: bool) -> None:
        assert pin.is_pin(text, 4) is good

    def test_after_too_many_guesses_none_is_looked_at(self) -> None:
        guesses = Guesses(3, 30.0)
        for at in (0.0, 1.0):
            guesses.wrong(at)
        assert guesses.may(1.0)
        guesses.wrong(2.0)
        assert [guesses.may(at) for at in (2.0, 31.9, 32.0)] == [False, False, True]

    def test_guesses_are_forgotten_after_a_minute(self) -> None:
        guesses = Guesses(2, 30.0)
        guesses.wrong(0.0)
        guesses.wrong(60.0)
        assert guesses.may(60.0)


class TestSpent:
    async def test_it_can_be_spent_once_also_after_a_restart(self, tmp_path: Path) -> None:
        file = tmp_path / "state" / "spent.json"
        assert await Spent(file).spend("one", NOW + 60, NOW)
        again = Spent(file)
        assert not await again.spend("one", NOW + 60, NOW + 1)
        assert await again.spend("two", NOW + 60, NOW + 1)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    async def test_what_expired_long_ago_is_forgotten_and_stays_spent_if_the_clock_is_put_back(self, tmp_path: Path) -> None:
        spent = Spent(tmp_path / "spent.json")
        await spent.spend("first", NOW + 60, NOW)
        for number in range(ROOM):
            assert await spent.spend(f"number {number}", NOW + 70, NOW + 10)
        assert "first" in (tmp_path / "spent.json").read_text()
        assert await spent.spend("last", NOW + 200, NOW + 100)
        assert "first" not in (tmp_path / "spent.json").read_text()
        assert not await spent.spend("first", NOW + 60, NOW)
        assert not await Spent(tmp_path / "spent.json").spend("first", NOW + 60, NOW)

    async def test_a_clock_that_was_ahead_keeps_nothing_new_out(self, tmp_path: Path) -> None:
        spent = Spent(tmp_path / "spent.json")
        for number in range(ROOM):
            assert await spent.spend(f"number {number}", NOW + 1e8 + 100 * number + 60, NOW + 1e8 + 100 * number)
        assert await spent.spend("one", NOW + 60, NOW)

    async def test_a_write_nobody_waits_for_any_more_ends_before_the_next_begins(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spent, go_on, opened = Spent(tmp_path / "spent.json"), threading.Event(), list[str]()
        begun, loop, really_open = asyncio.Event(), asyncio.get_running_loop(), os.open

        def slow(path: Path, flags: int, mode: int = 0o777) -> int:
            opened.append(path.name)
            loop.call_soon_threadsafe(begun.set)
            go_on.wait()
            return really_open(path, flags, mode)

        monkeypatch.setattr(os, "open", slow)
        first = asyncio.create_task(spent.spend("one", NOW + 60, NOW))
        await begun.wait()
        first.cancel()
        second = asyncio.create_task(spent.spend("two", NOW + 60, NOW))
        await asyncio.wait([first, second], timeout=0.1)
        assert (first.cancelled(), opened) == (True, ["spent.json.new"])
        go_on.set()
        assert await second
        again = Spent(tmp_path / "spent.json")
        assert [await again.spend(one, NOW + 60, NOW) for one in ("one", "two")] == [False, False]

    async def test_what_cannot_be_remembered_is_not_accepted_then_or_later(self, tmp_path: Path) -> None:
        spent = Spent(tmp_path / "spent.json")
        (tmp_path / "spent.json.new").mkdir()
        with pytest.raises(HardwareError) as caught:
            await spent.spend("one", NOW + 60, NOW)
        assert caught.value.slug == "spent_unwritable"
        (tmp_path / "spent.json.new").rmdir()
        assert not await spent.spend("one", NOW + 60, NOW)

    @pytest.mark.parametrize("content", ["", "[]", '{"until": {"a": "b"}}', '{"other": 1}'])
    def test_a_damaged_file_is_said_so(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "spent.json").write_text(content)
        with pytest.raises(HardwareError) as caught:
            Spent(tmp_path / "spent.json")
        assert caught.value.slug == "spent_unreadable"
        assert "may be removed" in caught.value.detail


def test_every_refusal_has_its_sentence_for_the_person() -> None:
    named = [slug for slug in TABLE if slug.startswith(("code_", "pin_", "claim_", "credential"))]
    setup = {"pin_unusable"}
    assert all(all(TABLE[slug].person) for slug in named if slug not in setup)
    assert len(named) > 15
