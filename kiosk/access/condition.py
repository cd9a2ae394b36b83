"""A rule's condition in CEL, checked before it may decide anything.

CEL stops reading at the first operand that settles the answer, so running a condition once proves
little: a misspelt name may hide behind `&&` until the day it matters. Therefore names are checked
in the text, and every operand is run on its own against every sample.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import cel

from kiosk.errors import ConfigurationError

Variables = Mapping[str, Mapping[str, object]]

EVALUATION_ERRORS = (ValueError, TypeError, RuntimeError, LookupError, ArithmeticError)
"""What the CEL library raises for a condition that cannot be evaluated."""

_WORDS = frozenset({"true", "false", "null", "in"})
_BINDERS = frozenset({"all", "exists", "exists_one", "map", "filter"})
_BRANCHES = frozenset({"&&", "||", "?", ":"})
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*)
    |(?P<text>[bB]?[rR][bB]?(?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"[^"\n]*"|'[^'\n]*')
        |[bB]?(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>\d\w*(?:\.\d\w*)?)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<mark>&&|\|\||[=!<>]=|\S)""",
    re.VERBOSE,
)


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class Condition:
    """A compiled condition. Thread rule: any thread."""

    def __init__(self, source: str) -> None:
        """Raises ConfigurationError with slug `rule_invalid` where `source` is not CEL."""
        self.source = source
        try:
            self._program = cel.compile(source)
        except ValueError as error:
            raise ConfigurationError("rule_invalid", _syntax(str(error))) from error

    def value(self, variables: Variables) -> object:
        """What the condition comes to. Raises one of EVALUATION_ERRORS where it comes to nothing."""
        return self._program.execute(dict(variables))

    def mistakes(self, samples: Mapping[str, Variables], choices: Mapping[str, Sequence[str]]) -> list[str]:
        """One line for each mistake, none if the condition is sound.

        `samples` by their label: all variables, with values of the right type.
        `choices`: for a dotted name, the only texts it can ever hold.
        """
        tokens = list(_tokens(self.source))
        found = list(_unknown_names(tokens, next(iter(samples.values()))))
        if not found:
            for operand in _operands(tokens):
                found += _operand_mistakes(self.source, operand, samples, choices)
        return list(dict.fromkeys(found or self._sample_mistakes(samples)))

    def _sample_mistakes(self, samples: Mapping[str, Variables]) -> Iterator[str]:
        for label, sample in samples.items():
            try:
                value = self.value(sample)
            except EVALUATION_ERRORS as error:
                yield f"cannot be evaluated for a verdict of {label}: {_first_line(error)}"
                return
            if not isinstance(value, bool):
                yield f"must come to true or false, but comes to {_family(value)}"


def _syntax(message: str) -> str:
    place = re.search(r"<input>:(\d+):(\d+): (.*)", message)
    if place is None:
        return message.splitlines()[0][-200:]
    line, column, what = place.groups()
    return f"line {line}, column {column}: {what.partition(' expecting {')[0][:200]}"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].partition(". ")[0][:200] or error.__class__.__name__


def _tokens(source: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(source):
        if match.lastgroup and match.lastgroup != "comment":
            yield _Token(match.lastgroup, match.group(), match.start(), match.end())


def _unknown_names(tokens: Sequence[_Token], sample: Variables) -> Iterator[str]:
    known = [f"{root}.{member}" for root, members in sample.items() for member in members]
    bound = _bound(tokens)
    padded = [*tokens, _Token("mark", "", 0, 0), _Token("mark", "", 0, 0)]
    for index, token in enumerate(tokens):
        dot, member = padded[index + 1], padded[index + 2]
        foreign = token.text in _WORDS or token.text in bound or dot.text == "(" or _is_member(tokens, index)
        if token.kind != "name" or foreign:
            continue
        is_path = dot.text == "." and member.kind == "name"
        path = f"{token.text}.{member.text}" if is_path else token.text
        if path not in known:
            yield f"unknown name '{path}'{_nearest(path, known)}"


def _bound(tokens: Sequence[_Token]) -> set[str]:
    """Names a comprehension introduces, as `day` in `[5, 6].exists(day, day == time.weekday)`."""
    runs = zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False)
    return {
        name.text for macro, bracket, name, comma in runs if macro.text in _BINDERS and bracket.text == "(" and comma.text == ","
    }


def _is_member(tokens: Sequence[_Token], index: int) -> bool:
    if index < 2 or tokens[index - 1].text != ".":
        return False
    owner = tokens[index - 2]
    return owner.kind != "mark" or owner.text in _CLOSE


def _nearest(path: str, known: Sequence[str]) -> str:
    found = difflib.get_close_matches(path, known, n=1, cutoff=0.4)
    return f"; did you mean '{found[0]}'?" if found else f"; there are {', '.join(known)}"


def _operands(tokens: Sequence[_Token]) -> Iterator[Sequence[_Token]]:
    """The smallest parts that `&&`, `||`, `!` and `?:` join, brackets around them taken off."""
    while _is_wrapped(tokens):
        tokens = tokens[1:-1]
    parts = list(_split(tokens, _BRANCHES))
    if len(parts) > 1:
        for part in parts:
            yield from _operands(part)
    elif tokens and tokens[0].text == "!":
        yield from _operands(tokens[1:])
    elif tokens:
        yield tokens


def _is_wrapped(tokens: Sequence[_Token]) -> bool:
    if len(tokens) < 3 or tokens[0].text != "(" or tokens[-1].text != ")":
        return False
    return all(depth > 0 for depth in _depths(tokens[:-1]))


def _depths(tokens: Iterable[_Token]) -> Iterator[int]:
    depth = 0
    for token in tokens:
        if token.kind == "mark":
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
        yield depth


def _split(tokens: Sequence[_Token], marks: frozenset[str]) -> Iterator[Sequence[_Token]]:
    start = 0
    for index, (token, depth) in enumerate(zip(tokens, _depths(tokens), strict=True)):
        if depth == 0 and token.kind != "text" and token.text in marks:
            yield tokens[start:index]
            start = index + 1
    yield tokens[start:]


def _operand_mistakes(
    source: str, operand: Sequence[_Token], samples: Mapping[str, Variables], choices: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    text = _text(source, operand)
    condition = Condition(text)
    for sample in samples.values():
        try:
            value = condition.value(sample)
        except ArithmeticError:
            continue  # another operand may guard this one; the whole condition is run as well
        except EVALUATION_ERRORS as error:
            yield f"'{text}': {_first_line(error)}"
            return
        if not isinstance(value, bool) and "?" not in source:  # the branches of `?:` may be anything
            yield f"'{text}' must come to true or false, but comes to {_family(value)}"
            return
    yield from _comparison_mistakes(source, operand, samples, choices)


def _comparison_mistakes(
    source: str, operand: Sequence[_Token], samples: Mapping[str, Variables], choices: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """CEL answers `false` where a text is compared with a number; here that is a mistake."""
    sides = list(_split(operand, frozenset({"==", "!=", "in"})))
    if len(sides) != 2:
        return
    texts = [_text(source, side) for side in sides]
    sample = next(iter(samples.values()))
    try:
        one, other = (Condition(text).value(sample) for text in texts)
    except ArithmeticError:
        return
    several = list(other) if isinstance(other, list | dict) and operand[len(sides[0])].text == "in" else [other]
    for value in several:
        if _family(value) != _family(one):
            yield f"'{_text(source, operand)}' compares {_family(one)} with {_family(value)}"
            return
    for path, values in ((texts[0], several), (texts[1], [one])):
        for value in values:
            if path in choices and value not in choices[path]:
                yield f"{path} is never '{value}', only {', '.join(choices[path])}"


def _text(source: str, tokens: Sequence[_Token]) -> str:
    return source[tokens[0].start : tokens[-1].end]


def _family(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    families = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "a map", type(None): "null"}
    return families.get(type(value), type(value).__name__)
