"""The cloud's vote on liveness: when it is asked, what it may change, and what becomes of its faults."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.access.alive import ALIVE, SURELY_ALIVE, refusal, wants_vote
from kiosk.domain import UNCHECKED, AttackPresentation, Inconclusive, Liveness, Probe
from kiosk.errors import Transient
from kiosk.recognition.live_vote import LiveVote
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.iai.client import Account, IaiClient
from kiosk.recognition.tencent.transport import Transport
from kiosk.settings import LivenessPolicy
from tests.portal_stage import probe_of
from tests.sandbox_stage import KEYS, Eye, sandbox, soon

LIVE = Liveness(88, "live", "", 5)
ATTACK = Liveness(3, "attack", "screen_suspected", 5)
DOUBT = Liveness(40, "doubt", "liveness_doubtful", 5)
FAILED = Liveness(40, "doubt", "challenge_timed_out", 5)
FAULT = Inconclusive("cloud_unreachable", "tencent-iai")
ON: tuple[LivenessPolicy, ...] = ("passive", "passive+challenge", "challenge")


@given(
    policy=st.sampled_from(ON), vote=st.floats() | st.none() | st.just(FAULT), said=st.sampled_from([ATTACK, FAILED, UNCHECKED])
)
def test_no_vote_makes_an_attack_or_a_failed_challenge_alive(
    policy: LivenessPolicy, vote: float | Inconclusive | None, said: Liveness
) -> None:
    assert refusal(policy, said, vote) is not None
    assert not wants_vote(policy, said)
    if said is ATTACK:
        assert refusal(policy, said, vote) == AttackPresentation("screen_suspected", "liveness")


@given(vote=st.floats(), said=st.sampled_from([LIVE, DOUBT]))
def test_a_vote_can_refuse_and_only_a_sure_one_ends_doubt(vote: float, said: Liveness) -> None:
    verdict = refusal("passive", said, vote)
    if math.isnan(vote) or vote < ALIVE:
        assert verdict == AttackPresentation("liveness_rejected", "tencent-iai")
    else:
        assert (verdict is None) == (said is LIVE or vote >= SURELY_ALIVE)


@pytest.mark.parametrize("said", [LIVE, DOUBT])
def test_a_vote_that_failed_denies_with_its_slug(said: Liveness) -> None:
    assert refusal("passive", said, FAULT) == FAULT


def test_where_nobody_asks_for_liveness_nobody_votes() -> None:
    assert not wants_vote("off", LIVE)
    assert wants_vote("passive", LIVE)
    assert wants_vote("passive", DOUBT)


@asynccontextmanager
async def voting(port: int) -> AsyncIterator[Callable[[Probe, bool], Awaitable[float | Inconclusive | None]]]:
    caller = Caller([Transport(f"http://127.0.0.1:{port}")])
    vote = LiveVote(IaiClient(caller, Account(KEYS)), caller, 2.0)
    try:
        yield lambda probe, leaves: vote.ask(probe, lambda _: leaves, soon())
    finally:
        await vote.close()


async def test_the_score_is_what_the_interface_says() -> None:
    async with sandbox() as port, voting(port) as ask:
        assert await ask(probe_of("ann"), True) == 97
        assert await ask(probe_of("ann#"), True) == 8


async def test_a_picture_that_may_not_leave_is_not_sent() -> None:
    eye = Eye()
    async with sandbox(eye) as port, voting(port) as ask:
        assert await ask(probe_of("ann"), False) is None
    assert eye.seen == 0


async def test_every_fault_becomes_its_slug() -> None:
    async with sandbox(Eye(sides={"far": 60})) as port, voting(port) as ask:
        small = await ask(probe_of("far"), True)
        assert small == Inconclusive("face_too_small", "tencent-iai")
    async with voting(1) as ask:
        begun = time.monotonic()
        gone = await ask(probe_of("ann"), True)
    assert gone == FAULT
    assert time.monotonic() - begun < 10


async def test_an_unclear_consent_is_a_fault_too() -> None:
    def unclear(_: Probe) -> bool:
        raise Transient("gallery_unreadable")

    caller = Caller([Transport("http://127.0.0.1:1")])
    vote = LiveVote(IaiClient(caller, Account(KEYS)), caller, 2.0)
    assert await vote.ask(probe_of("ann"), unclear, soon()) == Inconclusive("gallery_unreadable", "tencent-iai")
    await vote.close()
