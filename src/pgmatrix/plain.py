"""Owns the way of frozen values to JSON and back: dataclasses, enums, tuples and mappings, checked by their own types.

Refuses what does not fit with ValueError naming the place; passes over names it does not know, as later versions add.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

_T = TypeVar("_T")
_Reader = Callable[[Any], Any]
_SHOWN = 64


def dumps(value: Any, *, indent: int | None = None) -> str:
    """`value` as JSON text; infinite and undefined numbers are a ValueError."""
    return json.dumps(to_plain(value), indent=indent, allow_nan=False)


def loads(kind: type[_T], text: str) -> _T:
    """The `kind` that JSON `text` holds. Raises ValueError."""
    return from_plain(kind, parse(text))


def parse(text: str) -> Any:
    """JSON `text` as plain values. Raises ValueError, also for NaN, Infinity and nesting without end."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def to_plain(value: Any) -> Any:
    """`value` as dicts, lists, text, numbers, booleans and None."""
    if is_dataclass(value):
        return {name: to_plain(getattr(value, name)) for name in _names(cast("Hashable", type(value)))}
    if isinstance(value, Mapping):
        return {str(name): to_plain(one) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(one) for one in value]
    return value


def from_plain(kind: type[_T], value: Any) -> _T:
    """The `kind` that plain `value` describes. Raises ValueError."""
    return cast("_T", _reader(cast("Hashable", kind))(value))


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@cache
def _reader(kind: Any) -> _Reader:
    if kind is Any:
        return lambda value: value
    if is_dataclass(kind):
        return _dataclass_reader(cast("type", kind))
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        if arguments[-1] is not Ellipsis:
            return _row_reader([_reader(one) for one in arguments])
        return _tuple_reader(_reader(arguments[0]))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping_reader(_reader(arguments[1]))
    if origin in (types.UnionType, Union):
        return _optional_reader(_reader(next(one for one in arguments if one is not type(None))))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _enum_reader(kind)
    return _PRIMITIVES[kind]


def _dataclass_reader(kind: type) -> _Reader:
    hints = get_type_hints(kind)
    parts = [(field.name, _reader(hints[field.name]), _required(field)) for field in fields(kind)]

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f"an object is expected, not {_shown(value)}")
        found = {}
        for name, reader, required in parts:
            if name in value:
                found[name] = _at(name, reader, value[name])
            elif required:
                raise ValueError(f"{name} is missing")
        return kind(**found)

    return read


def _required(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _at(name: str, reader: _Reader, value: Any) -> Any:
    try:
        return reader(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _tuple_reader(item: _Reader) -> _Reader:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError(f"a list is expected, not {_shown(value)}")
        return tuple([item(one) for one in value])

    return read


def _row_reader(items: list[_Reader]) -> _Reader:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) != len(items):
            raise ValueError(f"a list of {len(items)} is expected, not {_shown(value)}")
        return tuple([item(one) for item, one in zip(items, value, strict=True)])

    return read


def _mapping_reader(item: _Reader) -> _Reader:
    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError(f"an object is expected, not {_shown(value)}")
        return {name: _at(name, item, one) for name, one in value.items()}

    return read


def _optional_reader(item: _Reader) -> _Reader:
    return lambda value: None if value is None else item(value)


def _enum_reader(kind: type[StrEnum]) -> _Reader:
    members = {str(member): member for member in kind}

    def read(value: Any) -> StrEnum:
        if not isinstance(value, str) or value not in members:
            raise ValueError(f"{_shown(value)} is none of {', '.join(members)}")
        return members[value]

    return read


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"text is expected, not {_shown(value)}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"true or false is expected, not {_shown(value)}")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"a whole number is expected, not {_shown(value)}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"a number is expected, not {_shown(value)}")
    if abs(value) > 1e300 or not math.isfinite(value):
        raise ValueError(f"{_shown(value)} is out of range")
    return float(value)


_PRIMITIVES: dict[Any, _Reader] = {str: _text, bool: _flag, int: _whole, float: _number}


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
