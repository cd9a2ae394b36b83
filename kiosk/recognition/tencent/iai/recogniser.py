"""Today's cloud interfaces as a recogniser: SearchPersons for one face or several, and the comparisons one to one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from kiosk.domain import Box, Candidate, Crowd, Inconclusive, Match, NonMatch, Probe, Verdict
from kiosk.errors import ConfigurationError, ProbeRejected, RecogniserError, Unauthorised
from kiosk.recognition.crowd import matched
from kiosk.recognition.judging import judge, judge_one
from kiosk.recognition.references import References, no_references
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.iai import searching
from kiosk.recognition.tencent.iai.client import IaiClient
from kiosk.recognition.tencent.iai.comparing import CompareFace, CompareMaskFace, Scored, Verified, VerifyFace
from kiosk.recognition.tencent.iai.searching import Found, PersonsFound, SearchPersons
from kiosk.recognition.tencent.thresholds import FalseMatchRate, RawScore, Wanted, false_match_rate, least_score
from kiosk.settings import TencentIaiSettings

INTERFACE = SearchPersons.action()


class IaiRecogniser:
    """A ports.Recogniser over SearchPersons. Owns the caller, which `client` calls by.

    Raises ConfigurationError `configuration_invalid` where no groups are named or no score is documented for the settings'
    false match rate.
    """

    name = "tencent-iai"

    def __init__(
        self, client: IaiClient, caller: Caller, section: TencentIaiSettings, references: References = no_references
    ) -> None:
        """`references`: the photos that faces are compared with."""
        if not section.group_ids:
            raise ConfigurationError(
                "configuration_invalid", "tencent_iai.group_ids is empty; name the groups people are enrolled in"
            )
        self._wanted = wanted(section)
        least_score(INTERFACE, self._wanted)
        least_score("CompareFace", wanted_of_two(section))
        self._client = client
        self._caller = caller
        self._section = section
        self._references = references

    async def identify(self, probe: Probe, deadline: float) -> Match | NonMatch:
        """Raises RecogniserError and nothing else: what the call raises; `threshold_unknown` where no score is documented for
        the gallery the answer names; ProbeRejected `face_not_found`, `quality_rejected`.
        """
        try:
            found = await self._search(probe.jpeg, 1, deadline)
        except Unauthorised as error:
            if error.slug == "nobody_enrolled":
                return NonMatch("nobody_enrolled", 0.0, self.name)
            raise
        if not found.results:
            raise ProbeRejected("face_not_found", f"{INTERFACE}: no face searched for")
        return self._judged(found.results[0], found)

    async def verify(self, probe: Probe, person: str, deadline: float) -> Verdict:
        """CompareMaskFace where a mask is worn, else CompareFace, with the photo that the gallery keeps of the person; where it
        keeps none, VerifyFace by the person's id for a bare face, and Inconclusive `reference_missing` for a masked one.

        Raises as `identify` does.
        """
        reference = self._references(person)
        photo = reference.photo
        request: CompareFace | CompareMaskFace | VerifyFace
        if photo is None and probe.masked:
            return Inconclusive("reference_missing", self.name)
        if photo is None:
            request = VerifyFace(person, probe.jpeg)
        elif probe.masked:
            request = CompareMaskFace(probe.jpeg, photo)
        else:
            request = CompareFace(probe.jpeg, photo)
        answer: Scored | Verified = await self._client.call(request, deadline)
        interface, model = request.action(), answer.face_model_version
        candidate = Candidate(person, answer.score, "", reference.tag, reference.groups)
        rates = partial(false_match_rate, interface, model=model)
        return judge_one(candidate, threshold=self._least(interface, model), engine=self.name, rates=rates)

    async def identify_many(self, crowd: Crowd, deadline: float) -> Mapping[int, Verdict]:
        """One SearchPersons for all faces. Raises as `identify` does."""
        numbers = [shot.probe.presentation for shot in crowd.shots]
        try:
            found = await self._search(crowd.jpeg, len(numbers), deadline)
        except Unauthorised as error:
            if error.slug == "nobody_enrolled":
                return {number: NonMatch("nobody_enrolled", 0.0, self.name) for number in numbers}
            raise
        whose = matched(crowd.boxes, [_box(result) for result in found.results])
        return {number: self._one_of(found, which) for number, which in zip(numbers, whose, strict=True)}

    async def _search(self, picture: bytes, faces: int, deadline: float) -> PersonsFound:
        request = SearchPersons(
            self._section.group_ids,
            picture,
            max_face_num=faces,
            max_person_num=2,  # as many as a verdict needs: somebody, and who comes next
            quality_control=0,  # the picture passed our own gate
            need_person_info=True,
        )
        return await self._client.call(request, deadline)

    def _one_of(self, found: PersonsFound, which: int | None) -> Verdict:
        if which is None:
            return Inconclusive("face_not_matched", self.name)
        try:
            return self._judged(found.results[which], found)
        except ProbeRejected as error:  # of this face alone
            return Inconclusive(error.slug, self.name)

    def _judged(self, result: Found, found: PersonsFound) -> Match | NonMatch:
        rates = partial(false_match_rate, INTERFACE, model=found.face_model_version, gallery=max(found.person_num or 1, 1))
        candidates = list(self._candidates(result))
        threshold, margin = self._threshold(found), self._section.margin
        return judge(candidates, threshold=threshold, margin=margin, engine=self.name, rates=rates)

    async def warm(self) -> None:
        """Opens the connection and keeps it open, unless the settings say not to."""
        if self._section.keep_warm:
            await self._caller.warm()

    async def close(self) -> None:
        await self._caller.close()

    def _candidates(self, result: Found) -> Iterator[Candidate]:
        if result.ret_code != 0:
            raise ProbeRejected("quality_rejected", f"{INTERFACE}: the face was not searched for", code=str(result.ret_code))
        for candidate in result.candidates:
            groups = tuple(group.group_id for group in candidate.person_group_infos or ())
            yield Candidate(candidate.person_id, candidate.score, candidate.face_id or "", self._tag(candidate), groups)

    def _tag(self, candidate: searching.Candidate) -> str:
        """The older host's people have a remark; what comes next to it is what is written of a person in our groups."""
        ours = (group for group in candidate.person_group_infos or () if group.group_id in self._section.group_ids)
        return next((text for group in ours for text in group.person_ex_descriptions or () if text), "")

    def _least(self, interface: str, model: str) -> float:
        try:
            return least_score(interface, wanted_of_two(self._section), model=model)
        except ConfigurationError as error:
            raise RecogniserError("threshold_unknown", error.detail) from error

    def _threshold(self, found: PersonsFound) -> float:
        """By the number of persons searched, since all faces of one are one to this interface."""
        if found.person_num is None and isinstance(self._wanted, FalseMatchRate):
            raise RecogniserError("threshold_unknown", f"{INTERFACE}: the answer does not say how many people were searched")
        try:
            return least_score(INTERFACE, self._wanted, model=found.face_model_version, gallery=max(found.person_num or 1, 1))
        except ConfigurationError as error:
            raise RecogniserError("threshold_unknown", error.detail) from error


def wanted(section: TencentIaiSettings) -> Wanted:
    """What the settings ask of a match."""
    return FalseMatchRate(section.false_match_rate) if section.threshold is None else RawScore(section.threshold)


def wanted_of_two(section: TencentIaiSettings) -> Wanted:
    """The same of a comparison one to one."""
    return FalseMatchRate(section.compare_false_match_rate) if section.threshold is None else RawScore(section.threshold)


def _box(result: Found) -> Box:
    rect = result.face_rect
    return Box(rect.x, rect.y, max(rect.width, 1), max(rect.height, 1))
