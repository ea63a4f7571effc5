"""Layer 6, the contract: what a pool opens, lends, takes back and counts, and which pool a session comes from."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from pgmatrix.databases.database import Database as Clone
from plant.core.config import Isolation
from plant.core.database import Database
from plant.core.errors import InvalidValue, PoolTimeout, ReadOnlyTransaction
from plant.core.pool import PoolMetrics
from tests.fixtures.databases import AGENT_A
from tests.fixtures.factories import skill
from tests.fixtures.locks import Observer, until
from tests.fixtures.pools import ConnectorWith, DatabaseWith

PID = text("SELECT pg_backend_pid()")
COUNT = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'plant_app'")
STATE = text("""
SELECT pg_backend_pid() AS pid, coalesce(current_setting('app.current_agent_id', true), '') AS agent,
       current_setting('transaction_isolation') AS isolation, pg_current_xact_id_if_assigned() IS NOT NULL AS written,
       (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks
""")


async def pid_of(database: Database) -> int:
    """The backend that serves one session."""
    async with database.session() as session:
        return int(await session.scalar(PID))


async def test_pool_size_configuration(database_with: DatabaseWith, observer: Observer) -> None:
    """With size 2 and no overflow two checkouts work, and the third waits until one of them ends."""
    database = database_with(pool_size=2, max_overflow=0)
    async with asyncio.TaskGroup() as tasks, database.session() as one:
        async with database.session() as two:
            held = {await one.scalar(PID), await two.scalar(PID)}
            third = tasks.create_task(pid_of(database))
            await until(lambda: third.done() or database.metrics().waiters == 1, "the third waited")
            waited = not third.done()
            opened = {backend.pid for backend in await observer.backends()}
        served = await third

    assert waited
    assert opened == held
    assert len(held) == 2
    assert served in held


async def test_max_overflow_configuration(database_with: DatabaseWith, observer: Observer) -> None:
    """Overflow connections open up to the limit, and after their return their backends are gone."""
    database = database_with(pool_size=1, max_overflow=2, pool_timeout=0.1)
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(database.session()) for _ in range(3)]
        pids = {await session.scalar(PID) for session in sessions}
        overflow = database.metrics().overflow
        with pytest.raises(PoolTimeout):
            await asyncio.wait_for(pid_of(database), 3)
    await observer.until_backends(1)
    left = [backend.pid for backend in await observer.backends()]
    metrics = database.metrics()

    assert (len(pids), overflow) == (3, 2)
    assert set(left) < pids
    assert (metrics.overflow, metrics.checked_in) == (0, 1)


async def test_concurrent_connection_acquisition(database_with: DatabaseWith) -> None:
    """Fifty tasks over a pool of five all finish, and none of them ever sees more than five backends."""
    database = database_with(pool_size=5, max_overflow=0)

    async def work() -> tuple[int, int]:
        async with database.session() as session:
            return await session.scalar(PID) or 0, await session.scalar(COUNT) or 0

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work()) for _ in range(50)]
    seen = [task.result() for task in tasks]
    metrics = database.metrics()

    assert len(seen) == 50
    assert len({pid for pid, _ in seen}) == 5
    assert max(count for _, count in seen) == 5
    assert (metrics.total_opened, metrics.checked_out) == (5, 0)


async def test_connection_reuse(plant_db: Database) -> None:
    """Ten sessions in turn are served by one backend."""
    pids = [await pid_of(plant_db) for _ in range(10)]

    assert len(set(pids)) == 1
    assert plant_db.metrics().total_opened == 1


async def test_connection_timeout_handling(database_with: DatabaseWith) -> None:
    """Waiting longer than the pool's timeout raises PoolTimeout, in that time and not much later."""
    database = database_with(pool_size=1, max_overflow=0, pool_timeout=0.2)
    async with database.session() as holder:
        await holder.scalar(PID)
        start = time.monotonic()
        with pytest.raises(PoolTimeout) as caught:
            async with asyncio.timeout(3):
                await pid_of(database)
        elapsed = time.monotonic() - start

    assert caught.value.sqlstate is None
    assert str(caught.value) == (
        "all 1 connections stayed in use for 0.2 s. "
        "Hold sessions for a shorter time, or raise pool_size, max_overflow or pool_timeout."
    )
    assert 0.19 <= elapsed < 2


async def test_pool_exhaustion_handling(database_with: DatabaseWith) -> None:
    """A waiter is served when a connection returns, also after others have timed out, who leave nothing behind."""
    database = database_with(pool_size=1, max_overflow=0, pool_timeout=0.1)
    async with asyncio.TaskGroup() as tasks, database.session() as holder:
        held = await holder.scalar(PID)
        crowd = [asyncio.wait_for(pid_of(database), 3) for _ in range(3)]
        outcomes = await asyncio.gather(*crowd, return_exceptions=True)
        # Whoever is to be served must not lose a race against the clock.
        database.engine.sync_engine.pool._timeout = 30.0  # type: ignore[attr-defined]
        waiter = tasks.create_task(asyncio.wait_for(pid_of(database), 3))
        await until(lambda: waiter.done() or database.metrics().waiters == 1, "one waiter was left")
        waited = not waiter.done()
    metrics = database.metrics()

    assert [type(outcome) for outcome in outcomes] == [PoolTimeout] * 3
    assert waited
    assert waiter.result() == held
    assert metrics == PoolMetrics(size=1, checked_out=0, checked_in=1, overflow=0, waiters=0, total_opened=1)


async def test_connection_cleanup_after_error(database_with: DatabaseWith, observer: Observer) -> None:
    """After an error the connection's next user finds no open transaction, agent, lock or changed isolation."""
    database = database_with(pool_size=1, max_overflow=0)
    async with database.session() as session:
        clean = (await session.execute(STATE)).mappings().one()
    with pytest.raises(InvalidValue) as caught:
        async with database.session(AGENT_A, isolation=Isolation.SERIALIZABLE) as session:
            await session.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            await session.execute(text("SELECT set_config('app.current_agent_id', 'agent-a', false)"))
            await session.commit()
            session.add(skill())
            await session.flush()
            # A rollback gives no such lock back.
            await session.execute(text("SELECT pg_advisory_lock(1)"))
            during = (await session.execute(STATE)).mappings().one()
            await session.execute(text("SELECT 1 / 0"))
    idle = await observer.backend(clean["pid"])
    async with database.session() as session:
        after = (await session.execute(STATE)).mappings().one()

    assert caught.value.sqlstate == "22012"
    assert during == {"pid": clean["pid"], "agent": AGENT_A, "isolation": "serializable", "written": True, "locks": 1}
    assert (idle.state, idle.in_transaction) == ("idle", False)
    assert after == clean
    assert after == {"pid": clean["pid"], "agent": "", "isolation": "read committed", "written": False, "locks": 0}


async def test_session_lifecycle_connection_release(database_with: DatabaseWith, observer: Observer) -> None:
    """A task cancelled in the middle of a query leaves a usable pool, and no query on the server."""
    database = database_with(pool_size=1, max_overflow=0, pool_timeout=3)

    async def sleep() -> None:
        async with database.session(AGENT_A) as session:
            session.add(skill())
            await session.flush()
            await session.execute(text("SELECT pg_sleep(60)"))

    sleeper = asyncio.create_task(sleep())
    await observer.until_query("pg_sleep", running=True)
    sleeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(sleeper, 3)
    released = database.metrics()
    await observer.until_query("pg_sleep", running=False)
    async with database.session(AGENT_A) as session:
        rows = await session.scalar(text("SELECT count(*) FROM plant.skill"))
    open_transactions = [backend for backend in await observer.backends() if backend.in_transaction]

    assert (released.checked_out, released.waiters) == (0, 0)
    assert rows == 0
    assert open_transactions == []


async def test_nested_transaction_connection_reuse(plant_db: Database) -> None:
    """Savepoints, nested ones too, stay on the session's one backend."""
    async with plant_db.session() as session:
        pids = [await session.scalar(PID)]
        async with session.begin_nested():
            pids.append(await session.scalar(PID))
            async with session.begin_nested():
                pids.append(await session.scalar(PID))
        pids.append(await session.scalar(PID))
        metrics = plant_db.metrics()

    assert len(set(pids)) == 1
    assert (metrics.checked_out, metrics.total_opened) == (1, 1)


async def test_pool_monitoring_metrics(connector_with: ConnectorWith, observer: Observer) -> None:
    """Size, checked out, overflow, waiters and total opened are the truth, before, under and after a known load."""
    connector = connector_with(pool_size=2, max_overflow=1)
    database = connector.primary
    before = connector.metrics()
    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        for _ in range(3):
            await (await stack.enter_async_context(connector.write())).scalar(PID)
        waiting = [tasks.create_task(pid_of(database)) for _ in range(2)]
        await until(lambda: database.metrics().waiters == len(waiting), "two tasks waited")
        under, backends = connector.metrics(), len(await observer.backends())
    await observer.until_backends(2)
    after = connector.metrics()
    await connector.close()
    closed = connector.metrics()

    nothing = PoolMetrics(size=2, checked_out=0, checked_in=0, overflow=0, waiters=0, total_opened=0)
    assert before == {"primary": nothing, "read": nothing}
    assert under == {
        "primary": PoolMetrics(size=2, checked_out=3, checked_in=0, overflow=1, waiters=2, total_opened=3),
        "read": nothing,
    }
    assert backends == 3
    assert after["primary"] == PoolMetrics(
        size=2, checked_out=0, checked_in=2, overflow=0, waiters=0, total_opened=after["primary"].total_opened
    )
    assert after["primary"].total_opened >= 3
    assert closed["primary"].checked_in == 0
    await observer.until_backends(0)


async def test_readonly_vs_readwrite_pooling(
    connector_with: ConnectorWith, pg_clone: Clone, observer: Observer
) -> None:
    """Reads use the read engine, which refuses writes, writes the primary; both recover when all backends end."""
    read_url = make_url(pg_clone.url("plant_app")).update_query_dict({"application_name": "reader"})
    connector = connector_with(read_url=read_url.render_as_string(hide_password=False), application_name="writer")
    name = text("SELECT current_setting('application_name')")
    async with connector.write(AGENT_A) as session:
        session.add(skill())
        wrote = await session.scalar(name)
    async with connector.read(AGENT_A) as session:
        read = (await session.scalar(name), await session.scalar(text("SELECT count(*) FROM plant.skill")))
    refusals = []
    for attempt in (connector.read(AGENT_A), connector.reader.session(AGENT_A)):
        with pytest.raises(ReadOnlyTransaction) as caught:
            async with attempt as session:
                await session.execute(text("UPDATE plant.skill SET category = category"))
        refusals.append(caught.value.sqlstate)
    before = {backend.pid for backend in await observer.backends()}
    await observer.terminate()
    async with connector.write(AGENT_A) as writing, connector.read(AGENT_A) as reading:
        after = {await writing.scalar(PID), await reading.scalar(PID)}

    assert (wrote, read) == ("writer", ("reader", 1))
    assert refusals == ["25006", "25006"]
    assert len(before) == len(after) == 2
    assert before.isdisjoint(after)
