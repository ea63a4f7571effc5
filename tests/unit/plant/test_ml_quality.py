"""Drift: what is measured, where it is judged, and what cannot be measured at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from plant.core.errors import DimensionMismatch, InvalidValue
from plant.ml.embeddings import HashEmbedder
from plant.ml.quality import DriftLimits, measure_drift, recheck

SEED = 11


def rows(count: int = 40, dimension: int = 8) -> np.ndarray[Any, Any]:
    """Seeded vectors, none of them zero."""
    return np.random.default_rng(SEED).standard_normal((count, dimension))


def test_the_same_vectors_do_not_drift() -> None:
    """Vectors compared with themselves, scaled or not, are stable at similarity 1."""
    report = measure_drift(rows() * 3, rows().astype(np.float32))

    assert report.stable
    assert report.problems == ()
    assert report.count == 40
    assert report.least == pytest.approx(1, abs=1e-6)


def test_the_figures_equal_numpy() -> None:
    """Mean, 5th percentile, minimum and its row are those of the pairwise cosine similarities."""
    current, reference = rows(), rows() + 0.5 * np.random.default_rng(SEED + 1).standard_normal((40, 8))
    dots = np.einsum("ij,ij->i", current, reference)
    cosines = dots / np.linalg.norm(current, axis=1) / np.linalg.norm(reference, axis=1)

    report = measure_drift(current, reference)

    assert report.mean == pytest.approx(cosines.mean())
    assert report.low == pytest.approx(np.percentile(cosines, 5))
    assert report.least == pytest.approx(cosines.min())
    assert report.worst == cosines.argmin()


def test_every_missed_limit_is_a_problem() -> None:
    """Opposite vectors miss both limits, and each is told with its figures and what to do."""
    report = measure_drift(rows(), -rows())

    assert not report.stable
    assert report.problems == (
        "mean cosine similarity -1.0000 is below 0.9900: embed the stored texts again",
        "5th percentile cosine similarity -1.0000 is below 0.9500: embed the stored texts again",
    )


def test_one_bad_vector_hides_in_the_mean_and_shows_in_the_minimum() -> None:
    """A single turned vector among forty keeps within wide limits, but the report points at it."""
    current = rows()
    current[7] *= -1

    report = measure_drift(current, rows(), limits=DriftLimits(mean=0.9, low=0.9))

    assert report.stable
    assert (report.worst, report.least) == (7, pytest.approx(-1))


def test_an_embedder_can_be_checked_again() -> None:
    """Texts embedded anew are compared with the vectors that were kept for them."""
    texts = ["plans sprints", "reviews code", "writes tests"]
    kept = HashEmbedder().embed(texts)

    assert recheck(HashEmbedder(), texts, kept).stable
    assert not recheck(HashEmbedder(), texts[::-1], kept, limits=DriftLimits(mean=0.99, low=0.9)).stable


@pytest.mark.parametrize("shape", [(40, 7), (39, 8)])
def test_shapes_must_agree(shape: tuple[int, int]) -> None:
    """Another dimension or another number of rows is a DimensionMismatch that tells both shapes."""
    with pytest.raises(DimensionMismatch, match=r"reference has shape \(.*current \(40, 8\)") as caught:
        measure_drift(rows(), rows(*shape))

    assert caught.value.field == "reference"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "is not a table of numbers"),
        (np.ones(8), "is not a table of numbers"),
        ([["a"]], "is not a table of numbers"),
        ([[1.0], [1.0, 2.0]], "is ragged"),
        ([[1.0, float("nan")]], "contains NaN or infinity"),
        ([[1.0, 2.0], [0.0, 0.0]], "contains the zero vector"),
    ],
)
def test_what_cannot_be_measured(value: Any, problem: str) -> None:
    """Tables without rows, numbers or directions are refused by the argument's name."""
    with pytest.raises(InvalidValue, match=f"current {problem}") as caught:
        measure_drift(value, rows())

    assert caught.value.field == "current"


@pytest.mark.parametrize(
    ("limits", "field", "problem"),
    [
        ({"mean": 1.1}, "mean", "is no cosine similarity: pass a number from -1 to 1"),
        ({"low": float("nan")}, "low", "is no cosine similarity"),
        ({"mean": 0.5, "low": 0.6}, "low", "is above mean: pass a smaller one than mean"),
    ],
)
def test_limits_that_contradict_each_other(limits: dict[str, float], field: str, problem: str) -> None:
    """Limits outside -1 to 1, or a percentile above the mean, are refused by name."""
    with pytest.raises(InvalidValue, match=f"{field} {problem}") as caught:
        DriftLimits(**limits)

    assert caught.value.field == field


def test_limits_may_be_the_ends_and_nothing_beyond() -> None:
    """From -1, which every pair reaches, to 1, which only equal directions do."""
    assert DriftLimits(mean=1, low=-1) == DriftLimits(mean=1.0, low=-1.0)
    with pytest.raises(InvalidValue):
        DriftLimits(low=-1.5)


def test_an_embedder_is_checked_against_the_limits_that_were_given() -> None:
    """Not against the default ones."""
    texts, limits = ["plans sprints", "reviews code"], DriftLimits(mean=-1, low=-1)
    kept = HashEmbedder().embed(texts)

    assert recheck(HashEmbedder(), texts[::-1], kept, limits=limits).limits == limits
    assert recheck(HashEmbedder(), texts[::-1], kept, limits=limits).stable


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1.0], [1.0, 2.0]], "reference is ragged: pass vectors of one length."),
        ([["a"]], "reference is not a table of numbers: pass shape (n, d) with at least one row."),
        ([[1.0, float("inf")]], "reference contains NaN or infinity: pass finite numbers."),
        ([[0.0, 0.0]], "reference contains the zero vector: leave out texts that have no embedding."),
    ],
)
def test_a_refused_reference_is_told_what_to_pass(value: Any, message: str) -> None:
    """Word for word, by the name of the argument."""
    with pytest.raises(InvalidValue) as caught:
        measure_drift(rows(), value)

    assert str(caught.value) == message


def test_other_shapes_are_told_what_to_pass() -> None:
    """Word for word."""
    with pytest.raises(DimensionMismatch) as caught:
        measure_drift(rows(2, 3), rows(1, 3))

    assert str(caught.value).startswith(
        "reference has shape (1, 3) and current (2, 3): pass vectors of the same texts by the same model."
    )
