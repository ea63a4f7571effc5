"""plant.core.checks: the borders of what is storable, tried from both sides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plant.core import checks
from plant.core.errors import InvalidValue


def accepted(check: Any, value: Any, **options: Any) -> bool:
    """Whether the check returns; what it returns must be equal to the value."""
    try:
        found = check(value, "field", **options)
    except InvalidValue:
        return False
    assert found == value
    return True


@pytest.mark.parametrize("bits", [16, 32, 64])
@given(data=st.data())
def test_an_integer_fits_exactly_where_postgresql_says(bits: int, data: st.DataObject) -> None:
    """From -2^(bits-1) to 2^(bits-1)-1, borders included; 32 bits are the default."""
    border = 2 ** (bits - 1)
    near = st.integers(-3, 3).flatmap(lambda n: st.sampled_from([border + n, -border + n]))
    value = data.draw(st.integers() | near)
    fits = -border <= value < border

    assert accepted(checks.checked_integer, value, bits=bits) is fits
    assert bits != 32 or accepted(checks.checked_integer, value) is fits


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=None) | st.integers(-(10**8), 10**8), st.integers(0, 6)
)
@example(7, 0)
@example(Decimal("9999999.5"), 0)
@example(Decimal("0E-9"), 0)
def test_a_number_fits_exactly_where_it_is_not_rounded(value: Decimal | int, scale: int) -> None:
    """numeric(9, scale) holds it if it has no more digits than that behind the point and the rest before it."""
    digits, exponent = Decimal(value).as_tuple()[1:]
    assert isinstance(exponent, int)
    behind = max(0, -exponent)
    before = len(digits) + exponent
    fits = behind <= scale and (Decimal(value) == 0 or before <= 9 - scale)

    assert accepted(checks.checked_numeric, value, precision=9, scale=scale) is fits


@given(st.text(st.characters(), max_size=6), st.none() | st.integers(0, 6))
@example("\ud800", None)
@example("\udfff", None)
@example("\ue000", None)
@example("\ud7ff", None)
def test_a_text_is_stored_exactly_if_utf8_and_postgresql_can(value: str, limit: int | None) -> None:
    """No NUL, nothing UTF-8 cannot carry, no more characters than fit."""
    try:
        value.encode()
        fits = "\x00" not in value and (limit is None or len(value) <= limit)
    except UnicodeEncodeError:
        fits = False

    assert accepted(checks.checked_text, value, max_length=limit) is fits


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)), st.integers(-23 * 60, 23 * 60))
def test_a_moment_is_given_in_utc_itself(moment: datetime, minutes: int) -> None:
    """Whatever its zone and the machine's, it is the same moment in the zone UTC, not in one that equals it."""
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    found = checks.checked_moment(aware)

    assert found == aware
    assert found.tzinfo is UTC


@given(st.lists(st.floats(width=32, min_value=-(2.0**50), max_value=2.0**50), min_size=3, max_size=3))
@example([0.5, 0.0, 0.0])
@example([1e-18, 0.0, 0.0])
def test_a_vector_is_accepted_exactly_if_it_has_a_direction(numbers: list[float]) -> None:
    """A short one too; what comes back is its float32 form, bit for bit."""
    array = np.array(numbers, dtype=np.float32)
    with np.errstate(all="ignore"):
        square = float(array @ array)
    try:
        found = checks.checked_vector(numbers, dimensions=3)
    except InvalidValue:
        assert square == 0
    else:
        assert square > 0
        assert found.tobytes() == array.tobytes()
