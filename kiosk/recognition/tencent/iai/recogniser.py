"""Today's cloud interface as a recogniser: SearchPersons."""

from __future__ import annotations

from collections.abc import Iterator

from kiosk.domain import Candidate, Match, NonMatch, Probe
from kiosk.errors import ConfigurationError, ProbeRejected, RecogniserError, Unauthorised
from kiosk.recognition.judging import judge
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.iai import searching
from kiosk.recognition.tencent.iai.client import IaiClient
from kiosk.recognition.tencent.iai.searching import PersonsFound, SearchPersons
from kiosk.recognition.tencent.thresholds import FalseMatchRate, RawScore, Wanted, least_score
from kiosk.settings import TencentIaiSettings

INTERFACE = SearchPersons.action()


class IaiRecogniser:
    """A ports.Recogniser over SearchPersons. Owns the caller, which `client` calls by.

    Raises ConfigurationError `configuration_invalid` where no groups are named or no score is documented for the settings'
    false match rate.
    """

    name = "tencent-iai"

    def __init__(self, client: IaiClient, caller: Caller, section: TencentIaiSettings) -> None:
        if not section.group_ids:
            raise ConfigurationError(
                "configuration_invalid", "tencent_iai.group_ids is empty; name the groups people are enrolled in"
            )
        self._wanted = wanted(section)
        least_score(INTERFACE, self._wanted)
        self._client = client
        self._caller = caller
        self._section = section

    async def identify(self, probe: Probe, deadline: float) -> Match | NonMatch:
        """Raises RecogniserError and nothing else: what the call raises; `threshold_unknown` where no score is documented for
        the gallery the answer names; ProbeRejected `face_not_found`, `quality_rejected`.
        """
        request = SearchPersons(
            self._section.group_ids,
            probe.jpeg,
            max_face_num=1,
            max_person_num=2,  # as many as a verdict needs: somebody, and who comes next
            quality_control=0,  # the picture passed our own gate
            need_person_info=True,
        )
        try:
            found = await self._client.call(request, deadline)
        except Unauthorised as error:
            if error.slug == "nobody_enrolled":
                return NonMatch("nobody_enrolled", 0.0, self.name)
            raise
        candidates = list(self._candidates(found))
        return judge(candidates, threshold=self._threshold(found), margin=self._section.margin, engine=self.name)

    async def warm(self) -> None:
        """Opens the connection and keeps it open, unless the settings say not to."""
        if self._section.keep_warm:
            await self._caller.warm()

    async def close(self) -> None:
        await self._caller.close()

    def _candidates(self, found: PersonsFound) -> Iterator[Candidate]:
        if not found.results:
            raise ProbeRejected("face_not_found", f"{INTERFACE}: no face searched for")
        result = found.results[0]
        if result.ret_code != 0:
            raise ProbeRejected("quality_rejected", f"{INTERFACE}: the face was not searched for", code=str(result.ret_code))
        for candidate in result.candidates:
            yield Candidate(candidate.person_id, candidate.score, candidate.face_id or "", self._tag(candidate))

    def _tag(self, candidate: searching.Candidate) -> str:
        """The older host's people have a remark; what comes next to it is what is written of a person in our groups."""
        ours = (group for group in candidate.person_group_infos or () if group.group_id in self._section.group_ids)
        return next((text for group in ours for text in group.person_ex_descriptions or () if text), "")

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
