"""Owns the run before, of the same commit on the same machine: whether it came to the same conclusions.

Where it did not, one of the two was chance, and the sentence says which conclusions to doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pgmatrix.errors import RecordError
from pgmatrix.perf import results
from pgmatrix.perf.conclusions import Conclusion, conclusions
from pgmatrix.perf.results import Comparison, Environment, PerfRun


def before(runs: Path, here: Environment, cells: Sequence[str]) -> PerfRun | None:
    """The newest run below `runs` that measured the same code, cells and workloads in the same way, if there is one.

    What is not committed has no name to know it by again: such runs are never compared.
    """
    found = [run for path in runs.glob(f"*/{results.FILE}") if (run := _read(path)) and _is_same(run, here, cells)]
    return max(found, key=lambda run: run.environment.started, default=None)


def _read(path: Path) -> PerfRun | None:
    try:
        return results.read(path)
    except RecordError:
        return None  # of another version, or cut short: there is nothing to be compared with


def _is_same(run: PerfRun, here: Environment, cells: Sequence[str]) -> bool:
    there = run.environment
    if here.dirty or there.dirty or not here.commit or there.started >= here.started:
        return False
    same = [(one.machine, one.facts, one.workloads, one.commit, one.quick) for one in (there, here)]
    return same[0] == same[1] and [one.cell for one in run.cells] == list(cells)


def agreement(comparisons: Sequence[Comparison], earlier: PerfRun) -> str:
    """One sentence: the same conclusions, or each one that is another."""
    now = {one.name: one for one in conclusions(comparisons)}
    then = {one.name: one for one in conclusions(earlier.comparisons)}
    shared = [name for name in now if name in then]
    moved = [_moved(now[name], then[name]) for name in shared if now[name].word is not then[name].word]
    which = f"the run before of this commit ({earlier.run})"
    if moved:
        return f"{which} concluded otherwise on {len(moved)} of {len(shared)}: {'; '.join(moved)}"
    return f"{which} came to the same {len(shared)} conclusions" if shared else ""


def _moved(now: Conclusion, then: Conclusion) -> str:
    return f"{now.name} {_said(then)} then, {_said(now)} now"


def _said(one: Conclusion) -> str:
    return f"{one.word} ({one.ratio:.2f})" if one.ratio else str(one.word)
