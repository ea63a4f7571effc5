"""Owns what a cell's measurements stand on: its own server, durable as in production, and databases on it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from pgmatrix.clients import Client, connect
from pgmatrix.config import Config
from pgmatrix.databases.database import Database
from pgmatrix.databases.names import clone_name
from pgmatrix.databases.stock import clone
from pgmatrix.matrix import Cell
from pgmatrix.provision import Provision, provision
from plant.core.config import Settings
from plant.core.database import Database as Plant
from tests.perf.measure import Samples

APP = "plant_app"
MIGRATOR = "plant_migrator"
# What a commit promises in production, and memory such that an index of 100,000 vectors fits. jit stays off.
PRODUCTION = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    "autovacuum": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
}
SYNCS = 50
PAGE = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One cell's server, its superuser's client, an event loop for all of a measurement, and how much to do."""

    cell: Cell
    quick: bool
    found: Provision
    runner: asyncio.Runner
    numbers: Iterator[int] = field(default_factory=count)

    def rounds(self, full: int, quick: int) -> int:
        """How many rounds, or how much of anything, to do."""
        return quick if self.quick else full

    def run(self, awaitable: Any) -> Any:
        """Wait for it on the one loop."""
        return self.runner.run(awaitable)

    @contextlib.contextmanager
    def client(self, database: Database | None = None) -> Iterator[Client]:
        """The superuser, in autocommit."""
        client = connect(self.found.server, database=database.name if database else None, timeout=60)
        try:
            yield client
        finally:
            client.close()

    def clone(self, source: Database | None = None) -> Database:
        """A new database: migrated and empty, or with all that `source`, which nobody may be using, holds."""
        name = clone_name(self.found.token, "perf", next(self.numbers))
        with self.client() as client:
            clone(client, name, source.name if source else self.found.template)
        return Database(name=name, server=self.found.server)

    def drop(self, *databases: Database) -> None:
        """Free their disk space."""
        with self.client() as client:
            for database in databases:
                client.execute(f'DROP DATABASE "{database.name}" (FORCE)')

    def admin(self, database: Database, *statements: str) -> list[tuple[Any, ...]]:
        """Statements as superuser, one after another; the rows of the last."""
        rows: list[tuple[Any, ...]] = []
        with self.client(database) as client:
            for statement in statements:
                rows = client.execute(statement)
        return rows

    @contextlib.contextmanager
    def plant(self, database: Database, **settings: Any) -> Iterator[Plant]:
        """plant on that database, as the application's role."""
        opened = Plant(Settings(**{"url": database.url(APP), "read_url": None, **settings}))
        try:
            yield opened
        finally:
            self.run(opened.close())

    def describe(self) -> list[str]:
        """What the figures depend on: the server, its settings, the disk, the machine."""
        server, facts = self.found.server, self.found.facts
        shown = ", ".join(f"{name}={value}" for name, value in PRODUCTION.items())
        sync = syncs_beside()
        return [
            f"PostgreSQL {facts.server_version} ({server.provider}), {server.storage}",
            f"durable as in production, all workloads: {shown}; jit=off",
            f"one fdatasync of 8 kB beside the data: median {sync.median * 1000:.2f} ms, most {sync.most * 1000:.2f} ms"
            f" ({'a disk that waits' if sync.median > 0.0005 else 'a disk with a safe cache, or none that waits'})",
            f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}",
        ]


@contextlib.contextmanager
def ground(table: Config, cell: Cell, *, quick: bool) -> Iterator[Ground]:
    """The cell's server, which goes away at the end. Raises PgMatrixError."""
    found = provision(table, cell, workers=2, label=f"perf({cell})")
    try:
        with asyncio.Runner() as runner:
            yield Ground(cell=cell, quick=quick, found=found, runner=runner)
    finally:
        found.close()


def syncs_beside() -> Samples:
    """Seconds of writing one page durably where an embedded server keeps its data: what a commit must wait for."""
    path = Path(tempfile.gettempdir()) / f"pgmatrix-sync-{os.getpid()}"
    found = []
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for number in range(SYNCS):
            os.pwrite(descriptor, b"x" * PAGE, number * PAGE)
            start = time.perf_counter()
            os.fdatasync(descriptor)
            found.append(time.perf_counter() - start)
    finally:
        os.close(descriptor)
        path.unlink()
    return Samples(values=tuple(found))
