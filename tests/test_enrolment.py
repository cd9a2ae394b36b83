"""Enrolment's decisions, as functions of values: which photos are good enough, whose they are, what is wrong with a gallery."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk import slugs
from kiosk.domain import Box, Face, QualityReport
from kiosk.enrolment import report
from kiosk.enrolment.bars import bars
from kiosk.enrolment.enrolling import Enrolment
from kiosk.enrolment.health import Wanted, of_person
from kiosk.enrolment.importing import Tally
from kiosk.enrolment.judging import Facts, Judged, Likeness, Sight, judge
from kiosk.enrolment.origin import MODEL, Origin, digest_of, origin_of
from kiosk.enrolment.profile import Profile, Reason
from kiosk.enrolment.rows import initials
from kiosk.enrolment.sources import embeddings_in, is_id, particulars_in, photos_in
from kiosk.errors import ConfigurationError, KioskError
from kiosk.ports import AnalysedFace, AnalysedPhoto
from kiosk.recognition.on_device.calibration import least_score
from kiosk.recognition.on_device.enrolled import UNCHANGED, EnrolledFace, Person
from kiosk.settings import OnDeviceSettings, QualitySettings
from kiosk.vision import models

DOOR = OnDeviceSettings()
BARS = bars(DOOR, 10)


def vector(*coordinates: float) -> bytes:
    """A direction by its first coordinates."""
    full = np.zeros(128)
    full[: len(coordinates)] = coordinates
    return (full / np.linalg.norm(full)).astype("<f4").tobytes()


ANN, ANN_TOO, BOB, CY = vector(1), vector(1, 0.5), vector(0, 0, 1), vector(0, 0, 0, 1)


def seen(
    embedding: bytes = ANN, *, grade: int = 4, defects: tuple[str, ...] = (), eyes: float = 100, mask: float = 0.0
) -> AnalysedFace:
    points = (0.0, 0.0), (eyes, 0.0), (50.0, 50.0), (20.0, 80.0), (80.0, 80.0)
    return AnalysedFace(Face(Box(0, 0, 200, 200), 0.9, points), QualityReport({}, defects, grade), embedding, mask=mask)


def photo(*faces: AnalysedFace) -> AnalysedPhoto:
    return AnalysedPhoto(400, 400, "jpeg", faces)


def sight(label: str, embedding: bytes) -> Sight:
    return Sight(label, seen(embedding), Origin(photo="0" * 24))


def outcomes(
    *sights: Sight, facts: dict[str, Facts] | None = None, room: int = 5, twins: bool = False
) -> dict[str, tuple[str, ...]]:
    """Label to outcome and reasons."""
    of = [(facts or {}).get(one.label, Facts()) for one in sights]
    judged = judge(sights, of, BARS, room, allow_duplicate=twins)
    return {one.label: (one.outcome, *(reason.slug for reason in one.reasons)) for one in judged}


@pytest.mark.parametrize(
    ("faces", "slugs_of"),
    [
        ((seen(),), []),
        ((), ["no_face"]),
        ((seen(), seen()), ["several_faces"]),
        ((seen(mask=0.5),), ["mask_worn"]),
        ((seen(mask=-1.0),), []),
        ((seen(eyes=69.9),), ["face_too_coarse"]),
        ((seen(grade=2),), ["grade_too_low"]),
        ((seen(grade=0, defects=("too_dark", "blurred")),), ["too_dark", "blurred"]),
        ((seen(grade=0, defects=("eyes_too_close",), eyes=30),), ["face_too_coarse"]),
        ((seen(mask=0.9, eyes=20, grade=1),), ["mask_worn", "face_too_coarse", "grade_too_low"]),
    ],
)
def test_a_photo_is_refused_with_every_reason(faces: tuple[AnalysedFace, ...], slugs_of: list[str]) -> None:
    reasons = Profile().reasons(photo(*faces))
    assert [reason.slug for reason in reasons] == slugs_of
    assert all(slugs.to_operator(reason.slug) in reason.in_words("en") for reason in reasons)
    assert all(slugs.to_operator(reason.slug, "zh") in reason.in_words("zh") for reason in reasons)


def test_the_profile_can_be_loosened_part_by_part() -> None:
    poor = photo(seen(grade=0, defects=("too_dark",), eyes=30, mask=1.0))
    assert [reason.slug for reason in Profile(0, 0, allow_mask=True).reasons(poor)] == []
    assert [reason.slug for reason in Profile(1, 0, allow_mask=True).reasons(poor)] == ["too_dark"]
    assert [reason.slug for reason in Profile(0, 31, allow_mask=True).reasons(poor)] == ["face_too_coarse"]


def test_enrolment_asks_for_more_than_the_door_does() -> None:
    assert Profile().least_inter_eye > QualitySettings().min_inter_eye


@given(st.floats(1e-6, 0.5), st.integers(1, 300_000), st.floats(0, 100), st.none() | st.floats(0, 100))
def test_nobody_is_enrolled_whom_the_door_would_take_for_another(
    rate: float, faces: int, margin: float, threshold: float | None
) -> None:
    held_to = bars(OnDeviceSettings(false_match_rate=rate, margin=margin, threshold=threshold), faces)
    assert 0 <= held_to.alike <= held_to.same <= (least_score(rate, faces) if threshold is None else threshold)


def test_a_person_gets_every_photo_that_shows_them() -> None:
    assert outcomes(sight("a", ANN), sight("b", ANN_TOO)) == {"a": ("taken",), "b": ("taken",)}


def test_the_same_photo_counts_once() -> None:
    found = outcomes(sight("a", ANN), sight("again", ANN), Sight("file", known=True))
    assert found == {"a": ("taken",), "again": ("skipped", "same_photo"), "file": ("skipped", "same_photo")}


def test_a_photo_of_somebody_else_is_found_wherever_it_stands() -> None:
    for order in (0, 1, 2):
        sights = [sight("a", ANN), sight("b", ANN_TOO)]
        sights.insert(order, sight("wrong", BOB))
        found = outcomes(*sights)
        assert found == {"a": ("taken",), "b": ("taken",), "wrong": ("refused", "unlike_the_others")}


@pytest.mark.parametrize("embeddings", [(ANN, BOB), (ANN, BOB, CY), (ANN, ANN_TOO, BOB, vector(0, 0, 1, 0.3))])
def test_photos_that_disagree_enrol_nobody(embeddings: tuple[bytes, ...]) -> None:
    found = outcomes(*(sight(str(number), one) for number, one in enumerate(embeddings)))
    assert set(found.values()) == {("refused", "unlike_the_others")}


def test_who_is_enrolled_decides_what_further_photos_may_show() -> None:
    facts = {"a": Facts(own=0.9), "b": Facts(own=0.1), "same": Facts(own=0.9995)}
    found = outcomes(sight("a", ANN), sight("b", BOB), sight("same", ANN_TOO), facts=facts)
    assert found == {"a": ("taken",), "b": ("refused", "unlike_the_others"), "same": ("skipped", "same_photo")}


def test_a_face_of_another_person_is_refused_unless_it_is_meant() -> None:
    twin = Likeness("bob", "Bob", BARS.same)
    facts = {"a": Facts(other=twin)}
    (judged,) = judge([sight("a", ANN)], [facts["a"]], BARS, 5)
    assert (judged.outcome, judged.like) == ("refused", twin)
    assert judged.reasons == (Reason("enrolled_as_another", f"bob (Bob), score {BARS.same:.0f}"),)
    (judged,) = judge([sight("a", ANN)], [facts["a"]], BARS, 5, allow_duplicate=True)
    assert (judged.outcome, judged.like) == ("taken", twin)


def test_a_face_close_to_another_person_is_taken_with_a_warning() -> None:
    close = Likeness("bob", "Bob", BARS.same - 0.1)
    (judged,) = judge([sight("a", ANN)], [Facts(other=close)], BARS, 5)
    assert (judged.outcome, judged.like) == ("taken", close)


def test_a_photo_beside_one_of_somebody_enrolled_is_not_taken_for_the_person() -> None:
    """Whose folder it is, nobody can say then."""
    facts = {"bob": Facts(other=Likeness("bob", "Bob", 99))}
    assert outcomes(sight("bob", BOB), sight("a", ANN), facts=facts)["a"] == ("refused", "unlike_the_others")


def test_no_more_photos_than_there_may_be() -> None:
    found = outcomes(sight("a", ANN), sight("b", ANN_TOO), sight("c", vector(1, 0, 0.5)), room=1)
    assert list(found.values()) == [("taken",), ("skipped", "enough_photos"), ("skipped", "enough_photos")]


@given(st.lists(st.sampled_from([ANN, ANN_TOO, BOB, CY]), max_size=7), st.integers(0, 5))
def test_every_photo_gets_one_verdict_and_what_is_taken_is_alike(embeddings: list[bytes], room: int) -> None:
    sights = [sight(str(number), one) for number, one in enumerate(embeddings)]
    judged = judge(sights, [Facts()] * len(sights), BARS, room)
    taken = [embeddings[number] for number, one in enumerate(judged) if one.outcome == "taken"]
    assert [one.label for one in judged] == [one.label for one in sights]
    assert len(taken) <= room
    assert len({one in (ANN, ANN_TOO) for one in taken}) <= 1
    assert all(bool(one.reasons) == (one.outcome != "taken") for one in judged)


@pytest.mark.parametrize("origin", [Origin(), Origin(photo="ab" * 12), Origin("other-1.0", "cd" * 12, True, 3), Origin(turned=1)])
def test_an_origin_is_read_back_from_the_tag(origin: Origin) -> None:
    assert origin_of(origin.tag) == origin


def test_a_foreign_tag_is_no_origin() -> None:
    assert [origin_of(tag) for tag in ("", "at the gate", "photo x sface", "photo " + "ab" * 12)] == [None] * 4


def test_the_model_is_the_one_that_the_eye_loads() -> None:
    (embedding,) = (model for model in models.manifest() if model.role == "embedding")
    assert MODEL == "sface-2021dec"
    assert "sface_2021dec" in embedding.file


def test_without_the_key_nobody_can_try_whether_a_photo_is_enrolled() -> None:
    assert digest_of(b"photo", b"k" * 32) == digest_of(b"photo", b"k" * 32)
    assert digest_of(b"photo", b"k" * 32) != digest_of(b"photo", b"l" * 32)


def test_folders_and_files_are_named_by_person(tmp_path: Path) -> None:
    for name in ("ann/1.jpg", "ann/older/2.png", "bob.jpg", "bob.2.jpg", "cy", ".hidden.jpg", "Thumbs.db", "ann/.cache/x.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "people.csv").touch()
    found = {one.person: [label for label, _ in one.files] for one in photos_in(tmp_path, tmp_path / "people.csv")}
    assert found == {"ann": ["ann/1.jpg", "ann/older/2.png"], "bob": ["bob.2.jpg", "bob.jpg"], "cy": ["cy"]}


@pytest.mark.parametrize("name", ["john.smith/1.jpg", "john.smith.jpg", "张三.jpg", "a b.jpg", "x" * 65 + "/1.jpg"])
def test_who_has_a_name_that_is_no_id_is_named_and_not_merged(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    (found,) = photos_in(tmp_path)
    assert found.reason == Reason("id_unusable")


def test_an_empty_or_missing_folder_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(KioskError) as caught:
            photos_in(folder)
        assert caught.value.slug == "nothing_to_import"


def test_embeddings_come_as_arrays_or_as_lines(tmp_path: Path) -> None:
    rows = np.arange(1, 385, dtype=np.float32).reshape(3, 128)
    np.savez(tmp_path / "e.npz", persons=["ann", "bob", "ann"], embeddings=rows)
    lines = [{"person": person, "embedding": row.tolist()} for person, row in zip(["ann", "bob", "ann"], rows, strict=True)]
    (tmp_path / "e.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, lines)))
    for name in ("e.npz", "e.jsonl"):
        ann, bob = embeddings_in(tmp_path / name)
        assert (ann.person, len(ann.references), bob.person, len(bob.references)) == ("ann", 2, "bob", 1)
        unit = np.frombuffer(bob.references[0].embedding or b"", "<f4")
        assert np.allclose(unit, rows[1] / np.linalg.norm(rows[1]), atol=1e-6)


def test_an_embedding_without_direction_is_refused_and_its_neighbours_are_not(tmp_path: Path) -> None:
    rows = np.ones((3, 128), dtype=np.float32)
    rows[0], rows[1, 0] = 0, np.nan
    np.savez(tmp_path / "e.npz", persons=["ann", "bob", "no.id"], embeddings=rows)
    reasons = [one.references[0].reasons[0].slug for one in embeddings_in(tmp_path / "e.npz")]
    assert reasons == ["embedding_invalid", "embedding_invalid", "id_unusable"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("e.jsonl", b'{"person": "ann", "embedding": [1, 2]}'),
        ("e.jsonl", b'{"person": "ann", "embedding": "AAAA"}'),
        ("e.jsonl", b"person,embedding"),
        ("e.npz", b"PK not at all"),
        ("e.npz", b""),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(KioskError) as caught:
        embeddings_in(tmp_path / name)
    assert caught.value.slug == "embeddings_unusable"


@pytest.mark.parametrize(
    "arrays",
    [
        {"persons": ["ann"], "embeddings": np.ones((2, 128), np.float32)},
        {"persons": ["ann"], "embeddings": np.ones((1, 64), np.float32)},
        {"persons": ["ann"], "embeddings": np.array([["x"] * 128])},
        {"names": ["ann"], "embeddings": np.ones((1, 128), np.float32)},
        {"persons": np.array([{"ann": 1}]), "embeddings": np.ones((1, 128), np.float32)},
    ],
)
def test_arrays_of_another_form_are_refused(tmp_path: Path, arrays: Any) -> None:
    np.savez(tmp_path / "e.npz", **arrays)
    with pytest.raises(KioskError) as caught:
        embeddings_in(tmp_path / "e.npz")
    assert caught.value.slug == "embeddings_unusable"


def test_a_list_says_names_consent_and_groups(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("\ufeffperson,name,consent,groups\nann,Ann Miller,yes,staff night\nbob,,unset,\ncy,Cy,,\n", encoding="utf-8")
    found = particulars_in(file)
    order = found["ann"].order("ann", ("people",))
    assert (order.name, order.consent, order.groups) == ("Ann Miller", True, ("staff", "night"))
    assert (found["bob"].consent, found["cy"].consent) == (None, UNCHANGED)
    assert found["bob"].order("bob", ("people",)).groups == ("people",)


@pytest.mark.parametrize(
    "text", ["name\nAnn\n", "person,colour\nann,red\n", "person,consent\nann,maybe\n", "person,groups\nann,no.group\n", ""]
)
def test_a_list_with_mistakes_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "people.csv").write_text(text, encoding="utf-8")
    with pytest.raises(KioskError) as caught:
        particulars_in(tmp_path / "people.csv")
    assert caught.value.slug == "people_unusable"


def enrolled(*tags: str, grade: int = 4) -> Person:
    faces = tuple(EnrolledFace(face_id=str(n), box=Box(0, 0, 1, 1), tag=tag, grade=grade) for n, tag in enumerate(tags))
    return Person("ann", "Ann", 0, groups={"staff": {}}, faces=faces)


GOOD = Origin(photo="0" * 24).tag


@pytest.mark.parametrize(
    ("person", "found"),
    [
        (enrolled(GOOD, GOOD), []),
        (enrolled(GOOD), ["too_few_photos"]),
        (enrolled(GOOD, GOOD, grade=2), ["reference_poor"]),
        (enrolled("", "", grade=2), ["reference_poor"]),
        (enrolled(Origin().tag, Origin().tag, grade=0), []),
        (enrolled(GOOD, Origin(photo="1" * 24, masked=True).tag), ["reference_masked"]),
        (enrolled(GOOD, Origin("older", "1" * 24).tag), ["model_expired"]),
    ],
)
def test_health_finds_what_is_wrong_with_a_person(person: Person, found: list[str]) -> None:
    assert [one.slug for one in of_person(person, Wanted(2, 3, frozenset()))] == found
    assert [one.slug for one in of_person(person, Wanted(2, 3, frozenset({"staff"})))] == found
    assert [one.slug for one in of_person(person, Wanted(2, 3, frozenset({"night"})))] == [*found, "group_not_searched"]


def tally() -> Tally:
    done = Tally()
    like = Likeness("bob", "Bob <b>", 55.5)
    photos = Judged("=1+1.jpg", "taken", (), 4, like), Judged("<x>.jpg", "refused", (Reason("no_face"), Reason("blurred")))
    done.add(Enrolment("@ann", "Ann", new=True, photos=photos, faces=1))
    done.add(Enrolment("cy", "Cy", new=False, photos=(Judged("c.jpg", "refused", (Reason("no_face"),)),), faces=0))
    return done


def test_a_report_in_csv_is_safe_for_a_spreadsheet() -> None:
    text = report.render(tally(), "csv", "en")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert text.startswith("\ufeff")
    assert [row["person"] for row in rows] == ["'@ann", "'@ann", "cy"]
    assert rows[0]["photo"] == "'=1+1.jpg"
    assert (rows[1]["reasons"], rows[1]["why"]) == ("no_face blurred", "no face in the photo; face less sharp than min_sharpness")


def test_a_report_in_json_counts() -> None:
    found = json.loads(report.render(tally(), "json", "zh"))
    wanted = {"persons": 2, "new": 1, "not_enrolled": 1, "taken": 1, "refused": 2, "too_alike": 1}
    assert found["counts"] | wanted == found["counts"]
    assert found["photos"][2]["why"] == slugs.to_operator("no_face", "zh")


def test_a_report_as_a_page_escapes_and_loads_nothing() -> None:
    page = report.render(tally(), "html", "en")
    assert "&lt;x&gt;.jpg" in page
    assert "<x>" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "close to bob, score 55.5" in page


def test_a_report_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'html'"):
        report.format_of(Path("r.htm"))


@pytest.mark.parametrize(
    ("name", "short"), [("Ann Miller", "AM"), ("ann", "AN"), ("欧阳小明", "小明"), ("", "?"), ("Ann B C", "AC")]
)
def test_initials(name: str, short: str) -> None:
    assert initials(name) == short


@given(st.text(max_size=70))
def test_ids_keep_to_the_vendors_alphabet(text: str) -> None:
    alphabet = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%@#&_-")
    assert is_id(text) == (0 < len(text) <= 64 and set(text) <= alphabet)
