"""Several people at once: one picture of them, one question, and whose answer is whose."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from kiosk.domain import MOST_TOGETHER, Began, Box, Crowd, Ended, Inconclusive, Match, NonMatch, Shot, Verdict
from kiosk.eye import messages
from kiosk.ports import Recogniser
from kiosk.recognition.crowd import SAME_FACE, matched
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.recogniser import OnDeviceRecogniser
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.events import Asked, CallEvent
from kiosk.recognition.tencent.iai.client import Account, IaiClient
from kiosk.recognition.tencent.iai.groups import CreateGroup
from kiosk.recognition.tencent.iai.persons import CreatePerson
from kiosk.recognition.tencent.iai.recogniser import IaiRecogniser
from kiosk.recognition.tencent.legacy import LegacyRecogniser
from kiosk.recognition.tencent.legacy_client import LegacyInterfaces
from kiosk.recognition.tencent.transport import Transport
from kiosk.settings import OnDeviceSettings, TencentIaiSettings, TencentLegacySettings
from kiosk.vision.crowd import GAP, GATHER, Gathering, group
from kiosk.vision.pixels import encode_jpeg
from kiosk.vision.probe import MARGIN
from tests.portal_stage import FACE, SPREAD, crowd_of, enrol, probe_of
from tests.sandbox_stage import APPID, BUCKET, KEYS, Eye, photo, sandbox, soon

# --- whose box is whose -------------------------------------------------------------------------------------------------

BOXES = st.builds(Box, st.floats(0, 300), st.floats(0, 300), st.floats(10, 120), st.floats(10, 120))


@given(st.lists(BOXES, max_size=6), st.lists(BOXES, max_size=6))
def test_a_box_gets_the_one_face_that_overlaps_it_and_no_other(ours: list[Box], theirs: list[Box]) -> None:
    whose = matched(ours, theirs)
    for box, which in zip(ours, whose, strict=True):
        near = [number for number, other in enumerate(theirs) if box.overlap(other) >= SAME_FACE]
        if which is None:
            assert len(near) != 1 or sum(other.overlap(theirs[near[0]]) >= SAME_FACE for other in ours) > 1
        else:
            assert near == [which]
    given_away = [which for which in whose if which is not None]
    assert len(given_away) == len(set(given_away))


@given(st.permutations(range(3)), st.floats(-6, 6), st.floats(0.8, 1.25))
def test_in_whatever_order_faces_come_each_goes_to_its_person(order: list[int], shift: float, larger: float) -> None:
    theirs = [Box(SPREAD[n].x + shift, SPREAD[n].y - shift, 40 * larger, 40 * larger) for n in order]
    assert matched(SPREAD, theirs) == [order.index(number) for number in range(3)]


def test_what_overlaps_two_is_nobodys() -> None:
    left, right, both = Box(0, 0, 100, 100), Box(40, 0, 100, 100), Box(20, 0, 100, 100)
    assert matched([left, right], [both]) == [None, None]
    assert matched([both], [left, right]) == [None]
    assert matched([left, Box(500, 0, 100, 100)], [left]) == [0, None]


# --- the engines --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def engines(eye: Eye) -> AsyncIterator[tuple[list[Recogniser], list[str]]]:
    """All three, knowing ann and bob; and the calls that the two clouds' are asked."""
    calls: list[str] = []

    def watch(event: CallEvent) -> None:
        if isinstance(event, Asked):
            calls.append(event.interface)

    async with sandbox(eye) as port:
        caller = Caller([Transport(f"http://127.0.0.1:{port}")], watch=watch)
        iai = IaiClient(caller, Account(KEYS))
        await iai.call(CreateGroup("staff", "staff"), soon())
        for name in ("ann", "bob"):
            await iai.call(CreatePerson("staff", name, name, image=photo(name)), soon())
        old = LegacyInterfaces(caller, KEYS, appid=APPID, bucket=BUCKET)
        calls.clear()
        with Gallery.open() as gallery:
            enrol(gallery, "ann")
            enrol(gallery, "bob")
            yield (
                [
                    LegacyRecogniser(old, caller, TencentLegacySettings(group_ids=("staff",))),
                    IaiRecogniser(iai, caller, TencentIaiSettings(group_ids=("staff",))),
                    OnDeviceRecogniser(gallery, OnDeviceSettings()),
                ],
                calls,
            )
        await caller.close()


def told(verdict: Verdict) -> str:
    return verdict.person if isinstance(verdict, Match) else verdict.cause


async def test_every_engine_tells_them_apart_the_clouds_in_one_call() -> None:
    names = ("bob", "carol", "ann")
    eye = Eye(boxes=dict(zip(names, SPREAD, strict=True)))
    async with engines(eye) as (all_three, calls):
        for engine in all_three:
            verdicts = await engine.identify_many(crowd_of(*names), soon())
            assert {number: told(verdict) for number, verdict in verdicts.items()} == {1: "bob", 2: "not_recognised", 3: "ann"}
            assert {verdict.engine for verdict in verdicts.values()} == {engine.name}
        assert calls == ["multidentify", "SearchPersons"]


async def test_where_faces_overlap_the_clouds_know_nobody_and_the_device_does() -> None:
    async with engines(Eye()) as (all_three, _):
        *clouds, device = all_three
        for engine in clouds:
            verdicts = await engine.identify_many(crowd_of("ann", "bob"), soon())
            assert list(verdicts.values()) == [Inconclusive("face_not_matched", engine.name)] * 2
        assert list(map(told, (await device.identify_many(crowd_of("ann", "bob"), soon())).values())) == ["ann", "bob"]


async def test_nobody_enrolled_is_nobody_recognised() -> None:
    async with sandbox() as port:
        caller = Caller([Transport(f"http://127.0.0.1:{port}")])
        iai = IaiClient(caller, Account(KEYS))
        await iai.call(CreateGroup("staff", "staff"), soon())
        engine = IaiRecogniser(iai, caller, TencentIaiSettings(group_ids=("staff",)))
        verdicts = await engine.identify_many(crowd_of("ann", "bob"), soon())
        await caller.close()
    assert verdicts == dict.fromkeys((1, 2), NonMatch("nobody_enrolled", 0.0, "tencent-iai"))


# --- the eye ------------------------------------------------------------------------------------------------------------

FRAME = (1280, 720)


def shot(number: int, colour: int = 0, x: float = 200.0) -> Shot:
    """A probe of one colour, of a face of 100 × 120 pixels at `x`, cropped as the eye does it."""
    face = replace(FACE, box=Box(x, 100.0, 100.0, 120.0))
    left, top, right, bottom = face.box.grown(MARGIN).pixels(*FRAME)
    jpeg = encode_jpeg(np.full((bottom - top, right - left, 3), colour, np.uint8), 90)
    probe = replace(
        probe_of("ann", presentation=number), captured_at=0.0, jpeg=jpeg, size=(right - left, bottom - top), face=face
    )
    return Shot(probe, 0.0, 1)


def ended(number: int) -> Ended:
    return Ended(number, 0.0, 0.0, None, 1, 1, {}, None)


def test_who_is_alone_does_not_wait() -> None:
    assert Gathering().take([shot(1)], [1], 5.0, FRAME) == (shot(1),)


def test_the_first_waits_for_the_second_and_they_go_together() -> None:
    gathering, began = Gathering(), Began(2, 0.0)
    assert gathering.take([shot(1), began], [1, 2], 5.0, FRAME) == (began,)
    assert gathering.take([], [1, 2], 5.1, FRAME) == ()
    (crowd,) = gathering.take([shot(2)], [1, 2], 5.2, FRAME)
    assert isinstance(crowd, Crowd)
    assert crowd.shots == (shot(1), shot(2))
    assert gathering.take([], [1, 2], 9.0, FRAME) == ()


def test_nobody_waits_for_ever() -> None:
    gathering = Gathering()
    assert gathering.take([shot(1)], [1, 2], 5.0, FRAME) == ()
    assert gathering.take([], [1, 2], 5.0 + GATHER - 0.01, FRAME) == ()
    assert gathering.take([], [1, 2], 5.0 + GATHER, FRAME) == (shot(1),)


def test_who_leaves_meanwhile_is_not_asked_about() -> None:
    gathering = Gathering()
    gathering.take([shot(1)], [1, 2], 5.0, FRAME)
    assert gathering.take([ended(1), shot(2)], [2], 5.1, FRAME) == (ended(1), shot(2))


def test_no_picture_shows_more_than_may_be_asked_about() -> None:
    everybody = list(range(1, MOST_TOGETHER + 3))
    first, second = Gathering().take([shot(number) for number in everybody], everybody, 5.0, FRAME)
    assert isinstance(first, Crowd)
    assert isinstance(second, Crowd)
    assert [one.probe.presentation for one in first.shots + second.shots] == everybody


@given(st.lists(st.floats(-40, 1240), min_size=2, max_size=MOST_TOGETHER))
def test_each_face_lies_in_its_own_crop_and_apart_from_the_others(places: list[float]) -> None:
    """Also of those whom the frame's border cuts."""
    shots = tuple(shot(number, 10 + 24 * number, x) for number, x in enumerate(places))
    crowd = group(tuple(replace(one, probe=replace(one.probe, presentation=n)) for n, one in enumerate(shots, 1)), FRAME)
    picture = cv2.imdecode(np.frombuffer(crowd.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape[1::-1] == crowd.size
    for number, box in enumerate(crowd.boxes):
        x, y = (int(value) for value in box.centre)
        assert abs(int(picture[y, x, 0]) - (10 + 24 * number)) < 8
    assert all(one.intersection(other) == 0 for one, other in itertools.combinations(crowd.boxes, 2))


def test_a_crowd_crosses_the_socket_and_shows_nobody_in_its_repr() -> None:
    crowd = group((shot(1, 40), shot(2, 90)), FRAME)
    assert messages.decode_from_eye(messages.encode(crowd)) == crowd
    assert "\\xff" not in repr(crowd)
    assert crowd.size[0] >= 2 * 180 + GAP


@pytest.mark.parametrize("change", [{"boxes": SPREAD}, {"shots": (shot(1), shot(1))}, {"shots": (shot(1),)}])
def test_an_eye_cannot_send_a_crowd_that_is_none(change: dict[str, object]) -> None:
    good = crowd_of("ann", "bob")
    fields = {name: getattr(good, name) for name in good.__struct_fields__} | change
    with pytest.raises(msgspec.ValidationError):
        messages.decode_from_eye(msgspec.msgpack.encode({"type": "crowd", **fields}))
