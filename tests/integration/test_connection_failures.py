"""Layer 1, beyond the contract: whatever breaks a connection or a query arrives as the same typed error."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from pgmatrix.databases.database import Database as Clone
from pgmatrix.matrix import Cell
from pgmatrix.servers.protocol import Server
from plant.core.config import Settings
from plant.core.database import Database
from plant.core.errors import (
    ConnectFailed,
    ConnectionLost,
    FailedTransaction,
    LockTimeout,
    PlantError,
    QueryCanceled,
    ResourceExhausted,
    ServerError,
)
from tests.fixtures.locks import Observer, until
from tests.fixtures.network import closed_port, proxy_to, rude_port, through
from tests.fixtures.pools import DatabaseWith

PID = text("SELECT pg_backend_pid()")
SLEEP = text("SELECT pg_sleep(60)")
NAP = text("SELECT pg_sleep(:seconds)")
# Other databases of the server are other tests'.
OURS = "datname = current_database() AND usename = 'plant_app'"
CANCEL = f"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE {OURS}"
LOCK = text("SELECT value FROM public.ledger WHERE id = 1 FOR UPDATE")
ADVICE = "Check host, port, database, role and password, and that the server accepts connections."

Work = Callable[[AsyncSession], Awaitable[object]]


async def failure(database: Database, work: Work | None = None) -> PlantError:
    """The error that one session ends with."""

    async def run() -> None:
        async with asyncio.timeout(5), database.session() as session:
            await (work(session) if work else session.scalar(PID))

    with pytest.raises(PlantError) as caught:
        await run()
    return caught.value


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """A Database on any URL."""
    database = Database(Settings(url=url, pool_size=1, max_overflow=0))
    try:
        yield database
    finally:
        await database.close()


async def test_closed_port_is_connect_failed(pg_cell: Cell) -> None:
    """A port where nobody listens is ConnectFailed, with the address and without the password, in every traceback."""
    with closed_port() as port:
        async with opened(f"postgresql+{pg_cell.driver}://plant_app:s3cret@127.0.0.1:{port}/plant") as database:
            error = await failure(database)
            metrics = database.metrics()

    assert (type(error), error.sqlstate) == (ConnectFailed, "08001")
    assert str(error).startswith(f"no connection to 127.0.0.1:{port}/plant: ")
    assert str(error).endswith(ADVICE)
    assert "s3cret" not in "".join(traceback.format_exception(error))
    assert (metrics.checked_out, metrics.total_opened) == (0, 0)


async def test_hanging_up_is_connect_failed(pg_cell: Cell) -> None:
    """A server that hangs up before it answers is ConnectFailed."""
    async with (
        rude_port() as port,
        opened(f"postgresql+{pg_cell.driver}://plant_app@127.0.0.1:{port}/plant") as database,
    ):
        error = await failure(database)

    assert (type(error), error.sqlstate) == (ConnectFailed, "08001")


async def test_missing_socket_is_connect_failed(pg_cell: Cell) -> None:
    """A socket directory without a socket is ConnectFailed."""
    async with opened(f"postgresql+{pg_cell.driver}://plant_app@/plant?host=/nonexistent&port=6543") as database:
        error = await failure(database)

    assert (type(error), error.sqlstate) == (ConnectFailed, "08001")
    assert str(error).startswith("no connection to /nonexistent:6543/plant: ")


async def test_missing_database_and_role_are_connect_failed(pg_database: Clone) -> None:
    """A database or role that does not exist is ConnectFailed with the server's SQLSTATE."""
    url = make_url(pg_database.url("plant_app"))
    states = []
    for changed in (url.set(database="no such database"), url.set(username="no_such_role")):
        async with opened(changed.render_as_string(hide_password=False)) as database:
            error = await failure(database)
        assert type(error) is ConnectFailed
        states.append(error.sqlstate)

    # Where passwords are asked for, the server does not tell a missing role from a wrong password.
    assert states[0] == "3D000"
    assert states[1] in {"28000", "28P01"}


async def test_full_database_is_resource_exhausted(
    database_with: DatabaseWith, pg_clone: Clone, observer: Observer
) -> None:
    """A database that takes no more connections is ResourceExhausted (53300)."""
    await observer.run(f'ALTER DATABASE "{pg_clone.name}" CONNECTION LIMIT 0')
    error = await failure(database_with())

    assert (type(error), error.sqlstate) == (ResourceExhausted, "53300")


async def test_cut_connection_is_connection_lost(
    database_with: DatabaseWith, pg_clone: Clone, pg_server: Server, observer: Observer
) -> None:
    """A connection cut in the middle of a query is ConnectionLost; cut while idle, it is replaced unnoticed."""
    async with proxy_to(pg_server) as proxy:
        database = database_with(url=through(pg_clone.url("plant_app"), proxy.port), pool_size=1, max_overflow=0)

        async def cut(session: AsyncSession) -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(session.execute(SLEEP))
                await observer.until_query("pg_sleep", running=True)
                await proxy.cut()

        with pytest.RaisesGroup(ConnectionLost) as caught:
            async with database.session() as session:
                await cut(session)
        async with database.session() as session:
            first = await session.scalar(PID)
        await proxy.cut()
        async with database.session() as session:
            second = await session.scalar(PID)
        metrics = database.metrics()
        await database.close()

    error = caught.value.exceptions[0]
    assert isinstance(error, ConnectionLost)
    assert (error.sqlstate or "")[:2] == "08"
    assert first != second
    assert (metrics.checked_out, metrics.total_opened) == (0, 3)


async def test_cancelling_twice_on_a_frozen_network_does_not_hang(
    database_with: DatabaseWith, pg_clone: Clone, pg_server: Server, observer: Observer
) -> None:
    """Where nothing passes the network any more, a second cancellation ends the task and frees its place."""
    async with proxy_to(pg_server) as proxy:
        database = database_with(url=through(pg_clone.url("plant_app"), proxy.port), pool_size=1)

        async def sleep() -> None:
            async with database.session() as session:
                await session.execute(SLEEP)

        sleeper = asyncio.create_task(sleep())
        await observer.until_query("pg_sleep", running=True)
        proxy.freeze()
        sleeper.cancel()
        await asyncio.wait({sleeper}, timeout=0.05)
        sleeper.cancel()
        await asyncio.wait({sleeper}, timeout=1)
        cancelled = sleeper.cancelled()
        await proxy.cut()
        await until(lambda: database.metrics().checked_out == 0, "the pool had its place back")
        await database.close()

    assert cancelled


async def test_terminated_query_is_connection_lost(plant_db: Database, observer: Observer) -> None:
    """A backend terminated in the middle of a query is ConnectionLost, and the next session works."""

    async def killed(session: AsyncSession) -> None:
        pid = await session.scalar(PID)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(session.execute(SLEEP))
            await observer.until_query("pg_sleep", running=True)
            await observer.terminate([pid or 0])

    async def run() -> None:
        async with plant_db.session() as session:
            await killed(session)

    with pytest.RaisesGroup(ConnectionLost) as caught:
        await run()
    async with plant_db.session() as session:
        after = await session.scalar(text("SELECT 1"))
    error = caught.value.exceptions[0]

    assert isinstance(error, ConnectionLost)
    # asyncpg before 0.32 loses what the server said last.
    assert error.sqlstate in {"57P01", "08003"}
    assert after == 1


async def test_statement_timeout_is_query_canceled(database_with: DatabaseWith) -> None:
    """A statement that runs into statement_timeout is QueryCanceled (57014), then its connection works on."""
    database = database_with(statement_timeout=0.05)
    error = await failure(database, lambda session: session.execute(SLEEP))
    async with database.session() as session:
        shown = await session.scalar(text("SHOW statement_timeout"))

    assert (type(error), error.sqlstate) == (QueryCanceled, "57014")
    assert (shown, database.metrics().total_opened) == ("50ms", 1)


async def test_lock_timeout_and_nowait_are_lock_timeout(database_with: DatabaseWith, ledger: Observer) -> None:
    """A lock not granted within lock_timeout, or at once under NOWAIT, is LockTimeout (55P03)."""
    database = database_with(lock_timeout=0.05)
    async with database.session() as holder:
        await holder.execute(LOCK)
        waited = await failure(database, lambda session: session.execute(LOCK))
        at_once = await failure(database, lambda session: session.execute(text(f"{LOCK} NOWAIT")))

    assert (type(waited), waited.sqlstate) == (LockTimeout, "55P03")
    assert (type(at_once), at_once.sqlstate) == (LockTimeout, "55P03")


async def test_query_cancelled_by_the_server_is_query_canceled(plant_db: Database, observer: Observer) -> None:
    """A query that an administrator cancels is QueryCanceled (57014), and nothing else of the session is lost."""

    async def cancelled(session: AsyncSession) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(session.execute(SLEEP))
            await observer.until_query("pg_sleep", running=True)
            await observer.run(CANCEL)

    async with plant_db.session() as session:
        before = await session.scalar(PID)
        with pytest.RaisesGroup(QueryCanceled) as caught:
            await cancelled(session)
        await session.rollback()
        after = await session.scalar(PID)
    error = caught.value.exceptions[0]

    assert isinstance(error, QueryCanceled)
    assert error.sqlstate == "57014"
    assert before == after


async def test_own_time_limit_arrives_unchanged(plant_db: Database, observer: Observer) -> None:
    """A caller's own asyncio.timeout around a query raises TimeoutError as always, and ends the query on the server."""
    with pytest.raises(TimeoutError):
        async with plant_db.session() as session, asyncio.timeout(0.1):
            await session.execute(SLEEP)
    await observer.until_query("pg_sleep", running=False)
    async with plant_db.session() as session:
        after = await session.scalar(text("SELECT 1"))

    assert after == 1
    assert plant_db.metrics().checked_out == 0


async def test_cancelling_before_the_server_has_the_query_ends_it_all_the_same(
    pg_server: Server, pg_clone: Clone, database_with: DatabaseWith, observer: Observer
) -> None:
    """A cancel request that overtakes its query does nothing on the server; it is repeated, and the query ends."""
    async with proxy_to(pg_server) as proxy:
        database = database_with(url=through(pg_clone.url("plant_app"), proxy.port), pool_size=1)
        with pytest.raises(TimeoutError):
            async with database.session() as session:
                await session.execute(NAP, {"seconds": 0})
                proxy.delay(0.3)
                async with asyncio.timeout(0.1):
                    await session.execute(NAP, {"seconds": 60})
        await observer.until_query("pg_sleep", running=False)
        proxy.delay(0.0)
        async with database.session() as session:
            after = await session.scalar(text("SELECT 1"))

    assert after == 1
    assert database.metrics().checked_out == 0


async def test_failed_transaction_refuses_more_statements(plant_db: Database) -> None:
    """After an error every statement is FailedTransaction (25P02) until a rollback; then the session works."""

    async def twice(session: AsyncSession) -> None:
        assert isinstance(await _error(session, "SELECT 1 / 0"), PlantError)
        await session.execute(text("SELECT 1"))

    error = await failure(plant_db, twice)
    async with plant_db.session() as session:
        first = await _error(session, "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'P0001'; END $$")
        await session.rollback()
        after = await session.scalar(text("SELECT 1"))

    assert (type(error), error.sqlstate) == (FailedTransaction, "25P02")
    assert (type(first), first.sqlstate, after) == (ServerError, "P0001", 1)


async def test_swallowed_error_does_not_pretend_to_commit(plant_db: Database, ledger: Observer) -> None:
    """COMMIT after a swallowed error raises FailedTransaction, where the server would roll back without a word."""

    async def swallow(session: AsyncSession) -> None:
        await session.execute(text("UPDATE public.ledger SET value = 0"))
        await _error(session, "SELECT 1 / 0")

    error = await failure(plant_db, swallow)
    async with plant_db.session() as session:
        await session.execute(text("UPDATE public.ledger SET value = 1 WHERE id = 1"))
        async with session.begin_nested() as savepoint:
            await _error(session, "SELECT 1 / 0")
            await savepoint.rollback()
    values = await ledger.rows("SELECT value FROM public.ledger ORDER BY id")

    assert (type(error), error.sqlstate) == (FailedTransaction, "25P02")
    assert values == [(1,), (20,)]


async def _error(session: AsyncSession, statement: str) -> PlantError:
    with pytest.raises(PlantError) as caught:
        await session.execute(text(statement))
    return caught.value
