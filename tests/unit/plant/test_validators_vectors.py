"""Vectors judged in full: each flaw has its violation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from plant.models import Skill
from plant.validators.vectors import check_comparable, check_vector, check_vectors
from plant.validators.violation import Code, Violation

GOOD = [1.0] * 384


@pytest.mark.parametrize("value", [GOOD, tuple(GOOD), np.ones(384), np.ones(384, np.float32), np.ones(384, np.int64)])
def test_good_vectors(value: Any) -> None:
    """Every numeric form of a vector is taken."""
    assert check_vector(value) == []


@pytest.mark.parametrize(
    "value",
    [
        "[1,2]",
        None,
        3,
        {1.0},
        np.ones((2, 384)),
        np.ones(384, bool),
        np.ones(384, object),
        [[1.0], 2.0],
        ["x"],
    ],
)
def test_values_without_the_form_of_a_vector(value: Any) -> None:
    """Text, other types and other shapes have one flaw, their form."""
    message = "embedding is not a flat list of numbers: pass a list or an array of shape (384,)."

    assert check_vector(value) == [Violation(code=Code.VALUE, field="embedding", message=message)]


def test_all_flaws_of_one_vector() -> None:
    """Wrong dimension, NaN and a number beyond float32 are three violations."""
    found = check_vector([float("nan"), 1e39, 1.0], field="v", unit=True)

    assert [(violation.code, violation.message) for violation in found] == [
        (Code.DIMENSION, "v has 3 dimensions: pass exactly 384."),
        (Code.VALUE, "v contains NaN: pass finite numbers."),
        (Code.VALUE, "v contains infinity or a number beyond float32: pass finite numbers."),
    ]


@pytest.mark.parametrize("value", [np.zeros(384), np.full(384, 1e-60), np.full(384, 1e30)])
def test_zero_vectors(value: Any) -> None:
    """A length of zero, also only after rounding to float32, or beyond float32 is no direction."""
    assert [violation.message for violation in check_vector(value)] == [
        "embedding has no direction: pass one whose length is neither zero nor beyond float32, or None."
    ]


def test_an_empty_vector_is_of_another_dimension() -> None:
    """Nothing else is said of a list without numbers."""
    assert [violation.code for violation in check_vector([], unit=True)] == [Code.DIMENSION]


def test_unit_length_where_asked_for() -> None:
    """Length is judged only with `unit`, and within a thousandth."""
    assert check_vector(GOOD) == []
    assert check_vector(np.eye(384)[0] * 1.0005, unit=True) == []
    assert [violation.message for violation in check_vector(GOOD, unit=True)] == [
        "embedding is not of length 1: divide it by its length."
    ]


def test_many_vectors() -> None:
    """Each flaw is told with the place of its vector."""
    found = check_vectors([GOOD, [1.0], np.zeros(384)], unit=False)

    assert [violation.field for violation in found] == ["embeddings[1]", "embeddings[2]"]
    assert check_vectors([[1.0, 0.0]], dimension=2, unit=True) == []
    assert check_vectors([[2.0, 0.0]], dimension=2) == []
    assert [violation.field for violation in check_vectors([[2.0, 0.0]], dimension=2, field="v", unit=True)] == ["v[0]"]


def test_models_that_cannot_be_compared() -> None:
    """Skills embedded by different models, or by none that is named, are one violation naming them."""
    skills = [Skill(embedding=GOOD, embedding_model=model) for model in ("m2", "m1", None)]

    assert check_comparable(skills) == [
        Violation(
            code=Code.VALUE,
            field="embedding_model",
            message="embedding_model differs between the skills (None, m1, m2): embed all of them with one model.",
        )
    ]
    assert len(check_comparable(skills[:2])) == 1
    assert check_comparable([*skills[:1], Skill(embedding_model="other")]) == []
