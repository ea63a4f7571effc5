"""Measures who waits for whom: eight writers on eight chains beside the same eight on one, every commit durable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, update

from plant.core.database import Database as Plant
from plant.models import BaseEntity
from plant.security.audit import verify_in_server
from tests.perf.measure import Action, MeasurementFailed, Samples, Unit, interleave
from tests.perf.plant.bare import Bare, open_bare
from tests.perf.plant.figures import Figure
from tests.perf.plant.ground import APP, Ground, syncs_beside
from tests.perf.plant.loads import load
from tests.perf.plant.rows import INDUSTRY_COLUMNS, facts, industries
from tests.perf.table import Goal, Of

WRITERS = 8
WAIT = 2_000  # microseconds
HOW = {
    "bare": "the bare driver",
    "waiting": f"the bare driver, where a flush takes {WAIT / 1000:g} ms more (commit_delay)",
    "plant": "plant, one process",
}
Write = Callable[[str, UUID], Awaitable[None]]
_table: Any = BaseEntity.__table__
# One statement, one new version, one entry: as little work as an append can be.
CHANGE = update(_table).where(_table.c.id == bindparam("entity")).values(description=bindparam("text"))


def measure_writers(ground: Ground) -> list[Figure]:
    """Appends a second, a commit each; every writer has a connection and an entity of its own.

    A writer sends its transaction in one message of the driver: what shows is who waits for whom in the server, not
    that one process's eight writers share a core. What plant's sessions reach in it is shown beside. Where a flush
    costs next to nothing, eight writers are bound by the cores, whoever they wait for: the same is measured with one
    that takes as long as on a disk without a cache.
    """
    database = ground.clone()
    own, shared = [f"agent-{number}" for number in range(WRITERS)], ["agent-one"] * WRITERS
    with ground.plant(database, pool_size=WRITERS, max_overflow=0) as plant:
        entities = {agent: ground.run(_entities(plant, agent, seed)) for seed, agent in enumerate([*own, "agent-one"])}
        bare = [ground.run(open_bare(database, APP)) for _ in range(WRITERS)]
        slow = [
            f"ALTER ROLE {APP} SET {name} = {value}" for name, value in (("commit_delay", WAIT), ("commit_siblings", 0))
        ]
        ground.admin(database, *slow)
        waiting = [ground.run(open_bare(database, APP)) for _ in range(WRITERS)]
        ground.admin(database, f"ALTER ROLE {APP} RESET ALL")
        each, texts = ground.rounds(60, 20), count()
        writers: dict[str, Callable[[int], Write]] = {
            "bare": lambda number: partial(_by_driver, bare[number], texts),
            "waiting": lambda number: partial(_by_driver, waiting[number], texts),
            "plant": lambda _: partial(_by_plant, plant, texts),
        }
        actions: dict[str, Action] = {
            f"{how}, {whose}": partial(_append, ground, agents, entities, each, write)
            for how, write in writers.items()
            for whose, agents in (("own", own), ("shared", shared))
        }
        interleave(1, actions)
        rates = interleave(ground.rounds(15, 6), actions)
        for one in [*bare, *waiting]:
            ground.run(one.close())
        ground.run(_check(plant, [*own, "agent-one"]))
    ground.drop(database)
    goal = Goal(bound=4, of=Of.RATIO, at_least=True)
    goals = {"bare": goal, "waiting": goal, "plant": None}
    return [
        Figure(
            what=f"appends by {WRITERS} writers on {WRITERS} agents, one durable commit each, by {HOW[how]}",
            measured=Samples(values=rates[f"{how}, own"].values, unit=Unit.PER_SECOND),
            baseline=Samples(values=rates[f"{how}, shared"].values, unit=Unit.PER_SECOND),
            baseline_what="the same writers on one agent",
            goal=goal,
        )
        for how, goal in goals.items()
    ] + [Figure(what="one fdatasync of 8 kB on the disk of the data, in the same minute", measured=syncs_beside())]


async def _entities(plant: Plant, agent: str, seed: int) -> list[UUID]:
    made = industries(facts(WRITERS, 100 + seed), agent)
    await load(plant, made, INDUSTRY_COLUMNS, agent)
    return [one.id for one in made]


def _append(
    ground: Ground,
    agents: Sequence[str],
    entities: dict[str, list[UUID]],
    each: int,
    writer: Callable[[int], Write],
) -> float:
    """Appends a second of all writers together."""

    async def repeat(write: Write, agent: str, entity: UUID) -> None:
        for _ in range(each):
            await write(agent, entity)

    async def together() -> float:
        start = time.perf_counter()
        await asyncio.gather(
            *(repeat(writer(number), agent, entities[agent][number]) for number, agent in enumerate(agents))
        )
        return len(agents) * each / (time.perf_counter() - start)

    return float(ground.run(together()))


async def _by_driver(bare: Bare, texts: Iterator[int], agent: str, entity: UUID) -> None:
    await bare.run(
        f"BEGIN; SELECT set_config('app.current_agent_id', '{agent}', true); "
        f"UPDATE plant.base_entity SET description = 'text {next(texts)}' WHERE id = '{entity}'; COMMIT"
    )


async def _by_plant(plant: Plant, texts: Iterator[int], agent: str, entity: UUID) -> None:
    async with plant.session(agent) as session:
        await session.execute(CHANGE, {"entity": entity, "text": f"text {next(texts)}"})


async def _check(plant: Plant, agents: Sequence[str]) -> None:
    """Raises MeasurementFailed for a chain that is broken, or a change that left no entry."""
    for agent in agents:
        async with plant.session(agent) as session:
            verdict = await verify_in_server(session, agent)
        if not verdict.intact or verdict.entries <= WRITERS:
            raise MeasurementFailed(f"the writers left a chain that is not intact: {verdict}")
