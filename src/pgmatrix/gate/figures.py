"""Owns the rules about figures: the merged coverage with its thresholds, and the speed with its budgets."""

from __future__ import annotations

from collections.abc import Iterator

from pgmatrix.coverage import TOTAL
from pgmatrix.gate.evidence import Evidence
from pgmatrix.gate.rule import Finding, Rule
from pgmatrix.gate.where import listed
from pgmatrix.perf.results import Outcome, PerfRun

_COVERAGE = "[tool.pgmatrix.coverage]"


def coverage_data(evidence: Evidence) -> Iterator[Finding]:
    """A figure that lacks a session is a figure of something else."""
    if not evidence.thresholds:
        return
    if evidence.coverage is None:
        what = evidence.coverage_problem or "there is no coverage"
        yield Finding(where="coverage", what=what, do_next="run the sessions again, on the sources that are judged")
        return
    told = _lacks_sessions(evidence)
    for name in evidence.coverage.missing:
        if name in evidence.records or not told:
            yield Finding(session=name, what="it left no coverage data", do_next="run it with --cov")


def coverage(evidence: Evidence) -> Iterator[Finding]:
    """Lines and branches, merged over the cells that count. What lacks sessions is no figure of the whole."""
    if _lacks_sessions(evidence):
        return
    reached = {one.path: one for one in evidence.coverage.paths} if evidence.coverage else {}
    unknown = [path for path in evidence.thresholds if path not in reached]
    if unknown:
        yield Finding(
            where=f"coverage of {listed(unknown)}", what="not measured", do_next="run the sessions with --cov"
        )
    for path, one in reached.items():
        if one.files and one.percent < one.wanted:
            where = "coverage in total" if path == TOTAL else f"coverage of {path}"
            what = f"{_percent(one.percent, one.wanted)} % covered, {one.wanted:g} % are wanted"
            yield Finding(where=where, what=what, do_next="test what the coverage report shows in red")


def _lacks_sessions(evidence: Evidence) -> bool:
    """Whether sessions that count are missing, and a rule that is on has said so: one cause, one reason."""
    absent = [name for name in evidence.sessions if name not in evidence.records and not evidence.is_preview(name)]
    return bool(absent) and "record" not in evidence.policy.off


def _percent(reached: float, wanted: float) -> str:
    """With as many digits as it takes to look less than what is wanted."""
    text = f"{reached:.1f}"
    return text if float(text) < wanted else f"{reached:.4f}"


def coverage_paths(evidence: Evidence) -> Iterator[Finding]:
    """A threshold that fits nothing is always reached."""
    for one in evidence.coverage.paths if evidence.coverage else ():
        if one.files == 0:
            yield Finding(
                where=f"{_COVERAGE} {one.path!r}",
                what="fits no file that was measured",
                do_next="correct the path, a folder's with a slash at its end",
            )


def perf(evidence: Evidence) -> Iterator[Finding]:
    """Ratios within one run, judged where they were measured."""
    if evidence.perf_problem:
        yield Finding(where="perf", what=evidence.perf_problem, do_next="measure again: nox -s perf")
    if evidence.perf is not None:
        for cell, what in _complaints(evidence.perf):
            yield Finding(where="perf", cell=cell, what=what, do_next="see the perf report, mend it or measure again")


def _complaints(run: PerfRun) -> Iterator[tuple[str, str]]:
    """The cell and the words of all that keeps a performance run from being a pass."""
    yield from ((one.cell, f"{one.cell}: {one.problem}") for one in run.cells if one.problem)
    yield from ((one.cell, f"{one.name}: {one.why}") for one in run.series if one.outcome is Outcome.INVALID)
    yield from ((one.cell, f"{one.cell}: {one.why}") for one in run.comparisons if not one.passes)
    yield from ((one.cell, f"{one.cell}: {one.why}") for one in run.loads if not one.met)
    if run.baseline.problem:
        yield "", run.baseline.problem
    if not any(one.outcome is Outcome.MEASURED for one in run.series):
        yield "", "nothing was measured"


def perf_measured(evidence: Evidence) -> Iterator[Finding]:
    """What is required and missing is not within its budget."""
    wanted = evidence.policy.require_perf
    again = "measure it: nox -s perf"
    if not wanted:
        return
    run = evidence.perf
    measured = {one.cell for one in run.series if one.outcome is Outcome.MEASURED} if run else set()
    for cell in wanted:
        if cell not in measured:
            yield Finding(where=f"perf of {cell}", cell=cell, what="was not measured, and is required", do_next=again)
    if run is None:
        return
    if run.environment.commit != evidence.commit:
        yield Finding(
            where="perf", what=f"was measured on commit {run.environment.commit[:12] or '(none)'}", do_next=again
        )
    if run.environment.dirty:
        yield Finding(where="perf", what="the sources were not committed", do_next="commit, and " + again)
    if run.environment.quick:
        yield Finding(where="perf", what="was measured with --quick, for a look", do_next=again)


RULES: tuple[Rule, ...] = (
    Rule(check=coverage_data, id="coverage-data", says="every session left coverage data, where thresholds are set"),
    Rule(check=coverage, id="coverage", says="the merged coverage reaches each threshold of the table"),
    Rule(check=coverage_paths, id="coverage-paths", says="each threshold is for a file that is there"),
    Rule(check=perf, id="perf", says="no measured speed is outside its budget, worse than its baseline, or invalid"),
    Rule(
        check=perf_measured,
        id="perf-measured",
        says="the speed of every cell that the table names was measured, on this commit and not in a hurry",
    ),
)
