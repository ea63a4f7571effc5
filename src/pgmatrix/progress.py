"""Owns the one line a run prints for each session that has ended: which of how many, and how it went.

Standard library only, so a noxfile can import it. No colours and no cursor movements: the same line on a terminal, in a
log, one session at a time or many.
"""

from __future__ import annotations

import json
from pathlib import Path

from pgmatrix.errors import RecordError
from pgmatrix.records import Outcome, Record, read, record_path

_BAD = (Outcome.FAILED, Outcome.ERROR, Outcome.FLAKY, Outcome.SKIPPED, Outcome.XFAILED, Outcome.XPASSED)


def line(run: Path, session: str) -> str:
    """`17 of 28  pg16-asyncpg-rls  ✓ 114 passed, 8.2 s`, of a session of the run in that folder that has just ended."""
    try:
        record = read(record_path(run, session))
    except RecordError:
        return f"{_place(run, None)}  {session}  ✗ left no record"
    return f"{_place(run, record)}  {session}  {went(record)}"


def went(record: Record) -> str:
    """How a session went: its mark, what became of its tests, and its wall time."""
    counts = [f"{record.count(one)} {one}" for one in (Outcome.PASSED, *_BAD) if record.count(one)]
    said = ", ".join(counts) or "no test ran"
    if not record.finished:
        said += ", and it was ended before its end"
    elif record.crashed:
        said += f", {len(record.crashed)} worker{'s' * (len(record.crashed) != 1)} crashed"
    elif not record.green and not record.count(*_BAD):
        said += f", exit code {record.exit_code}"
    return f"{'✓' if record.green else '✗'} {said}, {record.seconds:.1f} s"


def _place(run: Path, record: Record | None) -> str:
    """Which session this is by its end, so that no two that end together claim the same place."""
    ends = sorted(_ends(run))
    own = (record.ended, record.session) if record else None
    number = ends.index(own) + 1 if own in ends else len(ends) + 1
    return f"{number} of {max(number, _planned(run))}"


def _ends(run: Path) -> list[tuple[float, str]]:
    found = []
    for path in (run / "records").glob("*.json"):
        try:
            record = read(path)
        except RecordError:
            continue
        if record.finished:
            found.append((record.ended, record.session))
    return found


def _planned(run: Path) -> int:
    try:
        return len(json.loads((run / "plan.json").read_text(encoding="utf-8"))["sessions"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
