"""Recognition on this device, by the people of its gallery."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Self

import structlog

from kiosk.domain import Candidate, Crowd, Inconclusive, Match, NonMatch, Probe, Verdict
from kiosk.errors import ConfigurationError, KioskError, RecogniserError, Transient, Unauthorised
from kiosk.recognition.consent import Likely, may_leave
from kiosk.recognition.judging import judge, judge_one
from kiosk.recognition.on_device import calibration
from kiosk.recognition.on_device.gallery import Gallery
from kiosk.recognition.on_device.keys import KeyFile
from kiosk.recognition.on_device.matching import Hit
from kiosk.recognition.on_device.refusal import GalleryRefusal, Why
from kiosk.recognition.references import NOBODY, Reference
from kiosk.recognition.strategy import DEVICE
from kiosk.settings import OnDeviceSettings, Settings

FOLLOW_EVERY = 1.0
"""Seconds between looks at what the command line has changed."""
_TOP = 10
"""People looked at: a verdict needs two; consent asks everybody whom the probe may well be."""


_log = structlog.get_logger()


class OnDeviceRecogniser:
    """A ports.Recogniser over a gallery, which it owns. A masked probe is compared by the upper face.

    Event loop only; a search takes some milliseconds of it, and no deadline is met or missed by that.
    """

    name = DEVICE

    def __init__(self, gallery: Gallery, settings: OnDeviceSettings) -> None:
        self.gallery = gallery
        self._settings = settings

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Never creates a gallery.

        Raises ConfigurationError `gallery_missing`, or with the gallery's own slug where file or key are not what they should
        be; KioskError `gallery_locked` where another program holds it for too long.
        """
        section, path = settings.on_device, settings.gallery_path
        if not path.is_file():
            raise ConfigurationError("gallery_missing", f"{path}: no such file; `kiosk gallery enrol` makes it")
        try:
            gallery = Gallery.open(path, KeyFile(section.key_file, settings.site.state_dir), keep_photos=section.keep_photos)
        except KioskError as error:
            if error.slug == "gallery_locked":
                raise
            raise ConfigurationError(error.slug, error.detail) from error
        return cls(gallery, section)

    @property
    def threshold(self) -> float:
        """0–100; by the false match rate it grows with the gallery, ten points for each tenfold of faces."""
        if self._settings.threshold is not None:
            return self._settings.threshold
        return calibration.least_score(self._settings.false_match_rate, len(self.gallery))

    async def identify(self, probe: Probe, deadline: float) -> Match | NonMatch:  # noqa: ARG002 (the port names it)
        """Raises ContractViolation `eye_contract` for a probe without the embedding it needs, Unauthorised `group_unknown`,
        and Transient with the gallery's slug where that fails.
        """
        with _faults():
            candidates = [self._candidate(hit, upper=probe.masked) for hit in self._hits(probe, upper=probe.masked)]
            rates = partial(calibration.false_match_rate, faces=len(self.gallery))
            margin = self._settings.margin
            return judge(candidates, threshold=self.threshold, margin=margin, engine=self.name, rates=rates)

    async def verify(self, probe: Probe, person: str, deadline: float) -> Verdict:  # noqa: ARG002 (the port names it)
        """By the best of the person's references; a masked probe by their upper faces. Raises as `identify` does.

        Inconclusive `reference_missing` where nobody of that name, or none of their upper face, is in the groups searched.
        """
        with _faults():
            if not self._knows(person) or not self._searches(person):
                return Inconclusive("reference_missing", self.name)
            cosine = self.gallery.likeness(person, probe.upper if probe.masked else probe.embedding, upper=probe.masked)
            if cosine == -1:  # none of this kind
                return Inconclusive("reference_missing", self.name)
            candidate = self._candidate(Hit(person, cosine, ""), upper=probe.masked)
        rate, raw = self._settings.false_match_rate, self._settings.threshold
        threshold = calibration.least_score(rate, 1) if raw is None else raw
        rates = partial(calibration.false_match_rate, faces=1)
        return judge_one(candidate, threshold=threshold, engine=self.name, rates=rates)

    async def identify_many(self, crowd: Crowd, deadline: float) -> Mapping[int, Verdict]:
        """A search for each face, by its own probe: the picture of all is not needed. Raises as `identify` does."""
        return {shot.probe.presentation: await self.identify(shot.probe, deadline) for shot in crowd.shots}

    def reference(self, person: str) -> Reference:
        """What an engine without references of its own may compare with: the best photo, where photos are kept.

        Raises Transient with the gallery's slug where that fails.
        """
        with _faults():
            if not self._knows(person):
                return NOBODY
            known = self.gallery.person(person)
            best = sorted(known.faces, key=lambda face: face.grade, reverse=True)
            photo = next((photo for face in best if (photo := self.gallery.photo(face.face_id)) is not None), None)
            return Reference(photo, tuple(known.groups), known.tag)

    def may_leave(self, probe: Probe, claimed: str = "", *, portal_allows: bool) -> bool:
        """Whether the cloud may see the probe: asks everybody it may be, of all groups. Raises as `identify` does.

        A masked probe is looked up by the whole face too: somebody whose upper face is not enrolled may have said no.
        `claimed`: whom a credential claims it to be; their no counts whatever the face looks like.
        """
        with _faults():
            if claimed and self._knows(claimed) and self.gallery.consent(claimed) is False:
                return False
            likely = [
                Likely(self._candidate(hit, upper=upper), self.gallery.consent(hit.person))
                for upper in {False, probe.masked}
                for hit in self._hits(probe, upper=upper, everybody=True)
            ]
            return may_leave(likely, threshold=self.threshold, margin=self._settings.margin, portal_allows=portal_allows)

    async def warm(self) -> None:
        """Nothing to open."""

    async def follow(self) -> None:
        """Until cancelled: takes what others change in the gallery into memory, so that no person waits for an import."""
        while True:
            try:
                self.gallery.follow()
            except KioskError as error:
                # Whoever is searched for next is told the same and denied.
                _log.warning("gallery_behind", slug=error.slug, detail=error.detail)
            await asyncio.sleep(FOLLOW_EVERY)

    async def close(self) -> None:
        self.gallery.close()

    def _hits(self, probe: Probe, *, upper: bool, everybody: bool = False) -> list[Hit]:
        embedding = probe.upper if upper else probe.embedding
        groups = () if everybody else self._settings.group_ids
        if groups:
            return self.gallery.search(embedding, groups, _TOP, upper=upper)
        return self.gallery.search_all(embedding, _TOP, upper=upper)

    def _candidate(self, hit: Hit, *, upper: bool) -> Candidate:
        person = self.gallery.person(hit.person)
        score = calibration.score(hit.cosine, masked=upper)
        return Candidate(hit.person, score, hit.face, person.tag, tuple(person.groups))

    def _searches(self, person: str) -> bool:
        return not self._settings.group_ids or not self.gallery.person(person).groups.keys().isdisjoint(self._settings.group_ids)

    def _knows(self, person: str) -> bool:
        try:
            self.gallery.person(person)
        except GalleryRefusal as refusal:
            if refusal.why is Why.PERSON_UNKNOWN:
                return False
            raise
        return True


@contextmanager
def _faults() -> Iterator[None]:
    """What the gallery raises, as errors of a recogniser."""
    try:
        yield
    except RecogniserError:
        raise
    except GalleryRefusal as refusal:
        raise Unauthorised(refusal.why.value, f"on_device: {refusal.detail}") from refusal
    except KioskError as error:
        raise Transient(error.slug, error.detail) from error
