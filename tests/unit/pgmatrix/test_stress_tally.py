"""pgmatrix.stress.tally: counting, and who is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.records import Record, TestResult
from pgmatrix.stress.tally import Pass, Row, Suspect, Tally
from pgmatrix.stress.trials import Kind, Trial

IN_ORDER = Trial(kind=Kind.ORDER, number=0)
GOOD = {"a": "passed", "b": "passed"}


def shuffled(number: int) -> Trial:
    """A trial in the random order of seed 100 and so on."""
    return Trial(kind=Kind.ORDER, number=number, seed=99 + number)


def alone(test: str) -> Trial:
    """A trial of one test."""
    return Trial(kind=Kind.ALONE, number=1, test=test)


def tally(*passes: tuple[Trial, dict[str, str]]) -> Tally:
    """The tally of these outcomes."""
    return Tally(cell="pg16-asyncpg", passes=tuple(Pass(trial=trial, outcomes=found) for trial, found in passes))


def record(outcomes: dict[str, str], **changes: object) -> Record:
    """The record of a session with these outcomes."""
    values = {
        "run": "r",
        "session": "order-0",
        "started": 1.0,
        "ended": 3.5,
        "exit_code": 0,
        "workers": 0,
        "workers_reason": "",
        "ready_seconds": 0.1,
        "tests": tuple(TestResult(test=name, outcome=one, seconds=0.1) for name, one in outcomes.items()),
    }
    return Record(**{**values, **changes})  # type: ignore[arg-type]


def test_what_always_passed_is_steady() -> None:
    """In every order, by every number of workers and alone."""
    found = tally((IN_ORDER, GOOD), (shuffled(1), GOOD), (alone("a"), {"a": "passed"}))

    assert found.steady
    assert found.suspects == ()
    assert found.runs == 5


@pytest.mark.parametrize("outcome", ["failed", "error", "skipped", "xfailed", "xpassed"])
def test_a_test_that_did_not_pass_once_is_flaky(outcome: str) -> None:
    """Whatever it did instead; it is named with how often it passed and where it did not."""
    found = tally((IN_ORDER, GOOD), (shuffled(1), GOOD | {"b": outcome}), (shuffled(2), GOOD))

    assert not found.steady
    assert found.suspects == (Suspect(test="b", passed=2, runs=3, where=(f"{outcome}, seed 100",)),)
    assert found.suspects[0].flaky


def test_a_test_that_never_passed_is_broken_and_not_flaky() -> None:
    """It stops the run from being steady all the same."""
    found = tally((IN_ORDER, GOOD | {"a": "failed"}), (shuffled(1), GOOD | {"a": "error"}))

    assert not found.steady
    assert [(one.test, one.flaky) for one in found.suspects] == [("a", False)]


def test_a_test_that_is_missing_did_not_pass() -> None:
    """In a trial of all tests, and where it should have run alone."""
    found = tally((IN_ORDER, GOOD), (shuffled(1), {"a": "passed"}), (alone("a"), {}))

    assert [(one.test, one.passed, one.runs, one.where) for one in found.suspects] == [
        ("a", 2, 3, ("missing, alone",)),
        ("b", 1, 2, ("missing, seed 100",)),
    ]
    assert found.runs == 3


def test_the_worst_is_named_first() -> None:
    """Whoever failed most often; among equals by name."""
    bad = {"a": "failed", "b": "failed", "c": "failed"}
    found = tally((IN_ORDER, bad), (shuffled(1), bad | {"a": "passed", "b": "passed"}))

    assert [one.test for one in found.suspects] == ["c", "a", "b"]


def test_rows_say_which_seeds_were_not_clean() -> None:
    """One line for each circumstance, in the order of the trials."""
    four = Trial(kind=Kind.WORKERS, number=1, workers=4)
    found = tally((IN_ORDER, GOOD), (shuffled(1), GOOD), (shuffled(2), GOOD | {"a": "failed"}), (four, GOOD))

    assert found.rows() == [
        Row(name="file order", starts=1, tests=2, runs=2, suspects=0, where=()),
        Row(name="random order", starts=2, tests=2, runs=4, suspects=1, where=("seed 101",)),
        Row(name="4 workers", starts=1, tests=2, runs=2, suspects=0, where=()),
    ]


def test_no_test_at_all_is_not_steady() -> None:
    """Nothing was shown."""
    assert not tally().steady
    assert not tally((IN_ORDER, {})).steady


def test_a_trial_that_went_wrong_is_a_problem_though_its_tests_passed() -> None:
    """It is named with its seed."""
    bad = Pass(trial=shuffled(1), outcomes=GOOD, problem="exit code 3, though every test passed")
    found = Tally(cell="c", passes=(Pass(trial=IN_ORDER, outcomes=GOOD), bad))

    assert not found.steady
    assert found.problems == ("order-1 (seed 100): exit code 3, though every test passed",)


def test_a_trial_that_left_nothing_blames_no_test() -> None:
    """The run is not steady, and what is named is the trial; alone it is the test."""
    lost = Pass(trial=shuffled(1), problem="no record")
    lone = Pass(trial=alone("a"), problem="hung")
    found = Tally(cell="c", passes=(Pass(trial=IN_ORDER, outcomes=GOOD), lost, lone))

    assert not found.steady
    assert [(one.test, one.where) for one in found.suspects] == [("a", ("missing, alone",))]
    assert found.problems == ("order-1 (seed 100): no record", "a (alone): hung")


@pytest.mark.parametrize(
    ("made", "code", "problem"),
    [
        (record(GOOD), 0, ""),
        (record(GOOD | {"a": "failed"}), 1, ""),
        (record(GOOD), 1, "exit code 1, though every test passed"),
        (record({}), 5, "no test ran, exit code 5"),
        (record(GOOD, crashed=("gw1: died",)), 1, "crashed: gw1: died"),
        (record({}, error="no server\n  do    start one"), 4, "no server"),
    ],
)
def test_a_record_becomes_a_pass(made: Record, code: int, problem: str) -> None:
    """Outcomes and seconds as recorded; a problem where the whole went wrong, or pytest and its record disagree."""
    found = Pass.of(IN_ORDER, made, code)

    assert (found.outcomes, found.seconds) == ({one.test: one.outcome for one in made.tests}, 2.5)
    assert found.problem == problem


@given(st.lists(st.lists(st.sampled_from(["passed", "failed", "skipped"]), min_size=3, max_size=3), min_size=1))
def test_every_run_is_counted_once(runs: list[list[str]]) -> None:
    """Passed and not passed add up to the runs, and who is steady is exactly who always passed."""
    passes = [(shuffled(n + 1), dict(zip("abc", outcomes, strict=True))) for n, outcomes in enumerate(runs)]
    found = tally(*passes)
    columns = dict(zip("abc", zip(*runs, strict=True), strict=True))

    assert found.runs == 3 * len(runs)
    assert {one.test: (one.passed, len(one.where)) for one in found.suspects} == {
        test: (column.count("passed"), len(runs) - column.count("passed"))
        for test, column in columns.items()
        if set(column) != {"passed"}
    }
