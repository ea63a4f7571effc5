"""Whether an embedder still gives the vectors it gave before: cosine similarity against a reference.

It measures and judges; it re-embeds nothing and stores nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plant.core.errors import DimensionMismatch
from plant.ml.embeddings import Embedder, Floats
from plant.models import fields

PERCENTILE: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftLimits:
    """The least cosine similarities, -1 to 1, at which a reference still holds."""

    mean: float = 0.99
    low: float = 0.95

    def __post_init__(self) -> None:
        for field in ("mean", "low"):
            if not -1 <= getattr(self, field) <= 1:
                raise fields.refuse(field, "is no cosine similarity", "pass a number from -1 to 1")
        if self.low > self.mean:
            raise fields.refuse("low", "is above mean", "pass a smaller one than mean")


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """Cosine similarities of `count` pairs: mean, 5th percentile, minimum; `worst` is the minimum's row."""

    count: int
    mean: float
    low: float
    least: float
    worst: int
    limits: DriftLimits

    @property
    def problems(self) -> tuple[str, ...]:
        """One line for each limit that is not reached."""
        checks = (("mean", self.mean, self.limits.mean), ("5th percentile", self.low, self.limits.low))
        return tuple(
            f"{label} cosine similarity {found:.4f} is below {wanted:.4f}: embed the stored texts again"
            for label, found, wanted in checks
            if found < wanted
        )

    @property
    def stable(self) -> bool:
        """Whether stored and new vectors can be compared."""
        return not self.problems


def measure_drift(current: Any, reference: Any, *, limits: DriftLimits | None = None) -> DriftReport:
    """Compares row i of `current` with row i of `reference`, both of shape (n, d), n >= 1.

    Raises DimensionMismatch where the shapes differ, InvalidValue for rows that are not finite or have no
    direction.
    """
    now, before = as_matrix(current, "current"), as_matrix(reference, "reference")
    if now.shape != before.shape:
        raise DimensionMismatch(
            f"reference has shape {before.shape} and current {now.shape}:"
            " pass vectors of the same texts by the same model.",
            field="reference",
        )
    similarities = (now * before).sum(axis=1)
    return DriftReport(
        count=len(similarities),
        mean=float(similarities.mean()),
        low=float(np.percentile(similarities, PERCENTILE)),
        least=float(similarities.min()),
        worst=int(similarities.argmin()),
        limits=limits or DriftLimits(),
    )


def recheck(
    embedder: Embedder, texts: Sequence[str], reference: Floats, *, limits: DriftLimits | None = None
) -> DriftReport:
    """Embeds the texts again and compares with the vectors, shape (len(texts), dimension), kept for them."""
    return measure_drift(embedder.embed(texts), reference, limits=limits)


def as_matrix(values: Any, field: str) -> NDArray[np.float64]:
    """Rows scaled to length 1, float64 of shape (n, d), n >= 1; raises InvalidValue where there are none."""
    try:
        rows = np.asarray(values)
    except ValueError:
        raise fields.refuse(field, "is ragged", "pass vectors of one length") from None
    if rows.ndim != 2 or rows.dtype.kind not in "fiu" or 0 in rows.shape:
        raise fields.refuse(field, "is not a table of numbers", "pass shape (n, d) with at least one row")
    rows = rows.astype(np.float64)
    if not np.isfinite(rows).all():
        raise fields.refuse(field, "contains NaN or infinity", "pass finite numbers")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not lengths.all():
        raise fields.refuse(field, "contains the zero vector", "leave out texts that have no embedding")
    return np.asarray(rows / lengths, dtype=np.float64)
