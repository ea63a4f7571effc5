"""Owns a contender of plant's: one coroutine for one operation, through plant or on a bare connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pgmatrix.databases.database import Database
from pgmatrix.perf.contender import SWEEP, Looped
from pgmatrix.perf.limits import Pgbench
from pgmatrix.perf.loops import Once, Slice
from pgmatrix.perf.results import Role
from tests.perf.plant.bare import Bare, Statement
from tests.perf.workloads.stage import APP, Stage

PLANT, BARE = "plant", "bare"


@dataclass(slots=True, kw_only=True)
class Way(Looped):
    """`work` is the operation; `explained` its statement, with the agent it is planned for; `after` tidies up."""

    stage: Stage
    work: Once
    explained: tuple[str, Statement] | None = None
    after: Callable[[], Awaitable[None]] | None = None
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def once(self) -> Once:
        """The operation."""
        return self.work

    async def ready(self, clients: int) -> None:
        """All connections are open before the clock starts: bare ones, and those of plant's pools."""
        self.stage.use(clients)
        await self.stage.fill()
        await self.stage.bare.grow(clients if self.role is Role.BARE else 1)

    def forked(self) -> None:
        """Databases and rows are the same, connections are not."""
        self.stage.forked()

    async def slice(self, clients: int, seconds: float) -> Slice:
        """A closed loop, and afterwards what keeps tables from growing."""
        found = await Looped.slice(self, clients, seconds)
        if self.after is not None:
            await self.after()
        return found

    async def plan(self) -> str:
        """EXPLAIN of the statement, by the application's role, as that agent."""
        if self.explained is None:
            return ""
        agent, (sql, values) = self.explained
        await self.stage.bare.grow(1)
        rows = await self.stage.bare[0].together(agent, (f"EXPLAIN {sql}", values))
        return "\n".join(row[0] for row in rows)

    def notes(self) -> Mapping[str, float]:
        """Of the workload's own."""
        return dict(self.figures)


def by_client(stage: Stage, work: Callable[[Bare, int], Awaitable[Any]]) -> Once:
    """An operation on the client's own bare connection."""

    async def once(client: int) -> None:
        await work(stage.bare[client], client)

    return once


def pgbench(stage: Stage, workload: str, script: str, *, database: Database | None = None, **more: Any) -> Pgbench:
    """pgbench with that script, as the application's role."""
    return Pgbench(
        workload=workload,
        script=script,
        database=database or stage.guarded,
        user=APP,
        program=stage.pgbench,
        absent=stage.no_pgbench,
        **{"clients": SWEEP, **more},
    )
