"""Whether a value can serve as an embedding: shape, numbers, direction, length, model. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plant.core.checks import as_float32
from plant.models import Skill, fields
from plant.validators.violation import Code, Violation

LENGTH_TOLERANCE: Final = 1e-3


def check_vector(
    value: Any, *, dimension: int = fields.DIMENSIONS, field: str = "embedding", unit: bool = False
) -> list[Violation]:
    """All that keeps `value` from being a vector of shape (dimension,); with `unit`, also a length other than
    1.

    A list, a tuple or a numeric array is judged number by number; of anything else only the form is reported.
    """
    numbers = _flat(value)
    if numbers is None:
        advice = f"pass a list or an array of shape ({dimension},)"
        return [_bad(field, "is not a flat list of numbers", advice)]
    found: list[Violation] = []
    if len(numbers) != dimension:
        message = f"{field} has {len(numbers)} dimensions: pass exactly {dimension}."
        found.append(Violation(code=Code.DIMENSION, field=field, message=message))
    stored, square = as_float32(numbers)
    if np.isnan(stored).any():
        found.append(_bad(field, "contains NaN", "pass finite numbers"))
    if np.isinf(stored).any():
        found.append(_bad(field, "contains infinity or a number beyond float32", "pass finite numbers"))
    if not len(stored) or not np.isfinite(stored).all():
        return found
    if not 0.0 < square < math.inf:
        found.append(
            _bad(field, "has no direction", "pass one whose length is neither zero nor beyond float32, or None")
        )
    elif unit and abs(math.sqrt(square) - 1) > LENGTH_TOLERANCE:
        found.append(_bad(field, "is not of length 1", "divide it by its length"))
    return found


def check_vectors(
    values: Sequence[Any],
    *,
    dimension: int = fields.DIMENSIONS,
    field: str = "embeddings",
    unit: bool = False,
) -> list[Violation]:
    """`check_vector` for each; the field tells which one: `embeddings[3]`."""
    return [
        violation
        for number, value in enumerate(values)
        for violation in check_vector(value, dimension=dimension, field=f"{field}[{number}]", unit=unit)
    ]


def check_comparable(skills: Iterable[Skill]) -> list[Violation]:
    """Vectors of different models cannot be compared: one violation where the skills' models differ."""
    models = {str(skill.embedding_model) for skill in skills if skill.embedding is not None}
    if len(models) < 2:
        return []
    names = ", ".join(sorted(models))
    return [_bad("embedding_model", f"differs between the skills ({names})", "embed all of them with one model")]


def _flat(value: Any) -> NDArray[Any] | None:
    """The numbers of a list, tuple or array in one dimension; None for every other form."""
    if not isinstance(value, list | tuple | np.ndarray):
        return None
    try:
        numbers = np.asarray(value)
    except ValueError:
        return None
    return numbers if numbers.ndim == 1 and numbers.dtype.kind in "fiu" else None


def _bad(field: str, problem: str, advice: str) -> Violation:
    return Violation(code=Code.VALUE, field=field, message=f"{field} {problem}: {advice}.")
