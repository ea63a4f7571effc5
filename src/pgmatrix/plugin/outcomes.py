"""Owns counting: what pytest reports of tests, warnings and crashed workers, gathered into results.

A test is what its worst phase was: an error in set-up or teardown outweighs a call that passed. What a test that did
not pass printed and raised is kept, cut to what a person reads.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from pgmatrix.records import Outcome, Plan, TestResult

_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}
_AGAIN = ("rerun", "retried")  # what plugins that run a failed test again call the tries that failed
_DETAIL, _SECTION = 20_000, 8_000
PLAN = "pgmatrix_plan "  # a test's property of this name and the statement's is the shape of its plan


@dataclass(slots=True)
class _Found:
    outcome: Outcome = Outcome.PASSED
    seconds: float = 0.0
    details: list[str] = field(default_factory=list)
    sections: dict[str, str] = field(default_factory=dict)
    tries: int = 1
    ended: bool = False


class Outcomes:
    """Listens to pytest's reports, also those xdist workers send."""

    def __init__(self) -> None:
        self._found: dict[str, _Found] = {}
        self.warnings: list[str] = []
        self.crashed: list[str] = []
        self.kept: list[str] = []
        self.left: list[Mapping[str, Any]] = []
        self._plans: dict[tuple[str, str], str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take one phase of one test."""
        found = self._found.setdefault(report.nodeid, _Found())
        outcome = _outcome(report)
        found.outcome = max(found.outcome, outcome, key=_RANK.__getitem__)
        found.seconds += report.duration
        found.tries += report.outcome in _AGAIN
        if outcome is not Outcome.PASSED:
            _keep_detail(found, report)
        if report.when == "teardown":
            found.ended = True
            for name, value in report.user_properties:
                if name == "pgmatrix_kept":
                    self.kept += str(value).split(",")
                elif name.startswith(PLAN):
                    self._plans[report.nodeid, name.removeprefix(PLAN)] = str(value)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take a file that could not be collected, or was skipped as a whole, as a result of its own."""
        if not report.passed:
            found = _Found(outcome=Outcome.ERROR if report.failed else Outcome.SKIPPED)
            _keep_detail(found, report)
            self._found[report.nodeid] = found

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage, nodeid: str) -> None:
        """Take one warning."""
        self.warnings.append(f"{nodeid}: {warning_message.category.__name__}: {warning_message.message}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker that ends with an error has crashed; what it ran last is not known to have passed."""
        if error:
            self.crashed.append(f"{node.gateway.id}: {error}")
        self.left.append(getattr(node, "workeroutput", {}).get("pgmatrix", {}))

    def plans(self) -> tuple[Plan, ...]:
        """The plans that tests noted, by test and name."""
        return tuple(Plan(test=test, name=name, shape=text) for (test, name), text in sorted(self._plans.items()))

    def results(self) -> tuple[TestResult, ...]:
        """Every test seen, by node id."""
        return tuple(_result(node, found) for node, found in sorted(self._found.items()))


def _result(node: str, found: _Found) -> TestResult:
    outcome, detail = found.outcome, "\n".join(found.details)
    if outcome is Outcome.PASSED and not found.ended:  # interrupted: what was not reported did not pass
        outcome, detail = Outcome.ERROR, "it did not come to its end"
    return TestResult(
        test=node,
        outcome=outcome,
        seconds=found.seconds,
        detail=shorten(detail, _DETAIL),
        sections=found.sections,
        tries=found.tries,
    )


def shorten(text: str, limit: int) -> str:
    """`text`, without its middle where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"


def _keep_detail(found: _Found, report: pytest.TestReport | pytest.CollectReport) -> None:
    found.details.append(_detail(report))
    if not report.skipped:
        found.sections |= {title: shorten(text, _SECTION) for title, text in report.sections}


def _detail(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The traceback of a failure; the reason alone of a skip and of an expected failure."""
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail)
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return report.longreprtext


def _outcome(report: pytest.TestReport) -> Outcome:
    if hasattr(report, "wasxfail"):
        return Outcome.XFAILED if report.skipped else Outcome.XPASSED
    if report.failed:
        return Outcome.FAILED if report.when == "call" else Outcome.ERROR
    if report.skipped:
        return Outcome.SKIPPED
    if report.outcome in _AGAIN:
        return Outcome.FLAKY  # unless a later try fails too, which is worse
    return Outcome.PASSED if report.passed else Outcome.FAILED  # a word of some plugin's own is not taken for a pass
