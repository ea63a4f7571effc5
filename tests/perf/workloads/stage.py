"""Owns what a cell's workloads stand on: databases with rows in them, plant on each, and open bare connections."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from pgmatrix.databases.database import Database
from pgmatrix.perf.contender import Ground
from pgmatrix.perf.limits import find_pgbench
from pgmatrix.perf.usage import WHO, postmaster_behind
from plant.core.config import Settings
from plant.core.database import Database as Plant
from plant.models import Industry
from tests.perf.plant.bare import Bare, open_bare
from tests.perf.plant.loads import INDEX, copy, load
from tests.perf.plant.rows import INDUSTRY_COLUMNS, SKILL_COLUMNS, Floats, facts, industries, skills, vectors
from tests.perf.plant.trail import forge

APP = "plant_app"
CLIENTS = 64
REQUESTERS = 100
POOL = 20  # more clients than this wait for one another, as in a service
RANGE = 1_000
CHAIN = 1_000
K = 10
QUERIES = 200
LARGE, SMALL, RANGES, CHAINED, SHARED = "agent-large", "agent-small", "agent-range", "agent-chain", "agent-shared"
SHARE = 0.05
TABLES = ("base_entity", "skill", "industry")
COUNTERS = 8
EXTRA = (
    "CREATE TABLE public.perf_copy (id uuid, name text, description text, number int8, at timestamptz)",
    "CREATE TABLE public.perf_counter (id int PRIMARY KEY, value int8 NOT NULL) WITH (fillfactor = 50)",
    f"INSERT INTO public.perf_counter SELECT n, 0 FROM generate_series(0, {COUNTERS - 1}) AS n",
    "GRANT ALL ON public.perf_copy, public.perf_counter TO plant_app",
)


@dataclass(slots=True, kw_only=True)
class Bares:
    """Connections of the driver alone, opened when they are first needed and kept."""

    database: Database
    opened: list[Bare] = field(default_factory=list)

    async def grow(self, number: int) -> None:
        """At least so many."""
        while len(self.opened) < number:
            self.opened.append(await open_bare(self.database, APP))

    def __getitem__(self, client: int) -> Bare:
        return self.opened[client]


class Stage:
    """The databases of one cell. `guarded` is as the application has it, `free` the same with no row-level security."""

    plant: Plant
    unguarded: Plant

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.number = ground.rounds(5_000, 2_000)
        self.vectors = vectors(self.number, seed=1, topics=self.number // 50)
        self.queries = vectors(QUERIES, seed=2, topics=self.number // 50)
        self.owned = np.random.default_rng(0).random(self.number) >= SHARE
        self.guarded = ground.clone()
        self.ids = self._skills()
        ground.run(forge(self.guarded, CHAINED, CHAIN))
        ground.admin(self.guarded, *(f"ALTER TABLE plant.{one} ENABLE TRIGGER USER" for one in TRIGGERED), *EXTRA)
        ground.admin(self.guarded, "VACUUM ANALYZE")
        self.free = ground.clone(self.guarded)
        ground.admin(self.free, *(f"ALTER TABLE plant.{one} DISABLE ROW LEVEL SECURITY" for one in TABLES))
        self.opened: dict[tuple[str, int], Plant] = {}
        self.connecting = self._open(self.guarded, CLIENTS)  # its pool stays empty
        self.use(1)
        self.bare = Bares(database=self.guarded)
        self.entities = {agent: ground.run(self._entities(agent, seed)) for seed, agent in enumerate(self.agents)}
        self.shared = ground.run(self._entities(SHARED, 1_000, CLIENTS))
        with ground.client() as client:
            self.postmaster = postmaster_behind(*client.execute(f"SELECT {WHO}")[0])
        self.pgbench, self.no_pgbench = find_pgbench(self.postmaster)
        # Embedded servers have their data there.
        self.folder = Path(tempfile.gettempdir()) if ground.found.server.provider == "embedded" else None

    @property
    def agents(self) -> list[str]:
        """One for each client."""
        return [f"agent-{number}" for number in range(REQUESTERS)]

    @cached_property
    def right(self) -> list[set[UUID]]:
        """The K nearest of each query among the large agent's rows; of unit vectors the product is the cosine."""
        own = np.flatnonzero(self.owned)
        nearest = np.argpartition(self.queries @ self.vectors[own].T, -K, axis=1)[:, -K:]
        return [{self.ids[own[place]] for place in places} for places in nearest]

    @cached_property
    def readable(self) -> list[UUID]:
        """The large agent's skills."""
        return [self.ids[place] for place in np.flatnonzero(self.owned)]

    def use(self, clients: int) -> None:
        """plant with a pool for so many: a pool hands out its oldest connection, so one client would use them all."""
        size = min(clients, POOL)
        self.plant, self.unguarded = (self._pooled(one, size) for one in (self.guarded, self.free))

    async def fill(self) -> None:
        """Open what those pools may hold, so that no operation is timed that had to open a connection."""
        for plant in (self.plant, self.unguarded):
            metrics = plant.metrics()
            if metrics.checked_in < metrics.size:
                async with AsyncExitStack() as held:
                    for _ in range(metrics.size):
                        await held.enter_async_context(plant.engine.connect())

    def forked(self) -> None:
        """Connections of this process's own from now on; those of the one before are kept, so that none is closed."""
        self.inherited = (self.opened, self.bare)
        self.opened, self.bare = {}, Bares(database=self.guarded)

    def _pooled(self, database: Database, size: int) -> Plant:
        key = (database.name, size)
        if key not in self.opened:
            self.opened[key] = self._open(database, size)
        return self.opened[key]

    def _open(self, database: Database, size: int) -> Plant:
        return Plant(Settings(url=database.url(APP), read_url=None, pool_size=size, max_overflow=0))

    def _skills(self) -> list[UUID]:
        """Skills with their index, and industries for ranges, copied in by the superuser past triggers."""
        ground, database = self.ground, self.guarded
        definition = ground.admin(database, "SELECT pg_get_indexdef('plant.ix_skill_embedding'::regclass)")[0][0]
        ground.admin(database, INDEX, *(f"ALTER TABLE plant.{one} DISABLE TRIGGER USER" for one in TRIGGERED))
        made = _owned_skills(self.vectors, self.owned)
        ground.run(self._copy(made, SKILL_COLUMNS))
        ground.run(self._copy(industries(facts(RANGE, 77), RANGES), INDUSTRY_COLUMNS))
        ground.admin(database, "SET maintenance_work_mem = '256MB'", definition)
        return [skill.id for skill in made]

    async def _copy(self, entities: Sequence[Any], names: Sequence[str]) -> None:
        superuser = await open_bare(self.guarded, None)
        await copy(superuser, entities, names)
        await superuser.close()

    async def _entities(self, agent: str, seed: int, number: int = 1) -> list[UUID]:
        """Through plant, so that each has its entry in the trail."""
        made: list[Industry] = industries(facts(number, 10_000 + seed), agent)
        await load(self.plant, made, INDUSTRY_COLUMNS, agent)
        return [one.id for one in made]


TRIGGERED = (*TABLES, "audit_log", "audit_head")


def _owned_skills(embeddings: Floats, owned: Any) -> list[Any]:
    known = facts(len(embeddings), 5)
    return [
        skills([one], vector[None], LARGE if large else SMALL)[0]
        for one, vector, large in zip(known, embeddings, owned, strict=True)
    ]
