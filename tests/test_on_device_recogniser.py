"""The gallery on this device as a recogniser."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from kiosk import slugs
from kiosk.domain import Match, NonMatch
from kiosk.errors import ContractViolation, KioskError, Transient, Unauthorised
from kiosk.recognition.on_device.calibration import least_score
from kiosk.recognition.on_device.enrolled import CURRENT
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.recogniser import OnDeviceRecogniser
from kiosk.settings import OnDeviceSettings
from tests.portal_stage import enrol, probe_of, seen


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    with Gallery.open() as opened:
        yield opened


def recogniser(gallery: Gallery, **options: Any) -> OnDeviceRecogniser:
    return OnDeviceRecogniser(gallery, OnDeviceSettings(**options))


async def ask(gallery: Gallery, name: str | None, *, masked: bool = False, **options: Any) -> Match | NonMatch:
    return await recogniser(gallery, **options).identify(probe_of(name, masked=masked), time.monotonic() + 5)


async def test_whoever_is_enrolled_is_recognised_and_nobody_else(gallery: Gallery) -> None:
    enrol(gallery, "ann", tag="day shift")
    enrol(gallery, "bob")
    found = await ask(gallery, "ann")
    assert isinstance(found, Match)
    assert (found.person, found.tag, found.engine) == ("ann", "day shift", "on-device")
    assert found.score == pytest.approx(100, abs=0.1)
    stranger = await ask(gallery, "carol")
    assert isinstance(stranger, NonMatch)
    assert (stranger.cause, stranger.engine) == ("not_recognised", "on-device")


async def test_two_who_look_alike_are_not_told_apart(gallery: Gallery) -> None:
    enrol(gallery, "ann")
    enrol(gallery, "her twin", faces=("ann",))
    found = await ask(gallery, "ann")
    assert isinstance(found, NonMatch)
    assert found.cause == "ambiguous"


async def test_the_second_face_of_the_same_person_is_no_rival(gallery: Gallery) -> None:
    enrol(gallery, "ann", faces=("ann", "ann~"))
    found = await ask(gallery, "ann")
    assert isinstance(found, Match)
    assert found.margin == 100


async def test_an_empty_gallery_knows_nobody(gallery: Gallery) -> None:
    assert await ask(gallery, "ann") == NonMatch("nobody_enrolled", 0.0, "on-device")


async def test_only_the_configured_groups_are_searched(gallery: Gallery) -> None:
    enrol(gallery, "ann", "night")
    enrol(gallery, "bob", "day")
    assert isinstance(await ask(gallery, "ann"), Match)
    assert isinstance(await ask(gallery, "ann", group_ids=("night", "day")), Match)
    assert isinstance(await ask(gallery, "ann", group_ids=("day",)), NonMatch)


async def test_a_configured_group_that_does_not_exist_is_an_error(gallery: Gallery) -> None:
    enrol(gallery, "ann")
    with pytest.raises(Unauthorised) as caught:
        await ask(gallery, "ann", group_ids=("stuff",))
    assert caught.value.slug == "group_unknown"
    assert caught.value.slug in slugs.TABLE


async def test_the_threshold_grows_with_the_gallery_and_falls_with_the_rate(gallery: Gallery) -> None:
    enrol(gallery, "person 0")
    one = recogniser(gallery).threshold
    assert one == pytest.approx(least_score(1e-4, 1)) == pytest.approx(50)
    for number in range(1, 10):
        enrol(gallery, f"person {number}")
    assert recogniser(gallery).threshold == pytest.approx(one + 10)
    assert recogniser(gallery, false_match_rate=1e-3).threshold == pytest.approx(one)
    assert recogniser(gallery, threshold=42.0).threshold == 42.0


async def test_a_raw_threshold_and_the_margin_decide(gallery: Gallery) -> None:
    enrol(gallery, "ann")
    near = await ask(gallery, "ann~")
    assert isinstance(near, Match)
    assert math.floor(near.score) < 100
    assert isinstance(await ask(gallery, "ann~", threshold=near.score + 0.01), NonMatch)
    assert isinstance(await ask(gallery, "ann~", threshold=near.score - 0.01), Match)
    enrol(gallery, "bob")
    clear = await ask(gallery, "ann~")
    assert isinstance(clear, Match)
    assert isinstance(await ask(gallery, "ann~", margin=min(clear.margin + 0.01, 100.0)), NonMatch)


async def test_a_masked_face_is_compared_by_its_upper_half(gallery: Gallery) -> None:
    enrol(gallery, "ann")
    enrol(gallery, "bob", faces=("upper ann",))  # looks as a whole as ann's upper half does
    found = await ask(gallery, "ann", masked=True)
    assert isinstance(found, Match)
    assert found.person == "ann"


@pytest.mark.parametrize("masked", [False, True])
async def test_a_probe_without_its_embedding_breaks_the_contract(gallery: Gallery, masked: bool) -> None:
    enrol(gallery, "ann")
    with pytest.raises(ContractViolation) as caught:
        await ask(gallery, None, masked=masked)
    assert caught.value.slug == "eye_contract"


async def test_a_gallery_that_fails_is_an_error_with_its_slug(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    enrol(gallery, "ann")

    def fail(*_: Any, **__: Any) -> Any:
        raise KioskError("gallery_missing", "gone")

    monkeypatch.setattr(gallery, "search_all", fail)
    with pytest.raises(Transient) as caught:
        await ask(gallery, "ann")
    assert caught.value.slug == "gallery_missing"


def test_a_recognised_persons_word_on_the_cloud_counts_whatever_their_group(gallery: Gallery) -> None:
    enrol(gallery, "ann", "day", consent=True)
    enrol(gallery, "bob", "night")
    enrol(gallery, "carol", "night", consent=True)
    enrol(gallery, "dora", "evening")
    gallery.update_group("night", consent=False)
    device = recogniser(gallery, group_ids=("day",))
    for name, expected in (("ann", True), ("bob", False), ("carol", True), ("dora", None), ("a stranger", None)):
        for masked, portal in ((False, False), (False, True), (True, False), (True, True)):
            allowed = device.may_leave(probe_of(name, masked=masked), portal_allows=portal)
            assert allowed is (portal if expected is None else expected), name


def test_a_no_is_heard_behind_a_mask_though_the_upper_face_was_never_enrolled(gallery: Gallery) -> None:
    face = gallery.new_face(msgspec.structs.replace(seen("ann"), upper=None))
    gallery.create_person(gallery.new_person("ann", "ann"), ["staff"], face, CURRENT)
    gallery.update_person("ann", consent=False)
    assert not recogniser(gallery).may_leave(probe_of("ann", masked=True), portal_allows=True)


def test_who_cannot_be_looked_up_breaks_the_contract(gallery: Gallery) -> None:
    with pytest.raises(ContractViolation):
        recogniser(gallery).may_leave(probe_of(None), portal_allows=True)


async def test_a_person_taken_out_is_not_recognised_any_more(gallery: Gallery) -> None:
    enrol(gallery, "ann")
    enrol(gallery, "bob")
    gallery.delete_person("ann")
    assert isinstance(await ask(gallery, "ann"), NonMatch)
    gallery.add_face("bob", gallery.new_face(seen("ann")), CURRENT, allow_same=True)
    assert isinstance(await ask(gallery, "ann"), Match)


async def test_a_gallery_that_cannot_be_followed_is_said(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []
    tried_again = asyncio.Event()

    def fail(**_: Any) -> None:
        tries.append(1)
        if len(tries) > 1:
            tried_again.set()
        raise KioskError("gallery_locked", "busy")

    monkeypatch.setattr("kiosk.recognition.on_device.recogniser.FOLLOW_EVERY", 0.01)
    monkeypatch.setattr(gallery, "follow", fail)
    with capture_logs() as logs:
        following = asyncio.create_task(recogniser(gallery).follow())
        async with asyncio.timeout(10):
            await tried_again.wait()
        following.cancel()
    assert {"event": "gallery_behind", "slug": "gallery_locked", "detail": "busy", "log_level": "warning"} in logs
