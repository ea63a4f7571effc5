"""Samples are summed up as they are, pairs stay pairs, and actions take turns."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.perf.measure import Samples, Unit, interleave, ratio, timed

SECONDS = st.lists(st.floats(min_value=0, max_value=1e6), min_size=1, max_size=20)


def _samples(*values: float) -> Samples:
    return Samples(values=values)


def test_the_median_ignores_an_outlier() -> None:
    """One slow sample moves the largest value and not the median."""
    found = _samples(1.0, 2.0, 3.0, 2.0, 900.0)

    assert (found.median, found.least, found.most) == (2.0, 1.0, 900.0)


@given(SECONDS)
def test_the_median_lies_between_least_and_most(values: list[float]) -> None:
    """No summary is outside of what was measured."""
    found = _samples(*values)

    assert found.least <= found.median <= found.most


def test_no_samples_are_refused() -> None:
    """Samples hold at least one value, so that a median is never made up."""
    with pytest.raises(ValueError, match="no samples were taken"):
        _samples()


def test_minus_pairs_neighbours() -> None:
    """A difference is of two values of the same round, so what both suffered cancels."""
    found = _samples(5.0, 9.0, 4.0).minus(_samples(1.0, 6.0, 1.0))

    assert found == _samples(4.0, 3.0, 3.0)


def test_minus_refuses_unequal_numbers() -> None:
    """Values without a partner are not dropped in silence."""
    with pytest.raises(ValueError, match=r"zip\(\) argument 2 is shorter"):
        _samples(1.0, 2.0).minus(_samples(1.0))


def test_json_holds_every_raw_value() -> None:
    """What is written down is the summary and all raw samples, in order."""
    found = Samples(values=(3.0, 1.0), unit=Unit.MEGABYTES).to_json()

    assert found == {"values": (3.0, 1.0), "unit": "MB", "median": 2.0, "min": 1.0, "max": 3.0, "n": 2}


def test_ratio_is_of_the_medians() -> None:
    """A ratio compares medians, not sums."""
    found = ratio(_samples(2.0, 3.0, 100.0), _samples(1.5, 0.1, 90.0))

    assert found == 2.0


def test_ratio_beside_nothing_is_infinite() -> None:
    """Beside zero seconds every measurement is infinitely slow, and no division fails."""
    found = ratio(_samples(1.0), _samples(0.0))

    assert math.isinf(found)


def test_interleaved_actions_take_turns_and_swap_places() -> None:
    """Rounds go A B, B A, A B, and each action's own seconds are kept."""
    order: list[str] = []
    actions = {name: lambda name=name: float(not order.append(name)) * len(order) for name in "ab"}  # type: ignore[misc]

    found = interleave(3, actions)

    assert order == ["a", "b", "b", "a", "a", "b"]
    assert found == {"a": _samples(1.0, 4.0, 5.0), "b": _samples(2.0, 3.0, 6.0)}


def test_timed_runs_the_action_once() -> None:
    """The clock starts before the action and stops after it."""
    calls: list[int] = []

    seconds = timed(lambda: calls.append(1))

    assert calls == [1]
    assert seconds > 0
