"""The demo's own expectations: what counts as gone right, gone wrong, or not to be said."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from kiosk.capture.script import Act, Scene, load
from kiosk.demo.cards import cards_between
from kiosk.demo.judge import Run, judge, wrong_grants

SCENE = Scene(
    title="two acts",
    seconds=10.0,
    enrolled=("P002",),
    acts=(
        Act(name="known", at=1.0, lasts=2.0, person="P002", expect="grant:P002"),
        Act(name="stranger", at=5.0, lasts=2.0, person="P005", expect="deny:not_recognised"),
    ),
)


def granted(began_at: float, person: str = "P002") -> dict[str, Any]:
    return {"began_at": began_at, "outcome": "granted", "person": person, "reason": "granted"}


def denied(began_at: float, reason: str = "not_recognised", person: str | None = None) -> dict[str, Any]:
    return {"began_at": began_at, "outcome": "denied", "person": person, "reason": reason}


def run(*presentations: dict[str, Any], ended: float = 110.0, outages: tuple[tuple[float, float], ...] = ()) -> Run:
    return Run(origin=100.0, begun=100.0, ended=ended, presentations=presentations, outages=outages)


def outcomes(played: Run) -> list[str]:
    return [judgement.outcome for judgement in judge(SCENE, played)]


def test_a_scene_that_goes_as_it_must() -> None:
    played = run(granted(101.1), denied(105.1))
    assert outcomes(played) == ["met", "met"]
    assert wrong_grants(SCENE, played) == 0


def test_a_walk_up_in_two_parts_is_one_act() -> None:
    played = run(denied(101.1, "face_too_small"), granted(101.9), denied(105.1, "face_too_small"), denied(105.8))
    assert outcomes(played) == ["met", "met"]
    played = run(granted(101.1), denied(102.1, "relay_busy", "P002"), denied(105.1))
    assert outcomes(played) == ["met", "met"]


@pytest.mark.parametrize(
    ("presentations", "expected"),
    [
        ([granted(101.1), denied(102.1, "relay_busy", "P003"), denied(105.1)], ["failed", "met"]),
        ([denied(101.1, "person_left", "P002"), denied(105.1)], ["failed", "met"]),
        ([granted(101.1), denied(105.1), denied(105.9, "person_left", "P002")], ["met", "failed"]),
        ([denied(101.1), denied(105.1)], ["failed", "met"]),
        ([granted(101.1), denied(105.1, "blurred")], ["met", "failed"]),
        ([granted(101.1)], ["met", "failed"]),
        ([granted(101.1), granted(105.1, "P005")], ["met", "failed"]),
        ([granted(101.1), denied(101.9), denied(105.1)], ["failed", "met"]),
        ([granted(101.1), granted(101.9, "P003"), denied(105.1)], ["failed", "met"]),
        ([denied(101.1, "face_too_small"), denied(105.1)], ["failed", "met"]),
        ([granted(101.1), denied(105.1, "face_too_small")], ["met", "failed"]),
    ],
)
def test_what_goes_wrong_is_said(presentations: list[dict[str, Any]], expected: list[str]) -> None:
    assert outcomes(run(*presentations)) == expected


def test_who_was_lost_from_sight_unasked_counts_for_nothing() -> None:
    lost = denied(101.1, "person_left") | {"attempts": 0}
    assert outcomes(run(lost, granted(101.9), denied(105.1))) == ["met", "met"]
    assert outcomes(run(lost | {"attempts": 1}, granted(101.9), denied(105.1))) == ["failed", "met"]


@pytest.mark.parametrize("wrong", [granted(105.1), granted(101.1, "P003"), granted(108.5)])
def test_a_wrong_grant_is_counted_whenever_it_happens(wrong: dict[str, Any]) -> None:
    assert wrong_grants(SCENE, run(wrong)) == 1


def test_an_act_without_an_eye_is_missed_but_a_grant_in_it_is_not_forgiven() -> None:
    down = ((100.5, 102.0),)
    assert outcomes(run(denied(105.1), outages=down)) == ["missed", "met"]
    assert outcomes(run(granted(101.1, "P003"), denied(105.1), outages=down)) == ["failed", "met"]


def test_only_acts_that_lay_wholly_in_the_run_are_judged() -> None:
    assert outcomes(run(granted(101.1), ended=107.5)) == ["met"]
    assert len(judge(SCENE, run(ended=130.0))) == 6


def test_every_round_is_judged() -> None:
    second = [granted(111.1), denied(115.1)]
    assert outcomes(run(granted(101.1), denied(105.1), *second, ended=120.0)) == ["met"] * 4


def test_a_judgement_can_be_printed_as_json() -> None:
    assert msgspec.to_builtins(judge(SCENE, run(granted(101.1)))[0]) == {
        "act": "known",
        "expected": "grant:P002",
        "happened": "grant:P002",
        "outcome": "met",
    }


TOGETHER = Scene(
    title="two at once",
    seconds=10.0,
    enrolled=("P002", "P003"),
    acts=(Act(name="both", at=1.0, lasts=4.0, person="P002", beside="P003", expect=("grant:P002", "grant:P003")),),
)


@pytest.mark.parametrize(
    ("presentations", "expected"),
    [
        ((granted(101.1), granted(101.1, "P003")), "met"),
        ((granted(101.1), granted(101.1, "P003"), denied(102.0, "relay_busy", "P003")), "met"),
        ((granted(101.1), granted(101.1)), "failed"),
        ((granted(101.1), denied(101.1)), "failed"),
        ((granted(101.1), granted(101.1, "P003"), granted(101.1, "P005")), "failed"),
    ],
)
def test_each_of_several_has_an_answer_of_their_own(presentations: tuple[dict[str, Any], ...], expected: str) -> None:
    played = run(*presentations)
    assert [judgement.outcome for judgement in judge(TOGETHER, played)] == [expected]
    assert wrong_grants(TOGETHER, played) == (presentations[-1]["person"] == "P005")


def test_cards_are_presented_once_a_round() -> None:
    scene = load("claims")
    steps = [number / 20 for number in range(int(40 * scene.seconds) + 1)]
    shown = [card for after, until in itertools.pairwise(steps) for card in cards_between(scene, after, until)]
    assert shown == ["P002", "P003", "P008", "P003"] * 2
    assert cards_between(scene, -1.0, 0.0) == []
