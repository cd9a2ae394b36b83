"""Whatever an eye may say that its messages' bounds let through, made out of the types themselves."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from kiosk.domain import PresentationId, Slug
from kiosk.slugs import TABLE

NOW = 77_777.5
"""Stands for the time at which it is said: see `spoken`."""
_TIMES = st.one_of(st.just(NOW), st.just(float("nan")), st.floats(), st.sampled_from([0.0, 1e308, -1e308]))
_BETTER: list[tuple[inspect.Type, st.SearchStrategy[Any]]] = [
    (inspect.type_info(PresentationId), st.one_of(st.integers(1, 4), st.integers(1, 2**53))),
    (inspect.type_info(Slug), st.sampled_from(sorted(TABLE))),
    (inspect.type_info(float), _TIMES),
    (inspect.BoolType(), st.booleans()),
    (inspect.NoneType(), st.none()),
]


def said(of: object) -> st.SearchStrategy[Any]:
    """Plain values that msgspec takes for the type, short ones and such as make a story."""
    return _of(inspect.type_info(of))


def spoken(value: Any, now: float) -> Any:
    """The same with `now` wherever NOW stands."""
    match value:
        case dict():
            return {key: spoken(each, now) for key, each in value.items()}
        case list():
            return [spoken(each, now) for each in value]
        case _:
            return now if value == NOW else value


def _of(kind: inspect.Type) -> st.SearchStrategy[Any]:
    for known, better in _BETTER:
        if kind == known:
            return better
    match kind:
        case inspect.StructType():
            return _struct(kind)
        case inspect.UnionType(types=types):
            return st.one_of(*map(_of, types))
        case inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case inspect.StrType() | inspect.BytesType():
            return _text(kind)
        case _:
            return _several(kind)


def _struct(kind: inspect.StructType) -> st.SearchStrategy[Any]:
    fields = {field.encode_name: _of(field.type) for field in kind.fields}
    tag = {kind.tag_field: st.just(kind.tag)} if kind.tag_field else {}
    return st.fixed_dictionaries({**tag, **fields}).filter(lambda value: _holds(kind, value))


def _holds(kind: inspect.StructType, value: Any) -> bool:
    try:
        msgspec.convert(value, kind.cls)
    except msgspec.ValidationError:
        return False
    return True


def _number(kind: inspect.FloatType | inspect.IntType) -> st.SearchStrategy[Any]:
    if isinstance(kind, inspect.IntType):
        return st.integers(-(2**31) if kind.ge is None else kind.ge, 2**31 if kind.le is None else kind.le)
    least, most = (kind.gt if kind.ge is None else kind.ge), (kind.lt if kind.le is None else kind.le)
    return st.floats(least, most, exclude_min=kind.gt is not None, exclude_max=kind.lt is not None)


def _text(kind: inspect.StrType | inspect.BytesType) -> st.SearchStrategy[Any]:
    least = kind.min_length or 0
    most = max(least, min(kind.max_length or 20, 20))
    if isinstance(kind, inspect.BytesType):
        return st.binary(min_size=least, max_size=most)
    if kind.pattern is None:
        return st.text(min_size=least, max_size=most)
    return st.one_of(st.just(""), st.sampled_from(sorted(TABLE)))


def _several(kind: inspect.Type) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.TupleType(item_types=items):
            return st.tuples(*map(_of, items)).map(list)
        case inspect.VarTupleType(item_type=item, min_length=least, max_length=most):
            return st.lists(_of(item), min_size=least or 0, max_size=max(least or 0, min(most or 4, 4)))
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(_of(key), _of(value), max_size=4)
        case inspect.FloatType() | inspect.IntType():
            return _number(kind)
        case _:
            raise NotImplementedError(kind)
