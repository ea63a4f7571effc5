"""Owns the evidence that the gate's tests start from: two layers on four cells, all green, and ways to change it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pgmatrix.coverage import Merged, PathCoverage
from pgmatrix.gate.evidence import Evidence
from pgmatrix.gate.judge import judge
from pgmatrix.gate.policy import Policy
from pgmatrix.junit import JUnit
from pgmatrix.matrix import Driver, Matrix, Session
from pgmatrix.records import Outcome, Record, TestResult
from pgmatrix.verdict import Verdict
from tests.unit.pgmatrix.builders import COMMIT, a_record, a_verdict, some_facts

FILES = {"rls": ("tests/test_rls.py",), "audit": ("tests/audit/",)}
MATRIX = Matrix(majors=(15, 16), drivers=(Driver.ASYNCPG, Driver.PSYCOPG), layers=FILES)
NAMES = tuple(str(session) for session in MATRIX.sessions)
TESTS = {
    "rls": ("tests/test_rls.py::test_a", "tests/test_rls.py::test_b[x-1]"),
    "audit": ("tests/audit/test_trail.py::test_c", "tests/audit/test_trail.py::test_d"),
}
THRESHOLDS = {"total": 95.0, "src/core/": 100.0}
Change = Callable[[Evidence], Evidence]


def result(test: str, outcome: Outcome = Outcome.PASSED, **changes: Any) -> TestResult:
    """A result of a tenth of a second."""
    return TestResult(test=test, outcome=outcome, **{"seconds": 0.1, **changes})


def green_record(name: str, **changes: Any) -> Record:
    """The record of a session that has nothing to be objected to."""
    session = Session.parse(name)
    tests = tuple(result(test) for test in TESTS[session.layer])
    major, driver = session.cell.major, str(session.cell.driver)
    values: dict[str, Any] = {
        "session": name,
        "tests": tests,
        "collected": len(tests),
        "drivers": {driver: "1.0"},
        "facts": some_facts(
            cell=str(session.cell), server_version=f"{major}.9", server_version_num=major * 10000 + 9, driver=driver
        ).values(),
    }
    return a_record(**{**values, **changes})


def coverage(percents: Mapping[str, float] | None = None, **changes: Any) -> Merged:
    """Merged coverage that reaches its thresholds, or with these percents."""
    reached = {"total": 98.0, "src/core/": 100.0} | dict(percents or {})
    values: dict[str, Any] = {
        "percent": reached["total"],
        "paths": tuple(
            PathCoverage(path=path, percent=percent, wanted=THRESHOLDS[path], files=3, by_cell={"pg16-asyncpg": 90.0})
            for path, percent in reached.items()
        ),
        "missing": (),
        "html": None,
        "xml": None,
    }
    return Merged(**{**values, **changes})


def junit_of(record: Record) -> JUnit:
    """The JUnit file that agrees with a record."""
    return JUnit(tests=record.tests)


def green() -> Evidence:
    """Eight sessions, all as they should be."""
    found = {name: green_record(name) for name in NAMES}
    return Evidence(
        sessions=NAMES,
        files=FILES,
        run="run-1",
        commit=COMMIT,
        asked=frozenset(NAMES),
        thresholds=THRESHOLDS,
        records=found,
        junit={name: junit_of(record) for name, record in found.items()},
        coverage=coverage(),
    )


def with_records(*names: str, **changes: Any) -> Change:
    """The records of these sessions changed; their JUnit files follow."""

    def change(evidence: Evidence) -> Evidence:
        found = {name: replace(evidence.records[name], **changes) for name in names}
        junit = {name: junit_of(record) for name, record in found.items()}
        return replace(evidence, records={**evidence.records, **found}, junit={**evidence.junit, **junit})

    return change


def with_tests(*names: str, add: tuple[TestResult, ...] = (), keep: int = 2, **changes: Any) -> Change:
    """The records of these sessions with the first `keep` tests and more of them; exit code 1 if one is bad."""

    def change(evidence: Evidence) -> Evidence:
        for name in names:
            tests = evidence.records[name].tests[:keep] + add
            bad = any(test.outcome in (Outcome.FAILED, Outcome.ERROR) for test in tests)
            values = {"tests": tests, "collected": len(tests), "exit_code": int(bad), **changes}
            evidence = with_records(name, **values)(evidence)
        return evidence

    return change


def without(*names: str) -> Change:
    """No record of these sessions, nor anything else of theirs."""

    def change(evidence: Evidence) -> Evidence:
        left = {name: record for name, record in evidence.records.items() if name not in names}
        return replace(evidence, records=left)

    return change


def having(**changes: Any) -> Change:
    """Another value of the evidence."""
    return lambda evidence: replace(evidence, **changes)


def policy(**changes: Any) -> Change:
    """Another policy."""
    return lambda evidence: replace(evidence, policy=Policy(**changes))


def judged(*changes: Change) -> Verdict:
    """The verdict on green evidence with these changes."""
    evidence = green()
    for change in changes:
        evidence = change(evidence)
    return judge(evidence, a_verdict().run)
