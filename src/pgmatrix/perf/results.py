"""Owns what a performance run is as a value, and its JSON form: `perf.json` in the run's folder.

Standard library only. It measures nothing, and judges no more than `reasons`: why the run is not a pass.
Seconds, operations a second and megabytes throughout; ratios say how many times the time of an operation it takes.
"""

from __future__ import annotations

import json
import os
import tempfile
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pgmatrix.errors import RecordError

SCHEMA = 1
FILE = "perf.json"


class Word(StrEnum):
    """What a comparison found. Within noise: the interval does not exclude that there is no difference that counts."""

    SLOWER = "slower"
    FASTER = "faster"
    WITHIN_NOISE = "within noise"
    INVALID = "invalid"


class Kind(StrEnum):
    """What is compared with what, and so what a comparison is for. The first two decide, the others inform."""

    BUDGET = "budget"  # a variant beside another one, or beside the other driver, with a bound from the table
    BASELINE = "baseline"  # this run beside an earlier one of the same machine
    VARIANTS = "variants"  # the data layer beside the bare driver or another limit, in one cell
    DRIVERS = "drivers"  # one driver beside the other, on one major
    MAJORS = "majors"  # one major beside another, through one driver


class Role(StrEnum):
    """What a variant is measured for: as what is judged, as the bare driver, or as another limit (pgbench, a disk)."""

    SUBJECT = "subject"
    BARE = "bare"
    LIMIT = "limit"


class Outcome(StrEnum):
    """Of a series: measured; absent (a limit this machine does not offer); invalid (never a pass)."""

    MEASURED = "measured"
    ABSENT = "absent"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One slice of a series. Slices of one `number` were taken side by side.

    `p25` and `p50` are None where nothing succeeded. Ratios are made of `p25`, what an operation takes while no other
    program is in its way: a busy machine interrupts long operations more often than short ones.
    """

    number: int
    operations: int
    errors: int
    seconds: float
    p50: float | None
    p25: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A workload by one variant with so many clients in one cell, over all rounds.

    `histogram` holds every successful operation, outliers too: (upper edge in seconds, count), ascending, empty buckets
    left out. `errors` counts by name. CPU is seconds for one operation, memory the highest seen; None where it cannot
    be seen. `notes` are figures of the workload's own (`recall`). `why` says why it is absent or invalid.
    """

    cell: str
    workload: str
    variant: str
    role: Role
    clients: int
    outcome: Outcome
    why: str = ""
    rounds: tuple[Round, ...] = ()
    operations: int = 0
    throughput: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    worst: float | None = None
    histogram: tuple[tuple[float, int], ...] = ()
    errors: Mapping[str, int] = field(default_factory=dict)
    client_cpu: float | None = None
    server_cpu: float | None = None
    client_memory: float | None = None
    server_memory: float | None = None
    plan: str = ""
    notes: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`pg16-asyncpg point-read plant x4`, the one spelling of a series."""
        return f"{self.cell} {self.workload} {self.variant} x{self.clients}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One thing beside another: the ratio of their times, where it lies with `level` certainty, and the word for it.

    `measured` and `beside` name the two (a variant, a cell, `baseline`). `bound` is a budget's, else None. `ratio` is
    None where it is invalid. `why` is a sentence for people.
    """

    kind: Kind
    cell: str
    workload: str
    clients: int
    measured: str
    beside: str
    word: Word
    why: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    bound: float | None = None

    @property
    def passes(self) -> bool:
        """Whether it keeps nobody from shipping: only budgets and baselines can."""
        deciding = self.kind in (Kind.BUDGET, Kind.BASELINE)
        return not (deciding and self.word in (Word.SLOWER, Word.INVALID))


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests offered at a steady rate by many clients for a stated time; latency counts from when each was due."""

    cell: str
    clients: int
    seconds: float
    requests: int
    errors: int
    rate: float
    p50: float | None
    p95: float | None
    p99: float | None
    wanted_rate: float
    wanted_p95: float
    wanted_errors: float
    met: bool
    why: str
    histogram: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFacts:
    """What a cell was measured on. `facts` are `servers.identity.Facts`; `sync` is the median seconds of one fdatasync
    beside the data. `durability` says in words what a commit promises. `problem` says why the cell has no, or not all,
    figures.
    """

    cell: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    durability: str = ""
    sync: float | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where and of what a run was made. Runs of unequal `machine` or `workloads` cannot be compared.

    `machine` and `workloads` are digests, `facts` are for people. Times are Unix seconds.
    """

    machine: str
    workloads: str
    facts: Mapping[str, str]
    commit: str
    dirty: bool
    started: float
    ended: float
    quick: bool
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineFacts:
    """The earlier run this one was compared with. `problem` says why it was not, though it was asked for."""

    path: str = ""
    commit: str = ""
    started: float | None = None
    problem: str = ""

    @property
    def asked(self) -> bool:
        """Whether the table or the command line names one."""
        return bool(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolkitRow:
    """A line of what measures the toolkit itself (`nox -s bench`), in words: measured, beside what, its goal and what
    became of it. `why` says why nothing was measured.
    """

    what: str
    measured: str = ""
    beside: str = ""
    ratio: float | None = None
    goal: str = ""
    verdict: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerfRun:
    """A whole performance run. `sentences` are what a person can act on, the most important first. `toolkit` is shown
    and keeps nobody from shipping: it is of the same commit, perhaps of an earlier hour.
    """

    run: str
    environment: Environment
    cells: tuple[CellFacts, ...] = ()
    series: tuple[Series, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    loads: tuple[Load, ...] = ()
    baseline: BaselineFacts = BaselineFacts()
    sentences: tuple[str, ...] = ()
    toolkit: tuple[ToolkitRow, ...] = ()
    schema: int = SCHEMA

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why this run is not a pass, one line each; empty for a pass. A run without any series is none."""
        found = [reason for cell in self._named() for reason in self.reasons_of(cell)]
        if self.baseline.problem:
            found.append(self.baseline.problem)
        if not any(one.outcome is Outcome.MEASURED for one in self.series):
            found.append("nothing was measured")
        return tuple(found)

    def reasons_of(self, cell: str) -> tuple[str, ...]:
        """What of it is about that cell."""
        found = [f"{one.cell}: {one.problem}" for one in self.cells if one.problem and one.cell == cell]
        invalid = [one for one in self.series if one.outcome is Outcome.INVALID and one.cell == cell]
        found += [f"{one.name}: {one.why}" for one in invalid]
        found += [one.why for one in self.comparisons if not one.passes and one.cell == cell]
        return (*found, *(one.why for one in self.loads if not one.met and one.cell == cell))

    def _named(self) -> list[str]:
        """Every cell that anything in it is about."""
        parts = (self.cells, self.series, self.comparisons, self.loads)
        return list(dict.fromkeys(one.cell for part in parts for one in part))

    def find(self, cell: str, workload: str, variant: str, clients: int) -> Series | None:
        """That series, if it is there."""
        wanted = (cell, workload, variant, clients)
        return next((s for s in self.series if (s.cell, s.workload, s.variant, s.clients) == wanted), None)


def path_of(folder: Path) -> Path:
    """Where a run's folder has its performance run."""
    return folder / FILE


def to_json(run: PerfRun) -> dict[str, Any]:
    """The run as JSON can carry it."""
    return asdict(run)


def from_json(values: Mapping[str, Any]) -> PerfRun:
    """The run `values` hold; what later versions added is left out. Raises ValueError, KeyError or TypeError."""
    if values["schema"] > SCHEMA:
        raise ValueError(f"it has schema {values['schema']}, this pgmatrix reads up to {SCHEMA}")
    found: PerfRun = _read(PerfRun, values)
    return found


def write(folder: Path, run: PerfRun) -> Path:
    """Write `run` into a run's folder, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, private = tempfile.mkstemp(prefix=".", dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(to_json(run), file, indent=1)
    return Path(private).rename(path_of(folder))


def read(path: Path) -> PerfRun:
    """The run at `path`. Raises RecordError."""
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{path} is no performance run: {error}", do_next="measure again: nox -s perf") from error


def toolkit(path: Path, commit: str) -> tuple[ToolkitRow, ...]:
    """The toolkit's rows in the file at `path`, where there is one and it is of that commit. Raises RecordError."""
    if not path.is_file():
        return ()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        same = bool(commit) and values["commit"] == commit
        rows: tuple[ToolkitRow, ...] = _read(tuple[ToolkitRow, ...], values["toolkit"] if same else [])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{path} holds no bench: {error}", do_next="measure it again: nox -s bench") from error
    return rows


def _read(kind: Any, value: Any) -> Any:
    """`value`, from JSON, as the type `kind`."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        known = {one.name: value[one.name] for one in fields(kind) if one.name in value}
        return kind(**{name: _read(hints[name], found) for name, found in known.items()})  # type: ignore[operator]
    if origin is types.UnionType:
        return None if value is None else _read(next(one for one in inner if one is not type(None)), value)
    if origin is tuple:
        kinds = [inner[0]] * len(value) if inner[1:] == (Ellipsis,) else inner
        return tuple(_read(one, found) for one, found in zip(kinds, value, strict=True))
    if origin is Mapping:
        return {str(name): _read(inner[1], found) for name, found in value.items()}
    return value if kind in (Any, bool) else kind(value)
