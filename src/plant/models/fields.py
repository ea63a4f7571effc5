"""What a field of a model can hold, decided before the network: lengths, words, ranges, dimensions. Pure.

What is text, a moment, JSON or a vector at all, plant.core.checks decides. Every refusal is an InvalidValue that names
the field and never shows the value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plant.core import checks
from plant.core.errors import InvalidValue

DIMENSIONS: Final = 384
NAME: Final = 200
PROSE: Final = 10_000
TAGS: Final = 100


def refuse(field: str, problem: str, advice: str) -> InvalidValue:
    """The error for a field: what is wrong, and what to pass instead."""
    return InvalidValue(f"{field} {problem}: {advice}.", field=field)


def text(field: str, value: Any, *, longest: int = NAME) -> str:
    """Text of 1 to `longest` characters."""
    checked = checks.checked_text(value, field, max_length=longest)
    if not checked:
        raise refuse(field, "has 0 characters", f"pass 1 to {longest}")
    return checked


def choice(field: str, value: Any, words: type[StrEnum]) -> str:
    """One of the words; members and plain strings alike."""
    allowed = [word.value for word in words]
    if not isinstance(value, str) or value not in allowed:
        raise refuse(field, "is not an allowed value", f"use one of {', '.join(allowed)}")
    return str(value)


def whole(field: str, value: Any, *, least: int, most: int) -> int:
    """An int within bounds."""
    number = checks.checked_integer(value, field, bits=64)
    if not least <= number <= most:
        raise refuse(field, "is out of range", f"pass {least} to {most}")
    return number


def moment(field: str, value: Any) -> datetime:
    """An aware datetime, in UTC."""
    return checks.checked_moment(value, field)


def tags(field: str, value: Any) -> list[str]:
    """A list of up to 100 texts; order and repetition are kept."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise refuse(field, f"is {type(value).__name__}, not a list", "pass a list of str")
    if len(value) > TAGS:
        raise refuse(field, f"has {len(value)} entries", f"pass at most {TAGS}")
    return [text(field, tag) for tag in value]


def json_object(field: str, value: Any) -> dict[str, Any]:
    """A JSON object, copied to its depth."""
    if not isinstance(value, Mapping):
        raise refuse(field, f"is {type(value).__name__}, not an object", "pass a dict")
    copied: dict[str, Any] = checks.checked_json(dict(value), field)
    return copied


def vector(field: str, value: Any, *, dimensions: int = DIMENSIONS) -> NDArray[np.float32]:
    """A float32 array of shape (dimensions,) that has a direction, from a list, tuple or numeric array."""
    return checks.checked_vector(value, field, dimensions=dimensions)
