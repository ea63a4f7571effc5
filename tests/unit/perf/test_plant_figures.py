"""Decisions of plant's measurements: intervals, verdicts, what is printed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.perf.measure import Samples
from tests.perf.plant.figures import Figure, interval
from tests.perf.plant.rows import vectors
from tests.perf.table import Goal, Of, Verdict


def test_noise_shared_by_a_round_does_not_widen_the_interval() -> None:
    """Rounds are drawn whole: where both halves of each are slow together, the ratio is known exactly."""
    beside = [1.0, 5.0, 2.0, 9.0, 3.0]

    assert interval([2 * value for value in beside], beside) == (2.0, 2.0)


def test_an_interval_holds_the_ratio_and_its_doubt() -> None:
    """Noise that the halves of a round do not share makes the interval wide."""
    least, most = interval([2.0, 3.0, 2.0, 4.0, 2.0], [1.0, 1.0, 2.0, 1.0, 1.0])

    assert 1.0 <= least < 2.0 < most <= 4.0


def test_unequal_numbers_of_samples_are_refused() -> None:
    """Half a round is no round."""
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        interval([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [
        (Goal(bound=2, of=Of.RATIO), Verdict.MET),
        (Goal(bound=1.9, of=Of.RATIO), Verdict.MISSED),
        (Goal(bound=4, of=Of.RATIO, at_least=True), Verdict.MISSED),
        (Goal(bound=3), Verdict.MISSED),
        (None, Verdict.SHOWN),
    ],
)
def test_a_figure_keeps_its_bound_or_not(goal: Goal | None, verdict: Verdict) -> None:
    """The bound is of the median or of the ratio, whichever its goal names, and itself allowed."""
    figure = Figure(what="x", measured=Samples(values=(4.0,)), baseline=Samples(values=(2.0,)), goal=goal)

    assert figure.verdict is verdict


def test_a_figure_without_samples_has_failed() -> None:
    """What could not be measured is never met."""
    figure = Figure(what="x", failed="the server went away", goal=Goal(bound=1))

    assert figure.verdict is Verdict.FAILED
    assert figure.to_json()["failed"] == "the server went away"


def test_a_ratio_without_a_baseline_is_a_mistake() -> None:
    """A goal of a ratio is not judged by something else."""
    with pytest.raises(ValueError, match=r"^x: a goal of a ratio needs a baseline$"):
        _ = Figure(what="x", measured=Samples(values=(1.0,)), goal=Goal(bound=1, of=Of.RATIO)).verdict


def test_queries_of_another_seed_are_about_the_same_topics() -> None:
    """Vectors are of unit length; fresh ones have near neighbours among the stored, and are none of them."""
    stored, fresh = vectors(200, seed=1, topics=10), vectors(20, seed=2, topics=10)
    nearest = (fresh @ stored.T).max(axis=1)

    assert np.allclose(np.linalg.norm(stored, axis=1), 1, atol=1e-5)
    assert 0.5 < float(nearest.min()) < float(nearest.max()) < 0.999
