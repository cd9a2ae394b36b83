"""SearchPersons as a recogniser: against the sandbox, and against answers that the sandbox does not give."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from kiosk import slugs
from kiosk.domain import Match, NonMatch
from kiosk.errors import ConfigurationError, ContractViolation, ProbeRejected, RecogniserError, Transient, Unauthorised
from kiosk.recognition.tencent.calls import Attempt, Caller, Request
from kiosk.recognition.tencent.iai.client import Account, IaiClient
from kiosk.recognition.tencent.iai.fields import Description
from kiosk.recognition.tencent.iai.groups import CreateGroup
from kiosk.recognition.tencent.iai.persons import CreatePerson
from kiosk.recognition.tencent.iai.recogniser import IaiRecogniser
from kiosk.recognition.tencent.transport import Transport
from kiosk.settings import TencentIaiSettings
from tests.portal_stage import probe_of
from tests.sandbox_stage import KEYS, photo, sandbox, soon


@asynccontextmanager
async def recogniser(**options: Any) -> AsyncIterator[IaiRecogniser]:
    """Over a sandbox in which ann (who has a remark) and bob are staff, carol a guest, and nobody is in `empty`."""
    async with sandbox() as port:
        caller = Caller([Transport(f"http://127.0.0.1:{port}")])
        client = IaiClient(caller, Account(KEYS))
        for group in ("staff", "guests", "empty"):
            await client.call(CreateGroup(group, group, ("Remark",)), soon())
        remark = (Description(0, "day shift"),)
        await client.call(CreatePerson("staff", "ann", "ann", None, remark, photo("ann")), soon())
        await client.call(CreatePerson("staff", "bob", "bob", image=photo("bob")), soon())
        await client.call(CreatePerson("guests", "carol", "carol", image=photo("carol")), soon())
        settings = TencentIaiSettings(**{"group_ids": ("staff",), **options})
        made = IaiRecogniser(client, caller, settings)
        try:
            yield made
        finally:
            await made.close()


async def test_whoever_is_in_the_groups_is_recognised_and_nobody_else() -> None:
    async with recogniser() as engine:
        found = await engine.identify(probe_of("ann"), soon())
        assert isinstance(found, Match)
        assert (found.person, found.tag, found.engine) == ("ann", "day shift", "tencent-iai")
        assert found.margin > 5
        for stranger in ("dave", "carol"):
            unknown = await engine.identify(probe_of(stranger), soon())
            assert isinstance(unknown, NonMatch)
            assert (unknown.cause, unknown.engine) == ("not_recognised", "tencent-iai")


async def test_a_group_without_anybody_is_no_fault() -> None:
    async with recogniser(group_ids=("empty",)) as engine:
        assert await engine.identify(probe_of("ann"), soon()) == NonMatch("nobody_enrolled", 0.0, "tencent-iai")


async def test_a_group_that_does_not_exist_is_one() -> None:
    async with recogniser(group_ids=("stuff",)) as engine:
        with pytest.raises(Unauthorised) as caught:
            await engine.identify(probe_of("ann"), soon())
        assert caught.value.slug == "group_unknown"


async def test_settings_decide_from_which_score_and_with_which_lead() -> None:
    async with recogniser(threshold=60.0) as engine:
        near = await engine.identify(probe_of("ann~"), soon())
        assert isinstance(near, Match)
    async with recogniser(threshold=near.score + 0.01) as engine:
        assert isinstance(await engine.identify(probe_of("ann~"), soon()), NonMatch)
    async with recogniser(threshold=60.0, margin=min(near.margin + 0.01, 100.0)) as engine:
        far = await engine.identify(probe_of("ann~"), soon())
        assert isinstance(far, NonMatch)
        assert far.cause == "ambiguous"


class Script(Caller):
    """A caller without a network: answers what it was told to."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.sent = b""

    async def call(self, request: Request[Any], deadline: float) -> Any:
        self.sent = request.build(Attempt("iai.example", 1_700_000_000)).body
        return request.read(self._answer)


def answering(*, model: str = "3.0", people: int | None = 2, score: float = 92.0, codes: tuple[int, ...] = (0,)) -> Script:
    """`codes`: of the faces searched for."""
    rect = {"X": 1, "Y": 2, "Width": 80, "Height": 90}
    candidates = [{"PersonId": "ann", "Score": score, "FaceId": ""}]
    results = [{"Candidates": candidates, "FaceRect": rect, "RetCode": code} for code in codes]
    said = {"Results": results, "PersonNum": people, "FaceModelVersion": model, "RequestId": "r"}
    return Script(msgspec.json.encode({"Response": said}))


async def judged(script: Script, **options: Any) -> Match | NonMatch:
    section = TencentIaiSettings(**{"group_ids": ("staff",), **options})
    return await IaiRecogniser(IaiClient(script, Account(KEYS)), script, section).identify(probe_of("ann"), soon())


async def test_it_asks_for_one_face_two_people_and_no_quality_check() -> None:
    script = answering()
    await judged(script)
    sent = msgspec.json.decode(script.sent)
    sent.pop("Image")
    assert sent == {"GroupIds": ["staff"], "MaxFaceNum": 1, "MaxPersonNum": 2, "QualityControl": 0, "NeedPersonInfo": 1}


@pytest.mark.parametrize(
    ("people", "rate", "least"), [(2, 1e-4, 90.0), (10_000, 1e-4, 90.0), (100_000, 1e-3, 90.0), (300_000, 1e-2, 85.0)]
)
async def test_the_rate_is_translated_for_the_gallery_searched(people: int, rate: float, least: float) -> None:
    assert isinstance(await judged(answering(people=people, score=least), false_match_rate=rate), Match)
    assert isinstance(await judged(answering(people=people, score=least - 0.01), false_match_rate=rate), NonMatch)


@pytest.mark.parametrize("script", [answering(people=200_000), answering(people=None), answering(model="2.0")])
async def test_where_no_score_is_documented_nobody_is_let_in_unless_one_is_given(script: Script) -> None:
    with pytest.raises(RecogniserError) as caught:
        await judged(script)
    assert caught.value.slug == "threshold_unknown"
    assert caught.value.slug in slugs.TABLE
    assert isinstance(await judged(script, threshold=90.0), Match)


@pytest.mark.parametrize(("codes", "slug"), [((-1601,), "quality_rejected"), ((), "face_not_found")])
async def test_a_face_that_was_not_searched_for_is_nobody(codes: tuple[int, ...], slug: str) -> None:
    with pytest.raises(ProbeRejected) as caught:
        await judged(answering(codes=codes))
    assert caught.value.slug == slug


async def test_an_answer_that_makes_no_sense_is_an_error() -> None:
    with pytest.raises(ContractViolation):
        await judged(Script(b"<html>"))


async def test_faults_are_raised() -> None:
    async with recogniser() as engine:
        with pytest.raises(Transient) as caught:
            await engine.identify(probe_of("ann"), 0.0)
    assert caught.value.slug == "deadline_exceeded"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"group_ids": ()}, "group_ids"),
        ({"group_ids": ("staff",), "false_match_rate": 1e-6}, "not documented"),
    ],
)
def test_what_cannot_work_is_refused_at_start(options: dict[str, Any], words: str) -> None:
    script = answering()
    with pytest.raises(ConfigurationError, match=words):
        IaiRecogniser(IaiClient(script, Account(KEYS)), script, TencentIaiSettings(**options))
