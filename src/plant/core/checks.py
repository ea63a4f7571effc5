"""What a value must be before it is sent, field by field: pure checks that return the value or raise
InvalidValue.

The two drivers disagree on what they accept and what they then store; a value that passes here is stored
alike by both. Messages name the field and the fault and never quote the value.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from plant.core.errors import DimensionMismatch, InvalidValue

Field = str | None
NUL = "\x00"


def refuse(field: Field, problem: str, kind: type[InvalidValue] = InvalidValue) -> NoReturn:
    """Raise `kind` for a field, or for "value" where no field is known."""
    raise kind(f"{field or 'value'} {problem}. {kind.advice}", field=field)


def type_name(value: object) -> str:
    """The type's name, for messages."""
    return type(value).__name__


def checked_text(value: object, field: Field = None, *, max_length: int | None = None) -> str:
    """Text PostgreSQL can store: a str without NUL or lone surrogates, at most `max_length` characters."""
    if not isinstance(value, str):
        refuse(field, f"must be text, not {type_name(value)}")
    if max_length is not None and len(value) > max_length:
        refuse(field, f"has {len(value)} characters, but at most {max_length} fit")
    if NUL in value:
        refuse(field, "contains a NUL character, which PostgreSQL cannot store")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        refuse(field, "contains a lone surrogate, which is no character")
    return value


def checked_texts(value: object, field: Field = None, *, max_length: int | None = None) -> list[str]:
    """A list or tuple of texts, as a list."""
    if not isinstance(value, (list, tuple)):
        refuse(field, f"must be a list of texts, not {type_name(value)}")
    return [checked_text(item, field, max_length=max_length) for item in value]


def checked_integer(value: object, field: Field = None, *, bits: int = 32) -> int:
    """An int of 16, 32 or 64 bits; no float, bool, Decimal or text."""
    if not isinstance(value, int) or isinstance(value, bool):
        refuse(field, f"must be a whole number, not {type_name(value)}")
    if not -(1 << bits - 1) <= value < 1 << bits - 1:
        refuse(field, f"does not fit into {bits} bits")
    return value


def checked_numeric(value: object, field: Field = None, *, precision: int, scale: int) -> Decimal:
    """A finite Decimal or an int that fits numeric(precision, scale) without rounding; no float, bool or
    text.
    """
    if not isinstance(value, (int, Decimal)) or isinstance(value, bool):
        refuse(field, f"must be a Decimal or a whole number, not {type_name(value)}")
    number = Decimal(value)
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        refuse(field, "must be a finite number")
    decimals = max(0, -exponent)
    if decimals > scale:
        refuse(field, f"has {decimals} decimals, but at most {scale} fit")
    if len(digits) + exponent > precision - scale and number:
        refuse(field, f"has more than {precision - scale} digits before the point")
    return number


def checked_float(value: object, field: Field = None) -> float:
    """A finite float; no int, bool, Decimal or text."""
    if not isinstance(value, float):
        refuse(field, f"must be a float, not {type_name(value)}")
    if not math.isfinite(value):
        refuse(field, "must be a finite number")
    return value


def checked_moment(value: object, field: Field = None) -> datetime:
    """An aware datetime, in UTC; neither naive nor one of the ends that stand for infinity."""
    if not isinstance(value, datetime):
        refuse(field, f"must be a datetime, not {type_name(value)}")
    if value.utcoffset() is None:
        refuse(field, "must be a datetime with a time zone, not a naive one")
    try:
        moment = value.astimezone(UTC)
    except OverflowError:
        refuse(field, "is out of range in UTC")
    return _finite(moment, field)


def checked_wall_time(value: object, field: Field = None) -> datetime:
    """A naive datetime, for `timestamp` without time zone; neither aware nor an end that stands for
    infinity.
    """
    if not isinstance(value, datetime):
        refuse(field, f"must be a datetime, not {type_name(value)}")
    if value.tzinfo is not None:
        refuse(field, "must be a naive datetime, not one with a time zone")
    return _finite(value, field)


def _finite(value: datetime, field: Field) -> datetime:
    if value.replace(tzinfo=None) in (datetime.max, datetime.min):
        refuse(field, "must not be infinity, which datetime's ends stand for")
    return value


def checked_boolean(value: object, field: Field = None) -> bool:
    """True or False; no number, no text."""
    if not isinstance(value, bool):
        refuse(field, f"must be True or False, not {type_name(value)}")
    return value


def checked_uuid(value: object, field: Field = None) -> UUID:
    """A uuid.UUID; no text."""
    if not isinstance(value, UUID):
        refuse(field, f"must be a UUID, not {type_name(value)}")
    return value


def checked_json(value: Any, field: Field = None) -> Any:
    """What jsonb gives back as it was: dict with text keys, list, text, int, finite float, bool, None."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return checked_text(value, field)
    if isinstance(value, float):
        return checked_float(value, field)
    if isinstance(value, list):
        return [checked_json(item, field) for item in value]
    if isinstance(value, dict):
        return {checked_text(key, field): checked_json(item, field) for key, item in value.items()}
    refuse(field, f"must hold JSON values only, not {type_name(value)}")


def checked_vector(value: object, field: Field = None, *, dimensions: int) -> NDArray[np.float32]:
    """A float32 array, shape (dimensions,), from a list, tuple or array of real numbers.

    Refuses text, other shapes (DimensionMismatch for another length), NaN, infinity, and vectors whose
    squared length is zero or infinite in float32, which have no direction and no cosine distance.
    """
    if not isinstance(value, (list, tuple, np.ndarray)):
        refuse(field, f"must be a list, tuple or array of numbers, not {type_name(value)}")
    try:
        array = np.asarray(value)
    except ValueError:
        refuse(field, "must be a flat sequence of numbers")
    if array.ndim != 1 or (array.size and array.dtype.kind not in "fiu"):
        refuse(field, f"must be a flat sequence of numbers, not shape {array.shape} of {array.dtype}")
    if array.size != dimensions:
        refuse(field, f"has {array.size} dimensions, but {dimensions} are expected", DimensionMismatch)
    vector, square = as_float32(array)
    if 0.0 < square < math.inf:
        return vector
    if not np.isfinite(vector).all():
        refuse(field, "has a component that is NaN, infinite or too large for float32")
    refuse(field, "has no direction: its length is zero or beyond float32")


def as_float32(numbers: NDArray[Any]) -> tuple[NDArray[np.float32], float]:
    """The numbers as they would be stored, and their squared length, which decides whether they have a direction."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        vector = numbers.astype(np.float32)
        return vector, float(vector @ vector)
