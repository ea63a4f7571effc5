"""Layer 6, beyond the contract: what a pool must not carry over, and how it outlives terminations and cancellations."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pgmatrix.databases.database import Database as Clone
from pgmatrix.servers.protocol import Server
from plant.core.agents import acting_as
from plant.core.config import Isolation, Settings
from plant.core.connector import Connector
from plant.core.database import Database
from plant.core.errors import ConnectFailed, ConnectionLost, InvalidValue
from tests.fixtures.databases import AGENT_A, AGENT_B
from tests.fixtures.locks import Observer, until
from tests.fixtures.network import proxy_to, through
from tests.fixtures.pools import ConnectorWith, DatabaseWith

PID = text("SELECT pg_backend_pid()")
AGENT = text("SELECT coalesce(current_setting('app.current_agent_id', true), '')")
# Everything that outlives a transaction on the server's side of a connection.
TRACES = (
    "SET ROLE plant_app",
    "SET app.current_agent_id = 'agent-a'",
    "SET search_path = plant",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "SET TimeZone = 'Asia/Tokyo'",
    "CREATE TEMPORARY TABLE left_behind (id integer)",
    "SELECT pg_advisory_lock(42)",
    "LISTEN left_behind",
    "DECLARE left_behind CURSOR WITH HOLD FOR SELECT 1",
)
FOUND = text("""
SELECT pg_backend_pid() AS pid, current_user = session_user AS own_role,
       coalesce(current_setting('app.current_agent_id', true), '') AS agent, current_setting('search_path') AS path,
       current_setting('transaction_read_only') AS read_only, current_setting('TimeZone') AS zone,
       to_regclass('left_behind') IS NOT NULL AS temporary_table,
       (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks,
       (SELECT count(*) FROM pg_listening_channels()) AS channels,
       (SELECT count(*) FROM pg_cursors WHERE name <> '') AS cursors
""")
CLEAN = {
    "own_role": True,
    "agent": "",
    "path": '"$user", public',
    "read_only": "off",
    "zone": "UTC",
    "temporary_table": False,
    "locks": 0,
    "channels": 0,
    "cursors": 0,
}


async def pid_of(database: Database) -> int:
    """The backend that serves one session."""
    async with database.session() as session:
        return int(await session.scalar(PID) or 0)


@pytest.mark.parametrize("committed", [True, False])
async def test_nothing_outlives_a_session(database_with: DatabaseWith, committed: bool) -> None:
    """No role, setting, temporary table, lock, subscription or cursor reaches the connection's next user."""
    database = database_with(None, pool_size=1, max_overflow=0)

    async def leave_traces(session: AsyncSession) -> None:
        for statement in TRACES:
            await session.execute(text(statement))
        if not committed:
            await session.commit()
            await session.execute(text("SELECT 1 / 0"))

    pid = await pid_of(database)
    try:
        async with database.session() as session:
            await leave_traces(session)
    except InvalidValue:
        assert not committed
    async with database.session() as session:
        found = dict((await session.execute(FOUND)).mappings().one())

    assert found == CLEAN | {"pid": pid}


async def test_transaction_begun_behind_the_pool_ends(database_with: DatabaseWith, observer: Observer) -> None:
    """A transaction begun by hand in autocommit is rolled back when its connection returns."""
    database = database_with(pool_size=1, max_overflow=0)
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("BEGIN"))
        pid = (await connection.execute(PID)).scalar_one()
        inside = await observer.backend(pid)
    left = await observer.backends()
    reused = await pid_of(database)

    assert inside.in_transaction
    assert [backend.in_transaction for backend in left] in ([], [False])
    assert reused in {pid, *[backend.pid for backend in await observer.backends()]}


async def test_whole_pool_terminated_while_idle(database_with: DatabaseWith, observer: Observer) -> None:
    """After every idle backend was terminated five sessions at once work without an error."""
    database = database_with(pool_size=5, max_overflow=0)
    before = await _held(database, 5)
    await observer.terminate()
    after = await _held(database, 5)

    assert len(before) == len(after) == 5
    assert before.isdisjoint(after)
    assert database.metrics().total_opened == 10


@pytest.mark.parametrize("pre_ping", [False, True], ids=["plain", "pre-ping"])
async def test_pool_outlives_a_restart(
    database_with: DatabaseWith, pg_clone: Clone, pg_server: Server, observer: Observer, pre_ping: bool
) -> None:
    """While the server is down each session is ConnectFailed; once it is up the same pool serves all it can hold."""
    async with proxy_to(pg_server) as proxy:
        url = through(pg_clone.url("plant_app"), proxy.port)
        database = database_with(url=url, pool_size=2, max_overflow=1, pool_pre_ping=pre_ping)
        before = await _held(database, 3)

        async def shut_down_in_a_query() -> None:
            async with database.session() as session, asyncio.TaskGroup() as tasks:
                tasks.create_task(session.execute(text("SELECT pg_sleep(60)")))
                await observer.until_query("pg_sleep", running=True)
                await proxy.shut_down()

        with pytest.RaisesGroup(ConnectionLost):
            await shut_down_in_a_query()
        for _ in range(5):
            with pytest.raises(ConnectFailed):
                await pid_of(database)
        idle = database.metrics()
        proxy.start_up()
        after = await _held(database, 3)
        metrics = database.metrics()
        await database.close()

    assert (idle.checked_out, idle.waiters) == (0, 0)
    assert len(after) == 3
    assert before.isdisjoint(after)
    assert (metrics.checked_out, metrics.waiters, metrics.total_opened) == (0, 0, 6)


async def test_pre_ping_replaces_terminated_connections(database_with: DatabaseWith, observer: Observer) -> None:
    """With pool_pre_ping a terminated connection is replaced at checkout, too."""
    database = database_with(pool_size=1, max_overflow=0, pool_pre_ping=True)
    before = await pid_of(database)
    same = await pid_of(database)
    await observer.terminate()
    after = await pid_of(database)

    assert before == same
    assert before != after


async def test_recycled_connections_are_replaced(database_with: DatabaseWith, observer: Observer) -> None:
    """A connection older than pool_recycle is replaced at its next checkout."""
    database = database_with(pool_size=1, max_overflow=0, pool_recycle=0.001)
    before = await pid_of(database)
    await asyncio.sleep(0.002)
    after = await pid_of(database)
    await observer.until_backends(1)

    assert before != after


async def test_cancelled_waiter_leaves_the_queue(database_with: DatabaseWith) -> None:
    """A task cancelled while it waits for a connection leaves no waiter, and takes no connection."""
    database = database_with(pool_size=1, max_overflow=0)
    async with database.session() as holder:
        held = await holder.scalar(PID)
        waiter = asyncio.create_task(pid_of(database))
        await until(lambda: database.metrics().waiters == 1, "one task waited")
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        waiting = database.metrics().waiters
    after = await pid_of(database)

    assert waiting == 0
    assert after == held


async def test_cancellation_at_any_moment_leaks_nothing(database_with: DatabaseWith, observer: Observer) -> None:
    """However far a session has come when its task is cancelled, the pool stays whole and no transaction stays open."""
    database = database_with(pool_size=2, max_overflow=0, pool_timeout=3)
    finished = 0

    async def work() -> None:
        nonlocal finished
        async with database.session(AGENT_A) as session:
            await session.scalar(PID)
            async with session.begin_nested():
                await session.scalar(AGENT)
        finished += 1

    for turns in range(0, 60, 3):
        task = asyncio.create_task(work())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
    pids = await _held(database, 2)
    metrics = database.metrics()

    async def quiet() -> bool:
        backends = await observer.backends()
        return {one.pid for one in backends} == pids and not any(one.in_transaction for one in backends)

    await until(quiet, "only the pool's two idle backends were left")
    assert len(pids) == 2
    assert (metrics.checked_out, metrics.waiters, metrics.overflow) == (0, 0, 0)


async def test_agent_comes_from_the_session_or_the_context(plant_db: Database) -> None:
    """A session acts as its own agent, else as the context's, else as nobody, and only within its transaction."""
    seen = []
    with acting_as(AGENT_A):
        async with plant_db.session() as session:
            seen.append(await session.scalar(AGENT))
            await session.commit()
            seen.append(await session.scalar(AGENT))
        async with plant_db.session(AGENT_B) as session:
            seen.append(await session.scalar(AGENT))
    async with plant_db.session() as session:
        seen.append(await session.scalar(AGENT))

    assert seen == [AGENT_A, AGENT_A, AGENT_B, ""]


@pytest.mark.parametrize("agent", ["", "x" * 201, "nul \x00", "lone \ud800", 7])
async def test_impossible_agent_is_refused_before_the_network(plant_db: Database, agent: str) -> None:
    """An agent id that cannot be one is InvalidValue, and no connection is opened for it."""
    with pytest.raises(InvalidValue, match="governance_agent_id ") as caught:
        async with plant_db.session(agent):
            pass

    assert (caught.value.field, caught.value.sqlstate) == ("governance_agent_id", "22000")
    assert plant_db.metrics().total_opened == 0


@pytest.mark.parametrize("agent", ["O'Brien \\ \" $$", "агент 🌱", "x" * 200, "'; DROP TABLE skill; --"])
async def test_odd_agent_arrives_as_it_is(plant_db: Database, agent: str) -> None:
    """Quotes, backslashes and any script in an agent id reach the server as they are."""
    async with plant_db.session(agent) as session:
        assert await session.scalar(AGENT) == agent


async def test_read_only_deferrable_transaction(connector_with: ConnectorWith) -> None:
    """A deferrable serializable read is what the server says the transaction is, and the next one is ordinary."""
    connector = connector_with(pool_size=1, max_overflow=0)
    state = text("""SELECT ARRAY[current_setting('transaction_isolation'), current_setting('transaction_read_only'),
                                 current_setting('transaction_deferrable')]""")
    async with connector.read(isolation=Isolation.SERIALIZABLE, deferrable=True) as session:
        special = await session.scalar(state)
    async with connector.primary.session(read_only=True) as session:
        read_only = await session.scalar(state)
    async with connector.primary.session() as session:
        ordinary = await session.scalar(state)

    assert special == ["serializable", "on", "on"]
    assert read_only == ["read committed", "on", "off"]
    assert ordinary == ["read committed", "off", "off"]


async def test_read_engine_behind_pgbouncer_refuses_writes(connector_with: ConnectorWith) -> None:
    """In PgBouncer mode, without settings of the session, each transaction of the read engine is read-only."""
    connector = connector_with(pgbouncer=True)
    async with connector.reader.session() as session:
        read_only = await session.scalar(text("SHOW transaction_read_only"))
    async with connector.primary.session() as session:
        writable = await session.scalar(text("SHOW transaction_read_only"))

    assert (read_only, writable) == ("on", "off")


async def test_health_of_a_migrated_database(connector: Connector) -> None:
    """Health tells each server's revision and extensions, and that neither is a replica."""
    health = await connector.health()

    assert set(health) == {"primary", "read"}
    for one in health.values():
        assert (one.reachable, one.problem, one.migrated) == (True, None, True)
        assert (one.is_replica, one.replica_lag) == (False, None)
        assert {"vector", "uuid-ossp", "plpgsql"} <= one.extensions.keys()
        assert one.revision == "005"
    assert connector.metrics()["primary"].checked_out == 0


async def test_health_of_an_empty_and_of_no_database(pg_empty: Clone) -> None:
    """Health tells an unmigrated database from an unreachable one, and raises for neither."""
    url = pg_empty.url("plant_app")
    connector = Connector(Settings(url=url, read_url=url.replace(pg_empty.name, "missing"), pool_size=1))
    health = await connector.health()
    await connector.close()

    assert (health["primary"].reachable, health["primary"].migrated) == (True, False)
    assert "vector" not in health["primary"].extensions
    assert (health["read"].reachable, health["read"].migrated) == (False, False)
    assert str(health["read"].problem).startswith("no connection to ")


async def test_close_ends_idle_connections_at_once_and_others_on_return(
    database_with: DatabaseWith, observer: Observer
) -> None:
    """close() ends idle backends, a session in use goes on, and its backend ends with it."""
    database = database_with(pool_size=2)
    await _held(database, 2)
    async with database.session() as session:
        pid = await session.scalar(PID)
        await database.close()
        await observer.until_backends(1)
        still = await session.scalar(PID)
    await observer.until_backends(0)

    assert still == pid


async def _held(database: Database, count: int) -> set[int]:
    """The backends of `count` sessions held at once."""
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(database.session()) for _ in range(count)]
        return {await session.scalar(PID) or 0 for session in sessions}
