"""plant.models.fields: what a field holds and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest

from plant.core.errors import DimensionMismatch, InvalidValue
from plant.models import fields
from plant.models.vocabulary import Status


@pytest.mark.parametrize("value", ["a", "x" * 200, "\U0001f600" * 200, 'it\'s "quoted"', "\t"])
def test_text_of_1_to_200_characters_is_kept(value: str) -> None:
    """Characters are counted, not bytes, and none is changed."""
    assert fields.text("name", value) == value


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "name has 0 characters: pass 1 to 200."),
        ("x" * 201, "name has 201 characters, but at most 200 fit. Pass a value of the field's type and range."),
        (7, "name must be text, not int. Pass a value of the field's type and range."),
        (
            "a\0b",
            "name contains a NUL character, which PostgreSQL cannot store. Pass a value of the field's type and range.",
        ),
        (
            "a\ud800",
            "name contains a lone surrogate, which is no character. Pass a value of the field's type and range.",
        ),
    ],
)
def test_text_that_cannot_be_stored_is_refused(value: Any, problem: str) -> None:
    """The field is named, the value is not shown."""
    with pytest.raises(InvalidValue) as caught:
        fields.text("name", value)

    assert (str(caught.value), caught.value.field) == (problem, "name")


def test_a_choice_is_a_word_or_its_member() -> None:
    """Both come out as the plain word."""
    assert [fields.choice("status", value, Status) for value in ("draft", Status.DRAFT)] == ["draft", "draft"]


@pytest.mark.parametrize("value", ["bogus", "DRAFT", "", 1, ["draft"]])
def test_other_words_are_refused(value: Any) -> None:
    """The error lists what is allowed."""
    with pytest.raises(InvalidValue, match=r"status is not an allowed value: use one of draft, active, .*deleted\.$"):
        fields.choice("status", value, Status)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (1.0, "must be a whole number, not float"),
        (True, "must be a whole number, not bool"),
        (0, "is out of range: pass 1 to 9"),
        (10, "is out of range: pass 1 to 9"),
    ],
)
def test_whole_numbers_are_ints_within_bounds(value: Any, problem: str) -> None:
    """A float is refused, because one driver cuts it and the other rounds it."""
    with pytest.raises(InvalidValue, match=f"^capacity {problem}"):
        fields.whole("capacity", value, least=1, most=9)


def test_whole_numbers_keep_their_bounds() -> None:
    """Both ends belong to the range."""
    assert [fields.whole("capacity", value, least=1, most=9) for value in (1, 9)] == [1, 9]


def test_an_aware_moment_of_any_zone_is_kept_in_utc() -> None:
    """The same instant, in the zone in which it is read back."""
    moment = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=9)))
    kept = fields.moment("at", moment)

    assert (kept, kept.tzinfo) == (moment, UTC)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (datetime(2026, 1, 1), "at must be a datetime with a time zone, not a naive one"),
        ("2026-01-01", "at must be a datetime, not str"),
    ],
)
def test_naive_moments_are_refused(value: Any, problem: str) -> None:
    """They would be different instants on the two drivers."""
    with pytest.raises(InvalidValue, match=problem):
        fields.moment("at", value)


def test_tags_keep_order_and_repetition() -> None:
    """A tuple will do; the result is a list."""
    assert fields.tags("tags", ("b", "a", "b")) == ["b", "a", "b"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("abc", "tags is str, not a list: pass a list of str"),
        (3, "tags is int, not a list: pass a list of str"),
        (["a"] * 101, "tags has 101 entries: pass at most 100"),
        ([""], "tags has 0 characters"),
        ([None], "tags must be text, not NoneType"),
    ],
)
def test_other_tags_are_refused(value: Any, problem: str) -> None:
    """A text is no list of texts, and no entry may be empty."""
    with pytest.raises(InvalidValue, match=problem):
        fields.tags("tags", value)


def test_json_objects_are_kept() -> None:
    """Every kind of JSON value passes."""
    value = {"a": [1, 2.5, None, True, {"ключ": "😀"}], "b": []}

    assert fields.json_object("attributes", value) == value


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "attributes is list, not an object: pass a dict"),
        ({"a": float("nan")}, "attributes must be a finite number"),
        ({"a": [float("-inf")]}, "attributes must be a finite number"),
        ({"a": {1: 2}}, "attributes must be text, not int"),
        ({"a": datetime(2026, 1, 1, tzinfo=UTC)}, "attributes must hold JSON values only, not datetime"),
        ({"a": {"b": "\0"}}, "attributes contains a NUL character"),
        ({"\ud800": 1}, "attributes contains a lone surrogate"),
        ({"a": (1, 2)}, "attributes must hold JSON values only, not tuple"),
    ],
)
def test_what_jsonb_cannot_hold_is_refused(value: Any, problem: str) -> None:
    """At any depth, in keys and in values."""
    with pytest.raises(InvalidValue, match=problem):
        fields.json_object("attributes", value)


@pytest.mark.parametrize("make", [list, tuple, np.float32, np.float64, np.int64])
def test_vectors_of_every_kind_become_float32(make: Any) -> None:
    """Lists, tuples and numeric arrays give the same array."""
    numbers = [float(n) for n in range(384)]
    value = make(numbers) if make in (list, tuple) else np.array(numbers, dtype=make)

    array = fields.vector("embedding", value)

    assert array.dtype == np.float32
    assert array.tolist() == numbers


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("[1,2]", "embedding must be a list, tuple or array of numbers, not str"),
        (b"12", "embedding must be a list, tuple or array of numbers, not bytes"),
        (iter([1.0]), "embedding must be a list, tuple or array of numbers, not .*iterator"),
        ([[1.0], [1.0, 2.0]], "embedding must be a flat sequence of numbers"),
        ([["1.0"] * 384], r"embedding must be a flat sequence of numbers, not shape \(1, 384\)"),
        (["1.0"] * 384, "embedding must be a flat sequence of numbers"),
        ([True] * 384, "embedding must be a flat sequence of numbers"),
        ([0.0] * 384, "embedding has no direction: its length is zero or beyond float32"),
        ([1e-60] * 384, "embedding has no direction"),
        ([float("nan")] + [1.0] * 383, "embedding has a component that is NaN, infinite or too large for float32"),
        ([float("inf")] + [1.0] * 383, "embedding has a component that is NaN, infinite or too large for float32"),
        ([1e39] + [1.0] * 383, "embedding has a component that is NaN, infinite or too large for float32"),
    ],
)
def test_what_is_no_vector_is_refused(value: Any, problem: str) -> None:
    """Each for its own reason."""
    with pytest.raises(InvalidValue, match=problem):
        fields.vector("embedding", value)


@pytest.mark.parametrize("length", [0, 383, 385])
def test_another_dimension_is_a_mismatch(length: int) -> None:
    """The error says how many there are and how many there must be."""
    with pytest.raises(DimensionMismatch, match=f"embedding has {length} dimensions, but 384 are expected"):
        fields.vector("embedding", np.ones(length))
