"""pgmatrix.stress.trials: which trials there are, and what pytest is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.stress.trials import FULL, QUICK, WORKERS, Effort, Kind, Trial, lone_trials, whole_trials

SMALL = Effort(rounds=2, worker_rounds=1, alone_every=1)


def test_everything_is_run_in_file_order_first() -> None:
    """The first trial says which tests there are, whatever else is wanted."""
    for kinds in ([], [Kind.ALONE], list(Kind)):
        first = whole_trials(SMALL, 7, kinds)[0]

        assert (first.row, first.seed, first.workers) == ("file order", None, 0)


def test_each_random_order_has_a_seed_of_its_own() -> None:
    """They count on from the one that was given."""
    trials = whole_trials(SMALL, 7, [Kind.ORDER])

    assert [trial.how for trial in trials] == ["file order", "seed 7", "seed 8"]
    assert [trial.row for trial in trials[1:]] == ["random order"] * 2


def test_every_number_of_workers_is_tried() -> None:
    """One, two, four and eight."""
    trials = whole_trials(SMALL, 7, [Kind.WORKERS])

    assert [trial.row for trial in trials[1:]] == ["1 worker", "2 workers", "4 workers", "8 workers"]


def test_full_is_twenty_in_a_row_and_quick_is_less_of_each() -> None:
    """The full run has twenty random orders and every test alone."""
    full, quick = (whole_trials(effort, 0, Kind) for effort in (FULL, QUICK))

    assert sum(trial.seed is not None for trial in full) == 20
    assert FULL.alone_every == 1
    assert len(quick) < len(full) / 3
    assert {trial.row for trial in quick} == {trial.row for trial in full}


@pytest.mark.parametrize(
    ("trial", "arguments"),
    [
        (Trial(kind=Kind.ORDER, number=0), ["a.py", "b.py"]),
        (Trial(kind=Kind.ORDER, number=1, seed=0), ["a.py", "b.py", "--stress-seed", "0"]),
        (Trial(kind=Kind.WORKERS, number=1, workers=4), ["a.py", "b.py", "-n", "4"]),
        (Trial(kind=Kind.ALONE, number=1, test="a.py::test_x[b c]"), ["a.py::test_x[b c]"]),
    ],
)
def test_pytest_is_told_what_makes_a_trial(trial: Trial, arguments: list[str]) -> None:
    """The files and an order or a number of workers; a lone trial gets its one test."""
    assert trial.arguments(["a.py", "b.py"]) == arguments


@given(st.integers(0, 30), st.integers(0, 5), st.integers(0, 10**6))
def test_no_two_trials_have_one_name(rounds: int, worker_rounds: int, seed: int) -> None:
    """A trial's name is its record's and its log's."""
    effort = Effort(rounds=rounds, worker_rounds=worker_rounds)
    trials = [*whole_trials(effort, seed, Kind), *lone_trials(["a", "b"], effort, seed)]

    assert len({str(trial) for trial in trials}) == len(trials) == rounds + len(WORKERS) * worker_rounds + 3


@given(st.sets(st.text(), max_size=50), st.integers(1, 12), st.integers(0, 10**6))
def test_ten_seeds_in_a_row_run_every_test_alone(tests: set[str], every: int, seed: int) -> None:
    """What one quick run leaves out the next ones take."""
    effort = Effort(alone_every=every)
    chosen = [trial.test for n in range(every) for trial in lone_trials(tests, effort, seed + n)]

    assert sorted(chosen) == sorted(tests)
