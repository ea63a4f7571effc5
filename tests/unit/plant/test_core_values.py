"""plant.core.checks and plant.core.values: what is refused before it is sent, by field."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Column, Interval, MetaData, Table
from sqlalchemy.dialects.postgresql import dialect as postgresql
from sqlalchemy.sql.operators import add, eq

from plant.core import values
from plant.core.errors import DimensionMismatch, InvalidValue

DIALECT = postgresql()  # type: ignore[no-untyped-call]
DIALECT.has_vector_codec = True
COLUMNS: dict[str, Any] = {
    "text": values.StrictText(5),
    "free": values.StrictText(),
    "tags": values.StrictTextArray(3),
    "small": values.StrictInteger(16),
    "whole": values.StrictInteger(),
    "exact": values.StrictNumeric(6, 2),
    "real": values.StrictFloat(),
    "moment": values.UtcDateTime(),
    "wall": values.WallTime(),
    "flag": values.StrictBoolean(),
    "id": values.StrictUuid(),
    "data": values.StrictJson(),
    "vector": values.StrictVector(3),
}
TABLE = Table("entity", MetaData(), *(Column(name, kind) for name, kind in COLUMNS.items()))
AN_ID = uuid.UUID(int=7)
PARIS = timezone(timedelta(hours=2))


def _bind(name: str, value: Any) -> Any:
    kind = TABLE.c[name].type
    if isinstance(kind, values.StrictVector):
        return kind.bind_processor(DIALECT)(value)
    return kind.process_bind_param(value, DIALECT)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("text", "äöü€𝄞", "äöü€𝄞"),
        ("tags", ("a", ""), ["a", ""]),
        ("tags", [], []),
        ("small", -(2**15), -(2**15)),
        ("whole", 2**31 - 1, 2**31 - 1),
        ("exact", 7, Decimal(7)),
        ("exact", Decimal("-1234.50"), Decimal("-1234.50")),
        ("exact", Decimal("0.00"), Decimal("0.00")),
        ("exact", Decimal("1E+3"), Decimal("1E+3")),
        ("real", -0.0, -0.0),
        ("moment", datetime(2024, 6, 1, 12, 0, 0, 5, PARIS), datetime(2024, 6, 1, 10, 0, 0, 5, UTC)),
        ("wall", datetime(2024, 6, 1), datetime(2024, 6, 1)),
        ("flag", True, True),
        ("id", AN_ID, AN_ID),
        ("data", {"a": [1, 2.5, None, True, "x"]}, {"a": [1, 2.5, None, True, "x"]}),
    ],
)
def test_good_values_pass(name: str, value: Any, sent: Any) -> None:
    """Equal, and of the type both drivers store alike."""
    bound = _bind(name, value)

    assert (bound, type(bound)) == (sent, type(sent))


@pytest.mark.parametrize("name", COLUMNS)
def test_null_passes_everywhere(name: str) -> None:
    """Whether it is allowed is the column's own rule."""
    assert _bind(name, None) is None


@pytest.mark.parametrize("value", [[1, 2.5, 3], (1, 2.5, 3), np.array([1, 2.5, 3]), np.array([1, 2.5, 3], "f4")])
def test_vectors_of_any_real_kind_become_float32(value: Any) -> None:
    """Lists, tuples, float64 and float32 arrays alike."""
    vector = _bind("vector", value)

    assert (vector.dtype, vector.tolist()) == (np.dtype(np.float32), [1.0, 2.5, 3.0])


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("text", "123456", "has 6 characters, but at most 5 fit"),
        ("text", 5, "must be text, not int"),
        ("text", "a\x00", "contains a NUL character, which PostgreSQL cannot store"),
        ("free", "\ud800", "contains a lone surrogate, which is no character"),
        ("tags", "abc", "must be a list of texts, not str"),
        ("tags", ["a", None], "must be text, not NoneType"),
        ("tags", ["abcd"], "has 4 characters, but at most 3 fit"),
        ("small", 2**15, "does not fit into 16 bits"),
        ("whole", 1.0, "must be a whole number, not float"),
        ("whole", True, "must be a whole number, not bool"),
        ("whole", "7", "must be a whole number, not str"),
        ("whole", -(2**31) - 1, "does not fit into 32 bits"),
        ("exact", 0.1, "must be a Decimal or a whole number, not float"),
        ("exact", False, "must be a Decimal or a whole number, not bool"),
        ("exact", "1", "must be a Decimal or a whole number, not str"),
        ("exact", Decimal("NaN"), "must be a finite number"),
        ("exact", Decimal("Infinity"), "must be a finite number"),
        ("exact", Decimal("1.234"), "has 3 decimals, but at most 2 fit"),
        ("exact", Decimal("12345"), "has more than 4 digits before the point"),
        ("real", 1, "must be a float, not int"),
        ("real", math.inf, "must be a finite number"),
        ("moment", datetime(2024, 1, 1), "must be a datetime with a time zone, not a naive one"),
        ("moment", "2024-01-01", "must be a datetime, not str"),
        ("moment", datetime.max.replace(tzinfo=UTC), "must not be infinity, which datetime's ends stand for"),
        ("moment", datetime.min.replace(tzinfo=PARIS), "is out of range in UTC"),
        ("wall", datetime(2024, 1, 1, tzinfo=UTC), "must be a naive datetime, not one with a time zone"),
        ("wall", 5, "must be a datetime, not int"),
        ("wall", datetime.min, "must not be infinity, which datetime's ends stand for"),
        ("flag", 1, "must be True or False, not int"),
        ("id", str(AN_ID), "must be a UUID, not str"),
        ("data", {"a": math.nan}, "must be a finite number"),
        ("data", {1: 2}, "must be text, not int"),
        ("data", ["\x00"], "contains a NUL character, which PostgreSQL cannot store"),
        ("data", (1, 2), "must hold JSON values only, not tuple"),
        ("vector", "[1,2,3]", "must be a list, tuple or array of numbers, not str"),
        ("vector", ["1", "2", "3"], "must be a flat sequence of numbers, not shape (3,) of <U1"),
        ("vector", [True, False, True], "must be a flat sequence of numbers, not shape (3,) of bool"),
        ("vector", [[1, 2, 3]], "must be a flat sequence of numbers, not shape (1, 3) of int64"),
        ("vector", [1, [2], 3], "must be a flat sequence of numbers"),
        ("vector", [1, math.nan, 3], "has a component that is NaN, infinite or too large for float32"),
        ("vector", [1e39, 0, 0], "has a component that is NaN, infinite or too large for float32"),
        ("vector", [0, 0, 0], "has no direction: its length is zero or beyond float32"),
        ("vector", [1e-30, 0, 0], "has no direction: its length is zero or beyond float32"),
        ("vector", [1e30, 0, 0], "has no direction: its length is zero or beyond float32"),
    ],
)
def test_bad_values_are_refused_by_field(name: str, value: Any, problem: str) -> None:
    """The error names the column and the fault, and not the value."""
    with pytest.raises(InvalidValue) as caught:
        _bind(name, value)

    assert caught.value.field == name
    assert str(caught.value) == f"{name} {problem}. Pass a value of the field's type and range."


@pytest.mark.parametrize("value", [[], [1, 2], np.ones(4)])
def test_another_dimension_has_its_own_error(value: Any) -> None:
    """Before the network."""
    with pytest.raises(DimensionMismatch) as caught:
        _bind("vector", value)

    assert str(caught.value) == (
        f"vector has {len(value)} dimensions, but 3 are expected. Pass a vector of exactly the column's dimensions."
    )


def test_a_type_without_a_column_speaks_of_a_value() -> None:
    """There is no field to name."""
    with pytest.raises(InvalidValue, match="value must be text, not int") as caught:
        values.StrictText().process_bind_param(5, DIALECT)

    assert caught.value.field is None


def test_each_column_has_its_own_copy_of_a_shared_type() -> None:
    """A type used twice names the right column; a field given by hand stays."""
    shared = values.StrictText()
    table = Table("t", MetaData(), Column("a", shared), Column("b", shared), Column("c", values.StrictText(field="x")))

    assert [column.type.field for column in table.columns] == ["a", "b", "x"]  # type: ignore[attr-defined]
    assert shared.field is None


def test_moments_are_read_in_utc() -> None:
    """Whatever zone the session had; infinity, which one driver gives as a naive datetime, is refused."""
    moment = values.UtcDateTime(field="made")
    read = moment.process_result_value(datetime(2024, 6, 1, 12, tzinfo=PARIS), DIALECT)

    assert (read, read and read.tzinfo) == (datetime(2024, 6, 1, 10, tzinfo=UTC), UTC)
    assert moment.process_result_value(None, DIALECT) is None
    with pytest.raises(InvalidValue, match="made is infinity in the database, which a datetime cannot hold"):
        moment.process_result_value(datetime.max, DIALECT)


def test_what_is_compared_may_differ_from_what_is_stored() -> None:
    """Longer patterns, items of arrays, timedeltas."""
    text = values.StrictText(5).coerce_compared_value(eq, "a longer text")
    item = values.StrictTextArray(3).coerce_compared_value(eq, "a")

    assert isinstance(text, values.StrictText)
    assert text.max_length is None
    assert isinstance(item, values.StrictText)
    assert isinstance(values.StrictTextArray().coerce_compared_value(eq, ["a"]), values.StrictTextArray)
    assert isinstance(values.UtcDateTime().coerce_compared_value(add, timedelta(1)), Interval)
    assert isinstance(values.UtcDateTime().coerce_compared_value(eq, datetime.now(UTC)), values.UtcDateTime)
    assert not isinstance(values.StrictJson().coerce_compared_value(eq, "key"), values.StrictJson)


def test_the_databases_types() -> None:
    """What CREATE TABLE says."""
    ddl = [column.type.compile(DIALECT) for column in TABLE.columns]

    assert ddl == [
        "VARCHAR(5)",
        "TEXT",
        "TEXT[]",
        "SMALLINT",
        "INTEGER",
        "NUMERIC(6, 2)",
        "DOUBLE PRECISION",
        "TIMESTAMP WITH TIME ZONE",
        "TIMESTAMP WITHOUT TIME ZONE",
        "BOOLEAN",
        "UUID",
        "JSONB",
        "VECTOR(3)",
    ]
