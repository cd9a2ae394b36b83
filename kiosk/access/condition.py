"""A rule's condition in CEL, checked before it may decide anything.

CEL stops reading at the first operand that settles the answer, so running a condition once proves
little: a misspelt name may hide behind `&&` until the day it matters. Therefore names are checked
in the text, and every operand is run on its own against every sample.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import cel

from kiosk.access.expression import Part, Token, compared, parse, paths, text_of, tokens_of
from kiosk.errors import ConfigurationError

Variables = Mapping[str, Mapping[str, object]]

EVALUATION_ERRORS = (ValueError, TypeError, RuntimeError, LookupError, ArithmeticError)
"""What the CEL library raises for a condition that cannot be evaluated."""


class Condition:
    """A compiled condition. Thread rule: any thread.

    `names`: the dotted names it asks for. `shape`: its parts, for whoever wants to know which of them was true.
    """

    def __init__(self, source: str) -> None:
        """Raises ConfigurationError with slug `rule_invalid` where `source` is not CEL."""
        self.source = source
        try:
            self._program = program(source)
        except ValueError as error:
            raise ConfigurationError("rule_invalid", _syntax(str(error))) from error
        self.shape: Part = parse(tokens_of(source))
        self.names = tuple(dict.fromkeys(paths(tokens_of(source))))

    def value(self, context: cel.Context) -> object:
        """What the condition comes to. Raises one of EVALUATION_ERRORS where it comes to nothing."""
        return self._program.execute(context)

    def mistakes(self, samples: Mapping[str, Variables], choices: Mapping[str, Sequence[str]]) -> list[str]:
        """One line for each mistake, none if the condition is sound.

        `samples` by their label: all variables, with values of the right type.
        `choices`: for a dotted name, the only texts it, or a list of that name, can ever hold.
        """
        found = list(self._unknown_names(next(iter(samples.values()))))
        if not found:
            contexts = {label: context_of(sample) for label, sample in samples.items()}
            for operand in self.shape.operands():
                found += _operand_mistakes(self.source, operand, contexts, choices)
            found = found or list(self._sample_mistakes(contexts))
        return list(dict.fromkeys(found))

    def _unknown_names(self, sample: Variables) -> Iterator[str]:
        known = [f"{root}.{member}" for root, members in sample.items() for member in members]
        for path in self.names:
            if path not in known:
                yield f"unknown name '{path}'{_nearest(path, known)}"

    def _sample_mistakes(self, contexts: Mapping[str, cel.Context]) -> Iterator[str]:
        for label, context in contexts.items():
            try:
                value = self.value(context)
            except EVALUATION_ERRORS as error:
                yield f"cannot be evaluated for a verdict of {label}: {_first_line(error)}"
                return
            if not isinstance(value, bool):
                yield f"must come to true or false, but comes to {family(value)}"


@lru_cache(maxsize=2000)
def program(source: str) -> cel.Program:
    """Compiled once: rules have most of their operands in common, and each is looked at on its own. Raises ValueError."""
    return cel.compile(source)


def context_of(variables: Variables) -> cel.Context:
    """What conditions are run against. To make one costs some hundred times what it costs to run a condition in it."""
    return cel.Context(variables=dict(variables))


def _syntax(message: str) -> str:
    place = re.search(r"<input>:(\d+):(\d+): (.*)", message)
    if place is None:
        return message.splitlines()[0][-200:]
    line, column, what = place.groups()
    return f"line {line}, column {column}: {what.partition(' expecting {')[0][:200]}"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].partition(". ")[0][:200] or error.__class__.__name__


def _nearest(path: str, known: Sequence[str]) -> str:
    found = difflib.get_close_matches(path, known, n=1, cutoff=0.4)
    return f"; did you mean '{found[0]}'?" if found else f"; there are {', '.join(known)}"


def _operand_mistakes(
    source: str, operand: Sequence[Token], contexts: Mapping[str, cel.Context], choices: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    text = text_of(source, operand)
    condition = Condition(text)
    for context in contexts.values():
        try:
            value = condition.value(context)
        except ArithmeticError:
            continue  # another operand may guard this one; the whole condition is run as well
        except EVALUATION_ERRORS as error:
            yield f"'{text}': {_first_line(error)}"
            return
        if not isinstance(value, bool) and "?" not in source:  # the branches of `?:` may be anything
            yield f"'{text}' must come to true or false, but comes to {family(value)}"
            return
    yield from _comparison_mistakes(source, operand, next(iter(contexts.values())), choices)


def _comparison_mistakes(
    source: str, operand: Sequence[Token], context: cel.Context, choices: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """CEL answers `false` where a text is compared with a number; here that is a mistake."""
    comparison = compared(operand)
    if comparison is None or comparison[1] not in {"==", "!=", "in"}:
        return
    texts = [text_of(source, side) for side in (comparison[0], comparison[2])]
    try:
        one, other = (Condition(text).value(context) for text in texts)
    except ArithmeticError:
        return
    several = list(other) if isinstance(other, list | dict) and comparison[1] == "in" else [other]
    for value in several:
        if family(value) != family(one):
            yield f"'{text_of(source, operand)}' compares {family(one)} with {family(value)}"
            return
    has = "has" if comparison[1] == "in" else "is"
    for path, verb, values in ((texts[0], "is", several), (texts[1], has, [one])):
        for value in values:
            if path in choices and value not in choices[path]:
                known = ", ".join(choices[path])
                yield f"{path} {verb} never '{value}'{f', only {known}' if known else ''}{_did_you_mean(value, choices[path])}"


def _did_you_mean(value: object, known: Sequence[str]) -> str:
    found = difflib.get_close_matches(str(value), known, n=1, cutoff=0.5) if len(known) > 4 else []
    return f"; did you mean '{found[0]}'?" if found else ""


def family(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    families = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "a map", type(None): "null"}
    return families.get(type(value), type(value).__name__)
