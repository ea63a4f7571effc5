"""plant.core.values: a column type is what it was made as; each is made inside a test, not when a module is loaded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.dialects.postgresql import dialect as postgresql
from sqlalchemy.sql.operators import eq, getitem

from plant.core import values
from plant.core.errors import InvalidValue

Make = Callable[[], Any]


@pytest.mark.parametrize(
    ("make", "ddl"),
    [
        (lambda: values.StrictText(5, "f"), "VARCHAR(5)"),
        (lambda: values.StrictText(field="f"), "TEXT"),
        (lambda: values.StrictTextArray(3, "f"), "TEXT[]"),
        (lambda: values.StrictInteger(16, "f"), "SMALLINT"),
        (lambda: values.StrictInteger(field="f"), "INTEGER"),
        (lambda: values.StrictInteger(64, "f"), "BIGINT"),
        (lambda: values.StrictNumeric(6, 2, "f"), "NUMERIC(6, 2)"),
        (lambda: values.StrictFloat("f"), "DOUBLE PRECISION"),
        (lambda: values.UtcDateTime("f"), "TIMESTAMP WITH TIME ZONE"),
        (lambda: values.WallTime("f"), "TIMESTAMP WITHOUT TIME ZONE"),
        (lambda: values.StrictBoolean("f"), "BOOLEAN"),
        (lambda: values.StrictUuid("f"), "UUID"),
        (lambda: values.StrictJson("f"), "JSONB"),
        (lambda: values.StrictVector(3, "f"), "VECTOR(3)"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_type_is_the_databases_and_knows_its_field(make: Make, ddl: str) -> None:
    """What CREATE TABLE says, and what an error would name."""
    made = make()

    assert made.compile(dialect=postgresql()) == ddl  # type: ignore[no-untyped-call]
    assert made.field == "f"


@pytest.mark.parametrize(
    ("make", "good", "bad", "problem"),
    [
        (lambda: values.StrictText(5, "f"), "12345", "123456", "has 6 characters, but at most 5 fit"),
        (lambda: values.StrictTextArray(3, "f"), ["abc"], ["abcd"], "has 4 characters, but at most 3 fit"),
        (lambda: values.StrictInteger(16, "f"), 2**15 - 1, 2**15, "does not fit into 16 bits"),
        (lambda: values.StrictInteger(field="f"), 2**31 - 1, 2**31, "does not fit into 32 bits"),
        (lambda: values.StrictNumeric(6, 2, "f"), Decimal("9999.99"), Decimal("0.001"), "has 3 decimals"),
        (lambda: values.StrictNumeric(6, 2, "f"), 9999, 10_000, "has more than 4 digits before the point"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_type_keeps_the_limits_it_was_made_with(make: Make, good: Any, bad: Any, problem: str) -> None:
    """The last value that fits passes, the next one is refused by the field's name."""
    made, dialect = make(), postgresql()  # type: ignore[no-untyped-call]

    assert made.process_bind_param(good, dialect) == good
    with pytest.raises(InvalidValue, match=f"^f {problem}"):
        made.process_bind_param(bad, dialect)


def test_what_is_compared_keeps_the_field_and_loses_the_limit() -> None:
    """A pattern may be longer than what is stored, and an error still says where."""
    for made in (values.StrictText(5, "f"), values.StrictTextArray(5, "f")):
        compared = made.coerce_compared_value(eq, "longer than five")

        assert isinstance(compared, values.StrictText)
        assert (compared.field, compared.max_length) == ("f", None)


def test_keys_of_json_are_text_and_its_places_are_numbers() -> None:
    """What follows -> is no JSON itself."""
    made = values.StrictJson("f")

    assert made.coerce_compared_value(getitem, "key").python_type is str
    assert made.coerce_compared_value(getitem, 3).python_type is int


def test_moments_are_read_in_the_zone_utc_itself() -> None:
    """Not in one of the machine that happens to equal it."""
    paris = datetime(2024, 6, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    found = values.UtcDateTime("f").process_result_value(paris, postgresql())  # type: ignore[no-untyped-call]

    assert found is not None
    assert (found, found.tzinfo) == (paris, UTC)
    assert found.tzinfo is UTC


def test_a_vector_is_read_by_the_codec_or_from_its_text() -> None:
    """With the connection's codec nothing is left to do; without it the text form is read."""
    made, plain, able = values.StrictVector(2, "f"), postgresql(), postgresql()  # type: ignore[no-untyped-call]
    able.has_vector_codec = True
    read = made.result_processor(plain, None)

    assert made.result_processor(able, None) is None
    assert read is not None
    assert read("[1,2.5]").tolist() == [1.0, 2.5]
    assert read(None) is None
