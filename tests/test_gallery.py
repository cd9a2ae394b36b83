"""The rules of enrolment, and what a gallery tells of its people."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from kiosk.domain import Box
from kiosk.errors import ContractViolation
from kiosk.recognition.on_device.enrolled import CURRENT, OLD, Group, Limits
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.refusal import GalleryRefusal, Why
from tests.gallery_stage import KEY, PHOTO, add, best, cosine, embedding, enrol, seen

NOW = 1_700_000_000.123


@pytest.fixture
def gallery() -> Gallery:
    gallery = Gallery(lambda: NOW)
    gallery.create_group("staff", "Staff", OLD, "by the sea", ("floor", "desk"), consent=None)
    enrol(gallery, "ann", 1, "staff", upper=101)
    enrol(gallery, "ben", 2, "staff", "night")
    return gallery


def refused(why: Why) -> pytest.RaisesExc[GalleryRefusal]:
    return pytest.raises(GalleryRefusal, check=lambda error: error.why is why)


def test_a_group_as_it_was_made_and_as_it_is_changed(gallery: Gallery) -> None:
    made = Group("staff", "Staff", 1_700_000_000_123, "by the sea", ("floor", "desk"), None, persons=2)
    assert gallery.group("staff") == made
    assert gallery.groups == [made, gallery.group("night")]
    gallery.update_group("staff", consent=True)
    gallery.rename_group("staff", "The staff")
    assert gallery.group("staff") == replace(made, name="The staff", consent=True)
    gallery.update_group("staff", tag="", consent=None)
    assert gallery.group("staff") == replace(made, name="The staff", tag="")
    gallery.rename_group("staff", "The staff")
    assert gallery.group_count == 2


def test_a_person_as_it_was_made_and_as_it_is_changed(gallery: Gallery) -> None:
    face = gallery.new_face(seen(9), "with glasses")
    made = gallery.create_person(gallery.new_person("eve", "Eve", tag="t", gender=2, consent=False), ["night"], face, OLD)
    assert made == gallery.person("eve")
    assert (made.name, made.tag, made.gender, made.consent, made.created) == ("Eve", "t", 2, False, 1_700_000_000_123)
    assert (made.groups, [kept.face_id for kept in made.faces]) == ({"night": {}}, [face.face_id])
    kept = gallery.face(face.face_id)
    assert (kept.box, kept.tag, kept.grade, kept.created) == (Box(19.0, 20.0, 100.0, 120.0), "with glasses", 3, made.created)
    gallery.update_person("eve", name="Eva")
    gallery.update_person("eve", gender=0, consent=None)
    assert gallery.person("eve") == replace(made, name="Eva", gender=0, consent=None)
    assert 10**18 <= int(face.face_id) < 10**19


def test_members_page_by_page_and_each_once(gallery: Gallery) -> None:
    for number in range(5):
        enrol(gallery, f"p{number}", 10 + number, "night")
    assert [person.person_id for person in gallery.members(["night", "staff"])] == ["ben", "p0", "p1", "p2", "p3", "p4", "ann"]
    assert [person.person_id for person in gallery.members(["night"], 2, 3)] == ["p1", "p2", "p3"]
    assert [person.person_id for person in gallery.members(["night"], 5)] == ["p4"]
    assert gallery.members(["night"], 6, 3) == []
    assert gallery.population(["night", "staff"]) == (7, 7)


def test_descriptions_are_written_one_by_one(gallery: Gallery) -> None:
    gallery.describe("ann", "staff", {0: "third"})
    gallery.describe("ann", "staff", {1: "by the window"})
    assert gallery.person("ann").groups == {"staff": {0: "third", 1: "by the window"}}
    with refused(Why.NO_SUCH_FIELD):
        gallery.describe("ann", "staff", {2: "none"})
    with refused(Why.NOT_IN_GROUP):
        gallery.describe("ann", "night", {0: "none"})


def test_what_is_refused(gallery: Gallery) -> None:
    before = list(gallery.export()), gallery.groups
    changes: dict[Why, Callable[[], object]] = {
        Why.GROUP_EXISTS: lambda: gallery.create_group("staff", "Other", OLD),
        Why.GROUP_NAME_EXISTS: lambda: gallery.rename_group("night", "Staff"),
        Why.PERSON_EXISTS: lambda: enrol(gallery, "ann", 3, "new"),
        Why.PERSON_UNKNOWN: lambda: gallery.update_person("eve", name="Eve"),
        Why.GROUP_UNKNOWN: lambda: gallery.join("ann", ["night", "nowhere"], OLD),
        Why.IN_GROUP: lambda: gallery.join("ann", ["night", "staff"], OLD),
        Why.NOT_IN_GROUP: lambda: gallery.leave("ann", "night"),
        Why.SAME_FACE: lambda: add(gallery, "ann", 1),
        Why.LAST_FACE: lambda: gallery.delete_faces("ann", [gallery.person("ann").faces[0].face_id]),
        Why.FACE_UNKNOWN: lambda: gallery.photo("77"),
    }
    for why, change in changes.items():
        with refused(why):
            change()
    with refused(Why.GROUP_NAME_EXISTS):
        gallery.create_group("other", "Staff", OLD)
    for unknown in ("", "77", "-1", "٣", "9" * 30, "18446744073709551615"):
        with refused(Why.FACE_UNKNOWN):
            gallery.face(unknown)
    with refused(Why.GROUP_UNKNOWN):
        gallery.search(embedding(1), ["nowhere"], 1)
    assert (list(gallery.export()), gallery.groups) == before


def test_limits(gallery: Gallery) -> None:
    for number in range(4):
        add(gallery, "ann", 50 + number)
    with refused(Why.TOO_MANY_FACES):
        gallery.add_face("ann", gallery.new_face(seen(60)), CURRENT, allow_same=True)
    gallery.add_face("ann", gallery.new_face(seen(1)), OLD, allow_same=True)
    small = Limits(groups=2, persons=2, faces=1)
    with refused(Why.TOO_MANY_GROUPS):
        gallery.create_group("third", "Third", small)
    with refused(Why.TOO_MANY_GROUPS):
        gallery.check_new("eve", ["night", "third"], small)
    with refused(Why.TOO_MANY_PERSONS):
        gallery.check_new("eve", ["staff"], small)
    gallery.check_new("eve", ["night"], small)
    gallery.join("ann", ["night"], small)
    enrol(gallery, "eve", 3, "other")
    with refused(Why.TOO_MANY_PERSONS):
        gallery.join("eve", ["night"], small)
    for number in range(98):
        gallery.create_group(f"g{number}", f"g{number}", OLD)
    gallery.join("ann", [f"g{number}" for number in range(98)], OLD)
    with refused(Why.TOO_MANY_GROUPS_OF_PERSON):
        gallery.join("ann", ["other"], OLD)


def test_no_more_persons_than_the_group_holds_even_if_they_come_in_one_transaction(gallery: Gallery) -> None:
    small = Limits(groups=9, persons=3, faces=1)
    with gallery.together():
        for number, person in enumerate(("eve", "fay")):
            if number:
                with refused(Why.TOO_MANY_PERSONS):
                    gallery.create_person(gallery.new_person(person, person), ["staff"], gallery.new_face(seen(3)), small)
            else:
                gallery.create_person(gallery.new_person(person, person), ["staff"], gallery.new_face(seen(3)), small)
    assert gallery.group("staff").persons == 3


def test_without_an_embedding_nobody_is_enrolled(gallery: Gallery) -> None:
    for wrong in (None, bytes(512)):
        with pytest.raises(ContractViolation):
            gallery.new_face(msgspec.structs.replace(seen(1), embedding=wrong))


def test_photos_only_if_they_are_to_be_kept() -> None:
    for keep in (False, True):
        gallery = Gallery.open(keep_photos=keep)
        person = enrol(gallery, "ann", 1)
        assert gallery.photo(person.faces[0].face_id) == (PHOTO if keep else None)


@pytest.mark.parametrize(
    ("own", "groups", "may"),
    [
        (None, (None, None), None),
        (None, (True, None), True),
        (None, (True, False), False),
        (None, (None, False), False),
        (True, (False, False), True),
        (False, (True, True), False),
    ],
)
def test_whose_probe_may_leave(gallery: Gallery, own: bool | None, groups: tuple[bool | None, ...], may: bool | None) -> None:
    for group, consent in zip(("staff", "night"), groups, strict=True):
        gallery.update_group(group, consent=consent)
    gallery.update_person("ben", consent=own)
    assert gallery.consent("ben") is may


def test_search_by_faces_by_persons_and_by_the_upper_part(gallery: Gallery) -> None:
    face = add(gallery, "ann", 3)
    assert gallery.search(embedding(3), ["staff"], 1)[0][::2] == ("ann", face.face_id)
    assert best(gallery, 3, "staff") == ("ann", 1.0)
    assert best(gallery, 3, "night") == ("ben", round(cosine(embedding(3), embedding(2)), 4))
    (merged,) = gallery.search(embedding(3), ["staff"], 1, merged=True)
    assert (merged.person, merged.face) == ("ann", "")
    assert 0.6 < merged.cosine < 0.8
    assert [hit.person for hit in gallery.search_all(embedding(101), 5, upper=True)] == ["ann"]
    assert gallery.likeness("ann", embedding(101), upper=True) == pytest.approx(1, abs=1e-5)
    assert gallery.likeness("ben", embedding(101), upper=True) == -1.0
    assert gallery.likeness("ben", embedding(101), upper=True, merged=True) == -1.0
    with refused(Why.PERSON_UNKNOWN):
        gallery.likeness("eve", embedding(1))
    with pytest.raises(ContractViolation):
        gallery.search(None, ["staff"], 1)
    with pytest.raises(ContractViolation):
        gallery.search_all(bytes(512), 1)


def test_a_group_of_nobody_finds_nobody(gallery: Gallery) -> None:
    gallery.create_group("empty", "Empty", OLD)
    assert gallery.search(embedding(1), ["empty"], 5) == []
    assert gallery.search(embedding(1), [], 5) == []
    assert gallery.population(["empty"]) == (0, 0)


def test_pairs_too_alike(gallery: Gallery) -> None:
    enrol(gallery, "eve", 1, "night")
    add(gallery, "eve", 2)
    assert sorted((one, other, round(value, 4)) for one, other, value in gallery.pairs(0.9)) == [
        ("ann", "eve", 1.0),
        ("ben", "eve", 1.0),
    ]


def test_a_pair_is_never_named_after_who_came_later(tmp_path: Path) -> None:
    file = tmp_path / "gallery.sqlite"
    with Gallery.open(file, KEY) as here, Gallery.open(file, KEY) as there:
        for person in ("ann", "ben", "eve"):
            enrol(here, person, 1)
        pairs = here.pairs(0.9)
        assert next(pairs)[:2] == ("ann", "ben")
        there.delete_person("eve")
        enrol(there, "fay", 2)
        assert list(pairs) == []


def test_nothing_secret_shows(gallery: Gallery) -> None:
    face = gallery.new_face(seen(1), photo=PHOTO)
    shown = repr((face, gallery.person("ann"), gallery))
    assert "name of ann" not in shown
    assert "embedding" not in shown
    assert r"\xff" not in shown


def test_export_is_plain_and_has_embeddings_only_if_asked(gallery: Gallery) -> None:
    gallery.describe("ann", "staff", {1: "by the window"})
    ann, ben = gallery.export()
    assert ann["groups"] == {"staff": {"1": "by the window"}}
    assert (ann["person_id"], ann["name"], ben["groups"]) == ("ann", "name of ann", {"staff": {}, "night": {}})
    assert "embeddings" not in ann
    assert json.loads(json.dumps(ann))["faces"][0]["box"]["x"] == 11
    (told, _) = gallery.export(embeddings=True)
    assert [base64.b64decode(text) for text in told["embeddings"]] == [embedding(1)]


def test_what_is_enrolled_here_is_found_there(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "gallery.sqlite"
    with Gallery.open(file, KEY) as here, Gallery.open(file, KEY) as there:
        assert best(there, 1) is None
        enrol(here, "ann", 1)
        assert best(there, 1) == ("ann", 1.0)
        assert best(there, 1, "staff") == ("ann", 1.0)
        add(there, "ann", 2)
        assert best(here, 2, "staff") == ("ann", 1.0)
        enrol(here, "ben", 1, "night", "staff")
        assert there.population(["night"]) == (1, 1)
        here.leave("ben", "night")
        assert there.population(["night"]) == here.population(["night"]) == (0, 0)
        there.join("ben", ["night"], OLD)
        assert best(here, 1, "night") == ("ben", 1.0)
        there.delete_group("staff")
        assert best(here, 2) != ("ann", 1.0)
        there.delete_person("ben")
        assert best(here, 1) is None
    with Gallery.open(file, KEY) as again:
        assert len(again) == 0


def test_who_is_far_behind_starts_afresh(tmp_path: Path) -> None:
    """More changes than are kept for those who follow."""
    file = tmp_path / "gallery.sqlite"
    with Gallery.open(file, KEY) as here, Gallery.open(file, KEY) as there:
        enrol(here, "ann", 1)
        assert best(there, 1) == ("ann", 1.0)
        enrol(here, "ben", 2)
        with here.together():
            here.delete_person("ann")
            here._store.write_many("INSERT INTO changes (person, faces) VALUES (?, 0)", ((9,) for _ in range(70_000)))
        assert here._store.value("SELECT count(*) FROM changes") < 70_000
        assert best(there, 2, "staff") == ("ben", 1.0)
        assert best(there, 1) != ("ann", 1.0)


def test_what_was_taken_back_is_forgotten_even_if_as_much_comes_in_its_place() -> None:
    gallery = Gallery()
    with suppress(ZeroDivisionError), gallery.together():
        enrol(gallery, "ann", 1)
        assert best(gallery, 1, "staff") == ("ann", 1.0)
        raise ZeroDivisionError
    enrol(gallery, "ben", 2, "night")
    assert best(gallery, 1) == ("ben", round(cosine(embedding(1), embedding(2)), 4))
    assert best(gallery, 2, "night") == ("ben", 1.0)
