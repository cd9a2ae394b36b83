"""Which engine is asked, when, for how long, what two answers come to – and that no face leaves without consent."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kiosk.configuration import load
from kiosk.domain import AttackPresentation, Candidate, Crowd, Inconclusive, Match, NonMatch, Probe, Shot, Verdict
from kiosk.errors import (
    ClockRejected,
    ConfigurationError,
    ContractViolation,
    ProbeRejected,
    RecogniserError,
    Throttled,
    Transient,
    Unauthorised,
)
from kiosk.recognition import build
from kiosk.recognition.build import Engines
from kiosk.recognition.consent import DOUBT, Likely, may_leave
from kiosk.recognition.judging import agree, confirm
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.recogniser import OnDeviceRecogniser
from kiosk.recognition.strategy import DEVICE, DEVICE_SHARE, Answer, Engine, Kind, Plan, Strategy, out_of_reach, turn_ends
from kiosk.recognition.tencent import repeats
from kiosk.recognition.tencent.events import Asked, CallEvent
from kiosk.settings import Settings
from tests.portal_stage import SPREAD, crowd_of, enrol, probe_of

CLOUDS = ("tencent-legacy", "tencent-iai")
ENGINES = (*CLOUDS, DEVICE)


class Scripted:
    """An engine that says, or raises, what it was told to; `asked`: the deadlines it was given."""

    def __init__(self, name: str, says: Verdict | RecogniserError) -> None:
        self.name = name
        self._says = says
        self.asked: list[float] = []
        self.claimed: list[str] = []

    async def identify(self, probe: Probe, deadline: float) -> Verdict:
        self.asked.append(deadline)
        await asyncio.sleep(0)
        if isinstance(self._says, RecogniserError):
            raise self._says
        return self._says

    async def verify(self, probe: Probe, person: str, deadline: float) -> Verdict:
        self.claimed.append(person)
        return await self.identify(probe, deadline)

    async def identify_many(self, crowd: Crowd, deadline: float) -> Mapping[int, Verdict]:
        said = await self.identify(crowd.shots[0].probe, deadline)
        return dict.fromkeys((shot.probe.presentation for shot in crowd.shots), said)

    async def warm(self) -> None: ...

    async def close(self) -> None: ...


def match(engine: str, person: str = "ann", score: float = 90.0, margin: float = 50.0, tag: str = "") -> Match:
    return Match(person, score, margin, engine, tag)


def engine_of(name: str, says: Verdict | RecogniserError | None = None, seconds: float = 4.0) -> Engine:
    return Engine(Scripted(name, says or match(name)), seconds, cloud=name != DEVICE)


def scripted(engine: Engine) -> Scripted:
    assert isinstance(engine.recogniser, Scripted)
    return engine.recogniser


def asked(engine: Engine) -> list[float]:
    return scripted(engine).asked


async def answer_of(plan: Plan, *, allowed: bool = True) -> Answer:
    return await Strategy(plan, lambda _, __: allowed, lambda: 100.0).answer(probe_of("ann"), 104.0)


# --- the fallback -------------------------------------------------------------------------------------------------------

AWAY = [
    Transient("cloud_unreachable"),
    Transient("deadline_exceeded"),
    Throttled("cloud_busy"),
    Unauthorised("account_in_arrears"),
    ClockRejected("clock_rejected"),
    ContractViolation("answer_makes_no_sense"),
]
THERE = [ProbeRejected("face_not_found"), ContractViolation("request_refused"), ContractViolation("eye_contract")]


@pytest.mark.parametrize("error", AWAY, ids=str)
async def test_while_the_first_is_out_of_reach_the_fallback_answers(error: RecogniserError) -> None:
    answer = await answer_of(Plan(engine_of("tencent-iai", error), engine_of(DEVICE)))
    assert answer.verdict == match(DEVICE)
    assert [(opinion.engine, opinion.error) for opinion in answer.opinions] == [("tencent-iai", error), (DEVICE, None)]


@pytest.mark.parametrize("error", THERE, ids=str)
async def test_a_fault_of_picture_or_request_is_not_asked_on_about(error: RecogniserError) -> None:
    fallback = engine_of(DEVICE)
    answer = await answer_of(Plan(engine_of("tencent-iai", error), fallback))
    assert answer.verdict == Inconclusive(error.slug, "tencent-iai")
    assert not asked(fallback)


@pytest.mark.parametrize("cause", ["not_recognised", "ambiguous", "nobody_enrolled"])
async def test_who_was_not_recognised_gets_no_second_chance(cause: str) -> None:
    fallback = engine_of(DEVICE)
    said = NonMatch(cause, 30.0, "tencent-iai")
    assert (await answer_of(Plan(engine_of("tencent-iai", said), fallback))).verdict == said
    assert not asked(fallback)


async def test_without_a_fallback_nobody_is_let_in() -> None:
    answer = await answer_of(Plan(engine_of("tencent-legacy", Transient("cloud_unreachable"))))
    assert answer.verdict == Inconclusive("cloud_unreachable", "tencent-legacy")


async def test_where_both_are_away_the_last_word_is_the_fallbacks() -> None:
    plan = Plan(engine_of("tencent-iai", Transient("cloud_unreachable")), engine_of("tencent-legacy", Throttled("cloud_busy")))
    answer = await answer_of(plan)
    assert answer.verdict == Inconclusive("cloud_busy", "tencent-legacy")
    assert [opinion.error.slug for opinion in answer.opinions if opinion.error] == ["cloud_unreachable", "cloud_busy"]


# --- one to one ---------------------------------------------------------------------------------------------------------


async def confirmed_by(plan: Plan, *, masked: bool = False) -> Answer:
    strategy = Strategy(plan, lambda _, __: True, lambda: 100.0, kind="identify+confirm")
    return await strategy.answer(probe_of("ann", masked=masked), 104.0)


def asks(answer: Answer) -> list[tuple[str, str]]:
    return [(opinion.engine, opinion.asked) for opinion in answer.opinions]


async def test_who_was_found_is_compared_by_the_same_engine() -> None:
    engine = engine_of("tencent-iai", replace(match("tencent-iai", tag="staff"), false_match_rate=1e-3, groups=("day",)))
    answer = await confirmed_by(Plan(engine))
    assert isinstance(answer.verdict, Match)
    assert (answer.verdict.person, answer.verdict.tag, answer.verdict.groups) == ("ann", "staff", ("day",))
    assert (answer.verdict.engine, answer.verdict.confirmed) == ("tencent-iai", True)
    assert asks(answer) == [("tencent-iai", "identify"), ("tencent-iai", "verify")]
    assert scripted(engine).claimed == ["ann"]


@pytest.mark.parametrize("said", [match(DEVICE, person="bob"), NonMatch("not_confirmed", 20.0, DEVICE)], ids=["bob", "nobody"])
async def test_who_is_not_confirmed_is_not_let_in(said: Verdict) -> None:
    answer = await confirmed_by(Plan(engine_of("tencent-iai"), comparer=engine_of(DEVICE, said)))
    assert isinstance(answer.verdict, NonMatch)
    assert (answer.verdict.cause, answer.verdict.engine) == ("not_confirmed", "tencent-iai+on-device")


async def test_without_its_comparison_a_match_is_none() -> None:
    answer = await confirmed_by(Plan(engine_of(DEVICE), comparer=engine_of("tencent-iai", Transient("cloud_unreachable"))))
    assert answer.verdict == Inconclusive("cloud_unreachable", "on-device+tencent-iai")


@pytest.mark.parametrize("error", AWAY, ids=str)
async def test_while_the_comparer_is_out_of_reach_the_fallback_compares(error: RecogniserError) -> None:
    plan = Plan(engine_of("tencent-legacy"), engine_of(DEVICE), comparer=engine_of("tencent-iai", error))
    answer = await confirmed_by(plan)
    assert isinstance(answer.verdict, Match)
    assert answer.verdict.confirmed
    assert asks(answer) == [("tencent-legacy", "identify"), ("tencent-iai", "verify"), (DEVICE, "verify")]


async def test_an_engine_that_was_out_of_reach_is_not_asked_to_compare() -> None:
    away = engine_of("tencent-iai", Transient("cloud_unreachable"))
    answer = await confirmed_by(Plan(away, engine_of(DEVICE)))
    assert asks(answer) == [("tencent-iai", "identify"), (DEVICE, "identify"), (DEVICE, "verify")]


async def test_masked_faces_go_to_whoever_compares_them() -> None:
    bare_only, other = (
        Engine(Scripted("tencent-legacy", match("tencent-legacy")), 4.0, cloud=True, masks=False),
        engine_of(DEVICE),
    )
    assert asks(await confirmed_by(Plan(bare_only, other)))[1:] == [("tencent-legacy", "verify")]
    assert asks(await confirmed_by(Plan(bare_only, other), masked=True))[1:] == [(DEVICE, "verify")]
    assert asks(await confirmed_by(Plan(bare_only), masked=True))[1:] == [("tencent-legacy", "verify")]


async def test_only_matches_are_compared() -> None:
    engine = engine_of(DEVICE, NonMatch("not_recognised", 10.0, DEVICE))
    assert asks(await confirmed_by(Plan(engine))) == [(DEVICE, "identify")]


async def test_who_is_claimed_is_compared_and_nobody_searched_for() -> None:
    plan = Plan(engine_of("tencent-iai", Transient("cloud_unreachable")), engine_of(DEVICE), engine_of("tencent-legacy"))
    answer = await Strategy(plan, lambda _, __: True, lambda: 100.0).verify(probe_of("ann"), "ann", 104.0)
    assert asks(answer) == [("tencent-iai", "verify"), (DEVICE, "verify"), ("tencent-legacy", "verify")]
    assert isinstance(answer.verdict, Match)
    assert answer.verdict.engine == "on-device+tencent-legacy"


def test_of_two_tests_the_rarer_false_match_bounds_both() -> None:
    first, second = (replace(match(DEVICE), false_match_rate=rate) for rate in (1e-3, 1e-5))
    for verdict in (agree(first, second), confirm(first, second), confirm(second, first)):
        assert isinstance(verdict, Match)
        assert verdict.false_match_rate == 1e-5


# --- several at once ----------------------------------------------------------------------------------------------------


async def test_a_crowd_is_asked_about_once_and_of_the_fallback_while_the_first_is_away() -> None:
    plan = Plan(engine_of("tencent-iai", Transient("cloud_unreachable")), engine_of(DEVICE))
    answers = await Strategy(plan, lambda _, __: True, lambda: 100.0, kind="crowd").answers(crowd_of("ann", "bob"), 104.0)
    assert set(answers) == {1, 2}
    assert all(asks(answer) == [("tencent-iai", "identify_many"), (DEVICE, "identify_many")] for answer in answers.values())
    assert [len(asked(engine)) for engine in plan.engines] == [1, 1]


async def test_one_who_may_not_leave_keeps_the_picture_of_all_at_home() -> None:
    plan = Plan(engine_of("tencent-iai"), engine_of(DEVICE))
    strategy = Strategy(plan, lambda probe, _: probe.presentation != 2, lambda: 100.0, kind="crowd")
    answers = await strategy.answers(crowd_of("ann", "bob"), 104.0)
    assert asks(answers[1]) == [("tencent-iai", "identify")]
    assert asks(answers[2]) == [(DEVICE, "identify")]


async def test_every_match_of_a_crowd_needs_its_second_opinion() -> None:
    plan = Plan(engine_of(DEVICE), second=engine_of("tencent-iai", match("tencent-iai", person="bob")))
    answers = await Strategy(plan, lambda _, __: True, lambda: 100.0, kind="crowd").answers(crowd_of("ann", "bob"), 104.0)
    assert {answer.verdict for answer in answers.values()} == {NonMatch("opinions_differ", 90.0, "on-device+tencent-iai")}


# --- the second opinion -------------------------------------------------------------------------------------------------


async def test_two_engines_that_name_the_same_person_make_a_match_of_the_weaker() -> None:
    plan = Plan(
        engine_of(DEVICE, match(DEVICE, score=92.0, margin=20.0, tag="staff")),
        second=engine_of("tencent-iai", match("tencent-iai", score=95.0, margin=12.0, tag="other")),
    )
    answer = await answer_of(plan)
    assert answer.verdict == Match("ann", 92.0, 12.0, "on-device+tencent-iai", "staff")
    assert [opinion.verdict.engine for opinion in answer.opinions] == [DEVICE, "tencent-iai"]


@pytest.mark.parametrize("other", [match("b", person="bob"), NonMatch("not_recognised", 40.0, "b")])
async def test_engines_that_differ_let_nobody_in(other: Match | NonMatch) -> None:
    plan = Plan(engine_of(DEVICE), second=engine_of("tencent-iai", other))
    assert (await answer_of(plan)).verdict == NonMatch("opinions_differ", min(90.0, other.score), "on-device+b")


@pytest.mark.parametrize("error", [*AWAY, *THERE], ids=str)
async def test_without_its_second_opinion_a_match_is_none(error: RecogniserError) -> None:
    plan = Plan(engine_of(DEVICE), second=engine_of("tencent-iai", error))
    assert (await answer_of(plan)).verdict == Inconclusive(error.slug, "on-device+tencent-iai")


async def test_an_attack_stays_one() -> None:
    plan = Plan(engine_of(DEVICE), second=engine_of("tencent-iai", AttackPresentation("liveness_rejected", "tencent-iai")))
    assert (await answer_of(plan)).verdict == AttackPresentation("liveness_rejected", "on-device+tencent-iai")


@pytest.mark.parametrize("said", [NonMatch("not_recognised", 30.0, DEVICE), ProbeRejected("face_not_found")], ids=str)
async def test_only_matches_need_a_second_opinion(said: Verdict | RecogniserError) -> None:
    second = engine_of("tencent-iai")
    await answer_of(Plan(engine_of(DEVICE, said), second=second))
    assert not asked(second)


async def test_a_match_of_the_fallback_needs_one_too() -> None:
    plan = Plan(engine_of("tencent-iai", Throttled("cloud_busy")), engine_of("tencent-legacy"), engine_of(DEVICE))
    answer = await answer_of(plan)
    assert answer.verdict == match("tencent-legacy+on-device")
    assert [opinion.engine for opinion in answer.opinions] == ["tencent-iai", "tencent-legacy", DEVICE]


scores = st.floats(0, 100)
matches = st.builds(match, st.sampled_from(ENGINES), st.sampled_from(["ann", "bob"]), scores, scores)
others: st.SearchStrategy[Verdict] = matches | st.builds(NonMatch, st.just("not_recognised"), scores, st.sampled_from(ENGINES))
others |= st.builds(Inconclusive, st.just("cloud_busy"), st.sampled_from(ENGINES))


@given(matches, others)
def test_two_opinions_are_never_more_than_either(first: Match, second: Verdict) -> None:
    both = agree(first, second)
    if isinstance(both, Match):
        assert isinstance(second, Match)
        assert first.person == second.person == both.person
        assert both.score <= min(first.score, second.score)
        assert both.margin <= min(first.margin, second.margin)


# --- time ---------------------------------------------------------------------------------------------------------------

kinds = st.builds(lambda cloud, seconds: engine_of(CLOUDS[0] if cloud else DEVICE, seconds=seconds), st.booleans(), scores)


@given(scores, st.floats(0, 10), kinds, st.lists(kinds, max_size=2))
def test_no_turn_reaches_over_the_deadline_or_takes_what_others_need(
    now: float, left: float, engine: Engine, later: list[Engine]
) -> None:
    ends = turn_ends(now, now + left, engine, later)
    assert now <= ends <= max(now + left, now) + 1e-9
    assert ends - now <= engine.seconds + 1e-9
    if engine.cloud and later:
        rest = now + left - ends
        clouds = sum(other.cloud for other in later)
        assert rest >= min(left, DEVICE_SHARE * (len(later) - clouds)) - 1e-9
        assert rest >= clouds * (ends - now) - 1e-9


async def test_one_deadline_is_shared() -> None:
    first, fallback = engine_of("tencent-iai", Transient("deadline_exceeded")), engine_of(DEVICE)
    await answer_of(Plan(first, fallback))
    assert asked(first) == [pytest.approx(104.0 - DEVICE_SHARE)]
    assert asked(fallback) == [104.0]
    first, second = engine_of("tencent-iai"), engine_of("tencent-legacy")
    await answer_of(Plan(first, second=second))
    assert (asked(first), asked(second)) == ([102.0], [104.0])
    quick = engine_of("tencent-iai", seconds=0.5)
    await answer_of(Plan(quick))
    assert asked(quick) == [100.5]


def test_an_answer_may_take_as_long_as_the_slowest_engine() -> None:
    plan = Plan(engine_of("tencent-iai", seconds=3.0), engine_of(DEVICE, seconds=1.0), engine_of("tencent-legacy", seconds=4.5))
    assert Strategy(plan, lambda _, __: True).seconds == 4.5


# --- consent ------------------------------------------------------------------------------------------------------------


def likely(*people: tuple[str, float, bool | None]) -> list[Likely]:
    return [Likely(Candidate(person, score), consent) for person, score, consent in people]


@pytest.mark.parametrize("portal", [False, True])
@pytest.mark.parametrize(
    ("people", "expected"),
    [
        ([], None),
        ([("ann", 90.0, True)], True),
        ([("ann", 90.0, False)], False),
        ([("ann", 90.0, None)], None),
        ([("bob", 40.0, False), ("ann", 90.0, True)], True),
        ([("ann", 90.0, True), ("bob", 89.0, False)], False),  # one of them it is, and one said no
        ([("ann", 59.0, True)], None),  # not recognised: a yes of somebody else says nothing
        ([("ann", 60.0 - DOUBT, False)], False),  # a no of whoever it may be is heeded
        ([("ann", 59.9 - DOUBT, False)], None),
    ],
)
def test_a_recognised_persons_word_decides_and_else_the_portals(
    people: list[tuple[str, float, bool | None]], expected: bool | None, portal: bool
) -> None:
    allowed = may_leave(likely(*people), threshold=60.0, margin=5.0, portal_allows=portal)
    assert allowed is (portal if expected is None else expected)


@pytest.mark.parametrize(("first", "second"), [(DEVICE, "tencent-iai"), ("tencent-iai", DEVICE)])
async def test_the_device_alone_answers_about_a_face_that_may_not_leave(first: str, second: str) -> None:
    for plan in (Plan(engine_of(first), engine_of(second)), Plan(engine_of(first), second=engine_of(second))):
        answer = await answer_of(plan, allowed=False)
        assert answer.verdict == match(DEVICE)
        assert [opinion.engine for opinion in answer.opinions] == [DEVICE]


async def test_without_an_engine_on_the_device_such_a_face_is_not_looked_at() -> None:
    plan = Plan(engine_of("tencent-iai"), engine_of("tencent-legacy"))
    answer = await answer_of(plan, allowed=False)
    assert answer == Answer(Inconclusive("consent_missing", "tencent-iai"))
    assert not any(asked(engine) for engine in plan.engines)


async def test_where_consent_cannot_be_looked_up_nothing_leaves_and_nobody_is_let_in() -> None:
    def fail(_: Probe, __: str) -> bool:
        raise Transient("gallery_missing")

    plan = Plan(engine_of("tencent-iai"), engine_of(DEVICE))
    answer = await Strategy(plan, fail).answer(probe_of("ann"), time.monotonic() + 4)
    assert answer.verdict == Inconclusive("gallery_missing", DEVICE)
    assert [opinion.error.slug for opinion in answer.opinions if opinion.error] == ["gallery_missing"]
    assert not any(asked(engine) for engine in plan.engines)


async def test_a_device_alone_asks_nobody_for_consent() -> None:
    def never(_: Probe, __: str) -> bool:
        raise AssertionError("nothing leaves the device, so nobody need agree")

    answer = await Strategy(Plan(engine_of(DEVICE)), never).answer(probe_of("ann"), time.monotonic() + 4)
    assert answer.verdict == match(DEVICE)


# --- engines from settings, with real clients ---------------------------------------------------------------------------


@pytest.fixture
def nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Settings of a box whose cloud is a closed port: whoever asks it is seen to have tried."""
    monkeypatch.setattr(repeats, "FIRST_PAUSE", 0.0)
    (tmp_path / "key").write_text("AKIDEXAMPLE")
    file = tmp_path / "kiosk.toml"
    account = f"""
secret_id_file = "{tmp_path}/key"
secret_key_file = "{tmp_path}/key"
keep_warm = false
endpoint = "http://127.0.0.1:9"
fallback_endpoint = ""
group_ids = ["staff"]
"""
    file.write_text(
        f'[site]\nstate_dir = "{tmp_path}"\n[tencent_legacy]\nappid = "1"{account}[tencent_iai]{account}', encoding="utf-8"
    )

    def settings_of(**portal: Any) -> Settings:
        return load(file, {f"portals.door.{name}": str(value) for name, value in portal.items()})

    return settings_of


@pytest.fixture
def gallery(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gallery]:
    """Seven people of whom each says something else of the cloud, and what the daemon then finds on its disk."""
    with Gallery.open() as opened:
        for (number, own), group in itertools.product(enumerate((None, True, False)), ("yes", "no")):
            enrol(opened, f"{number} {group}", group, consent=own)
        opened.update_group("yes", consent=True)
        opened.update_group("no", consent=False)
        enrol(opened, "silent")
        monkeypatch.setattr(opened, "close", lambda: None)
        monkeypatch.setattr(build, "open_device", lambda read: OnDeviceRecogniser(opened, read.on_device))
        monkeypatch.setattr(build, "reads_gallery", lambda _: True)
        yield opened


SAYS = {"0 yes": True, "0 no": False, "1 yes": True, "1 no": True, "2 yes": False, "2 no": False}
portals = st.permutations([*ENGINES, "none", "none"]).map(lambda names: names[:3]).filter(lambda names: names[0] != "none")
KINDS: tuple[Kind, ...] = ("identify", "identify+confirm", "claim+compare", "crowd")


@given(
    portals,
    st.booleans(),
    st.sampled_from([*SAYS, "silent", "a stranger", None]),
    st.booleans(),
    st.sampled_from(KINDS),
    st.sampled_from(["same", *ENGINES]),
    st.sampled_from([*SAYS, "silent", "a stranger"]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_face_leaves_without_consent_whatever_the_configuration(
    nobody_listens: Callable[..., Settings],
    gallery: Gallery,
    names: list[str],
    portal_allows: bool,
    person: str | None,
    masked: bool,
    kind: Kind,
    confirm: str,
    other: str,
) -> None:
    """`other`: who is claimed, or comes along."""
    events: list[CallEvent] = []
    portal = {"recogniser": names[0], "fallback": names[1], "second_opinion": names[2], "strategy": kind, "confirm": confirm}
    read = nobody_listens(**portal, cloud_consent=portal_allows)
    probe, deadline = probe_of(person, masked=masked), time.monotonic() + 5

    async def ask() -> list[Answer]:
        engines = Engines(read, events.append)
        try:
            strategy = engines.strategy(read.portals["door"])
            if kind == "claim+compare":
                return [await strategy.verify(probe, other, deadline)]
            if kind == "crowd":
                shots = Shot(probe, 0.0, 1), Shot(probe_of(other, presentation=2), 0.0, 1)
                answers = await strategy.answers(Crowd(shots, probe.jpeg, (100, 100), SPREAD[:2]), deadline)
                return [answers[1], answers[2]]
            return [await strategy.answer(probe, deadline)]
        finally:
            await engines.close()

    answer, *others = asyncio.run(ask())
    tried = any(isinstance(event, Asked) for event in events)
    told = [opinion for one in (answer, *others) for opinion in one.opinions if opinion.engine in CLOUDS]
    assert tried <= bool(told)
    allowed = person is not None and SAYS.get(person, portal_allows)
    if kind == "claim+compare":
        allowed = allowed and SAYS.get(other) is not False
    if not allowed:
        assert not any(opinion.engine in CLOUDS for opinion in answer.opinions)
        assert not any(opinion.asked == "identify_many" for opinion in told)
        if person is not None and not {DEVICE} & {*names, confirm}:
            assert answer.verdict == Inconclusive("consent_missing", names[0])
    elif names[0] in CLOUDS and kind != "claim+compare":
        assert tried, "the test could not fail if nobody were ever asked"


@pytest.mark.parametrize("portal_allows", [False, True])
async def test_without_a_gallery_the_portal_decides(nobody_listens: Callable[..., Settings], portal_allows: bool) -> None:
    events: list[CallEvent] = []
    read = nobody_listens(recogniser="tencent-iai", cloud_consent=portal_allows)
    engines = Engines(read, events.append)
    assert not engines.needs_embeddings
    answer = await engines.strategy(read.portals["door"]).answer(probe_of(None), time.monotonic() + 5)
    await engines.close()
    assert answer.verdict == Inconclusive("cloud_unreachable" if portal_allows else "consent_missing", "tencent-iai")
    assert any(isinstance(event, Asked) for event in events) == portal_allows


async def test_a_box_without_a_cloud_needs_no_account(gallery: Gallery, tmp_path: Path) -> None:
    read = load(None, {"portals.door.recogniser": DEVICE, "site.state_dir": str(tmp_path)})
    engines = Engines(read, lambda _: pytest.fail("nobody is asked"))
    assert engines.needs_embeddings
    answer = await engines.strategy(read.portals["door"]).answer(probe_of("silent"), time.monotonic() + 5)
    await engines.close()
    assert isinstance(answer.verdict, Match)
    assert (answer.verdict.person, answer.verdict.engine) == ("silent", DEVICE)


@pytest.mark.parametrize("portal", [{"recogniser": DEVICE}, {"fallback": DEVICE}, {"second_opinion": DEVICE}])
def test_without_a_gallery_a_box_that_needs_one_does_not_start(
    nobody_listens: Callable[..., Settings], portal: dict[str, str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Engines(nobody_listens(**portal), lambda _: None)
    assert caught.value.slug == "gallery_missing"
    assert "gallery.sqlite" in caught.value.detail


@pytest.mark.parametrize("engine", CLOUDS)
def test_without_its_account_a_box_that_needs_one_does_not_start(engine: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        Engines(load(None, {"portals.door.recogniser": engine, "site.state_dir": str(tmp_path)}), lambda _: None)


def test_no_error_is_out_of_reach_by_accident() -> None:
    assert not out_of_reach(None)
    assert not out_of_reach(RecogniserError("threshold_unknown"))
