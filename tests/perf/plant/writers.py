"""Measures who waits for whom: eight writers on eight chains beside the same eight on one, every commit durable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, update

from plant.core.database import Database as Plant
from plant.models import BaseEntity
from plant.security.audit import verify_in_server
from tests.perf.measure import Action, MeasurementFailed, Samples, Unit, interleave
from tests.perf.plant.figures import Figure
from tests.perf.plant.ground import Ground, syncs_beside
from tests.perf.plant.loads import load
from tests.perf.plant.rows import INDUSTRY_COLUMNS, facts, industries
from tests.perf.table import Goal, Of

WRITERS = 8
_table: Any = BaseEntity.__table__
# One statement, one new version, one entry: as little work as an append can be.
CHANGE = update(_table).where(_table.c.id == bindparam("entity")).values(description=bindparam("text"))


def measure_writers(ground: Ground) -> list[Figure]:
    """Appends a second, a commit each; every writer has a connection and an entity of its own."""
    database = ground.clone()
    shared = ["agent-one"] * WRITERS
    own = [f"agent-{number}" for number in range(WRITERS)]
    with ground.plant(database, pool_size=WRITERS, max_overflow=0) as plant:
        entities = {agent: ground.run(_entities(plant, agent, seed)) for seed, agent in enumerate([*own, "agent-one"])}
        each, texts = ground.rounds(40, 15), count()
        actions: dict[str, Action] = {
            name: lambda agents=agents: ground.run(_together(plant, agents, entities, each, texts))
            for name, agents in (("own", own), ("shared", shared))
        }
        interleave(1, actions)
        rates = interleave(ground.rounds(15, 6), actions)
        ground.run(_check(plant, [*own, "agent-one"]))
    ground.drop(database)
    sync = syncs_beside()
    return [
        Figure(
            what=f"appends by {WRITERS} writers on {WRITERS} agents, one durable commit each",
            measured=Samples(values=rates["own"].values, unit=Unit.PER_SECOND),
            baseline=Samples(values=rates["shared"].values, unit=Unit.PER_SECOND),
            baseline_what="the same writers on one agent",
            goal=Goal(bound=4, of=Of.RATIO, at_least=True),
        ),
        Figure(what="one fdatasync of 8 kB on the disk of the data, in the same minute", measured=sync),
    ]


async def _entities(plant: Plant, agent: str, seed: int) -> list[UUID]:
    made = industries(facts(WRITERS, 100 + seed), agent)
    await load(plant, made, INDUSTRY_COLUMNS, agent)
    return [one.id for one in made]


async def _together(
    plant: Plant, agents: Sequence[str], entities: dict[str, list[UUID]], each: int, texts: count[int]
) -> float:
    """Appends a second of all writers together."""

    async def write(agent: str, entity: UUID) -> None:
        for _ in range(each):
            async with plant.session(agent) as session:
                await session.execute(CHANGE, {"entity": entity, "text": f"text {next(texts)}"})

    start = time.perf_counter()
    await asyncio.gather(*(write(agent, entities[agent][number]) for number, agent in enumerate(agents)))
    return len(agents) * each / (time.perf_counter() - start)


async def _check(plant: Plant, agents: Sequence[str]) -> None:
    """Raises MeasurementFailed for a chain that is broken, or a change that left no entry."""
    for agent in agents:
        async with plant.session(agent) as session:
            verdict = await verify_in_server(session, agent)
        if not verdict.intact or verdict.entries <= WRITERS:
            raise MeasurementFailed(f"the writers left a chain that is not intact: {verdict}")
