"""plant's connection pool: SQLAlchemy's, with typed errors and counted waiters, and nothing dirty comes
back to it.

A connection that comes back is rolled back and reset in one message; one that the server closed is replaced
at checkout without asking the server first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import AsyncAdaptedQueuePool, Connection, Engine, PoolProxiedConnection, PoolResetState, event
from sqlalchemy.engine import AdaptedConnection, ExceptionContext
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as QueueTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from plant.core.drivers import Raw, translate
from plant.core.errors import PlantError, PoolTimeout

SUSPECT = "plant.suspect"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolMetrics:
    """A pool at one moment, in connections; `waiters` in tasks; `total_opened` since the engine was made."""

    size: int
    checked_out: int
    checked_in: int
    overflow: int
    waiters: int
    total_opened: int


class PlantPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool for asyncio with typed errors and two gauges."""

    waiters = 0
    total_opened = 0
    disposed = False

    def connect(self) -> PoolProxiedConnection:
        """A connection; raises PoolTimeout, ConnectFailed, ConnectTimeout or another PlantError."""
        try:
            return super().connect()
        except PlantError:
            raise
        except QueueTimeout as error:
            limit = self.size() + self._max_overflow
            raise PoolTimeout(
                f"all {limit} connections stayed in use for {self.timeout():g} s. {PoolTimeout.advice}"
            ) from error
        except Exception as error:
            raise translate(error) from error

    def recreate(self) -> PlantPool:
        """SQLAlchemy's successor of a disposed pool; the count of opened connections goes on."""
        successor = cast("PlantPool", super().recreate())
        successor.total_opened = self.total_opened
        return successor

    def dispose(self) -> None:
        """Close what is idle, and from now on what comes back."""
        self.disposed = True
        super().dispose()

    def metrics(self) -> PoolMetrics:
        """The figures of this moment."""
        return PoolMetrics(
            size=self.size(),
            checked_out=self.checkedout(),
            checked_in=self.checkedin(),
            overflow=max(0, self.overflow()),
            waiters=self.waiters,
            total_opened=self.total_opened,
        )

    def _do_get(self) -> ConnectionPoolEntry:
        self.waiters += 1
        try:
            return super()._do_get()
        finally:
            self.waiters -= 1

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        if self.disposed:
            super().dispose()

    def _create_connection(self) -> ConnectionPoolEntry:
        # Whoever opens a connection no longer waits for one.
        self.waiters -= 1
        try:
            return super()._create_connection()
        finally:
            self.waiters += 1


def watch(engine: Engine, *, reset: bool, ping: bool) -> None:
    """Attach plant's rules to an engine: typed errors, cleaning at return (`reset`), liveness at checkout.

    With `ping` SQLAlchemy asks the server before each checkout, so nothing else looks.
    """

    def opened(*_: Any) -> None:
        cast("PlantPool", engine.pool).total_opened += 1

    def returned(connection: Any, record: ConnectionPoolEntry, state: PoolResetState) -> None:
        if state.terminate_only or not state.asyncio_safe:
            return
        raw: Raw = connection.driver_connection
        if not raw.is_clean:
            connection.rollback()
        if reset and not (raw.is_clean and raw.knows_vector) and not connection.run_async(_clean):
            record.invalidate(soft=True)
        raw.forget()
        record.info.pop(SUSPECT, None)
        if not ping:
            raw.rest()

    event.listen(engine, "connect", opened)
    event.listen(engine, "commit", _confirm)
    event.listen(engine, "reset", returned)
    if not ping:
        event.listen(engine, "checkout", _wake_or_replace)
        event.listen(engine, "close", _wake)
    event.listen(engine, "handle_error", _typed)


def _wake_or_replace(connection: AdaptedConnection, *_: Any) -> None:
    if not connection.driver_connection.wake():
        raise DisconnectionError("the server closed this connection while it was idle")


def _wake(connection: AdaptedConnection, *_: Any) -> None:
    connection.driver_connection.wake()


async def _clean(raw: Raw) -> bool:
    return await raw.clean()


def _confirm(connection: Connection) -> None:
    """The server answers COMMIT after a failed statement with a silent ROLLBACK; another statement it
    refuses.
    """
    if not connection.invalidated and connection.info.pop(SUSPECT, False):
        connection.exec_driver_sql("SELECT 1")


def _typed(context: ExceptionContext) -> PlantError | None:
    """The error to raise instead; a pre-ping's, SQLAlchemy's own and a cancellation stay as they are."""
    error = context.original_exception
    if context.is_pre_ping or isinstance(error, SQLAlchemyError) or not isinstance(error, Exception):
        return None
    if context.connection is not None:
        context.connection.info[SUSPECT] = True
    return translate(error)
