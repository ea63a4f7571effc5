"""Owns what a cell's measurements stand on: its own server, durable as in production, and databases on it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pgmatrix.config import Config
from pgmatrix.databases.database import Database
from pgmatrix.matrix import Cell
from pgmatrix.perf import contender
from pgmatrix.perf.machine import syncs
from pgmatrix.perf.worker import DURABLE
from pgmatrix.provision import provision
from plant.core.config import Settings
from plant.core.database import Database as Plant
from tests.perf.measure import Samples

APP = "plant_app"
MIGRATOR = "plant_migrator"
# What a commit promises in production, and memory such that an index of 100,000 vectors fits. jit stays off.
PRODUCTION = {**DURABLE, "shared_buffers": "512MB", "max_wal_size": "4GB"}


class Ground(contender.Ground):
    """One cell's server for all of a measurement."""

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
    """Seconds of writing one page durably where an embedded server keeps its data."""
    return Samples(values=tuple(syncs(Path(tempfile.gettempdir()))))
