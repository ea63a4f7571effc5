"""Owns limits that any project has: `pgbench` with a statement of its own, and the disk beside the server's data."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pgmatrix.databases.database import Database
from pgmatrix.perf.contender import SWEEP
from pgmatrix.perf.loops import Slice
from pgmatrix.perf.results import Role
from pgmatrix.perf.usage import binary_beside

MOST = 20_000


def find_pgbench(postmaster: int | None) -> tuple[Path | None, str]:
    """pgbench, of the server's own build where it is there, else on the path; or None, and why."""
    found = binary_beside(postmaster, "pgbench") or shutil.which("pgbench")
    return (Path(found), "") if found else (None, "no pgbench beside the server or on the path")


@dataclass(slots=True, kw_only=True)
class Pgbench:
    """PostgreSQL's own benchmark running `script` as `role`: no Python in the way. Its log has every latency."""

    workload: str
    script: str
    database: Database
    user: str
    program: Path | None
    absent: str = ""
    variant: str = "pgbench"
    role: Role = Role.LIMIT
    clients: Sequence[int] = SWEEP
    size: str = ""
    rates: dict[int, float] = field(default_factory=dict)

    async def slice(self, clients: int, seconds: float) -> Slice:
        """As many transactions as fit, going by the last slice; connecting is not in the clock."""
        each = max(5, min(MOST, round(self.rates.get(clients, 200.0) * seconds / clients)))
        with tempfile.TemporaryDirectory(prefix="pgmatrix-pgbench-") as name:
            folder = Path(name)
            (folder / "script.sql").write_text(self.script, encoding="utf-8")
            code, said = await self._run(folder, clients, each)
            found, took = await asyncio.to_thread(logged, folder)
        if code != 0 or not found:
            return Slice(latencies=(), seconds=seconds, errors={"pgbench": 1}, texts={"pgbench": said})
        self.rates[clients] = len(found) / max(took, 1e-6)
        return Slice(latencies=tuple(found), seconds=took)

    async def _run(self, folder: Path, clients: int, each: int) -> tuple[int, str]:
        words = ["-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2)), "-t", str(each), "-l"]
        argv = [str(self.program), *words, "--log-prefix", str(folder / "log"), "-f", str(folder / "script.sql")]
        process = await asyncio.create_subprocess_exec(
            *argv,
            self.database.dsn(self.user),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            cwd=folder,
        )
        _, errors = await process.communicate()
        lines = errors.decode(errors="replace").strip().splitlines()
        return process.returncode or 0, lines[-1] if lines else f"exit code {process.returncode}"

    async def plan(self) -> str:
        """That of the data layer's own statement, which this one repeats."""
        return ""

    def notes(self) -> Mapping[str, float]:
        """None."""
        return {}


def logged(folder: Path) -> tuple[list[float], float]:
    """Each transaction's seconds by pgbench's logs, and those from the first one's beginning to the last one's end.

    A client begins when its transaction before has ended, so that a transaction's seconds are those between two ends.
    pgbench's own latency goes by a clock that it reads now and then, and may be zero.
    """
    found, ends, begins = list[float](), list[int](), list[int]()  # seconds, microseconds, microseconds
    before: dict[str, int] = {}
    for log in sorted(folder.glob("log.*")):
        for line in log.read_text(encoding="ascii").splitlines():
            client, _, own, _, second, rest, *_ = line.split()
            end = int(second) * 1_000_000 + int(rest)
            begins.append(before.get(client, end - int(own)))
            ends.append(end)
            found.append((end - begins[-1]) / 1e6)
            before[client] = end
    return found, (max(ends) - min(begins)) / 1e6 if found else 0.0


@dataclass(slots=True, kw_only=True)
class Disk:
    """So many bytes written and synced to a file on the disk of the server's data, again and again."""

    workload: str
    payload: int
    folder: Path
    absent: str = ""
    variant: str = "disk"
    role: Role = Role.LIMIT
    clients: Sequence[int] = (1,)
    size: str = ""

    async def slice(self, clients: int, seconds: float) -> Slice:
        """One writer after another: a disk has one queue."""
        return await asyncio.to_thread(self._write, seconds)

    def _write(self, seconds: float) -> Slice:
        content, found, start = os.urandom(self.payload), list[float](), time.perf_counter()
        with tempfile.TemporaryFile(prefix="pgmatrix-", dir=self.folder, buffering=0) as file:
            while not found or time.perf_counter() < start + seconds:
                file.seek(0)
                begun = time.perf_counter()
                file.write(content)
                os.fsync(file.fileno())
                found.append(time.perf_counter() - begun)
        return Slice(latencies=tuple(found), seconds=sum(found))

    async def plan(self) -> str:
        """None."""
        return ""

    def notes(self) -> Mapping[str, float]:
        """None."""
        return {}
