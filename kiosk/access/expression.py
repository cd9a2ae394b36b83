"""A CEL condition taken apart as far as `&&`, `||`, `!` and `?:` join it; what is between them stays text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

WORDS = frozenset({"true", "false", "null", "in"})
_BINDERS = frozenset({"all", "exists", "exists_one", "map", "filter"})
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_RELATIONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*)
    |(?P<text>[bB]?[rR][bB]?(?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"[^"\n]*"|'[^'\n]*')
        |[bB]?(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>\d\w*(?:\.\d\w*)?)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<mark>&&|\|\||[=!<>]=|\S)""",
    re.VERBOSE,
)


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class Part(NamedTuple):
    """`operation` joins the `parts`; an `operand` has none, and its `tokens`. `if`: condition, then, else."""

    operation: Literal["and", "or", "not", "if", "operand"]
    tokens: Sequence[Token]
    parts: tuple[Part, ...] = ()

    def operands(self) -> Iterator[Sequence[Token]]:
        """The smallest parts, from left to right."""
        if self.operation == "operand":
            yield self.tokens
        for part in self.parts:
            yield from part.operands()


def tokens_of(source: str) -> list[Token]:
    """Without remarks."""
    return [
        Token(match.lastgroup, match.group(), match.start(), match.end())
        for match in _TOKEN.finditer(source)
        if match.lastgroup and match.lastgroup != "comment"
    ]


def parse(tokens: Sequence[Token]) -> Part:
    """Of a condition that compiles; brackets around parts are taken off."""
    while _is_wrapped(tokens):
        tokens = tokens[1:-1]
    if branches := _branches(tokens):
        return Part("if", tokens, tuple(map(parse, branches)))
    for mark, operation in (("||", "or"), ("&&", "and")):
        parts = list(split(tokens, frozenset({mark})))
        if len(parts) > 1:
            return Part("or" if operation == "or" else "and", tokens, tuple(map(parse, parts)))
    # `!` binds closer than a comparison does: `!a in b` is no denial of `a in b`.
    if tokens[0].text == "!" and len(list(split(tokens[1:], _RELATIONS))) == 1:
        return Part("not", tokens, (parse(tokens[1:]),))
    return Part("operand", tokens)


def split(tokens: Sequence[Token], marks: frozenset[str]) -> Iterator[Sequence[Token]]:
    """What stands between the `marks` outside of all brackets."""
    start = 0
    for index, (token, depth) in enumerate(zip(tokens, _depths(tokens), strict=True)):
        if depth == 0 and token.kind != "text" and token.text in marks:
            yield tokens[start:index]
            start = index + 1
    yield tokens[start:]


def compared(operand: Sequence[Token]) -> tuple[Sequence[Token], str, Sequence[Token]] | None:
    """The two sides of a single comparison and what stands between; None for anything else."""
    sides = list(split(operand, _RELATIONS))
    if len(sides) != 2 or not all(sides):
        return None
    return sides[0], operand[len(sides[0])].text, sides[1]


def paths(tokens: Sequence[Token]) -> Iterator[str]:
    """Each name the text asks for, `verdict.score`; one without a member comes alone."""
    bound = _bound(tokens)
    padded = [*tokens, Token("mark", "", 0, 0), Token("mark", "", 0, 0)]
    for index, token in enumerate(tokens):
        dot, member = padded[index + 1], padded[index + 2]
        foreign = token.text in WORDS or token.text in bound or dot.text == "(" or _is_member(tokens, index)
        if token.kind != "name" or foreign:
            continue
        yield f"{token.text}.{member.text}" if dot.text == "." and member.kind == "name" else token.text


def text_of(source: str, tokens: Sequence[Token]) -> str:
    return source[tokens[0].start : tokens[-1].end]


def _branches(tokens: Sequence[Token]) -> tuple[Sequence[Token], ...]:
    """Condition, then and else of `?:`; nothing where there is none."""
    asked, depth = None, 0
    for index, (token, level) in enumerate(zip(tokens, _depths(tokens), strict=True)):
        if level or token.kind != "mark" or token.text not in "?:":
            continue
        depth += 1 if token.text == "?" else -1
        if asked is None:
            asked = index
        elif depth == 0:
            return tokens[:asked], tokens[asked + 1 : index], tokens[index + 1 :]
    return ()


def _bound(tokens: Sequence[Token]) -> set[str]:
    """Names a comprehension introduces, as `day` in `[5, 6].exists(day, day == time.weekday)`."""
    runs = zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False)
    return {
        name.text for macro, bracket, name, comma in runs if macro.text in _BINDERS and bracket.text == "(" and comma.text == ","
    }


def _is_member(tokens: Sequence[Token], index: int) -> bool:
    if index < 2 or tokens[index - 1].text != ".":
        return False
    owner = tokens[index - 2]
    return owner.kind != "mark" or owner.text in _CLOSE


def _is_wrapped(tokens: Sequence[Token]) -> bool:
    if len(tokens) < 3 or tokens[0].text != "(" or tokens[-1].text != ")":
        return False
    return all(depth > 0 for depth in _depths(tokens[:-1]))


def _depths(tokens: Iterable[Token]) -> Iterator[int]:
    depth = 0
    for token in tokens:
        if token.kind == "mark":
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
        yield depth
