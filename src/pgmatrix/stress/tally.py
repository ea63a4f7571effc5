"""Owns counting and the verdict: which tests did not pass every time, and which trials never came to an end. Pure.

A test that is missing where it should have run did not pass. A trial of all tests that left nothing is a problem of its
own and says nothing about each. Nothing is forgiven and nothing is run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pgmatrix.records import Record
from pgmatrix.stress.trials import Kind, Trial

PASSED, MISSING = "passed", "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A trial as it went: what became of each test, in how many seconds. `problem` is what befell the whole of it."""

    trial: Trial
    outcomes: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    problem: str = ""

    @property
    def bad(self) -> int:
        """How many tests did not pass."""
        return sum(outcome != PASSED for outcome in self.outcomes.values())

    @classmethod
    def of(cls, trial: Trial, record: Record, code: int) -> Pass:
        """What the record of a trial says, whose pytest ended with exit code `code`."""
        outcomes = {one.test: one.outcome for one in record.tests}
        problem = ""
        if record.error:
            problem = record.error.splitlines()[0]
        elif record.crashed:
            problem = f"crashed: {', '.join(record.crashed)}"
        elif not outcomes:
            problem = f"no test ran, exit code {code}"
        elif code != 0 and all(outcome == PASSED for outcome in outcomes.values()):
            problem = f"exit code {code}, though every test passed"
        return cls(trial=trial, outcomes=outcomes, seconds=record.seconds, problem=problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A test that did not pass every time: how often it did, in how many runs, and what it did where instead."""

    test: str
    passed: int
    runs: int
    where: tuple[str, ...]

    @property
    def flaky(self) -> bool:
        """Whether it passes now and then; else it is broken, which is another matter and no better."""
        return self.passed > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: how often pytest was started, with how many tests, how many runs of a test, and how many
    tests did not pass each time. `where` says what was special about the trials that were not clean."""

    name: str
    starts: int
    tests: int
    runs: int
    suspects: int
    where: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """All passes of one cell."""

    cell: str
    passes: tuple[Pass, ...]

    @property
    def tests(self) -> frozenset[str]:
        """Every test that any pass has seen."""
        return frozenset(test for one in self.passes for test in one.outcomes)

    @property
    def runs(self) -> int:
        """How many times a test was run."""
        return sum(outcome != MISSING for one in self.passes for outcome in self._outcomes(one).values())

    @property
    def problems(self) -> tuple[str, ...]:
        """What befell whole trials."""
        return tuple(
            f"{one.trial.test or one.trial} ({one.trial.how}): {one.problem}" for one in self.passes if one.problem
        )

    @property
    def suspects(self) -> tuple[Suspect, ...]:
        """Every test that did not pass every time, the one that failed most often first."""
        return _suspects([(one.trial, self._outcomes(one)) for one in self.passes])

    @property
    def steady(self) -> bool:
        """Whether there were tests, and each passed each time, and nothing else happened."""
        return bool(self.tests) and not self.suspects and not self.problems

    def rows(self) -> list[Row]:
        """The lines of the table, in the order the trials were made."""
        groups: dict[str, list[Pass]] = {}
        for one in self.passes:
            groups.setdefault(one.trial.row, []).append(one)
        return [self._row(name, group) for name, group in groups.items()]

    def _row(self, name: str, group: Sequence[Pass]) -> Row:
        found = [(one, self._outcomes(one)) for one in group]
        unclean = [one for one, outcomes in found if one.problem or set(outcomes.values()) != {PASSED}]
        return Row(
            name=name,
            starts=len(group),
            tests=len({test for _, outcomes in found for test in outcomes}),
            runs=sum(outcome != MISSING for _, outcomes in found for outcome in outcomes.values()),
            suspects=len(_suspects([(one.trial, outcomes) for one, outcomes in found])),
            where=tuple(one.trial.how for one in unclean if one.trial.how != name),
        )

    def _outcomes(self, one: Pass) -> dict[str, str]:
        """The outcomes of a pass, where tests that it should have run and did not are missing."""
        lone = one.trial.kind is Kind.ALONE
        expected = {one.trial.test} if lone else self.tests if one.outcomes else ()
        return dict.fromkeys(expected, MISSING) | dict(one.outcomes)


def _suspects(passes: Sequence[tuple[Trial, Mapping[str, str]]]) -> tuple[Suspect, ...]:
    found: dict[str, list[tuple[str, str]]] = {}
    for trial, outcomes in passes:
        for test, outcome in outcomes.items():
            found.setdefault(test, []).append((outcome, trial.how))
    suspects = [
        Suspect(
            test=test,
            passed=sum(outcome == PASSED for outcome, _ in runs),
            runs=len(runs),
            where=tuple(f"{outcome}, {how}" for outcome, how in runs if outcome != PASSED),
        )
        for test, runs in found.items()
        if any(outcome != PASSED for outcome, _ in runs)
    ]
    return tuple(sorted(suspects, key=lambda one: (one.passed - one.runs, one.test)))
