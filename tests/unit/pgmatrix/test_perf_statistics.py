"""Ratios of paired rounds: what noise does to them, and how often a slowdown is seen. All seeded, nothing timed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.perf.judge import word
from pgmatrix.perf.results import Word
from pgmatrix.perf.schedule import MOST
from pgmatrix.perf.statistics import Interval, apart, paired, together

ROUNDS = MOST // 2  # what a whole run reaches on a slow machine
RUNS = 200
NOISE = 0.10
SLOWDOWN = 1.3
WORKLOADS, CELLS = 14, 4
times = st.lists(st.floats(min_value=1e-6, max_value=10), min_size=3, max_size=12)


def noisy(dice: np.random.Generator, factor: float = 1.0, number: int = ROUNDS) -> list[float]:
    """Rounds of one series: a true time of `factor`, each disturbed by a tenth."""
    return [float(one) for one in factor * np.exp(dice.normal(0, NOISE, number))]


def alarms(dice: np.random.Generator, factor: float) -> list[bool]:
    """Of each comparison of a whole run, whether it is called slower, where all are `factor` times as slow."""
    shared = np.exp(dice.normal(0, 0.5, ROUNDS))  # a busy machine slows both halves of a round
    return [
        word(paired(noisy(dice, factor) * shared, noisy(dice) * shared)) is Word.SLOWER
        for _ in range(WORKLOADS * CELLS)
    ]


def test_noise_of_a_tenth_raises_no_alarm_in_nineteen_of_twenty_runs() -> None:
    """In a whole run of 56 comparisons without any change, at most one run in twenty calls anything slower."""
    dice = np.random.default_rng(1)
    disturbed = sum(any(alarms(dice, 1.0)) for _ in range(RUNS))

    assert disturbed <= RUNS / 20


def test_a_regression_of_thirty_percent_is_caught_in_nineteen_of_twenty() -> None:
    """With the same noise a single workload of one cell that became 30 % slower is called slower 19 times in 20."""
    dice = np.random.default_rng(2)
    caught = sum(sum(alarms(dice, SLOWDOWN)) for _ in range(RUNS // 4))

    assert caught >= 0.95 * (RUNS // 4) * WORKLOADS * CELLS


def test_a_baseline_with_as_many_rounds_as_a_run_has_catches_it_too() -> None:
    """Two runs of their own, each a ratio to the bare driver: 19 of 20 regressions are seen, and none without one."""
    dice = np.random.default_rng(3)

    def logs(factor: float) -> list[float]:
        pairs = zip(noisy(dice, factor, MOST), noisy(dice, 1.0, MOST), strict=True)
        return [math.log(one / other) for one, other in pairs]

    caught = sum(word(apart(logs(SLOWDOWN), logs(1.0))) is Word.SLOWER for _ in range(RUNS))
    false = sum(word(apart(logs(1.0), logs(1.0))) is Word.SLOWER for _ in range(RUNS))

    assert caught >= 0.95 * RUNS
    assert false <= RUNS / 20


def test_a_budget_a_tenth_above_what_is_usual_catches_it_too() -> None:
    """A bound of 2.2 on a ratio that is 2.0 notices 30 % more in 19 of 20, and 10 % noise does not break it."""
    dice = np.random.default_rng(4)

    def judged(factor: float) -> Word:
        return word(paired(noisy(dice, 2.0 * factor, MOST), noisy(dice, 1.0, MOST)), bound=2.2, margin=1.0)

    assert sum(judged(SLOWDOWN) is Word.SLOWER for _ in range(RUNS)) >= 0.95 * RUNS
    assert sum(judged(1.0) is Word.SLOWER for _ in range(RUNS)) <= RUNS / 20


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    """With as few as eight rounds, 95 of 100 intervals hold the true ratio, give or take what 400 of them allow."""
    dice = np.random.default_rng(5)
    found = [paired(noisy(dice, 1.5, 8), noisy(dice, 1.0, 8)) for _ in range(400)]

    assert 0.92 <= sum(one.low <= 1.5 <= one.high for one in found) / 400 <= 0.985


@given(times)
def test_noise_that_a_round_shares_cancels(rounds: list[float]) -> None:
    """However much rounds differ, a thing that takes twice as long as another in each of them is exactly that."""
    found = paired([2 * one for one in rounds], rounds)

    assert (found.ratio, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))


@given(times)
def test_the_other_way_round_the_ratio_is_the_inverse(rounds: list[float]) -> None:
    """Which of two is named first changes nothing."""
    other = rounds[::-1]
    one, back = paired(rounds, other), paired(other, rounds)

    assert one.ratio * back.ratio == pytest.approx(1.0)


def test_a_burst_of_another_program_moves_the_ratio_little() -> None:
    """Two rounds of twelve that took ten times as long do not make the thing twice as slow."""
    rounds = [1.0] * 12
    disturbed = [10.0, 10.0, *rounds[2:]]

    assert paired(disturbed, rounds).ratio == pytest.approx(1.0)


def test_the_same_rounds_give_the_same_interval() -> None:
    """Resampling is seeded."""
    dice = np.random.default_rng(6)
    one, other = noisy(dice), noisy(dice)

    assert paired(one, other) == paired(one, other)


@pytest.mark.parametrize("rounds", [[], [1.0]])
def test_one_round_has_no_interval(rounds: list[float]) -> None:
    """Nothing can be said of what was measured once."""
    with pytest.raises(ValueError, match="an interval needs two rounds"):
        paired(rounds, rounds)


def test_unequal_numbers_of_rounds_are_refused() -> None:
    """Half a round is no round."""
    with pytest.raises(ValueError, match="could not be broadcast"):
        paired([1.0, 2.0, 3.0], [1.0, 2.0])


def test_ratios_measured_apart_are_surer_together() -> None:
    """Two with the same doubt: the geometric middle, and the doubt divided by the square root of two."""
    found = together([Interval(ratio=2.0, low=1.0, high=4.0), Interval(ratio=8.0, low=4.0, high=16.0)])

    assert found.ratio == pytest.approx(4.0)
    assert found.low == pytest.approx(4.0 / 2 ** math.sqrt(0.5))
    assert found.high == pytest.approx(4.0 * 2 ** math.sqrt(0.5))


def test_one_ratio_together_is_itself() -> None:
    """A single place says what it said."""
    alone = Interval(ratio=1.2, low=1.1, high=1.5)
    found = together([alone])

    assert (found.ratio, found.low, found.high) == pytest.approx((alone.ratio, alone.low, alone.high))
