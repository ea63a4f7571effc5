"""Owns counting: what pytest reports of tests, warnings and crashed workers, gathered into results.

A test is what its worst phase was: an error in set-up or teardown outweighs a call that passed.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from pgmatrix.records import Outcome, TestResult

_RANK = tuple(Outcome)


class Outcomes:
    """Listens to pytest's reports, also those xdist workers send."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Outcome, float]] = {}
        self.warnings: list[str] = []
        self.crashed: list[str] = []
        self.kept: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take one phase of one test."""
        outcome, seconds = self._found.get(report.nodeid, (Outcome.PASSED, 0.0))
        worst = max(outcome, _outcome(report), key=_RANK.index)
        self._found[report.nodeid] = (worst, seconds + report.duration)
        if report.when == "teardown":
            for name, value in report.user_properties:
                if name == "pgmatrix_kept":
                    self.kept += str(value).split(",")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take a file that could not be collected, or was skipped as a whole, as a result of its own."""
        if not report.passed:
            self._found[report.nodeid] = (Outcome.ERROR if report.failed else Outcome.SKIPPED, 0.0)

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage, nodeid: str) -> None:
        """Take one warning."""
        self.warnings.append(f"{nodeid}: {warning_message.category.__name__}: {warning_message.message}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker that ends with an error has crashed; what it ran last is not known to have passed."""
        if error:
            self.crashed.append(f"{node.gateway.id}: {error}")

    def results(self) -> tuple[TestResult, ...]:
        """Every test seen, by node id."""
        return tuple(
            TestResult(test=node, outcome=outcome, seconds=seconds)
            for node, (outcome, seconds) in sorted(self._found.items())
        )


def _outcome(report: pytest.TestReport) -> Outcome:
    if hasattr(report, "wasxfail"):
        return Outcome.XFAILED if report.skipped else Outcome.XPASSED
    if report.failed:
        return Outcome.FAILED if report.when == "call" else Outcome.ERROR
    if report.skipped:
        return Outcome.SKIPPED
    return Outcome.PASSED if report.passed else Outcome.FAILED  # a rerun, say, stands for a failure that came before
