"""Owns what a session leaves behind: its results and facts, written whole or not at all, readable by later versions.

Says nothing about whether a result is good.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from pgmatrix.errors import RecordError

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """One test: its node id, what became of it, and its seconds over set-up, call and teardown.

    `outcome` is passed, failed, error (outside the call), skipped, xfailed or xpassed.
    """

    __test__ = False

    test: str
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A session as it went. Times are Unix seconds; `facts` are `servers.identity.Facts`, empty without a server.

    `workers` counts xdist workers, 0 meaning none; `crashed` names those that died. `error` says why no test ran.
    """

    run: str
    session: str
    started: float
    ended: float
    exit_code: int
    workers: int
    workers_reason: str
    ready_seconds: float
    tests: tuple[TestResult, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    crashed: tuple[str, ...] = ()
    error: str = ""
    schema: int = SCHEMA

    def count(self, *outcomes: str) -> int:
        """How many tests had one of `outcomes`."""
        return sum(test.outcome in outcomes for test in self.tests)

    @property
    def seconds(self) -> float:
        """Wall time of the session's pytest."""
        return self.ended - self.started

    @property
    def green(self) -> bool:
        """Whether tests ran, all passed, and pytest agrees."""
        clean = self.exit_code == 0 and not self.crashed and not self.error
        return clean and self.count("passed") == len(self.tests) > 0


def record_path(folder: Path, session: str) -> Path:
    """Where the record of `session` is kept in a run's folder."""
    return folder / "records" / f"{session}.json"


def write(folder: Path, record: Record) -> Path:
    """Write `record` below the run's `folder`, atomically."""
    path = record_path(folder, record.session)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, private = tempfile.mkstemp(prefix=".", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(record), file, indent=1)
    Path(private).rename(path)
    return path


def read(path: Path) -> Record:
    """The record at `path`; what later versions added is left out. Raises RecordError."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["schema"] > SCHEMA:
            raise RecordError(
                f"{path} has schema {values['schema']}, this pgmatrix reads up to {SCHEMA}",
                do_next="read it with the version that wrote it, or a later one",
            )
        known = {item.name for item in fields(Record)}
        result = {item.name for item in fields(TestResult)}
        tests = tuple(TestResult(**{n: test[n] for n in test if n in result}) for test in values.pop("tests"))
        found: dict[str, Any] = {name: value for name, value in values.items() if name in known}
        found |= {name: tuple(found.get(name, ())) for name in ("warnings", "crashed")}
        return Record(tests=tests, **found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{path} is not a record: {error}", do_next="remove it, or run its session again") from error


def read_all(folder: Path) -> list[Record]:
    """The records of a run's folder, by session name. Raises RecordError."""
    return [read(path) for path in sorted((folder / "records").glob("*.json"))]
