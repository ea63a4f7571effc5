"""Owns what a session leaves behind: its results and facts, written whole or not at all, readable by later versions.

Says nothing about whether a result is good.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pgmatrix import plain
from pgmatrix.errors import RecordError

SCHEMA = 2
_NOTHING: Mapping[str, str] = MappingProxyType({})  # one for all, for there may be 200,000 results


def _nothing() -> Mapping[str, str]:
    return _NOTHING


class Outcome(StrEnum):
    """What became of a test, from its best to its worst. `flaky`: it failed, and passed when it was run again;
    `xfailed`: it failed as its mark says; `xpassed`: it passed although its mark says it fails; `error`: it, or its
    file, broke outside the call: in set-up, teardown or collection."""

    PASSED = "passed"
    XFAILED = "xfailed"
    SKIPPED = "skipped"
    XPASSED = "xpassed"
    FLAKY = "flaky"
    FAILED = "failed"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """One test: its node id, what became of it, and its seconds over set-up, call and teardown, all tries together.

    A file that could not be collected, or was skipped as a whole, is a result of its own with the file as its id.
    `detail` is the traceback of a failure, or the reason of a skip or an expected failure; empty for what passed.
    `sections` are what a failure printed and logged, by title ("Captured stdout call", "PostgreSQL log of this test").
    `tries` counts how often it was run.
    """

    __test__ = False

    test: str
    outcome: Outcome
    seconds: float
    detail: str = ""
    sections: Mapping[str, str] = field(default_factory=_nothing)
    tries: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan a test noted for a statement: the test's node id, the statement's `name`, and its `shape` as text."""

    test: str
    name: str
    shape: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A session as it went. Times are Unix seconds.

    What was claimed: `run` (the run's id), `session` (its spelling, which names layer, PostgreSQL major and driver),
    `commit` (the sources' commit; empty where there is no git) and `dirty` (whether they differed from it).

    What was measured: `facts` are `servers.identity.Facts` (server version as text and number, provider and why,
    extensions, settings), empty without a server; `drivers` are the PostgreSQL drivers that the processes which ran
    tests had imported, with their versions; `python` and `pgmatrix` are versions.

    What happened: `collected` counts the tests pytest found and meant to run; `narrowed` says by what the session was
    cut to a part of its layer ("-k savepoint", "3 tests deselected"), empty for a whole one; `workers` counts xdist
    workers, 0 meaning none; `crashed` names those that died; `error` says why no test ran; `exit_code` is pytest's;
    `plans` are those that tests noted.
    A session writes its record when it begins, with `finished` false, and again when it ends: what is not finished is
    running, or was killed.
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
    commit: str = ""
    dirty: bool = False
    drivers: Mapping[str, str] = field(default_factory=_nothing)
    python: str = ""
    pgmatrix: str = ""
    collected: int = 0
    narrowed: tuple[str, ...] = ()
    finished: bool = True
    plans: tuple[Plan, ...] = ()
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
        clean = self.finished and self.exit_code == 0 and not self.crashed and not self.error
        return clean and self.count("passed") == len(self.tests) > 0


def record_path(folder: Path, session: str) -> Path:
    """Where the record of `session` is kept in a run's folder."""
    return folder / "records" / f"{session}.json"


def write(folder: Path, record: Record) -> Path:
    """Write `record` below the run's `folder`, atomically."""
    path = record_path(folder, record.session)
    write_text(path, plain.dumps(record, indent=1))
    return path


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable as the user's mask says; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    private = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with private.open("x", encoding="utf-8") as file:
            file.write(text)
        private.rename(path)
    finally:
        private.unlink(missing_ok=True)


def read(path: Path) -> Record:
    """The record at `path`; what later versions added is left out. Raises RecordError."""
    try:
        values = plain.parse(path.read_text(encoding="utf-8"))
        schema = values.get("schema") if isinstance(values, dict) else None
        if isinstance(schema, int) and schema > SCHEMA:
            raise RecordError(
                f"{path} has schema {schema}, this pgmatrix reads up to {SCHEMA}",
                do_next="read it with the version that wrote it, or a later one",
            )
        if isinstance(values, dict) and schema is None:
            raise ValueError("schema is missing")
        return plain.from_plain(Record, values)
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} is not a record: {error}", do_next="remove it, or run its session again") from error


def read_all(folder: Path) -> list[Record]:
    """The records of a run's folder, by session name. Raises RecordError."""
    return [read(path) for path in sorted((folder / "records").glob("*.json"))]
