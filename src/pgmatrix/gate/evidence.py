"""Owns all that a verdict is made of, as values: what was expected, what was found, and what the project demands.

Reads nothing (see `gather`) and objects to nothing (see the rules).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pgmatrix.coverage import Merged
from pgmatrix.gate.policy import Policy
from pgmatrix.junit import JUnit
from pgmatrix.matrix import Session
from pgmatrix.perf.results import PerfRun
from pgmatrix.records import Record
from pgmatrix.verdict import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was expected: `sessions` of the table in its order with each layer's `files`, the `run` and the `commit`
    (empty where nobody knows), and the coverage `thresholds`. `asked` are the sessions the run was started for.

    What was found, by session: `records` that can be read; `damaged`, why one cannot; `twice`, the files where there
    are several; `junit`, what its JUnit file holds, or why it cannot be read. `strangers` are files in the folder that
    are no session's of the table. `coverage` and `perf` are None where there is none; `coverage_problem` and
    `perf_problem` say why one that is there cannot be used.
    """

    scope: Scope = Scope.MATRIX
    sessions: tuple[str, ...]
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    run: str = ""
    commit: str = ""
    asked: frozenset[str] = frozenset()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    records: Mapping[str, Record] = field(default_factory=dict)
    damaged: Mapping[str, str] = field(default_factory=dict)
    twice: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    junit: Mapping[str, JUnit | str] = field(default_factory=dict)
    strangers: tuple[str, ...] = ()
    coverage: Merged | None = None
    coverage_problem: str = ""
    perf: PerfRun | None = None
    perf_problem: str = ""
    policy: Policy = field(default_factory=Policy)

    def found(self) -> Iterator[tuple[str, Record]]:
        """The records of the table's sessions, in its order."""
        for name in self.sessions:
            if name in self.records:
                yield name, self.records[name]

    def layers(self) -> dict[str, dict[str, Record]]:
        """Of each layer, the records of its sessions."""
        found: dict[str, dict[str, Record]] = {}
        for name, record in self.found():
            found.setdefault(Session.parse(name).layer, {})[name] = record
        return found

    def cells(self) -> dict[str, dict[str, Record]]:
        """Of each cell, the records of its sessions."""
        found: dict[str, dict[str, Record]] = {}
        for name, record in self.found():
            found.setdefault(str(Session.parse(name).cell), {})[name] = record
        return found

    def is_told(self, record: Record) -> bool:
        """Whether a session did not start or did not end, and a rule that is on says so: the others need not."""
        off = self.policy.off
        return bool(record.error and "started" not in off) or (not record.finished and "finished" not in off)

    def is_preview(self, session: str) -> bool:
        """Whether a session is of a cell that never blocks."""
        return bool(self.policy.preview) and str(Session.parse(session).cell) in self.policy.preview
