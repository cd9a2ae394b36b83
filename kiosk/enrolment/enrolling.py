"""Enrols people: looks at their photos through an eye, decides about each, and writes all of one person or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kiosk.enrolment.bars import bars
from kiosk.enrolment.judging import Facts, Judged, Likeness, Outcome, Sight, judge
from kiosk.enrolment.origin import Origin, digest_of, origin_of
from kiosk.enrolment.profile import WISH, Profile, Reason, is_masked
from kiosk.errors import CameraError, PhotoRejected
from kiosk.ports import PhotoAnalyser
from kiosk.recognition.on_device.calibration import score
from kiosk.recognition.on_device.enrolled import CURRENT, UNCHANGED, Consent, NewFace, Person, Unchanged
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.refusal import GalleryRefusal, Why
from kiosk.settings import OnDeviceSettings

LIMITS = CURRENT
"""So that whoever is enrolled here can be enrolled with the vendor too."""
_MORE_THAN_ALLOWED = 5_000_001
"""Bytes, which an eye refuses: nothing longer has to be read."""
_THE_PHOTOS_FAULT = frozenset({"eye_lost", "eye_wedged"})
"""A worker that dies of a photo is replaced; any other fault of an eye ends the work."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who is to be enrolled or changed. An empty name or tag, and UNCHANGED, leave what is there."""

    person: str
    groups: tuple[str, ...]
    name: str = ""
    tag: str = ""
    consent: Consent | Unchanged = UNCHANGED


class Enrolment(NamedTuple):
    """What became of one person; `faces`: how many references there are now, 0 where nobody was enrolled."""

    person: str
    name: str
    new: bool
    photos: tuple[Judged, ...]
    faces: int

    def of(self, outcome: Outcome) -> list[Judged]:
        return [photo for photo in self.photos if photo.outcome == outcome]

    @property
    def alarms(self) -> list[Likeness]:
        """The people whom the references now taken come too close to, each once, at their closest."""
        close = sorted((photo.like for photo in self.of("taken") if photo.like), key=lambda like: like.score)
        return list({like.person: like for like in close}.values())


class Enroller:
    """One thread at a time. Raises GalleryError; refusals are values."""

    def __init__(self, gallery: Gallery, key: bytes, door: OnDeviceSettings, profile: Profile) -> None:
        """`key`: the gallery's, by which files are known again; `door`: from which score it takes people for one."""
        self._gallery = gallery
        self._key = key
        self._door = door
        self.profile = profile

    async def look(self, eye: PhotoAnalyser, person_id: str, files: Sequence[tuple[str, Path]]) -> list[Sight]:
        """A person's photos, as (label, file), one after the other. Raises CameraError where no eye can work."""
        known = self._digests(person_id)
        return [await self._look(eye, label, file, known) for label, file in files]

    async def _look(self, eye: PhotoAnalyser, label: str, file: Path, known: frozenset[str]) -> Sight:
        try:
            with file.open("rb") as stream:
                photo = stream.read(_MORE_THAN_ALLOWED)
        except OSError as error:
            return Sight(label, reasons=(Reason("photo_unreadable", error.strerror or ""),))
        digest = digest_of(photo, self._key)
        if digest in known:
            return Sight(label, known=True)
        try:
            seen = await eye.analyse(photo, WISH)
        except (PhotoRejected, CameraError) as error:
            if isinstance(error, CameraError) and error.slug not in _THE_PHOTOS_FAULT:
                raise
            return Sight(label, reasons=(Reason(error.slug, error.detail),))
        reasons = self.profile.reasons(seen)
        if len(seen.faces) != 1:
            return Sight(label, reasons=reasons)
        (face,) = seen.faces
        origin = Origin(photo=digest, masked=is_masked(face), turned=seen.turned)
        return Sight(label, face, origin, reasons, photo=photo)

    def enrol(self, order: Order, sights: Sequence[Sight]) -> Enrolment:
        """One transaction: the person with every good photo, or nothing."""
        with self._gallery.together():
            known = self._known(order.person)
            held_to = bars(self._door, len(self._gallery) + 1)
            there = len(known.faces) if known else 0
            facts = [self._facts(order.person, known, sight, held_to.alike) for sight in sights]
            judged = judge(sights, facts, held_to, LIMITS.faces - there, allow_duplicate=self.profile.allow_duplicate)
            taken = [sight for sight, photo in zip(sights, judged, strict=True) if photo.outcome == "taken"]
            if taken or (known and not any(photo.outcome == "refused" for photo in judged)):
                self._write(order, known, taken)
        name = order.name or (known.name if known else order.person)
        return Enrolment(order.person, name, known is None and bool(taken), tuple(judged), there + len(taken))

    def _facts(self, person_id: str, known: Person | None, sight: Sight, least: float) -> Facts:
        if sight.embedding is None:
            return Facts()
        own = self._gallery.likeness(person_id, sight.embedding) if known else None
        others = (hit for hit in self._gallery.search_all(sight.embedding, 2) if hit.person != person_id)
        nearest = next((hit for hit in others if score(hit.cosine) >= least), None)
        if nearest is None:
            return Facts(own)
        return Facts(own, Likeness(nearest.person, self._gallery.person(nearest.person).name, score(nearest.cosine)))

    def _write(self, order: Order, known: Person | None, taken: Sequence[Sight]) -> None:
        faces = [self._reference(sight) for sight in taken]
        if known is None:
            consent = None if isinstance(order.consent, Unchanged) else order.consent
            person = self._gallery.new_person(order.person, order.name or order.person, tag=order.tag, consent=consent)
            self._gallery.create_person(person, order.groups, faces.pop(0), LIMITS)
        else:
            changed = order.name or None, order.tag or None
            self._gallery.update_person(order.person, name=changed[0], tag=changed[1], consent=order.consent)
            self._join(known, order.groups)
        for face in faces:
            self._gallery.add_face(order.person, face, LIMITS, allow_same=False)

    def _join(self, known: Person, group_ids: Sequence[str]) -> None:
        missing = [group_id for group_id in dict.fromkeys(group_ids) if group_id not in known.groups]
        existing = {group.group_id for group in self._gallery.groups}
        for group_id in missing:
            if group_id not in existing:
                self._gallery.create_group(group_id, group_id, LIMITS)
        if missing:
            self._gallery.join(known.person_id, missing, LIMITS)

    def _reference(self, sight: Sight) -> NewFace:
        assert sight.face, "only what was seen is taken"
        return self._gallery.new_face(sight.face, sight.origin.tag, sight.photo)

    def _known(self, person_id: str) -> Person | None:
        try:
            return self._gallery.person(person_id)
        except GalleryRefusal as refusal:
            if refusal.why is Why.PERSON_UNKNOWN:
                return None
            raise

    def _digests(self, person_id: str) -> frozenset[str]:
        known = self._known(person_id)
        origins = (origin_of(face.tag) for face in (known.faces if known else ()))
        return frozenset(origin.photo for origin in origins if origin)
