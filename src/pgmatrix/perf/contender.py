"""Owns what a project offers to be measured: contenders, each a workload by one variant, on the ground of a cell."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

from pgmatrix.clients import Client, connect
from pgmatrix.databases.database import Database
from pgmatrix.databases.names import clone_name
from pgmatrix.databases.stock import clone
from pgmatrix.matrix import Cell
from pgmatrix.perf.loops import Once, Slice, closed_loop
from pgmatrix.perf.results import Role
from pgmatrix.provision import Provision

SWEEP = (1, 4, 16, 64)


class Contender(Protocol):
    """A workload by one variant. `absent` says why this machine does not offer it, and is empty where it does.

    `size` says in words what one operation is; runs whose sizes differ are not compared.
    """

    workload: str
    variant: str
    role: Role
    clients: Sequence[int]
    size: str
    absent: str

    async def slice(self, clients: int, seconds: float) -> Slice:
        """So many clients for about so many seconds, what they need made ready before the clock starts."""
        ...

    async def plan(self) -> str:
        """How the server carries out the workload's statement (EXPLAIN), or empty."""
        ...

    def notes(self) -> Mapping[str, float]:
        """Figures of the workload's own over all slices so far, such as recall."""
        ...


@dataclass(slots=True, kw_only=True)
class Looped:
    """A contender whose operation is a coroutine: a base for a project's own. Not frozen, for they keep connections."""

    workload: str
    variant: str
    role: Role = Role.SUBJECT
    clients: Sequence[int] = SWEEP
    size: str = ""
    absent: str = ""

    @property
    def once(self) -> Once:
        """The operation, by the client's number."""
        raise NotImplementedError(f"{self.workload} {self.variant} says no operation")

    async def ready(self, clients: int) -> None:
        """Make ready for so many clients; called before each slice, outside its clock."""

    def forked(self) -> None:
        """Forget, without closing them, connections of the process that this one was forked from."""

    async def slice(self, clients: int, seconds: float) -> Slice:
        """A closed loop."""
        await self.ready(clients)
        return await closed_loop(self.once, clients, seconds)

    async def plan(self) -> str:
        """None."""
        return ""

    def notes(self) -> Mapping[str, float]:
        """None."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One cell's server, its superuser's client, an event loop for the whole run, and how much to do."""

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
