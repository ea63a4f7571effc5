"""Measures many rows at once: plant's bulk load, guarded and audited, beside COPY by the owner with neither."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count
from typing import Any

from pgmatrix.databases.database import Database
from plant.core.bulk import bulk_insert
from plant.core.database import Database as Plant
from plant.database.migrate import downgrade
from plant.models import BaseEntity
from tests.perf.measure import Samples, interleave
from tests.perf.plant.bare import Bare, open_bare
from tests.perf.plant.figures import Figure
from tests.perf.plant.ground import MIGRATOR, Ground
from tests.perf.plant.rows import AGENT, BASE_COLUMNS, SKILL_COLUMNS, columns, facts, skills, vectors
from tests.perf.table import Goal, Of

INDEX = "DROP INDEX plant.ix_skill_embedding"
BEFORE_AUDIT = "004"
UNFORCED = ("base_entity", "skill", "industry")


def without_audit(ground: Ground, database: Database) -> None:
    """The revision before the trail: its guards and constraints, and no entry of anything."""
    ground.run(downgrade(database.url(), BEFORE_AUDIT))


def without_policies(ground: Ground, database: Database) -> None:
    """Let the owner past row-level security, which COPY does not know."""
    ground.admin(database, *(f"ALTER TABLE plant.{table} NO FORCE ROW LEVEL SECURITY" for table in UNFORCED))


async def load(plant: Plant, entities: Sequence[Any], names: Sequence[str], agent: str = AGENT) -> float:
    """The seconds until entities are committed by plant: rows and hashes made, both tables written, entries sealed."""
    start = time.perf_counter()
    async with plant.session(agent) as session:
        for table, wanted in ((BaseEntity.__table__, BASE_COLUMNS), (type(entities[0]).__table__, names)):
            await bulk_insert(session, table, columns(entities, wanted))  # type: ignore[arg-type]
    return time.perf_counter() - start


async def open_owner(database: Database) -> Bare:
    """The driver as the tables' owner."""
    bare = await open_bare(database, MIGRATOR)
    await bare.run("SET ROLE plant_owner")
    return bare


async def copy(bare: Bare, entities: Sequence[Any], names: Sequence[str]) -> float:
    """The seconds of COPY until it is committed; its rows are there before the clock starts."""
    child = type(entities[0]).__tablename__
    tables = [
        (name, wanted, [_values(bare, row) for row in columns(entities, wanted)])
        for name, wanted in (("base_entity", BASE_COLUMNS), (child, names))
    ]
    start = time.perf_counter()
    await bare.copy(tables)
    return time.perf_counter() - start


def _values(bare: Bare, row: dict[str, Any]) -> tuple[Any, ...]:
    """Lists and dicts of the ORM watch for changes; a driver wants plain ones."""
    plain = {dict: lambda value: bare.json(dict(value)), list: list}
    kinds = {name: next((kind for kind in plain if isinstance(value, kind)), None) for name, value in row.items()}
    return tuple(plain[kind](row[name]) if kind else row[name] for name, kind in kinds.items())


def measure_bulk(ground: Ground) -> list[Figure]:
    """10,000 (quick: 2,000) skills with vectors in one transaction, with the HNSW index, then without."""
    number = ground.rounds(10_000, 2_000)
    goal = Goal(bound=3, of=Of.RATIO)
    indexed = _side_by_side(ground, number, rounds=ground.rounds(3, 2))
    bare = _side_by_side(ground, number, INDEX, rounds=ground.rounds(5, 3))
    beside = "COPY by the owner, no policies, no audit"
    what = f"bulk load of {number:,} skills with vectors under row-level security, audited"
    return [
        Figure(what=what, measured=indexed["plant"], baseline=indexed["copy"], baseline_what=beside, goal=goal),
        Figure(
            what="the same into a table without the vectors' index",
            measured=bare["plant"],
            baseline=bare["copy"],
            baseline_what=beside,
        ),
    ]


def _side_by_side(ground: Ground, number: int, *changes: str, rounds: int) -> dict[str, Samples]:
    guarded, free = ground.clone(), ground.clone()
    without_policies(ground, free)
    without_audit(ground, free)
    for database in (guarded, free):
        ground.admin(database, *changes)
    seeds = {"plant": count(1), "copy": count(1)}

    def fresh(name: str) -> list[Any]:
        seed = next(seeds[name])
        return skills(facts(number, seed), vectors(number, seed=seed))

    with ground.plant(guarded) as plant:
        owner = ground.run(open_owner(free))
        found = interleave(
            rounds,
            {
                "plant": lambda: ground.run(load(plant, fresh("plant"), SKILL_COLUMNS)),
                "copy": lambda: ground.run(copy(owner, fresh("copy"), SKILL_COLUMNS)),
            },
        )
        ground.run(owner.close())
    ground.drop(guarded, free)
    return found
