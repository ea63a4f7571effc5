"""What a field can hold, decided before the network: text, choices, JSON, moments, vectors. Pure; it never repairs.

Every refusal is an InvalidValue that names the field and never shows the value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plant.core.errors import DimensionMismatch, InvalidValue

DIMENSIONS: Final = 384
NAME: Final = 200
PROSE: Final = 10_000
TAGS: Final = 100


def refuse(field: str, problem: str, advice: str) -> InvalidValue:
    """The error for a field: what is wrong, and what to pass instead."""
    return InvalidValue(f"{field} {problem}: {advice}.", field=field)


def text(field: str, value: Any, *, longest: int = NAME) -> str:
    """Unicode text of 1 to `longest` characters that PostgreSQL can store."""
    if not isinstance(value, str):
        raise refuse(field, f"is {type(value).__name__}, not text", "pass a str")
    if not 1 <= len(value) <= longest:
        raise refuse(field, f"has {len(value)} characters", f"pass 1 to {longest}")
    return storable(field, value)


def storable(field: str, value: str) -> str:
    """Text without NUL and lone surrogates; neither has a form in a UTF-8 database."""
    if "\0" in value:
        raise refuse(field, "contains a NUL character", "remove it, PostgreSQL cannot store it in text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise refuse(field, "contains a lone surrogate", "pass valid Unicode") from None
    return value


def choice(field: str, value: Any, words: type[StrEnum]) -> str:
    """One of the words; members and plain strings alike."""
    allowed = [word.value for word in words]
    if not isinstance(value, str) or value not in allowed:
        raise refuse(field, "is not an allowed value", f"use one of {', '.join(allowed)}")
    return str(value)


def whole(field: str, value: Any, *, least: int, most: int) -> int:
    """An int within bounds; a float would be cut by one driver and rounded by the other."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise refuse(field, f"is {type(value).__name__}, not a whole number", "pass an int")
    if not least <= value <= most:
        raise refuse(field, "is out of range", f"pass {least} to {most}")
    return value


def moment(field: str, value: Any) -> datetime:
    """An aware datetime; a naive one would mean another instant on each driver."""
    if not isinstance(value, datetime):
        raise refuse(field, f"is {type(value).__name__}, not a datetime", "pass an aware datetime")
    if value.utcoffset() is None:
        raise refuse(field, "is a naive datetime", "give it a time zone, for example datetime.now(UTC)")
    return value


def tags(field: str, value: Any) -> list[str]:
    """A list of up to 100 texts; order and repetition are kept."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise refuse(field, f"is {type(value).__name__}, not a list", "pass a list of str")
    if len(value) > TAGS:
        raise refuse(field, f"has {len(value)} entries", f"pass at most {TAGS}")
    return [text(field, tag) for tag in value]


def json_object(field: str, value: Any) -> dict[str, Any]:
    """A JSON object whose every number is finite and every text storable."""
    if not isinstance(value, Mapping):
        raise refuse(field, f"is {type(value).__name__}, not an object", "pass a dict")
    _json(field, value)
    return dict(value)


def _json(field: str, value: Any) -> None:
    if isinstance(value, str):
        storable(field, value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise refuse(field, "has a key that is not text", "pass str keys")
            storable(field, key)
            _json(field, item)
    elif isinstance(value, list | tuple):
        for item in value:
            _json(field, item)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise refuse(field, "contains NaN or infinity", "JSON numbers are finite")
    elif value is not None and not isinstance(value, int):
        raise refuse(field, f"contains {type(value).__name__}", "pass values that JSON has")


def vector(field: str, value: Any, *, dimensions: int = DIMENSIONS) -> NDArray[np.float32]:
    """A float32 array of shape (dimensions,) that has a direction: finite and not all zero.

    Lists, tuples and numeric arrays are accepted alike; text, booleans and other shapes are not.
    """
    if isinstance(value, str | bytes) or not isinstance(value, list | tuple | np.ndarray):
        raise refuse(field, f"is {type(value).__name__}, not a vector", "pass a list or an array of numbers")
    try:
        numbers = np.asarray(value)
    except ValueError:
        raise refuse(field, "is ragged", "pass one flat list of numbers") from None
    if numbers.ndim != 1 or numbers.dtype.kind not in "fiu":
        raise refuse(field, "is not a flat list of numbers", f"pass shape ({dimensions},)")
    if len(numbers) != dimensions:
        raise DimensionMismatch(f"{field} has {len(numbers)} dimensions: pass exactly {dimensions}.", field=field)
    with np.errstate(over="ignore"):
        array = numbers.astype(np.float32)
    if not np.isfinite(array).all():
        raise refuse(field, "contains NaN, infinity or a number beyond float32", "pass finite numbers")
    if not array.any():
        raise refuse(field, "is the zero vector", "pass one with a direction, or None")
    return array
