"""Many people in one go: each in a transaction of their own, so that wherever it is cut off, running it again goes on."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kiosk.enrolment.enrolling import Enroller, Enrolment, Order
from kiosk.enrolment.judging import Judged, Sight
from kiosk.enrolment.sources import Embeddings, Particulars, Photos
from kiosk.ports import PhotoAnalyser

Tell = Callable[[Enrolment], None]


@dataclass(slots=True)
class Tally:
    """What became of whom; `seconds` since it began."""

    people: list[Enrolment] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    def add(self, enrolment: Enrolment) -> None:
        self.people.append(enrolment)

    @property
    def failed(self) -> list[Enrolment]:
        """Those who are not enrolled, and so cannot be recognised."""
        return [one for one in self.people if not one.faces]

    def counts(self) -> dict[str, int | float]:
        photos = [photo for one in self.people for photo in one.photos]
        return {
            "persons": len(self.people),
            "new": sum(one.new for one in self.people),
            "extended": sum(not one.new and bool(one.of("taken")) for one in self.people),
            "unchanged": sum(bool(one.faces) and not one.of("taken") for one in self.people),
            "not_enrolled": len(self.failed),
            "taken": sum(photo.outcome == "taken" for photo in photos),
            "skipped": sum(photo.outcome == "skipped" for photo in photos),
            "refused": sum(photo.outcome == "refused" for photo in photos),
            "too_alike": sum(len(one.alarms) for one in self.people),
            "seconds": round(time.monotonic() - self._began, 1),
        }


@dataclass(frozen=True, slots=True)
class Importer:
    """`groups`: for those of whom `particulars` name none. One at a time; raises GalleryError."""

    enroller: Enroller
    groups: Sequence[str]
    particulars: Mapping[str, Particulars]

    def embeddings(self, people: Iterable[Embeddings], tell: Tell) -> None:
        for person in people:
            tell(self.enroller.enrol(self._order(person.person), person.references))

    async def photos(self, people: Iterable[Photos], eye: PhotoAnalyser, ahead: int, tell: Tell) -> None:
        """While one person is written, the eye looks at the photos of the next `ahead`. Raises CameraError."""
        waiting: deque[tuple[Photos, asyncio.Task[list[Sight]]]] = deque()
        try:
            for person in people:
                waiting.append((person, asyncio.create_task(self._look(eye, person))))
                if len(waiting) > ahead:
                    tell(await self._first(waiting))
            while waiting:
                tell(await self._first(waiting))
        finally:
            for _, looking in waiting:
                looking.cancel()
            await asyncio.gather(*(looking for _, looking in waiting), return_exceptions=True)

    async def _first(self, waiting: deque[tuple[Photos, asyncio.Task[list[Sight]]]]) -> Enrolment:
        person, looking = waiting.popleft()
        return self._enrol(person, await looking)

    async def _look(self, eye: PhotoAnalyser, person: Photos) -> list[Sight]:
        return [] if person.reason else await self.enroller.look(eye, person.person, person.files)

    def _enrol(self, person: Photos, sights: Sequence[Sight]) -> Enrolment:
        if person.reason:
            refused = tuple(Judged(label, "refused", (person.reason,)) for label, _ in person.files)
            return Enrolment(person.person, person.person, new=False, photos=refused, faces=0)
        return self.enroller.enrol(self._order(person.person), sights)

    def _order(self, person_id: str) -> Order:
        return self.particulars.get(person_id, Particulars()).order(person_id, self.groups)
