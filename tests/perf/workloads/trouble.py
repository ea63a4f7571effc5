"""What goes wrong in production: writers that disturb each other, queries that are given up; and a mix of requests."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from typing import Any, Final

from sqlalchemy import text

from pgmatrix.perf.contender import Contender
from pgmatrix.perf.results import Role
from plant.core.config import Isolation
from plant.core.reading import by_id
from plant.core.retry import full_jitter
from plant.models import Industry
from tests.perf.measure import MeasurementFailed
from tests.perf.workloads.stage import COUNTERS, LARGE, Stage
from tests.perf.workloads.ways import BARE, PLANT, Way

RETRIES: Final = 100
UNDERWAY: Final = 0.01
READS: Final = 9
RAISE = text("UPDATE public.perf_counter SET value = value + 1 WHERE id = :id")
SLEEP: Final = "SELECT pg_sleep(30)"


def contending(stage: Stage) -> Iterator[Contender]:
    """Serializable increments of one of eight counters, tried again until they succeed."""

    async def by_plant(_: int) -> None:
        chosen = random.randrange(COUNTERS)

        async def work(session: Any) -> None:
            await session.execute(RAISE, {"id": chosen})

        await stage.plant.run_in_transaction(work, isolation=Isolation.SERIALIZABLE, retries=RETRIES)

    async def bare(client: int) -> None:
        raw, chosen = stage.bare[client], random.randrange(COUNTERS)
        for attempt in range(RETRIES):
            with _conflict() as met:
                await raw.run(
                    "BEGIN ISOLATION LEVEL SERIALIZABLE;"
                    f" UPDATE public.perf_counter SET value = value + 1 WHERE id = {chosen}; COMMIT"
                )
            if not met:
                return
            await raw.run("ROLLBACK")
            await asyncio.sleep(full_jitter(attempt, random.random()))
        raise MeasurementFailed(f"not done after {RETRIES} tries")

    size = f"a serializable increment of one of {COUNTERS} counters, retried until it is done"
    yield Way(workload="contention", variant=PLANT, stage=stage, work=by_plant, size=size)
    yield Way(workload="contention", variant=BARE, role=Role.BARE, stage=stage, work=bare, size=size)


@contextlib.contextmanager
def _conflict() -> Iterator[list[str]]:
    """What a serialization failure or a deadlock met is noted; other errors pass."""
    met: list[str] = []
    try:
        yield met
    except Exception as error:
        if getattr(error, "sqlstate", None) not in ("40001", "40P01"):
            raise
        met.append(type(error).__name__)


def cancelling(stage: Stage) -> Iterator[Contender]:
    """From giving a running query up until its connection has answered another one, or was replaced."""

    async def sleep_in_session() -> None:
        async with stage.plant.session(LARGE) as session:
            await session.execute(text(SLEEP))

    async def by_plant(_: int) -> float:
        async def again() -> None:
            async with stage.plant.session(LARGE) as session:
                await session.execute(text("SELECT 1"))

        return await _given_up(sleep_in_session(), again)

    async def bare(client: int) -> float:
        raw = stage.bare[client]
        return await _given_up(raw.run(SLEEP), lambda: raw.run("SELECT 1"))

    size = "a running query cancelled, then SELECT 1"
    yield Way(workload="cancel", variant=PLANT, stage=stage, work=by_plant, size=size)
    yield Way(workload="cancel", variant=BARE, role=Role.BARE, stage=stage, work=bare, size=size)


async def _given_up(work: Any, again: Callable[[], Awaitable[None]]) -> float:
    """The seconds from the cancellation on; the time a query needs to be under way does not count."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(UNDERWAY)
    start = time.perf_counter()
    task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if not isinstance(outcome, asyncio.CancelledError):
        raise MeasurementFailed(f"a cancelled query ended as {type(outcome).__name__}: {outcome}")
    await again()
    return time.perf_counter() - start


def requests(stage: Stage) -> Iterator[Contender]:
    """What a service does: nine of ten requests read an entity, the tenth changes it."""
    numbers, agents = count(), stage.agents

    async def by_plant(client: int) -> None:
        agent, entity_id = agents[client], stage.entities[agents[client]][0]
        number = next(numbers)
        if number % (READS + 1):
            found = await stage.plant.get(Industry, entity_id, agent=agent)
        else:
            async with stage.plant.session(agent) as session:
                found = await session.scalar(by_id(Industry), {"entity_id": entity_id})
                if found is not None:
                    found.description = f"text {number}"
        if found is None:
            raise MeasurementFailed("an entity that is there was not found")

    size = f"{READS} of {READS + 1} requests read an entity by its id, the other changes it too"
    yield Way(workload="request", variant=PLANT, stage=stage, work=by_plant, clients=(), size=size)
