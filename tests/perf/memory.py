"""Measures the peak memory of a session: pytest, its workers, the server, all they start. Linux only."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pgmatrix.matrix import Cell, Session
from pgmatrix.servers.tuning import usable_cores
from pgmatrix.servers.watchdog import start_time
from tests.perf.bench import Bench
from tests.perf.commands import running
from tests.perf.measure import MeasurementFailed, Samples, Unit
from tests.perf.sessions import command_of
from tests.perf.table import Goal, Row

PROC = Path("/proc")
PAUSE = 0.02
TIMEOUT = 300.0


@dataclass(slots=True)
class Peak:
    """The largest sum seen, in megabytes, how often was looked, and how many processes there were then."""

    megabytes: float = 0.0
    looks: int = 0
    processes: int = 0
    known: dict[int, str] = field(default_factory=dict)

    def take(self, sizes: Mapping[int, int]) -> None:
        """One look: kilobytes by process."""
        self.looks += 1
        total = sum(sizes.values()) / 1024
        if total > self.megabytes:
            self.megabytes, self.processes = total, len(sizes)


def measure_memory(bench: Bench) -> list[Row]:
    """Each layer on the newest major, through the first driver: as one among others, and alone."""
    if not (PROC / "self" / "smaps_rollup").exists():
        return [Row(what="peak memory of a session", absent="needs /proc/PID/smaps_rollup, which Linux has")]
    cell = Cell(major=max(bench.table.matrix.majors), driver=bench.table.matrix.drivers[0])
    layers = bench.layers[:2] if bench.quick else bench.layers
    sessions = [Session(cell=cell, layer=layer) for layer in layers]
    return [_row(bench, session, together) for session in sessions for together in (usable_cores(), 1)]


def _row(bench: Bench, session: Session, together: int) -> Row:
    """`together` sessions share the cores, which decides how many workers one of them has."""
    peak = _watch(bench, session, together)
    how = f"{together} sessions at a time" if together > 1 else "alone"
    return Row(
        what=f"peak memory of pytest, workers and server, {peak.processes} processes, {session}, {how}",
        measured=Samples(values=(peak.megabytes,), unit=Unit.MEGABYTES),
        goal=Goal(bound=256),
    )


def _watch(bench: Bench, session: Session, together: int) -> Peak:
    command = command_of(bench, session, bench.table.matrix.layers[session.layer])
    env = {**command.env, "PGMATRIX_PROVIDER": "embedded", "PGMATRIX_PARALLEL_SESSIONS": str(together)}
    log = bench.file("memory.log")
    peak = Peak()
    deadline = time.monotonic() + TIMEOUT
    with running(command.argv, env=env, cwd=bench.root, output=log) as process:
        while process.poll() is None and time.monotonic() < deadline:
            peak.take(sizes(family(process.pid, peak.known)))
            _pause(process)
        code = process.poll()
    if code != 0 or peak.looks < 5:
        said = log.read_text(encoding="utf-8", errors="replace")
        raise MeasurementFailed(f"{session} ended with exit code {code} after {peak.looks} looks", said)
    return peak


def _pause(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(PAUSE)


def family(root: int, known: dict[int, str]) -> list[int]:
    """`root` and all that descend from it. Who was once of the family stays, also when its parent has died.

    `known` remembers between calls: process ids and when they started.
    """
    parents = _parents()
    for pid, started in list(known.items()):
        if start_time(pid) != started:
            del known[pid]
    for pid in descendants(root, known, parents):
        if pid not in known:
            known[pid] = start_time(pid)
    return list(known)


def descendants(root: int, known: Iterable[int], parents: Mapping[int, int]) -> set[int]:
    """`root`, the `known` and everything below them, by a map from process to parent."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    waiting = [pid for pid in (root, *known) if pid in parents]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def sizes(pids: Iterable[int]) -> dict[int, int]:
    """The proportional set size in kilobytes of each process that is still there: shared pages count once in a sum."""
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            found[pid] = pss((PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii"))
    return found


def pss(rollup: str) -> int:
    """The kilobytes of the line `Pss:`; 0 where there is none, as for a process that is ending."""
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def _parents() -> dict[int, int]:
    found = {}
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
                found[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    return found
