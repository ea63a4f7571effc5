"""asyncpg under SQLAlchemy: connecting, codecs, prepared statements, reset, COPY. It is imported only where
used.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import asyncpg

from plant.core.config import Settings
from plant.core.drivers import vectors
from plant.core.drivers.backend import CANCEL_AGAIN, CANCEL_WAIT, RESET, VECTOR_EXISTS, Pooled, Sink, Target


class Connection(Pooled, asyncpg.Connection):
    """asyncpg's connection with what plant's pool asks of one."""

    _transport: Any
    _loop: asyncio.AbstractEventLoop
    _cancellations: set[Any]

    @property
    def in_block(self) -> bool:
        """Whether a transaction is open on the server."""
        return bool(self.is_in_transaction())

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        """As asyncpg's, whose transactions send BEGIN and COMMIT by it: here riders get on."""
        rider = self.ride(query)
        status: str = await super().execute(query + rider, *args, **options)
        self.is_clean = rider is RESET
        return status

    async def _cancel(self, waiter: Any, cancel_waiter: Any) -> None:
        """As asyncpg's, and again until the server has answered: a request that overtakes its query does nothing.

        `waiter` is told last, and nothing is sent before: no request can meet the next query.
        """
        deadline = self._loop.time() + CANCEL_WAIT
        try:
            while not cancel_waiter.done() and self._loop.time() < deadline:
                with contextlib.suppress(TimeoutError):
                    sent = super()._cancel(self._loop.create_future())  # type: ignore[misc]
                    await asyncio.wait_for(sent, CANCEL_WAIT)
                await asyncio.wait({cancel_waiter}, timeout=CANCEL_AGAIN)
        finally:
            self._cancellations.discard(asyncio.current_task())
            if not waiter.done():
                waiter.set_result(None)

    def rest(self) -> None:
        """While asyncpg reads, the server's goodbye is swallowed some time before `is_closed` tells."""
        self._transport.pause_reading()

    def wake(self) -> bool:
        """Resumes reading in any case: asyncpg needs it to close, too."""
        alive = not self.is_closed() and self.is_silent()
        self._transport.resume_reading()
        return alive

    async def clean(self) -> bool:
        """One simple query, if any; before it the end of a transaction that was begun by hand."""
        if self.in_block:
            await self.execute("ROLLBACK")
        if not self.is_clean:
            await self.execute(RESET)
        self.forget()
        return self.knows_vector or not await self.fetchval(VECTOR_EXISTS)

    async def copy_in(self, table: Sequence[str], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Binary COPY; the number of rows."""
        schema, name = table
        status = await self.copy_records_to_table(name, schema_name=schema, columns=columns, records=rows)
        return int(status.rpartition(" ")[2])

    async def copy_out(self, query: str, write: Sink) -> int:
        """CSV with a header line, in the server's chunks; the number of rows."""

        async def output(chunk: bytes) -> None:
            await write(chunk)

        status = await self.copy_from_query(query, output=output, format="csv", header=True)
        return int(status.rpartition(" ")[2])


class PooledConnection(Connection):
    """The same behind PgBouncer, where a codec's look-up must stay on one server."""

    async def set_type_codec(self, typename: str, **options: Any) -> None:
        """As asyncpg's, in a transaction, since its look-up is more than one message."""
        async with self.transaction():
            await super().set_type_codec(typename, **options)


def engine_arguments(settings: Settings) -> dict[str, Any]:
    """Behind PgBouncer every statement is unnamed, so that none is left on a server of the pool."""
    if not settings.pgbouncer:
        return {"connect_args": {}}
    return {
        "connect_args": {
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": str,
        }
    }


def prepare_dialect(dialect: Any) -> None:
    """asyncpg knows READ UNCOMMITTED; SQLAlchemy's table for it does not. Vectors have a codec."""
    dialect._isolation_lookup["READ UNCOMMITTED"] = "read_uncommitted"
    dialect.has_vector_codec = True


async def connect(target: Target, arguments: Mapping[str, Any]) -> Connection:
    """`arguments` hold the statement cache's size; all else comes from the target."""
    sizes = {name: arguments[name] for name in ("statement_cache_size",) if name in arguments}
    raw: Connection = await asyncpg.connect(
        # asyncpg reads certificates' paths only from a DSN.
        dsn=f"postgresql://?{urlencode(target.tls)}",
        host=target.host,
        port=target.port,
        user=target.user,
        password=target.password,
        database=target.database,
        server_settings=dict(target.options),
        timeout=target.connect_timeout,
        connection_class=PooledConnection if target.pgbouncer else Connection,
        **sizes,
    )
    raw.listen_to(raw._transport.get_extra_info("socket").fileno())
    try:
        await _register(raw)
    except BaseException:
        # Cancelled, perhaps: nobody else knows this connection yet.
        raw.terminate()
        raise
    return raw


async def _register(raw: Connection) -> None:
    """uuid as Python's own class and not asyncpg's; vector as float32 array where the extension is there."""
    await raw.set_type_codec(
        "uuid", schema="pg_catalog", format="binary", encoder=_uuid_bytes, decoder=_uuid_from_bytes
    )
    try:
        await raw.set_type_codec(
            "vector",
            schema=vectors.SCHEMA,
            format="binary",
            encoder=vectors.to_binary,
            decoder=vectors.from_binary,
        )
    except ValueError:
        return
    raw.knows_vector = True


def _uuid_bytes(value: Any) -> bytes:
    return value.bytes if isinstance(value, uuid.UUID) else uuid.UUID(value).bytes


def _uuid_from_bytes(data: bytes) -> uuid.UUID:
    return uuid.UUID(bytes=data)
