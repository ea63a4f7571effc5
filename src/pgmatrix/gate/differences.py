"""Owns what is so on some cells of a layer and not on the others: outcomes, tests, durations, warnings.

Says it and judges nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from statistics import median

from pgmatrix.gate.evidence import Evidence
from pgmatrix.gate.where import place
from pgmatrix.matrix import Cell, Session
from pgmatrix.records import Outcome, Record, TestResult
from pgmatrix.verdict import Difference, DifferenceKind

_TIMES, _SECONDS = 3.0, 0.5  # a duration differs if it is so much longer, and by so many seconds
_VERBS = {
    Outcome.PASSED: "passes",
    Outcome.XFAILED: "fails as expected",
    Outcome.SKIPPED: "is skipped",
    Outcome.XPASSED: "passes unexpectedly",
    Outcome.FLAKY: "is flaky",
    Outcome.FAILED: "fails",
    Outcome.ERROR: "breaks",
}


def differences(evidence: Evidence) -> tuple[Difference, ...]:
    """Outcomes first, then tests that are absent, durations, and warnings; in each by layer."""
    found: list[Difference] = []
    for layer, records in evidence.layers().items():
        cells = {Session.parse(name).cell: record for name, record in records.items() if record.finished}
        if len(cells) > 1:
            found += [*_of_tests(layer, cells), *_of_warnings(layer, cells)]
    return tuple(sorted(found, key=lambda one: list(DifferenceKind).index(one.kind)))


def _of_tests(layer: str, cells: Mapping[Cell, Record]) -> Iterator[Difference]:
    by_test: dict[str, dict[Cell, TestResult]] = {}
    for cell, record in cells.items():
        for test in record.tests:
            by_test.setdefault(test.test, {})[cell] = test
    for name, found in by_test.items():
        outcomes = {cell: one.outcome for cell, one in found.items()}
        if len(found) < len(cells):
            yield _absence(layer, name, cells, found)
        if len(set(outcomes.values())) > 1:
            texts = {str(cell): str(outcomes.get(cell, "absent")) for cell in cells}
            yield _made(DifferenceKind.OUTCOME, layer, name, _outcomes_say(outcomes), texts)
        elif set(outcomes.values()) == {Outcome.PASSED}:
            yield from _duration(layer, name, {cell: one.seconds for cell, one in found.items()})


def _made(kind: DifferenceKind, layer: str, subject: str, says: str, texts: Mapping[str, str]) -> Difference:
    return Difference(kind=kind, layer=layer, subject=subject, says=says, by_cell=texts)


def _absence(layer: str, name: str, cells: Mapping[Cell, Record], found: Mapping[Cell, TestResult]) -> Difference:
    absent = [cell for cell in cells if cell not in found]
    texts = {str(cell): "absent" if cell in absent else "present" for cell in cells}
    return _made(DifferenceKind.TESTS, layer, name, f"absent {place(absent, cells)}", texts)


def _outcomes_say(outcomes: Mapping[Cell, Outcome]) -> str:
    """What is worse than passing, and where; the worst first."""
    groups: dict[Outcome, list[Cell]] = {}
    for cell, outcome in outcomes.items():
        groups.setdefault(outcome, []).append(cell)
    worst_first = sorted((one for one in groups if one is not Outcome.PASSED), key=list(Outcome).index, reverse=True)
    return "; ".join(f"{_VERBS[one]} {place(groups[one], outcomes)}" for one in worst_first)


def _duration(layer: str, name: str, seconds: Mapping[Cell, float]) -> Iterator[Difference]:
    """Cells split in two where the gap is: the slow ones take several times as long as the slowest of the others."""
    ordered = sorted(seconds, key=seconds.__getitem__)
    for where, (fast, slow) in enumerate(pairwise(ordered), start=1):
        if seconds[slow] >= _TIMES * seconds[fast] and seconds[slow] - seconds[fast] >= _SECONDS:
            long, short = (median(seconds[one] for one in some) for some in (ordered[where:], ordered[:where]))
            texts = {str(cell): f"{value:.2f} s" for cell, value in seconds.items()}
            says = f"{long / max(short, 0.001):.1f} times as long {place(ordered[where:], seconds)}"
            yield _made(DifferenceKind.DURATION, layer, name, says, texts)
            return


def _of_warnings(layer: str, cells: Mapping[Cell, Record]) -> Iterator[Difference]:
    counts = {cell: Counter(record.warnings) for cell, record in cells.items()}
    for warning in sorted(set().union(*counts.values())):
        having = [cell for cell in cells if counts[cell][warning]]
        if len(having) < len(cells):
            texts = {str(cell): f"{counts[cell][warning]} times" if cell in having else "absent" for cell in cells}
            yield _made(DifferenceKind.WARNING, layer, warning, place(having, cells), texts)
