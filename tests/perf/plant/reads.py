"""Measures one read by id: plant beside the bare driver and a plain ORM session; row-level security beside none."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from pgmatrix.databases.database import Database
from plant.core.bulk import bulk_insert
from plant.core.database import Database as Plant
from plant.core.reading import by_id
from plant.models import BaseEntity, Skill
from tests.perf.measure import Action, MeasurementFailed, Samples, interleave
from tests.perf.plant.bare import open_bare
from tests.perf.plant.figures import Figure
from tests.perf.plant.ground import APP, Ground
from tests.perf.plant.rows import AGENT, BASE_COLUMNS, SKILL_COLUMNS, columns, facts, skills, vectors
from tests.perf.table import Goal, Of

OTHER = "agent-b"
READS = 20
TABLES = ("base_entity", "skill")
SET_AGENT = text("SELECT set_config('app.current_agent_id', :agent, true)")

Read = Callable[[UUID], Awaitable[object]]


async def fill(plant: Plant, number: int) -> list[UUID]:
    """Skills of two agents in equal parts; the ids of AGENT's."""
    ids: list[UUID] = []
    for seed, agent in enumerate((AGENT, OTHER), 1):
        made = skills(facts(number, seed), vectors(number, seed=seed), agent)
        async with plant.session(agent) as session:
            await bulk_insert(session, BaseEntity.__table__, columns(made, BASE_COLUMNS))  # type: ignore[arg-type]
            await bulk_insert(session, Skill.__table__, columns(made, SKILL_COLUMNS))  # type: ignore[arg-type]
        ids = ids or [skill.id for skill in made]
    return ids


def by_plant(plant: Plant) -> Read:
    """A transaction with the agent set, and the joined select."""

    async def read(entity: UUID) -> object:
        return await plant.get(Skill, entity, agent=AGENT)

    return read


@contextmanager
def by_bare(ground: Ground, database: Database, plant: Plant) -> Iterator[Read]:
    """The same statements on one open connection of the driver."""
    query = str(by_id(Skill).compile(dialect=plant.engine.dialect))
    raw = ground.run(open_bare(database, APP))
    try:
        yield lambda entity: raw.read(AGENT, query, entity)
    finally:
        ground.run(raw.close())


@contextmanager
def by_orm(ground: Ground, database: Database) -> Iterator[Read]:
    """SQLAlchemy's own engine, session and `get`, the agent set by hand."""
    engine = create_async_engine(database.url(APP))

    async def read(entity: UUID) -> object:
        async with AsyncSession(engine) as session, session.begin():
            await session.execute(SET_AGENT, {"agent": AGENT})
            return await session.get(Skill, entity)

    try:
        yield read
    finally:
        ground.run(engine.dispose())


def measure_reads(ground: Ground) -> list[Figure]:
    """One skill by id of a table with 1,000 (quick: 200), its embedding included, by five readers in turn."""
    guarded = ground.clone()
    with ground.plant(guarded) as plant:
        ids = ground.run(fill(plant, ground.rounds(500, 100)))
    ground.admin(guarded, "ANALYZE")
    free = ground.clone(guarded)
    ground.admin(free, *(f"ALTER TABLE plant.{table} DISABLE ROW LEVEL SECURITY" for table in TABLES))
    with ExitStack() as stack:
        plant, unguarded = (stack.enter_context(ground.plant(one)) for one in (guarded, free))
        readers = {
            "plant": by_plant(plant),
            "bare": stack.enter_context(by_bare(ground, guarded, plant)),
            "orm": stack.enter_context(by_orm(ground, guarded)),
            "plant, off": by_plant(unguarded),
            "bare, off": stack.enter_context(by_bare(ground, free, unguarded)),
        }
        actions = {name: _action(ground, read, ids) for name, read in readers.items()}
        interleave(1, actions)  # warm
        found = interleave(ground.rounds(60, 20), actions)
    ground.drop(guarded, free)
    return _figures(found)


def _action(ground: Ground, read: Read, ids: list[UUID]) -> Action:
    async def seconds() -> float:
        start = time.perf_counter()
        for entity in ids[:READS]:
            if await read(entity) is None:
                raise MeasurementFailed(f"the skill {entity} was not found, so its read cannot be timed")
        return (time.perf_counter() - start) / READS

    return lambda: ground.run(seconds())


def _figures(found: dict[str, Samples]) -> list[Figure]:
    bare, off = "the same statements on the bare driver", "the same, row-level security off"
    slow, guard = Goal(bound=2.5, of=Of.RATIO), Goal(bound=1.3, of=Of.RATIO)
    return [
        Figure(
            what="read one skill by id through plant",
            measured=found["plant"],
            baseline=found["bare"],
            baseline_what=bare,
            goal=slow,
        ),
        Figure(
            what="the same by a plain ORM session",
            measured=found["orm"],
            baseline=found["bare"],
            baseline_what=bare,
        ),
        Figure(
            what="read under row-level security through plant",
            measured=found["plant"],
            baseline=found["plant, off"],
            baseline_what=off,
            goal=guard,
        ),
        Figure(
            what="read under row-level security on the bare driver",
            measured=found["bare"],
            baseline=found["bare, off"],
            baseline_what=off,
            goal=guard,
        ),
    ]
