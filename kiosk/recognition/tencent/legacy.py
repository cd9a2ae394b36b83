"""The older host as a recogniser: `/face/identify`."""

from __future__ import annotations

from collections.abc import Sequence

from kiosk.domain import Candidate, Match, NonMatch, Probe
from kiosk.errors import ConfigurationError
from kiosk.recognition.judging import judge
from kiosk.recognition.tencent.calls import Caller
from kiosk.recognition.tencent.legacy_client import LegacyInterfaces
from kiosk.recognition.tencent.legacy_faces import Identification, Identify
from kiosk.settings import TencentLegacySettings


class LegacyRecogniser:
    """A ports.Recogniser. Owns the caller, which `client` calls by.

    Raises ConfigurationError `configuration_invalid` where no groups are named.
    """

    name = "tencent-legacy"

    def __init__(self, client: LegacyInterfaces, caller: Caller, section: TencentLegacySettings) -> None:
        if not section.group_ids:
            raise ConfigurationError(
                "configuration_invalid", "tencent_legacy.group_ids is empty; name the groups people are enrolled in"
            )
        self._client = client
        self._caller = caller
        self._section = section

    async def identify(self, probe: Probe, deadline: float) -> Match | NonMatch:
        """Raises what the call raises: RecogniserError and nothing else."""
        found = await self._client.call(identification(self._section.group_ids, image=probe.jpeg), deadline)
        return judge(candidates_of(found), threshold=self._section.threshold, margin=self._section.margin, engine=self.name)

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


def candidates_of(found: Identification) -> list[Candidate]:
    """The best first, whatever order they came in."""
    candidates = [Candidate(one.person_id, one.confidence, one.face_id, one.tag) for one in found.candidates]
    return sorted(candidates, key=lambda candidate: candidate.score, reverse=True)
