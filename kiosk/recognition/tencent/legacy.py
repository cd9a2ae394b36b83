"""The older host as a recogniser: `/face/identify`, `/face/multidentify` and `/face/compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from kiosk.domain import Box, Candidate, Crowd, Inconclusive, Match, NonMatch, Probe, Verdict
from kiosk.errors import ConfigurationError
from kiosk.recognition.crowd import matched
from kiosk.recognition.judging import judge, judge_one
from kiosk.recognition.references import References, no_references
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.legacy_client import LegacyInterfaces
from kiosk.recognition.tencent.legacy_faces import Compare, FaceRect, Identification, Identify, Identity, MultIdentify
from kiosk.recognition.tencent.thresholds import FalseMatchRate, false_match_rate, least_score
from kiosk.settings import TencentLegacySettings


class LegacyRecogniser:
    """A ports.Recogniser. Owns the caller, which `client` calls by.

    Raises ConfigurationError `configuration_invalid` where no groups are named.
    """

    name = "tencent-legacy"

    def __init__(
        self, client: LegacyInterfaces, caller: Caller, section: TencentLegacySettings, references: References = no_references
    ) -> None:
        """`references`: the photos that faces are compared with."""
        if not section.group_ids:
            raise ConfigurationError(
                "configuration_invalid", "tencent_legacy.group_ids is empty; name the groups people are enrolled in"
            )
        self._client = client
        self._caller = caller
        self._section = section
        self._references = references
        self._least = least_score("compare", FalseMatchRate(section.compare_false_match_rate), model="legacy")

    async def identify(self, probe: Probe, deadline: float) -> Match | NonMatch:
        """Raises what the call raises: RecogniserError and nothing else."""
        found = await self._client.call(identification(self._section.group_ids, image=probe.jpeg), deadline)
        return self._judged(candidates_of(found))

    async def verify(self, probe: Probe, person: str, deadline: float) -> Verdict:
        """`/face/compare` with the photo that the gallery keeps of the person, since this host verifies nobody by id.

        Inconclusive `reference_missing` where none is kept, and `mask_not_comparable` for a masked face: the host's scores
        are documented for bare ones only. Raises as `identify` does.
        """
        if probe.masked:
            return Inconclusive("mask_not_comparable", self.name)
        reference = self._references(person)
        if reference.photo is None:
            return Inconclusive("reference_missing", self.name)
        found = await self._client.call(Compare(image_a=probe.jpeg, image_b=reference.photo), deadline)
        candidate = Candidate(person, found.similarity, "", reference.tag, reference.groups)
        rates = partial(false_match_rate, "compare", model="legacy")
        return judge_one(candidate, threshold=self._least, engine=self.name, rates=rates)

    async def identify_many(self, crowd: Crowd, deadline: float) -> Mapping[int, Verdict]:
        """One `/face/multidentify` for all faces. Raises as `identify` does."""
        found = (await self._client.call(multiple(self._section.group_ids, crowd.jpeg), deadline)).results
        whose = matched(crowd.boxes, [_box(one.face_rect) for one in found])
        return {
            shot.probe.presentation: Inconclusive("face_not_matched", self.name)
            if which is None
            else self._judged(candidates_of(found[which]))
            for shot, which in zip(crowd.shots, whose, strict=True)
        }

    def _judged(self, candidates: Sequence[Candidate]) -> Match | NonMatch:
        return judge(candidates, threshold=self._section.threshold, margin=self._section.margin, engine=self.name)

    async def warm(self) -> None:
        """Opens the connection and keeps it open, unless the settings say not to. Faults are left for the first call."""
        if self._section.keep_warm:
            await self._caller.warm()

    async def close(self) -> None:
        await self._caller.close()


def identification(groups: Sequence[str], *, image: bytes | None = None, url: str | None = None) -> Identify:
    """One group goes by a field of its own, as the vendor's packages send it."""
    if len(groups) == 1:
        return Identify(group_id=groups[0], image=image, url=url)
    return Identify(group_ids=tuple(groups), image=image, url=url)


def multiple(groups: Sequence[str], image: bytes) -> MultIdentify:
    """As `identification`, for every face of the picture."""
    if len(groups) == 1:
        return MultIdentify(group_id=groups[0], image=image)
    return MultIdentify(group_ids=tuple(groups), image=image)


def candidates_of(found: Identification | Identity) -> list[Candidate]:
    """The best first, whatever order they came in."""
    candidates = [Candidate(one.person_id, one.confidence, one.face_id, one.tag) for one in found.candidates]
    return sorted(candidates, key=lambda candidate: candidate.score, reverse=True)


def _box(rect: FaceRect) -> Box:
    return Box(rect.x, rect.y, max(rect.width, 1), max(rect.height, 1))
