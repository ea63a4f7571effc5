"""plant.core.retry: full jitter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.core.retry import full_jitter


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_the_wait_is_within_its_bounds(attempt: int, dice: float) -> None:
    """Never negative, never beyond the cap or the exponential."""
    wait = full_jitter(attempt, dice, base=0.01, cap=1.0)

    assert 0.0 <= wait <= min(1.0, 0.01 * 2.0 ** min(attempt, 64))


def test_the_wait_is_the_dices_share_of_the_exponential() -> None:
    """Half the dice, half the wait; it doubles until the cap."""
    assert [full_jitter(n, 0.5, base=1.0, cap=6.0) for n in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


@pytest.mark.parametrize(("attempt", "dice"), [(-1, 0.5), (0, 1.0), (0, -0.1)])
def test_nonsense_is_refused(attempt: int, dice: float) -> None:
    """A negative attempt, or dice outside [0, 1)."""
    with pytest.raises(ValueError, match=r"attempt must be 0 or more and dice in \[0, 1\), not"):
        full_jitter(attempt, dice)
