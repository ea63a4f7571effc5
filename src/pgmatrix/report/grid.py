"""Owns the matrix as every report shows it: rows of layers, columns of cells, and one place for each session.

Pure. Judges nothing: a place looks as its session's state says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pgmatrix.gate.where import sessions
from pgmatrix.records import Outcome
from pgmatrix.report.words import MARKS, Tone, clean, count, duration, one_line, tone
from pgmatrix.verdict import SessionView, State, Verdict

_NOTE = 24  # what is longer stands among the reasons; the place then has the state's word


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A session in the matrix: its mark, a short text beside it (`213`, or what is wrong), what passed, its time.

    `counted`: all its tests passed, so their number says more than words; whether a rule objects is in the mark.
    """

    session: str
    tone: Tone
    mark: str
    short: str
    passed: int
    counted: bool
    time: str
    label: str
    preview: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A cell as the head of a column, with what it really ran on and what all its sessions passed and took."""

    cell: str
    major: str
    driver: str
    preview: bool
    server: str
    passed: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The whole matrix. A place is None where the run has no such session."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[Place | None, ...]], ...]


def grid(verdict: Verdict) -> Grid:
    """The matrix of a verdict; a session of no cell, such as a file from elsewhere, is not in it."""
    views = {(one.cell, one.layer): one for one in verdict.sessions}
    columns = tuple(_column(cell, verdict) for cell in verdict.run.cells)
    rows = tuple(
        (layer, tuple(_place_or_none(views.get((cell, layer))) for cell in verdict.run.cells))
        for layer in verdict.run.layers
    )
    return Grid(columns=columns, rows=rows)


def place(view: SessionView) -> Place:
    """How one session looks."""
    passed = view.count(Outcome.PASSED)
    note = one_line(view.note) or str(view.state)
    counted = view.state is State.GREEN or (view.state is State.UNPROVEN and passed == len(view.tests) > 0)
    time = duration(view.seconds) if view.record else ""
    said = [f"{clean(view.session)}: {view.state}"]
    said += [note] * (note != str(view.state))
    said += [f"{count(passed, 'test')} passed", time] if view.record else []
    return Place(
        session=clean(view.session),
        tone=tone(view.state),
        mark=MARKS[tone(view.state)],
        short=f"{passed:,}" if counted else note if len(note) <= _NOTE else str(view.state),
        passed=passed,
        counted=counted,
        time=time,
        label=", ".join(said + ["preview, never blocks"] * view.preview),
        preview=view.preview,
    )


def server_line(facts: Mapping[str, Any]) -> str:
    """What a cell really ran on, as it was measured: `PostgreSQL 16.14, pgvector 0.8.5, asyncpg 0.32.0, embedded`."""
    if not facts:
        return ""
    vector = facts.get("extensions", {}).get("vector")
    words = [f"PostgreSQL {facts.get('server_version', '?')}", f"pgvector {vector or '-'}"]
    words += [f"{facts.get('driver', '?')} {facts.get('driver_version', '')}".strip(), str(facts.get("provider", "?"))]
    return clean(", ".join(words))


def without_coverage(verdict: Verdict) -> str:
    """Which sessions left no coverage data, in few words; empty where all did."""
    missing = verdict.coverage.missing if verdict.coverage else ()
    return one_line(sessions(missing, [one.session for one in verdict.sessions])) if missing else ""


def _place_or_none(view: SessionView | None) -> Place | None:
    return place(view) if view else None


def _column(cell: str, verdict: Verdict) -> Column:
    views = [one for one in verdict.sessions if one.cell == cell]
    major, _, driver = cell.removeprefix("pg").partition("-")
    facts = next((one.record.facts for one in views if one.record and one.record.facts), {})
    return Column(
        cell=cell,
        major=major,
        driver=driver,
        preview=any(one.preview for one in views),
        server=server_line(facts),
        passed=sum(one.count(Outcome.PASSED) for one in views),
        seconds=sum(one.seconds for one in views),
    )
