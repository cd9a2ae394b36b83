"""What can be proven of conditions without running them: that one can never hold, that one holds wherever another does.

Everything found is so. Not found is what hangs on arithmetic, on functions, on the words of a list, or on several rules taken
together: an operand other than a name compared with a constant counts as a text that is like itself only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import cel

from kiosk.access.condition import EVALUATION_ERRORS, program
from kiosk.access.expression import Part, Token, compared, parse, paths, text_of, tokens_of

_OPPOSITE = {
    "==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "in": "not in", "not in": "in", "has": "has not",
    "has not": "has", "is": "is not", "is not": "is",
}  # fmt: skip
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}


class Atom(NamedTuple):
    """`name` in relation to the constant `value`. `has`: a list has it. `is`: the text in `name` holds, whatever it says."""

    name: str
    relation: str
    value: object

    def denied(self) -> Atom:
        return Atom(self.name, _OPPOSITE[self.relation], self.value)


class Formula(NamedTuple):
    """`kind`: all or any of `parts`, one `atom`, or a constant."""

    kind: str
    parts: tuple[Formula, ...] = ()
    atom: Atom | None = None


ALWAYS, NEVER = Formula("always"), Formula("never")


def formula(source: str) -> Formula:
    """Of a condition that compiles."""
    return _formula(source, parse(tokens_of(source)), denied=False)


def both(known: Mapping[str, Sequence[str]], held: Formula) -> Formula:
    """`held`, where each of the `known` names is one of these texts."""
    atoms = (Formula("atom", atom=Atom(name, "in", tuple(values))) for name, values in known.items())
    return _joined("all", (*atoms, held))


def rarest_first(formulas: Mapping[str, Formula]) -> dict[str, Formula]:
    """The same, with the parts that the fewest have in front: what does not follow is then seen at the first look."""
    common = Counter(repr(part) for held in formulas.values() if held.kind == "all" for part in held.parts)
    return {
        name: held._replace(parts=tuple(sorted(held.parts, key=lambda part: common[repr(part)]))) if held.kind == "all" else held
        for name, held in formulas.items()
    }


def never(held: Formula) -> bool:
    """Whether it can be proven that this holds of nothing."""
    if held.kind == "any":
        return all(map(never, held.parts))
    parts = held.parts if held.kind == "all" else (held,)
    if any(part.kind == "never" or (part.kind == "any" and never(part)) for part in parts):
        return True
    atoms = [part.atom for part in parts if part.atom]
    return any(_follows(one, other.denied()) for one in atoms for other in atoms)


def implies(one: Formula, other: Formula) -> bool:
    """Whether it can be proven that `other` holds wherever `one` does."""
    return _implies(one, other, {})


def demanded(held: Formula) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Names that must have one of a few values for this to hold."""
    for part in held.parts if held.kind == "all" else (held,):
        values = _possible(part.atom) if part.atom else None
        if part.atom and values is not None:
            yield part.atom.name, values


def _implies(one: Formula, other: Formula, known: dict[tuple[int, int], bool]) -> bool:
    key = (id(one), id(other))
    if key not in known:
        known[key] = _proven(one, other, known)
    return known[key]


def _proven(one: Formula, other: Formula, known: dict[tuple[int, int], bool]) -> bool:
    if one.kind == "never" or other.kind == "always":
        return True
    if one.kind == "any":
        return all(_implies(part, other, known) for part in one.parts)
    if other.kind == "all":
        return all(_implies(one, part, known) for part in other.parts)
    if one.kind == "all" and any(_implies(part, other, known) for part in one.parts):
        return True
    if other.kind == "any":
        return any(_implies(one, part, known) for part in other.parts)
    return bool(one.atom and other.atom and _follows(one.atom, other.atom))


def _formula(source: str, part: Part, *, denied: bool) -> Formula:
    match part.operation:
        case "not":
            return _formula(source, part.parts[0], denied=not denied)
        case "and" | "or":
            kind = "all" if (part.operation == "and") != denied else "any"
            return _joined(kind, tuple(_formula(source, inner, denied=denied) for inner in part.parts))
        case _:
            return _operand(source, part.tokens, denied=denied)


def _joined(kind: str, parts: Sequence[Formula]) -> Formula:
    """Parts of the same kind become one; a constant settles the whole or says nothing."""
    settles, nothing = (NEVER, ALWAYS) if kind == "all" else (ALWAYS, NEVER)
    flat = [inner for part in parts for inner in (part.parts if part.kind == kind else (part,)) if inner != nothing]
    if settles in flat:
        return settles
    return Formula(kind, tuple(flat)) if len(flat) > 1 else next(iter(flat), nothing)


def _operand(source: str, tokens: Sequence[Token], *, denied: bool) -> Formula:
    if not list(paths(tokens)):
        value = _constant(source, tokens)
        if isinstance(value, bool):
            return ALWAYS if value != denied else NEVER
    atom = _comparison(source, tokens) or Atom(" ".join(token.text for token in tokens), "is", None)
    return Formula("atom", atom=atom.denied() if denied else atom)


def _comparison(source: str, tokens: Sequence[Token]) -> Atom | None:
    if (name := _name(tokens)) is not None:
        return Atom(name, "==", True)
    comparison = compared(tokens)
    if comparison is None:
        return None
    left, relation, right = comparison
    if (name := _name(left)) is not None and not list(paths(right)):
        value = _constant(source, right)
        if relation == "in":
            return Atom(name, "in", tuple(value)) if isinstance(value, list) else None
        return Atom(name, relation, value)
    if (name := _name(right)) is not None and not list(paths(left)):
        value = _constant(source, left)
        return Atom(name, "has", value) if relation == "in" else Atom(name, _MIRRORED[relation], value)
    return None


def _name(tokens: Sequence[Token]) -> str | None:
    """The dotted name that is all there is."""
    text = "".join(token.text for token in tokens)
    return text if len(tokens) == 3 and list(paths(tokens)) == [text] else None


def _constant(source: str, tokens: Sequence[Token]) -> object:
    """None where it comes to nothing; a null is never compared in a sound rule."""
    try:
        return program(text_of(source, tokens)).execute(cel.Context(variables={}))
    except EVALUATION_ERRORS:
        return None


def _follows(one: Atom, other: Atom) -> bool:
    if one.name != other.name:
        return False
    if one == other:
        return True
    possible = _possible(one)
    if possible is not None:
        return all(_meets(value, other) for value in possible)
    if one.relation in _LEAST and other.relation in {"!=", "not in"}:
        return _is_number(one.value) and all(_is_number(value) and not _meets(value, one) for value in _excluded(other))
    return _narrower(one, other)


_LEAST = {"<": False, "<=": False, ">": True, ">=": True}
"""Which way each comparison of size looks."""


def _possible(atom: Atom) -> tuple[object, ...] | None:
    """All values that meet it; None where they cannot be counted."""
    if atom.relation == "==":
        return (atom.value,)
    if atom.relation == "in" and isinstance(atom.value, tuple):
        return atom.value
    if atom.relation == "!=" and isinstance(atom.value, bool):
        return (not atom.value,)
    return None


def _excluded(atom: Atom) -> tuple[object, ...]:
    return atom.value if isinstance(atom.value, tuple) else (atom.value,)


def _meets(value: object, atom: Atom) -> bool:
    """Whether a value surely meets it. Numbers of whichever kind compare as CEL compares them; others only with their like."""
    if atom.relation in {"not in", "!="}:
        return all(_comparable(value, each) and value != each for each in _excluded(atom))
    if atom.relation in {"in", "=="}:
        return any(_comparable(value, each) and value == each for each in _excluded(atom))
    if atom.relation not in _LEAST or not (_is_number(value) and _is_number(atom.value)):
        return False
    assert isinstance(value, int | float)
    assert isinstance(atom.value, int | float)
    return {"<": value < atom.value, "<=": value <= atom.value, ">": value > atom.value, ">=": value >= atom.value}[atom.relation]


def _narrower(one: Atom, other: Atom) -> bool:
    """`verdict.score > 90` is within `verdict.score >= 80`."""
    if one.relation not in _LEAST or other.relation not in _LEAST or _LEAST[one.relation] != _LEAST[other.relation]:
        return False
    if not (_is_number(one.value) and _is_number(other.value)):
        return False
    if one.value == other.value:
        return one.relation == other.relation or other.relation in {"<=", ">="}
    return _meets(one.value, other)


def _comparable(one: object, other: object) -> bool:
    return type(one) is type(other) or (_is_number(one) and _is_number(other))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
