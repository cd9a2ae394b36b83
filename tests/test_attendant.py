"""What becomes of a shot whose person may not be there: with a real journal, a real relay and the real rules."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.access.alive import refusal
from kiosk.domain import (
    UNCHECKED,
    AttackPresentation,
    Began,
    Credential,
    CredentialKind,
    Crowd,
    Ended,
    Inconclusive,
    Liveness,
    Probe,
    Shot,
)
from kiosk.eye import messages
from kiosk.hardware.relay import read_state
from kiosk.journal.log import verify
from kiosk.service.claims import Claims
from kiosk.settings import LivenessPolicy
from tests.attendant_stage import ATTACK, DOUBT, LIVE, POLICIES, running
from tests.portal_stage import SPREAD


@pytest.mark.parametrize("policy", POLICIES)
async def test_an_attack_is_journalled_as_one_and_shown_to_nobody(tmp_path: Path, policy: LivenessPolicy) -> None:
    async with running(tmp_path, policy) as scene:
        row = await scene.shoot(ATTACK)
        assert scene.knower.shown == []
    body = msgspec.json.decode(row.body)
    assert (row.kind, body["reason"], body["verdict"], body["engine"]) == ("denied", "screen_suspected", "attack", "liveness")
    assert body["liveness"] == {"score": 3, "state": "attack", "cause": "screen_suspected", "frames": 5}
    assert read_state(tmp_path, "door").pulses == 0
    assert verify(tmp_path / "journal.sqlite").ok


@pytest.mark.parametrize("policy", POLICIES[1:])
@pytest.mark.parametrize("liveness", [DOUBT, UNCHECKED])
async def test_doubt_is_inconclusive_and_shown_to_nobody(tmp_path: Path, policy: LivenessPolicy, liveness: Liveness) -> None:
    async with running(tmp_path, policy) as scene:
        row = await scene.shoot(liveness)
        assert scene.knower.shown == []
    body = msgspec.json.decode(row.body)
    assert (row.kind, body["reason"], body["verdict"]) == ("denied", "liveness_doubtful", "inconclusive")
    assert ("liveness" in body) == (liveness is DOUBT)


@pytest.mark.parametrize(("policy", "liveness"), [("off", UNCHECKED), ("off", DOUBT), ("passive", LIVE), ("challenge", LIVE)])
async def test_who_is_there_is_recognised(tmp_path: Path, policy: LivenessPolicy, liveness: Liveness) -> None:
    async with running(tmp_path, policy) as scene:
        row = await scene.shoot(liveness)
        assert len(scene.knower.shown) == 1
    assert row.kind == "granted"


@pytest.mark.parametrize(
    ("liveness", "said", "reason"),
    [
        (LIVE, 88.0, None),
        (LIVE, 12.0, "liveness_rejected"),
        (LIVE, Inconclusive("cloud_unreachable", "tencent-iai"), "cloud_unreachable"),
        (LIVE, None, None),
        (Liveness(40, "doubt", "liveness_doubtful", 5), 88.0, "liveness_doubtful"),
        (Liveness(40, "doubt", "liveness_doubtful", 5), 95.0, None),
    ],
)
async def test_the_clouds_vote_comes_before_recognition_and_is_journalled(
    tmp_path: Path, liveness: Liveness, said: float | Inconclusive | None, reason: str | None
) -> None:
    async def vote(_: Probe, __: str, deadline: float) -> float | Inconclusive | None:
        assert deadline > time.monotonic()
        return said

    async with running(tmp_path, "passive", vote) as scene:
        row = await scene.shoot(liveness)
        assert len(scene.knower.shown) == (reason is None)
    body = msgspec.json.decode(row.body)
    assert (row.kind, body.get("reason")) == (("denied", reason) if reason else ("granted", None))
    expected = {} if said is None else {"liveness_vote": said if isinstance(said, float) else said.cause}
    assert {key: value for key, value in body.items() if key == "liveness_vote"} == expected


@pytest.mark.parametrize(("policy", "liveness"), [("passive", ATTACK), ("passive", DOUBT), ("off", LIVE)])
async def test_nobody_votes_where_it_could_change_nothing(tmp_path: Path, policy: LivenessPolicy, liveness: Liveness) -> None:
    async def vote(_: Probe, __: str, deadline: float) -> float:
        raise AssertionError(deadline)

    async with running(tmp_path, policy, vote) as scene:
        row = await scene.shoot(liveness)
    assert row.kind == ("granted" if policy == "off" else "denied")


async def test_an_attack_of_which_no_picture_came_is_journalled_as_one(tmp_path: Path) -> None:
    async with running(tmp_path, "passive") as scene:
        now = time.monotonic()
        scene.attendant.hear(Began(1, now))
        scene.attendant.hear(Ended(1, now, now, None, 9, 0, {"blurred": 9}, None, ATTACK))
        row = await scene.row()
    body = msgspec.json.decode(row.body)
    assert (row.kind, body["reason"], body["liveness"]["state"]) == ("denied", "screen_suspected", "attack")


# --- claims -------------------------------------------------------------------------------------------------------------

CLAIMING: dict[str, Any] = {"strategy": "claim+compare"}


async def test_without_a_claim_nobody_is_asked_and_the_person_is_told_what_is_missing(tmp_path: Path) -> None:
    async with running(tmp_path, **CLAIMING) as scene:
        scene.come(1)
        scene.attendant.hear(scene.shot())
        scene.leave()
        row = await scene.row()
        assert scene.knower.shown == []
    assert (row.kind, msgspec.json.decode(row.body)["reason"]) == ("denied", "credential_wanted")


@pytest.mark.parametrize("first", ["card", "face"])
async def test_a_claim_and_its_face_open_in_either_order(tmp_path: Path, first: str) -> None:
    async with running(tmp_path, when="credential.person == subject.person", **CLAIMING) as scene:
        scene.come(1)
        for step in (first, "face" if first == "card" else "card"):
            if step == "card":
                scene.present("ann")
            else:
                scene.attendant.hear(scene.shot())
        row = await scene.row()
        assert scene.knower.claimed == ["ann"]
    assert row.kind == "granted"
    assert msgspec.json.decode(row.body)["facts"]["credential"] == {"kind": "card", "person": "ann", "duress": False}


async def test_a_face_that_is_not_the_claimed_persons_stays_out(tmp_path: Path) -> None:
    async with running(tmp_path, **CLAIMING) as scene:
        scene.present("bob")
        row = await scene.shoot(UNCHECKED)
    assert (row.kind, msgspec.json.decode(row.body)["reason"]) == ("denied", "not_confirmed")


async def test_a_claim_is_good_once(tmp_path: Path) -> None:
    async with running(tmp_path, **CLAIMING) as scene:
        scene.present("ann")
        assert (await scene.shoot(UNCHECKED)).kind == "granted"
        while not scene.eye.told:
            await asyncio.sleep(0.01)
        scene.come(2)
        scene.attendant.hear(scene.shot(number=2))
        scene.leave(2)
        row = (await scene.rows(2))[-1]
        assert len(scene.knower.shown) == 1
    assert msgspec.json.decode(row.body)["reason"] == "credential_wanted"


async def test_a_shot_that_has_become_old_is_taken_again(tmp_path: Path) -> None:
    async with running(tmp_path, verdict_ttl=0.02, **CLAIMING) as scene:
        scene.come(1)
        scene.attendant.hear(scene.shot())
        await asyncio.sleep(0.03)
        scene.present("ann")
        assert scene.eye.told == [messages.Outcome(1, "unasked")]
        assert scene.knower.shown == []
        scene.leave()
        assert (await scene.row()).kind == "denied"


async def test_a_claim_that_runs_out_while_it_is_compared_still_counts(tmp_path: Path) -> None:
    async with running(tmp_path, when="credential.person == subject.person", claim_within=0.3, **CLAIMING) as scene:
        scene.knower.pause = 0.5
        scene.present("ann")
        row = await scene.shoot(UNCHECKED)
    assert row.kind == "granted"


async def test_an_attack_needs_no_claim_to_be_written_down(tmp_path: Path) -> None:
    async with running(tmp_path, **CLAIMING) as scene:
        row = await scene.shoot(ATTACK)
    assert msgspec.json.decode(row.body)["reason"] == "screen_suspected"


@given(
    within=st.floats(1, 60),
    shown=st.lists(
        st.tuples(st.floats(0, 30), st.sampled_from(["", "ann", "bob"]), st.sampled_from(["card", "pin"])), max_size=6
    ),
    wait=st.floats(0, 90),
)
def test_who_is_claimed_presented_something_good_a_moment_ago(
    within: float, shown: list[tuple[float, str, CredentialKind]], wait: float
) -> None:
    claims, now, past = Claims(within, claiming=True), 0.0, []
    for pause, person, kind in shown:
        now += pause
        credential = Credential(kind, now, person)
        claimed = claims.take(credential)
        assert claimed <= bool(person), "a credential that is nobody's claims nobody"
        past += [credential] if claimed else []
        assert claims.newest(now) == credential
    now += wait
    last = past[-1] if past else None
    assert claims.claimed(now) == (last.person if last and now - last.at <= within else "")
    assert not Claims(within, claiming=False).take(Credential("card", now, "ann"))
    claims.spend()
    assert (claims.claimed(now), claims.newest(now)) == ("", None)


def test_a_pin_after_the_card_is_a_second_factor() -> None:
    claims = Claims(15.0, claiming=True)
    assert claims.take(Credential("card", 1.0, "ann"))
    assert not claims.take(Credential("pin", 2.0, "ann"))
    assert claims.take(Credential("pin", 3.0, "bob"))
    assert claims.claimed(4.0) == "bob"


# --- crowds, and what is written down --------------------------------------------------------------------------------------


def together(*shots: Shot) -> Crowd:
    return Crowd(shots, shots[0].probe.jpeg, (100, 100), SPREAD[: len(shots)])


async def test_a_crowd_is_shown_in_one_go_and_decided_one_by_one(tmp_path: Path) -> None:
    async with running(tmp_path, strategy="crowd") as scene:
        scene.come(1, 2)
        scene.attendant.hear(together(scene.shot(), scene.shot(number=2)))
        rows = await scene.rows(2)
        assert len(scene.knower.crowds) == 1
    assert {row.presentation: row.kind for row in rows} == {1: "granted", 2: "withheld"}


@pytest.mark.parametrize("strategy", ["crowd", "identify"])
async def test_the_picture_of_all_stays_where_one_of_them_is_an_attack(tmp_path: Path, strategy: str) -> None:
    async with running(tmp_path, strategy=strategy) as scene:
        scene.come(1, 2)
        scene.attendant.hear(together(scene.shot(ATTACK), scene.shot(number=2)))
        rows = await scene.rows(2)
        assert (scene.knower.crowds, [probe.presentation for probe in scene.knower.shown]) == ([], [2])
    assert {row.presentation: row.kind for row in rows} == {1: "denied", 2: "granted"}


async def test_the_journal_keeps_all_that_a_rule_could_ask(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.present("ann", "qr")
        row = await scene.shoot(UNCHECKED)
    facts = msgspec.json.decode(row.body)["facts"]
    assert facts["subject"] == {"person": "ann", "tag": "", "groups": ["day"], "tags": [], "valid": True}
    assert (facts["portal"]["name"], facts["portal"]["state"], facts["site"]) == ("door", "locked", {"name": "lab"})
    assert (facts["credential"]["kind"], facts["time"]) == ("qr", {"trusted": False})
    assert facts["presentation"] == {"faces": 1, "attempt": 1}


# --- liveness ---------------------------------------------------------------------------------------------------------------


@given(
    policy=st.sampled_from(POLICIES),
    cause=st.from_regex(r"^([a-z][a-z0-9_]{1,47})?\Z"),
    state=st.sampled_from(["live", "attack"]),
)
def test_an_eye_cannot_give_an_attack_a_cause_of_its_own(policy: LivenessPolicy, cause: str, state: str) -> None:
    said = refusal(policy, msgspec.convert({"score": 1, "state": state, "cause": cause, "frames": 1}, Liveness))
    if state == "live":
        assert said is None
    else:
        assert isinstance(said, AttackPresentation)
        assert said.cause in ("spoof_suspected", "picture_static") or said.cause == cause
    assert not isinstance(said, Inconclusive)


@pytest.mark.parametrize("cause", ["granted", "no_such_slug", ""])
def test_a_cause_that_is_none_becomes_the_plain_one(cause: str) -> None:
    assert refusal("off", Liveness(0, "attack", cause, 1)) == AttackPresentation("spoof_suspected", "liveness")
