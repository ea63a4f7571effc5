"""Outcomes: a test is what its worst phase was, and nothing that went wrong is lost."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.plugin.outcomes import Outcomes, shorten
from pgmatrix.records import TestResult

Phase = Literal["setup", "call", "teardown"]
WORST_LAST = ("passed", "xfailed", "skipped", "xpassed", "flaky", "failed", "error")


def phase(
    when: str,
    outcome: str = "passed",
    *,
    test: str = "t.py::test_a",
    seconds: float = 0.25,
    longrepr: Any = None,
    **extra: Any,
) -> pytest.TestReport:
    """A report of one phase, as pytest and xdist make it."""
    return pytest.TestReport(
        nodeid=test,
        location=("t.py", 1, test),
        keywords={},
        outcome=outcome,  # type: ignore[arg-type]
        longrepr=longrepr,
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
        ([("setup", {}), ("call", {"outcome": "rerun"}), ("setup", {}), ("call", {}), ("teardown", {})], "flaky"),
        ([("setup", {"outcome": "rerun"}), ("setup", {}), ("call", {}), ("teardown", {})], "flaky"),
        ([("call", {"outcome": "retried"}), ("call", {}), ("teardown", {})], "flaky"),
        ([("call", {"outcome": "rerun"}), ("call", {"outcome": "failed"}), ("teardown", {})], "failed"),
        ([("call", {"outcome": "rerun"}), ("setup", {"outcome": "skipped"})], "flaky"),
        ([("setup", {}), ("call", {"outcome": "odd"}), ("teardown", {})], "failed"),
    ],
)
def test_the_worst_phase_counts(phases: list[tuple[str, dict[str, Any]]], outcome: str) -> None:
    """A test's outcome is that of its worst phase; a crashed worker, a rerun or a word nobody knows is never a pass."""
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


def result_of(*phases: pytest.TestReport) -> TestResult:
    """The result of a test of these phases."""
    found = Outcomes()
    for report in phases:
        found.pytest_runtest_logreport(report)
    (result,) = found.results()
    return result


def test_a_failure_keeps_its_traceback_and_what_was_printed() -> None:
    """Tracebacks of all phases that failed are kept with the captured output; what passed keeps nothing."""
    captured = [("Captured stdout call", "hello"), ("PostgreSQL log of this test", "nothing")]
    failed = result_of(
        phase("setup", sections=[("Captured stdout setup", "quiet")]),
        phase("call", "failed", longrepr="E  assert 1 == 2", sections=captured),
        phase("teardown", "failed", longrepr="E  LookupError"),
    )
    passed = result_of(phase("call", sections=captured), phase("teardown", sections=captured))

    assert (failed.detail, failed.sections, failed.tries) == ("E  assert 1 == 2\nE  LookupError", dict(captured), 1)
    assert (passed.detail, passed.sections, passed.tries) == ("", {}, 1)


@pytest.mark.parametrize(
    ("report", "detail"),
    [
        (phase("setup", "skipped", longrepr=("t.py", 3, "Skipped: not today")), "not today"),
        (phase("call", "skipped", wasxfail="known", longrepr="E  assert False"), "known"),
        (phase("call", wasxfail="reason: gone"), "reason: gone"),
    ],
)
def test_a_skip_and_an_expected_failure_keep_their_reason(report: pytest.TestReport, detail: str) -> None:
    """The reason alone is kept, and nothing of what was printed."""
    report.sections.append(("Captured stdout call", "hello"))
    result = result_of(report)

    assert result.detail == detail
    assert dict(result.sections) == ({} if report.skipped else {"Captured stdout call": "hello"})


def test_what_did_not_come_to_its_end_did_not_pass() -> None:
    """A test of which nothing was reported after its set-up, or its call, was interrupted: an error, and not a pass."""
    for phases in ([phase("setup")], [phase("setup"), phase("call")]):
        result = result_of(*phases)
        assert (result.outcome, result.detail) == ("error", "it did not come to its end")


def test_tries_are_counted_and_the_first_failure_is_kept() -> None:
    """A test that passed at its third try says so, with what the others raised."""
    result = result_of(
        phase("call", "rerun", longrepr="E  first"), phase("call", "rerun", longrepr="E  second"), phase("call")
    )

    assert (result.outcome, result.tries, result.detail) == ("flaky", 3, "E  first\nE  second")


def test_what_is_too_long_loses_its_middle() -> None:
    """A traceback or an output without end keeps its beginning and its end, and says how much is gone."""
    text = "a" * 30_000 + "b" * 30_000
    result = result_of(phase("call", "failed", longrepr=text, sections=[("Captured stdout call", text)]))

    assert result.detail == "a" * 10_000 + "\n... 40000 characters left out ...\n" + "b" * 10_000
    assert result.sections["Captured stdout call"].count("a") == 4_000 + "characters left out".count("a")
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abc\n... 1 characters left out ...\nefg"


@pytest.mark.parametrize(("outcome", "results"), [("failed", ["error"]), ("skipped", ["skipped"]), ("passed", [])])
def test_a_file_that_is_not_collected_is_a_result(outcome: Literal["failed", "skipped"], results: list[str]) -> None:
    """A file that cannot be imported is an error, one that skips itself a skip: a missing test is never silent."""
    found = Outcomes()
    found.pytest_collectreport(pytest.CollectReport(nodeid="t.py", outcome=outcome, longrepr="why", result=[]))

    assert [one.outcome for one in found.results()] == results
    assert [one.detail for one in found.results()] == ["why" for _ in results]


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
    assert found.left == [{}, {}]


def test_what_workers_leave_is_gathered() -> None:
    """What a worker handed over at its end is kept."""
    found = Outcomes()
    node = SimpleNamespace(gateway=SimpleNamespace(id="gw0"), workeroutput={"pgmatrix": {"deselected": 3}})
    found.pytest_testnodedown(node, None)

    assert found.left == [{"deselected": 3}]


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
        "flaky": phase("call", "rerun"),
        "failed": phase("call", "failed"),
        "error": phase("setup", "failed"),
    }

    for worse, name in enumerate(WORST_LAST):
        for better in WORST_LAST[:worse]:
            assert outcome_of(reports[name], reports[better]) == name
