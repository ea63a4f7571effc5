"""plant.models.canonical: jsonb's text form without a server."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from plant.models import canonical

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)

# Few and alike, so that two of them are often equal, or nearly.
ALIKE = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 10, 0.0, -0.0, 1.0, 1e1, 1.5, "", "1", "null", "a", ", "]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["", "a", "b", "1"]), inner, max_size=2)
    ),
    max_leaves=3,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}"),
        ({"bb": 1, "a": 2, "é": 3, "": 4}, '{"": 4, "a": 2, "bb": 1, "é": 3}'),
        ({"zzz": 1, "é": 2, "bb": 3, "c": 4}, '{"c": 4, "bb": 3, "é": 2, "zzz": 1}'),
        (-1.5, "-1.5"),
        (Decimal("-2E+3"), "-2000"),
        ([1, "x", None, True, [False]], '[1, "x", null, true, [false]]'),
        ({"a": {"b": ()}}, '{"a": {"b": []}}'),
        ('"\\/\b\f\n\r\t\x01\x7f😀', '"\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7f😀"'),
        (1e20, "100000000000000000000"),
        (1.5e-7, "0.00000015"),
        (-0.0, "0.0"),
        (2**70, "1180591620717411303424"),
        (Decimal("1.50"), "1.50"),
    ],
)
def test_the_text_is_what_jsonb_prints(value: Any, text: str) -> None:
    """Keys by length in bytes, then bytes; numbers in plain notation; only control characters escaped."""
    assert canonical.canonical_json(value) == text


@given(JSON)
def test_the_text_of_what_was_read_back_is_the_same(value: Any) -> None:
    """So a stored value has the hash it was written with, also where a large float comes back as an int."""
    text = canonical.canonical_json(value)

    assert canonical.canonical_json(json.loads(text)) == text


@given(JSON | ALIKE, JSON | ALIKE)
@example(1, True)
@example(1.0, 1)
@example([[]], [{}])
@example({"a": None}, {})
def test_two_values_share_a_text_only_if_they_are_equal(one: Any, other: Any) -> None:
    """As jsonb compares them: numbers by value and written scale, true and 1 apart."""
    assert (canonical.canonical_json(one) == canonical.canonical_json(other)) == (_typed(one) == _typed(other))


@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_keys_is_nobodys_choice(value: dict[str, int]) -> None:
    """A dict that was filled backwards has the same text."""
    backwards = dict(reversed(value.items()))

    assert canonical.canonical_json(backwards) == canonical.canonical_json(value)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-23, 23))
def test_a_moment_counts_alike_in_every_zone(moment: datetime, hours: int) -> None:
    """And no two moments count alike: a microsecond later is one more."""
    assume(
        datetime.min.replace(tzinfo=UTC) + timedelta(days=2) < moment < datetime.max.replace(tzinfo=UTC) - timedelta(2)
    )
    counted = canonical.microseconds(moment)
    assert counted is not None

    assert canonical.microseconds(moment.astimezone(timezone(timedelta(hours=hours)))) == counted
    assert canonical.microseconds(moment + timedelta(microseconds=1)) == counted + 1


@given(
    st.lists(st.floats(width=32, allow_nan=False), max_size=6),
    st.lists(st.floats(width=32, allow_nan=False), max_size=6),
)
def test_two_vectors_share_a_digest_only_if_their_bits_do(one: list[float], other: list[float]) -> None:
    """Neither a zero at the end nor the sign of a zero is lost."""
    arrays = [np.array(numbers, dtype=np.float32) for numbers in (one, other)]
    digests = {canonical.vector_digest(array) for array in arrays}

    assert (len(digests) == 1) == (arrays[0].tobytes() == arrays[1].tobytes())


def _typed(value: Any) -> Any:
    """The value with what Python's == overlooks and jsonb does not: kinds, and the scale of a number."""
    if isinstance(value, dict):
        return {key: _typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_typed(item) for item in value]
    if isinstance(value, float):
        exact = Decimal(repr(value)) if value else Decimal("0.0")
        scale = max(0, -int(exact.as_tuple().exponent))
        return ("number", exact, scale)
    return ("number", Decimal(value), 0) if isinstance(value, int) and not isinstance(value, bool) else value


def test_what_json_has_not_is_refused() -> None:
    """A set, for example."""
    with pytest.raises(TypeError, match="set is not a JSON value"):
        canonical.canonical_json({"a": {1}})


def test_the_hash_is_sha256_of_the_text() -> None:
    """The order of keys in the dict does not matter."""
    expected = hashlib.sha256(b'{"a": 1, "bb": null}').hexdigest()

    assert canonical.content_hash({"bb": None, "a": 1}) == expected


def test_moments_are_whole_microseconds() -> None:
    """Exact, whatever the zone; None stays None."""
    east = timezone(timedelta(hours=9))

    assert canonical.microseconds(datetime(1970, 1, 2, 9, 0, 0, 1, tzinfo=east)) == 86_400_000_001
    assert canonical.microseconds(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1
    assert canonical.microseconds(None) is None


def test_a_vectors_digest_is_that_of_its_binary_form() -> None:
    """Two big-endian int16, the dimensions and zero, then the numbers as big-endian float32."""
    expected = hashlib.sha256(bytes.fromhex("00020000 3f800000 c0000000")).hexdigest()

    assert canonical.vector_digest(np.array([1.0, -2.0], dtype=np.float32)) == expected
    assert canonical.vector_digest(None) is None


def test_identifiers_are_lower_case_text() -> None:
    """None stays None."""
    assert canonical.identifier(UUID("A" * 32)) == "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
    assert canonical.identifier(None) is None
