"""Which photos of a person become references, and why the others do not. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from kiosk.enrolment.bars import Bars
from kiosk.enrolment.origin import Origin
from kiosk.enrolment.profile import Reason
from kiosk.ports import AnalysedFace
from kiosk.recognition.on_device.calibration import score
from kiosk.recognition.on_device.enrolment import SAME
from kiosk.recognition.on_device.matching import cosine_of

Outcome = Literal["taken", "skipped", "refused"]


class Likeness(NamedTuple):
    """Another enrolled person, and the score 0–100 to them."""

    person: str
    name: str
    score: float

    def __str__(self) -> str:
        return f"{called(self.person, self.name)}, score {self.score:.0f}"


@dataclass(frozen=True, slots=True)
class Sight:
    """One reference on offer: the face that was seen, or the `reasons` why it is out of the question.

    `known`: this very file is enrolled already.
    """

    label: str
    face: AnalysedFace | None = field(default=None, repr=False)
    origin: Origin = field(default_factory=Origin)
    reasons: tuple[Reason, ...] = ()
    known: bool = False
    photo: bytes | None = field(default=None, repr=False)

    @property
    def embedding(self) -> bytes | None:
        """Only of a face that may be enrolled."""
        return self.face.embedding if self.face and not self.reasons and not self.known else None

    @property
    def grade(self) -> int | None:
        """None where no photo was seen."""
        return self.face.quality.grade if self.face and self.origin.photo else None


class Facts(NamedTuple):
    """What the gallery knows of a sight: the cosine to the person's own references, None where there are none, and the
    nearest other person, where somebody comes near enough to matter.
    """

    own: float | None = None
    other: Likeness | None = None


class Judged(NamedTuple):
    """What became of one photo; `like`: whom else it shows, or might."""

    label: str
    outcome: Outcome
    reasons: tuple[Reason, ...] = ()
    grade: int | None = None
    like: Likeness | None = None


def judge(
    sights: Sequence[Sight], facts: Sequence[Facts], held_to: Bars, room: int, *, allow_duplicate: bool = False
) -> list[Judged]:
    """`facts`: one for each sight; `room`: how many references may be added."""
    judged: list[Judged] = []
    taken: list[bytes] = []
    others = [fact.other if not allow_duplicate and fact.other and fact.other.score >= held_to.same else None for fact in facts]
    belongs = _belonging(sights, facts, held_to.own)
    for sight, fact, other, is_own in zip(sights, facts, others, belongs, strict=True):
        embedding = sight.embedding
        outcome: Outcome = "refused"
        reasons = sight.reasons
        if sight.known:
            outcome, reasons = "skipped", (Reason("same_photo"),)
        elif embedding is None:
            pass
        elif max([fact.own or -1.0, *(cosine_of(embedding, one) for one in taken)]) >= SAME:
            outcome, reasons = "skipped", (Reason("same_photo"),)
        elif other:
            reasons = (Reason("enrolled_as_another", str(other)),)
        elif not is_own:
            reasons = (Reason("unlike_the_others"),)
        elif len(taken) == room:
            outcome, reasons = "skipped", (Reason("enough_photos"),)
        else:
            outcome = "taken"
            taken.append(embedding)
        judged.append(Judged(sight.label, outcome, reasons, sight.grade, fact.other if outcome == "taken" else other))
    return judged


def _belonging(sights: Sequence[Sight], facts: Sequence[Facts], least: float) -> list[bool]:
    """Whether each is the person: by the references there are, else by what most of the photos show.

    Where no face has more than half of them on its side, nobody can say who is meant, and none belongs.
    """
    if any(fact.own is not None for fact in facts):
        return [fact.own is not None and score(fact.own) >= least for fact in facts]
    vectors = [sight.embedding for sight in sights]
    sides = [[_alike(one, other, least) for other in vectors] for one in vectors]
    largest = max(sides, key=sum, default=[])
    return largest if 2 * sum(largest) > sum(vector is not None for vector in vectors) else [False] * len(sights)


def _alike(one: bytes | None, other: bytes | None, least: float) -> bool:
    return one is not None and other is not None and score(cosine_of(one, other)) >= least


def called(person_id: str, name: str) -> str:
    """The id, and the name where it is another."""
    return person_id if name in ("", person_id) else f"{person_id} ({name})"
