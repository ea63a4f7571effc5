"""Differences between the cells of a layer: what is so on some of them only is said so, and what is the same is not."""

from __future__ import annotations

import pytest

from pgmatrix.gate.differences import differences
from pgmatrix.records import Outcome
from pgmatrix.verdict import Difference, DifferenceKind
from tests.unit.pgmatrix.evidence import NAMES, Change, green, result, with_records, with_tests, without

A = "tests/test_rls.py::test_a"
NEW = "tests/test_rls.py::test_new"
RLS = tuple(name for name in NAMES if name.endswith("-rls"))


def found(*changes: Change) -> tuple[Difference, ...]:
    """The differences in green evidence with these changes."""
    evidence = green()
    for change in changes:
        evidence = change(evidence)
    return differences(evidence)


def outcomes(*values: Outcome) -> list[Change]:
    """A new test with these outcomes on pg15-asyncpg, pg15-psycopg, pg16-asyncpg, pg16-psycopg."""
    return [with_tests(name, add=(result(NEW, value),)) for name, value in zip(RLS, values, strict=True)]


def seconds(*values: float) -> list[Change]:
    """A new test that took so long on each of the four cells."""
    return [with_tests(name, add=(result(NEW, seconds=value),)) for name, value in zip(RLS, values, strict=True)]


def test_cells_that_agree_do_not_differ() -> None:
    """Where all is the same there is nothing to say, also when all is bad."""
    assert found() == ()
    assert found(*outcomes(*[Outcome.FAILED] * 4)) == ()


P, F, E, S, X, U, Y = (
    Outcome.PASSED,
    Outcome.FAILED,
    Outcome.ERROR,
    Outcome.SKIPPED,
    Outcome.XFAILED,
    Outcome.XPASSED,
    Outcome.FLAKY,
)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ((P, F, P, F), "fails on psycopg, on 15 and 16"),
        ((P, P, F, F), "fails only on 16"),
        ((P, P, P, F), "fails only on pg16-psycopg"),
        ((F, P, P, F), "fails on pg15-asyncpg and pg16-psycopg"),
        ((P, P, S, S), "is skipped only on 16"),
        ((E, S, P, P), "breaks only on pg15-asyncpg; is skipped only on pg15-psycopg"),
        ((F, F, S, S), "fails only on 15; is skipped only on 16"),
        ((P, Y, P, Y), "is flaky on psycopg, on 15 and 16"),
        ((P, X, P, X), "fails as expected on psycopg, on 15 and 16"),
        ((P, U, P, U), "passes unexpectedly on psycopg, on 15 and 16"),
    ],
)
def test_outcomes_that_differ_say_where(values: tuple[Outcome, ...], says: str) -> None:
    """What is worse than passing is said with its place, the worst first, and each cell's outcome is there."""
    (one,) = found(*outcomes(*values))

    assert (one.kind, one.layer, one.subject, one.says) == (DifferenceKind.OUTCOME, "rls", NEW, says)
    assert list(one.by_cell.items()) == [
        (name.rpartition("-")[0], str(value)) for name, value in zip(RLS, values, strict=True)
    ]


def test_a_test_that_is_not_everywhere_is_said_to_be_absent() -> None:
    """The test, and where it is not."""
    (one,) = found(with_tests(*RLS[:3], add=(result(NEW),)))

    assert (one.kind, one.subject, one.says) == (DifferenceKind.TESTS, NEW, "absent only on pg16-psycopg")
    assert one.by_cell == {
        "pg15-asyncpg": "present",
        "pg15-psycopg": "present",
        "pg16-asyncpg": "present",
        "pg16-psycopg": "absent",
    }


def test_an_outcome_beside_an_absence_says_both() -> None:
    """Where a test is absent its outcome elsewhere is still compared."""
    kinds = found(with_tests(RLS[0], add=(result(NEW, F),)), with_tests(*RLS[1:3], add=(result(NEW),)))

    assert [(one.kind, one.says) for one in kinds] == [
        (DifferenceKind.OUTCOME, "fails only on pg15-asyncpg"),
        (DifferenceKind.TESTS, "absent only on pg16-psycopg"),
    ]
    assert kinds[0].by_cell["pg16-psycopg"] == "absent"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ((0.1, 0.6, 0.1, 0.8), "7.0 times as long on psycopg, on 15 and 16"),
        ((0.1, 0.1, 0.1, 4.0), "40.0 times as long only on pg16-psycopg"),
        ((0.25, 0.25, 0.75, 0.75), "3.0 times as long only on 16"),
        ((0.0, 0.0, 0.5, 0.5), "500.0 times as long only on 16"),
        ((1.0, 2.0, 9.0, 40.0), "16.3 times as long only on 16"),
        ((0.2, 0.3, 0.4, 0.6), None),
        ((0.3, 0.3, 0.75, 0.75), None),
        ((0.01, 0.01, 0.5, 0.5), None),
        ((1.0, 1.0, 2.9, 2.9), None),
    ],
)
def test_durations_differ_by_much_and_by_time(values: tuple[float, ...], says: str | None) -> None:
    """Three times as long, and half a second: less is noise. The ratio is that of the medians on both sides."""
    ones = found(*seconds(*values))

    assert [one.says for one in ones] == ([] if says is None else [says])
    for one in ones:
        assert (one.kind, one.subject) == (DifferenceKind.DURATION, NEW)
        assert list(one.by_cell.values()) == [f"{value:.2f} s" for value in values]


def test_durations_of_what_did_not_pass_are_not_compared() -> None:
    """How long a failure took says nothing."""
    slow = [with_tests(name, add=(result(NEW, F, seconds=9.0 * index),)) for index, name in enumerate(RLS)]

    assert found(*slow) == ()


def test_warnings_of_some_cells_only_say_where() -> None:
    """A warning that not every cell gave is said with its place, and how often each gave it."""
    text = "t.py::a: DeprecationWarning: old"
    (one,) = found(with_records(RLS[1], warnings=(text,)), with_records(RLS[3], warnings=(text, text)))

    assert (one.kind, one.layer, one.subject) == (DifferenceKind.WARNING, "rls", text)
    assert one.says == "on psycopg, on 15 and 16"
    assert one.by_cell == {
        "pg15-asyncpg": "absent",
        "pg15-psycopg": "1 times",
        "pg16-asyncpg": "absent",
        "pg16-psycopg": "2 times",
    }
    assert found(*[with_records(name, warnings=(text,)) for name in RLS]) == ()


def test_kinds_stand_in_their_order() -> None:
    """Outcomes first, then tests, durations and warnings, over all layers."""
    audit = [name for name in NAMES if name.endswith("-audit")]
    kinds = found(
        with_records(RLS[0], warnings=("w",)),
        *seconds(0.1, 0.1, 9.0, 9.0),
        with_tests(audit[0], add=(result("tests/audit/x.py::t"),)),
        with_tests(audit[1], keep=1, add=(result("tests/audit/test_trail.py::test_d", F),)),
    )

    assert [one.kind for one in kinds] == [
        DifferenceKind.OUTCOME,
        DifferenceKind.TESTS,
        DifferenceKind.DURATION,
        DifferenceKind.WARNING,
    ]


def test_one_cell_alone_is_compared_with_nothing() -> None:
    """A layer of which one session ended, or none, has no differences."""
    assert found(without(*RLS[1:]), with_tests(RLS[0], add=(result(NEW, F),))) == ()
    assert found(without(*NAMES)) == ()
    assert found(with_records(*RLS[1:], finished=False, tests=())) == ()
