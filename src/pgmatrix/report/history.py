"""Owns the history of past runs: one small summary beside each run, written when it is judged, and the last of them.

A run without a readable summary is left out, never guessed at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pgmatrix import plain
from pgmatrix.records import Outcome, write_text
from pgmatrix.verdict import State, Verdict

FILE_NAME = "summary.json"
SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A judged run in a few figures. Times are Unix seconds, `busy` the seconds of all sessions added up; `percent` is
    the merged coverage, None where there was none. `whole` says whether every session of the table was asked for."""

    run: str
    ship: bool
    whole: bool
    started: float
    ended: float
    busy: float
    sessions: int
    green: int
    passed: int
    bad: int
    percent: float | None
    commit: str
    dirty: bool

    @property
    def seconds(self) -> float:
        """From the first start to the last end."""
        return max(0.0, self.ended - self.started)


def summary(verdict: Verdict) -> Summary:
    """What a run's history keeps of its verdict."""
    return Summary(
        run=verdict.run.run,
        ship=verdict.ship,
        whole=not any(one.state is State.NOT_RUN for one in verdict.sessions),
        started=verdict.run.started,
        ended=verdict.run.ended,
        busy=sum(one.seconds for one in verdict.sessions),
        sessions=sum(one.state is not State.NOT_RUN for one in verdict.sessions),
        green=sum(one.state is State.GREEN for one in verdict.sessions),
        passed=verdict.count(Outcome.PASSED),
        bad=verdict.count(Outcome.FAILED, Outcome.ERROR),
        percent=verdict.coverage.percent if verdict.coverage else None,
        commit=verdict.run.commit,
        dirty=verdict.run.dirty,
    )


def write(folder: Path, verdict: Verdict) -> Path:
    """Leave the summary of a run in its folder."""
    path = folder / FILE_NAME
    write_text(path, plain.dumps(summary(verdict)))
    return path


def last(runs: Path, *, now: Verdict | None = None, number: int = SHOWN) -> Sequence[Summary]:
    """The last `number` runs below `runs`, oldest first; the run judged `now` is the last of them."""
    own = [summary(now)] if now else []
    taken = {one.run for one in own}
    found = [one for path in sorted(runs.glob(f"*/{FILE_NAME}"))[-2 * number :] if (one := _read(path))]
    before = sorted((one for one in found if one.run not in taken), key=lambda one: one.started)
    if own:
        before = [one for one in before if one.started <= own[0].started]
    return [*before, *own][-number:]


def _read(path: Path) -> Summary | None:
    try:
        return plain.loads(Summary, path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
