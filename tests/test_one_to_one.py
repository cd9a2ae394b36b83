"""Whether a face is a certain person's: asked of each engine, with the references each needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk import slugs
from kiosk.domain import Inconclusive, Match, NonMatch
from kiosk.errors import ConfigurationError, ContractViolation
from kiosk.recognition.on_device import calibration
from kiosk.recognition.on_device.enrolled import CURRENT
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.recogniser import OnDeviceRecogniser
from kiosk.recognition.references import NOBODY, Reference, References
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.events import Asked, CallEvent
from kiosk.recognition.tencent.iai.client import Account, IaiClient
from kiosk.recognition.tencent.iai.groups import CreateGroup
from kiosk.recognition.tencent.iai.persons import CreatePerson
from kiosk.recognition.tencent.iai.recogniser import IaiRecogniser
from kiosk.recognition.tencent.legacy import LegacyRecogniser
from kiosk.recognition.tencent.legacy_client import LegacyInterfaces
from kiosk.recognition.tencent.thresholds import TABLES, FalseMatchRate, false_match_rate, least_score
from kiosk.recognition.tencent.transport import Transport
from kiosk.settings import OnDeviceSettings, TencentIaiSettings, TencentLegacySettings
from tests.portal_stage import enrol, probe_of, seen
from tests.sandbox_stage import APPID, BUCKET, KEYS, photo, sandbox, soon

PHOTOS = {"ann": Reference(photo("ann"), ("day", "staff"), "early shift"), "bob": Reference(photo("bob"))}


def kept(person: str) -> Reference:
    return PHOTOS.get(person, NOBODY)


def none_kept(_person: str) -> Reference:
    return NOBODY


@asynccontextmanager
async def clouds(
    references: References = kept, **options: object
) -> AsyncIterator[tuple[IaiRecogniser, LegacyRecogniser, list[str]]]:
    """Both clouds' engines, ann and bob enrolled there; and the interfaces they call."""
    calls: list[str] = []

    def watch(event: CallEvent) -> None:
        if isinstance(event, Asked):
            calls.append(event.interface)

    async with sandbox() as port:
        caller = Caller([Transport(f"http://127.0.0.1:{port}")], watch=watch)
        client = IaiClient(caller, Account(KEYS))
        await client.call(CreateGroup("staff", "staff"), soon())
        for name in ("ann", "bob"):
            await client.call(CreatePerson("staff", name, name, image=photo(name)), soon())
        calls.clear()
        old = LegacyInterfaces(caller, KEYS, appid=APPID, bucket=BUCKET)
        iai = TencentIaiSettings.model_validate({"group_ids": ("staff",), **options})
        try:
            yield (
                IaiRecogniser(client, caller, iai, references),
                LegacyRecogniser(old, caller, TencentLegacySettings(group_ids=("staff",)), references),
                calls,
            )
        finally:
            await caller.close()


async def test_a_bare_face_is_compared_with_the_photo_kept() -> None:
    async with clouds() as (iai, old, calls):
        for engine in (iai, old):
            found = await engine.verify(probe_of("ann"), "ann", soon())
            assert isinstance(found, Match)
            assert (found.person, found.engine, found.confirmed) == ("ann", engine.name, True)
            assert (found.groups, found.tag) == (("day", "staff"), "early shift")
            assert found.false_match_rate == 1e-5
            other = await engine.verify(probe_of("ann"), "bob", soon())
            assert isinstance(other, NonMatch)
            assert (other.cause, other.engine) == ("not_confirmed", engine.name)
        assert calls == ["CompareFace"] * 2 + ["compare"] * 2


async def test_a_masked_face_is_compared_by_what_is_made_for_it() -> None:
    async with clouds() as (iai, old, calls):
        assert isinstance(await iai.verify(probe_of("ann#", masked=True), "ann", soon()), Match)
        assert isinstance(await iai.verify(probe_of("ann#", masked=True), "bob", soon()), NonMatch)
        assert await old.verify(probe_of("ann#", masked=True), "ann", soon()) == Inconclusive(
            "mask_not_comparable", "tencent-legacy"
        )
        assert calls == ["CompareMaskFace"] * 2


async def test_without_a_photo_today_s_cloud_verifies_bare_faces_by_the_persons_id() -> None:
    async with clouds(none_kept) as (iai, old, calls):
        assert isinstance(await iai.verify(probe_of("ann"), "ann", soon()), Match)
        assert isinstance(await iai.verify(probe_of("ann"), "bob", soon()), NonMatch)
        missing = Inconclusive("reference_missing", "tencent-iai")
        assert await iai.verify(probe_of("ann#", masked=True), "ann", soon()) == missing
        assert await old.verify(probe_of("ann"), "ann", soon()) == Inconclusive("reference_missing", "tencent-legacy")
        assert calls == ["VerifyFace"] * 2


async def test_the_threshold_of_a_comparison_is_its_own() -> None:
    async with clouds(compare_false_match_rate=1e-5) as (iai, *_):
        assert isinstance(await iai.verify(probe_of("ann~"), "ann", soon()), Match)
    async with clouds(threshold=99.9) as (iai, *_):
        assert isinstance(await iai.verify(probe_of("ann~"), "ann", soon()), NonMatch)
    with pytest.raises(ConfigurationError, match="not documented"):
        async with clouds(compare_false_match_rate=1e-2):
            pass


def test_what_is_said_has_a_sentence_and_no_picture() -> None:
    for slug in ("reference_missing", "mask_not_comparable", "not_confirmed", "face_not_matched", "credential_wanted"):
        assert all(slugs.to_person(slug, language) for language in ("en", "zh"))
    assert "ann" not in repr(PHOTOS["ann"])


# --- the device ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    with Gallery.open(keep_photos=True) as opened:
        enrol(opened, "ann", "night", tag="early shift")
        enrol(opened, "bob", "day", faces=("bob", "bob~"))
        yield opened


@pytest.mark.parametrize("masked", [False, True])
async def test_the_device_compares_whole_faces_or_upper_ones(gallery: Gallery, masked: bool) -> None:
    device = OnDeviceRecogniser(gallery, OnDeviceSettings())
    found = await device.verify(probe_of("ann", masked=masked), "ann", soon())
    assert isinstance(found, Match)
    assert (found.person, found.groups, found.tag, found.confirmed) == ("ann", ("night",), "early shift", True)
    assert found.false_match_rate == pytest.approx(calibration.false_match_rate(found.score, 1))
    assert isinstance(await device.verify(probe_of("ann", masked=masked), "bob", soon()), NonMatch)
    assert isinstance(await device.verify(probe_of("bob", masked=masked), "bob", soon()), Match)


async def test_who_is_not_enrolled_here_cannot_be_claimed(gallery: Gallery) -> None:
    missing = Inconclusive("reference_missing", "on-device")
    device = OnDeviceRecogniser(gallery, OnDeviceSettings(group_ids=("night",)))
    assert await device.verify(probe_of("ann"), "carol", soon()) == missing
    assert await device.verify(probe_of("bob"), "bob", soon()) == missing, "in no group that is searched"
    with pytest.raises(ContractViolation):
        await device.verify(probe_of(None), "ann", soon())


async def test_one_to_one_asks_for_less_than_a_search_of_many(gallery: Gallery) -> None:
    for number in range(50):
        enrol(gallery, f"somebody {number}")
    device = OnDeviceRecogniser(gallery, OnDeviceSettings())
    searched, claimed = await device.identify(probe_of("ann"), soon()), await device.verify(probe_of("ann"), "ann", soon())
    assert isinstance(searched, Match)
    assert isinstance(claimed, Match)
    assert searched.groups == claimed.groups == ("night",)
    assert searched.false_match_rate == pytest.approx(len(gallery) * claimed.false_match_rate)


def test_the_reference_is_the_best_photo_that_was_kept(gallery: Gallery) -> None:
    device = OnDeviceRecogniser(gallery, OnDeviceSettings())
    assert device.reference("ann") == Reference(None, ("night",), "early shift")
    assert device.reference("carol") == NOBODY
    gallery.add_face("ann", gallery.new_face(seen("ann~"), photo=photo("ann~")), CURRENT, allow_same=False)
    assert device.reference("ann").photo == photo("ann~")


def test_whoever_said_no_is_not_shown_even_where_only_claimed(gallery: Gallery) -> None:
    device = OnDeviceRecogniser(gallery, OnDeviceSettings())
    gallery.update_person("bob", consent=False)
    assert device.may_leave(probe_of("a stranger"), "ann", portal_allows=True)
    assert not device.may_leave(probe_of("a stranger"), "bob", portal_allows=True)
    assert device.may_leave(probe_of("a stranger"), "carol", portal_allows=True)


# --- what a score is worth ----------------------------------------------------------------------------------------------


@given(st.sampled_from(["CompareFace", "SearchPersons", "compare"]), st.floats(1e-5, 1e-3), st.integers(1, 100_000))
def test_a_score_is_worth_the_rate_that_asked_for_it(interface: str, rate: float, gallery: int) -> None:
    table = TABLES[interface][0]
    size = gallery if interface == "SearchPersons" else 1
    if size > 1 or interface == "SearchPersons":
        rate = max(rate, 1e-4)
    score = least_score(interface, FalseMatchRate(rate), model=table.model, gallery=size)
    assert false_match_rate(interface, score + 1e-9, model=table.model, gallery=size) == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize(
    ("interface", "score", "rate"),
    [("CompareFace", 39.9, 1.0), ("CompareFace", 45.0, 10**-3.5), ("CompareFace", 99.0, 1e-5), ("identify", 99.0, 1.0)],
)
def test_nothing_is_guessed_beyond_the_tables(interface: str, score: float, rate: float) -> None:
    assert false_match_rate(interface, score) == pytest.approx(rate)
    assert false_match_rate("SearchPersons", 95.0, gallery=10**6) == 1.0


@given(st.floats(1e-9, 1e-2), st.integers(1, 100_000))
def test_so_it_is_on_the_device(rate: float, faces: int) -> None:
    score = calibration.least_score(rate, faces)
    assert calibration.false_match_rate(score, faces) == pytest.approx(rate) or score == 100
    assert calibration.false_match_rate(0.0, faces) == 1.0
