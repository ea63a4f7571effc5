"""Layer 6, the contract: what a pool opens, lends, takes back and counts, and which pool a session comes from."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import insert, text
from sqlalchemy.engine import make_url

from plant.core.config import Isolation
from plant.core.connector import Connector
from plant.core.database import Database
from plant.core.errors import InvalidValue, PoolTimeout, ReadOnlyTransaction
from plant.core.pool import PoolMetrics
from plant.models import Skill
from tests.fixtures.databases import AGENT_A, SettingsFor
from tests.fixtures.factories import skill
from tests.fixtures.locks import Observer, until

PID = text("SELECT pg_backend_pid()")
COUNT = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'plant_app'")
STATE = text("""
SELECT pg_backend_pid() AS pid, coalesce(current_setting('app.current_agent_id', true), '') AS agent,
       current_setting('transaction_isolation') AS isolation, pg_current_xact_id_if_assigned() IS NOT NULL AS written
""")


async def pid_of(database: Database) -> int:
    """The backend that serves one session."""
    async with database.session() as session:
        return int(await session.scalar(PID))


async def test_pool_size_configuration(settings_for: SettingsFor, observer: Observer) -> None:
    """With size 2 and no overflow two checkouts work, and the third waits until one of them ends."""
    database = Database(settings_for(pool_size=2, max_overflow=0))
    async with database.session() as one, AsyncExitStack() as stack:
        two = await stack.enter_async_context(database.session())
        held = {await one.scalar(PID), await two.scalar(PID)}
        third = asyncio.create_task(pid_of(database))
        await until(lambda: third.done() or database.metrics().waiters == 1, "the third waited")
        waited = not third.done()
        opened = {backend.pid for backend in await observer.backends()}
        await stack.aclose()
        served = await third
    await database.close()

    assert waited
    assert opened == held
    assert len(held) == 2
    assert served in held


async def test_max_overflow_configuration(settings_for: SettingsFor, observer: Observer) -> None:
    """Overflow connections open up to the limit, and after their return their backends are gone."""
    database = Database(settings_for(pool_size=1, max_overflow=2, pool_timeout=0.1))
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(database.session()) for _ in range(3)]
        pids = {await session.scalar(PID) for session in sessions}
        overflow = database.metrics().overflow
        with pytest.raises(PoolTimeout):
            await pid_of(database)
    await observer.until_backends(1)
    left = [backend.pid for backend in await observer.backends()]
    metrics = database.metrics()
    await database.close()

    assert (len(pids), overflow) == (3, 2)
    assert set(left) < pids
    assert (metrics.overflow, metrics.checked_in) == (0, 1)


async def test_concurrent_connection_acquisition(settings_for: SettingsFor) -> None:
    """Fifty tasks over a pool of five all finish, and none of them ever sees more than five backends."""
    database = Database(settings_for(pool_size=5, max_overflow=0))

    async def work() -> tuple[int, int]:
        async with database.session() as session:
            return await session.scalar(PID) or 0, await session.scalar(COUNT) or 0

    seen = await asyncio.gather(*(work() for _ in range(50)))
    metrics = database.metrics()
    await database.close()

    assert len(seen) == 50
    assert len({pid for pid, _ in seen}) == 5
    assert max(count for _, count in seen) == 5
    assert (metrics.total_opened, metrics.checked_out) == (5, 0)


async def test_connection_reuse(plant_db: Database) -> None:
    """Ten sessions in turn are served by one backend."""
    pids = [await pid_of(plant_db) for _ in range(10)]

    assert len(set(pids)) == 1
    assert plant_db.metrics().total_opened == 1


async def test_connection_timeout_handling(settings_for: SettingsFor) -> None:
    """Waiting longer than the pool's timeout raises PoolTimeout, in that time and not much later."""
    database = Database(settings_for(pool_size=1, max_overflow=0, pool_timeout=0.2))
    async with database.session() as holder:
        await holder.scalar(PID)
        start = time.monotonic()
        with pytest.raises(PoolTimeout) as caught:
            async with asyncio.timeout(3):
                await pid_of(database)
        elapsed = time.monotonic() - start
    await database.close()

    assert caught.value.sqlstate is None
    assert str(caught.value) == (
        "all 1 connections stayed in use for 0.2 s. "
        "Hold sessions for a shorter time, or raise pool_size, max_overflow or pool_timeout."
    )
    assert 0.19 <= elapsed < 2


async def test_pool_exhaustion_handling(settings_for: SettingsFor) -> None:
    """A waiter is served when a connection returns, also after others have timed out, who leave nothing behind."""
    database = Database(settings_for(pool_size=1, max_overflow=0, pool_timeout=0.1))
    patient = Database(settings_for(pool_size=1, max_overflow=0))
    patient.engine.sync_engine.pool = database.engine.sync_engine.pool
    async with database.session() as holder:
        await holder.scalar(PID)
        outcomes = await asyncio.gather(*(pid_of(database) for _ in range(3)), return_exceptions=True)
