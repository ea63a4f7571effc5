"""Outcomes: a test is what its worst phase was, and nothing that went wrong is lost."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.plugin.outcomes import Outcomes

Phase = Literal["setup", "call", "teardown"]
WORST_LAST = ("passed", "xfailed", "skipped", "xpassed", "failed", "error")


def phase(
    when: str, outcome: str = "passed", *, test: str = "t.py::test_a", seconds: float = 0.25, **extra: Any
) -> pytest.TestReport:
    """A report of one phase, as pytest and xdist make it."""
    return pytest.TestReport(
        nodeid=test,
        location=("t.py", 1, test),
        keywords={},
        outcome=outcome,  # type: ignore[arg-type]
        longrepr=None,
        when=when,  # type: ignore[arg-type]
        duration=seconds,
        **extra,
    )


def outcome_of(*phases: pytest.TestReport) -> str:
    """What a test of these phases counts as."""
    found = Outcomes()
    for report in phases:
        found.pytest_runtest_logreport(report)
    (result,) = found.results()
    return result.outcome


@pytest.mark.parametrize(
    ("phases", "outcome"),
    [
        ([("setup", {}), ("call", {}), ("teardown", {})], "passed"),
        ([("setup", {}), ("call", {"outcome": "failed"}), ("teardown", {})], "failed"),
        ([("setup", {"outcome": "failed"}), ("teardown", {})], "error"),
        ([("setup", {}), ("call", {}), ("teardown", {"outcome": "failed"})], "error"),
        ([("setup", {}), ("call", {"outcome": "failed"}), ("teardown", {"outcome": "failed"})], "error"),
        ([("setup", {"outcome": "skipped"}), ("teardown", {})], "skipped"),
        ([("setup", {}), ("call", {"outcome": "skipped"}), ("teardown", {})], "skipped"),
        ([("setup", {}), ("call", {"outcome": "skipped", "wasxfail": "known"}), ("teardown", {})], "xfailed"),
        ([("setup", {}), ("call", {"outcome": "passed", "wasxfail": ""}), ("teardown", {})], "xpassed"),
        (
            [("setup", {}), ("call", {"outcome": "skipped", "wasxfail": "x"}), ("teardown", {"outcome": "failed"})],
            "error",
        ),
        ([("???", {"outcome": "failed"})], "error"),
        ([("setup", {}), ("call", {"outcome": "rerun"}), ("setup", {}), ("call", {}), ("teardown", {})], "failed"),
    ],
)
def test_the_worst_phase_counts(phases: list[tuple[str, dict[str, Any]]], outcome: str) -> None:
    """A test's outcome is that of its worst phase: a crashed worker, a bad teardown or a rerun is never a pass."""
    assert outcome_of(*(phase(when, **options) for when, options in phases)) == outcome


@given(st.permutations(["passed", "failed", "skipped"]))
def test_the_order_of_phases_does_not_count(outcomes: list[str]) -> None:
    """The same reports in any order give the same outcome."""
    assert outcome_of(*(phase("call", outcome) for outcome in outcomes)) == "failed"


def test_seconds_are_those_of_all_phases() -> None:
    """A test's time is set-up, call and teardown together, and results are sorted by test."""
    found = Outcomes()
    for test in ("t.py::test_b", "t.py::test_a"):
        for when in ("setup", "call", "teardown"):
            found.pytest_runtest_logreport(phase(when, test=test))

    results = found.results()

    assert [(one.test, one.seconds) for one in results] == [("t.py::test_a", 0.75), ("t.py::test_b", 0.75)]


@pytest.mark.parametrize(("outcome", "results"), [("failed", ["error"]), ("skipped", ["skipped"]), ("passed", [])])
def test_a_file_that_is_not_collected_is_a_result(outcome: Literal["failed", "skipped"], results: list[str]) -> None:
    """A file that cannot be imported is an error, one that skips itself a skip: a missing test is never silent."""
    found = Outcomes()
    found.pytest_collectreport(pytest.CollectReport(nodeid="t.py", outcome=outcome, longrepr=None, result=[]))

    assert [one.outcome for one in found.results()] == results


def test_warnings_say_where_and_what() -> None:
    """A warning is kept with the test, its class and its text."""
    found = Outcomes()
    message = warnings.WarningMessage(DeprecationWarning("old"), DeprecationWarning, "t.py", 1)
    found.pytest_warning_recorded(message, "t.py::test_a")

    assert found.warnings == ["t.py::test_a: DeprecationWarning: old"]


def test_a_worker_that_crashed_is_remembered() -> None:
    """A worker that ends with an error has crashed; one that just ends has not."""
    found = Outcomes()
    for name, error in (("gw0", None), ("gw1", "Not properly terminated")):
        found.pytest_testnodedown(SimpleNamespace(gateway=SimpleNamespace(id=name)), error)

    assert found.crashed == ["gw1: Not properly terminated"]


def test_databases_that_were_kept_are_gathered() -> None:
    """What a test kept arrives with its teardown, also from another process, and is counted once."""
    found = Outcomes()
    kept = [("pgmatrix_kept", "a,b"), ("other", "c")]
    for when in ("setup", "call", "teardown"):
        found.pytest_runtest_logreport(phase(when, user_properties=kept))

    assert found.kept == ["a", "b"]


def test_every_outcome_has_its_rank() -> None:
    """Any two outcomes of one test give the worse of the two."""
    reports = {
        "passed": phase("call"),
        "xfailed": phase("call", "skipped", wasxfail="x"),
        "skipped": phase("call", "skipped"),
        "xpassed": phase("call", wasxfail="x"),
        "failed": phase("call", "failed"),
        "error": phase("setup", "failed"),
    }

    for worse, name in enumerate(WORST_LAST):
        for better in WORST_LAST[:worse]:
            assert outcome_of(reports[name], reports[better]) == name
