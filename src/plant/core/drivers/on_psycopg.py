"""psycopg 3 under SQLAlchemy: connecting, codecs, prepared statements, reset, COPY. It is imported only
where used.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import traceback
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import generators, waiting
from psycopg.adapt import Buffer, Dumper, Loader
from psycopg.pq import ExecStatus, Format, TransactionStatus
from psycopg.sql import SQL, Identifier
from psycopg.types import TypeInfo

from plant.core.config import Settings
from plant.core.drivers import vectors
from plant.core.drivers.backend import CANCEL_AGAIN, CANCEL_WAIT, RESET, VECTOR_EXISTS, Pooled, Sink, Target

MAX_PARAMETERS = 32767
VOID = 2278  # pg_type.oid of void, which psycopg's registry lacks


class Connection(Pooled, psycopg.AsyncConnection[Any]):
    """psycopg's connection with what plant's pool asks of one."""

    @property
    def in_block(self) -> bool:
        """Whether a transaction is open on the server."""
        return self.pgconn.transaction_status != TransactionStatus.IDLE

    def _exec_command(self, command: Any, result_format: Format = Format.TEXT) -> Any:
        """As psycopg's, which sends BEGIN and COMMIT by it: here riders get on."""
        text = command.decode() if isinstance(command, bytes) else ""
        rider = self.ride(text)
        if not rider:
            return (yield from super()._exec_command(command, result_format))
        if self._pipeline:
            # executemany's, in which nothing commits; it takes one statement a message.
            yield from super()._exec_command(command, result_format)
            return (yield from super()._exec_command(rider, result_format))
        self.pgconn.send_query(f"{text}; {rider}".encode())
        for result in (yield from generators.execute(self.pgconn)):
            if result.status == ExecStatus.FATAL_ERROR:
                raise psycopg.errors.error_from_result(result, encoding="utf-8")
        self.is_clean = rider is RESET
        return None

    async def wait(self, gen: Any, interval: float = 0.1, **options: Any) -> Any:  # type: ignore[override]
        """As psycopg's, which on a dead network lets a cancelled task wait ten seconds, before 3.3 for ever."""
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, interval=interval, **options)
        except asyncio.CancelledError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                await self._stop(gen, interval)
            raise

    async def _stop(self, gen: Any, interval: float) -> None:
        """Have the server cancel the query and take its answer; without one the connection ends here.

        A request that overtakes its query does nothing, so it is repeated until there is an answer.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CANCEL_WAIT
        try:
            # Not asyncio.timeout, which before Python 3.11.4 does not work in a task that is being cancelled.
            while loop.time() < deadline:
                await self.cancel_safe(timeout=CANCEL_WAIT)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(waiting.wait_async(gen, self.pgconn.socket, interval=interval), CANCEL_AGAIN)
                    return
            self.pgconn.finish()
        except psycopg.errors.QueryCanceled:
            return
        except BaseException as error:
            self.pgconn.finish()
            if not isinstance(error, Exception):
                raise

    def rest(self) -> None:
        """psycopg reads only during a query."""

    def wake(self) -> bool:
        """Looks at psycopg's own state first: what it has closed has no socket any more."""
        return not self.closed and self.is_silent()

    async def clean(self) -> bool:
        """One simple query, if any."""
        if not self.is_clean:
            await self._alone(RESET)
        self.forget()
        return self.knows_vector or await (await self._alone(VECTOR_EXISTS)).fetchone() == (False,)

    async def _alone(self, sql: str) -> psycopg.AsyncCursor[Any]:
        """Outside any transaction, by the simple protocol, which carries several statements; our Cursor has
        not it.
        """
        await self.set_autocommit(True)
        cursor = await psycopg.AsyncCursor(self).execute(sql, prepare=False)
        await self.set_autocommit(False)
        return cursor

    async def copy_in(self, table: Sequence[str], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Binary COPY, which needs the columns' types; the number of rows."""
        name = Identifier(*table)
        names = SQL(", ").join(map(Identifier, columns))
        async with self.cursor() as cursor:
            await cursor.execute(SQL("SELECT {} FROM {} LIMIT 0").format(names, name))
            types = [column.type_code for column in cursor.description or ()]
            async with cursor.copy(SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(name, names)) as copy:
                copy.set_types(types)
                for row in rows:
                    await copy.write_row(row)
            return cursor.rowcount

    async def copy_out(self, query: str, write: Sink) -> int:
        """CSV with a header line, in the server's chunks; the number of rows."""
        async with self.cursor() as cursor:
            async with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER)".encode()) as copy:
                async for chunk in copy:
                    await write(bytes(chunk))
            return cursor.rowcount


class Cursor(psycopg.AsyncCursor[Any]):
    """A cursor with asyncpg's limits: one statement in a string (42601), at most 32767 parameters."""

    def _execute_send(self, query: Any, **options: Any) -> None:
        if query.params is not None and len(query.params) > MAX_PARAMETERS:
            raise psycopg.DataError(f"number of parameters cannot exceed {MAX_PARAMETERS}")
        # The extended protocol carries one statement only.
        super()._execute_send(query, **{**options, "force_extended": True})


class UtcLoader(Loader):
    """timestamptz in UTC, whatever TimeZone the session has."""

    def load(self, data: Buffer) -> datetime:
        """Raises psycopg.DataError for infinity, years a datetime cannot hold, and any DateStyle but ISO: the others
        name zones by abbreviations, which mean different things.
        """
        text = bytes(data).decode()
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            problem = "a moment is beyond what a datetime can hold"
            style = self.connection.pgconn.parameter_status(b"DateStyle") if self.connection else None
            if style and not style.startswith(b"ISO"):
                problem = f"moments cannot be read in DateStyle {style.decode()}, set ISO"
            raise psycopg.DataError(problem) from None


class VoidLoader(Loader):
    """The result of a function that returns nothing is None, not an empty text."""

    def load(self, data: Buffer) -> None:
        """Always None."""


class VectorLoader(Loader):
    """pgvector's text form."""

    def load(self, data: Buffer) -> vectors.Floats:
        """A float32 array."""
        return vectors.from_text(bytes(data).decode())


class VectorBinaryLoader(Loader):
    """pgvector's binary form."""

    format = Format.BINARY

    def load(self, data: Buffer) -> vectors.Floats:
        """A float32 array."""
        return vectors.from_binary(bytes(data))


class VectorDumper(Dumper):
    """A float32 array as pgvector's text, where COPY asks for text."""

    def dump(self, obj: vectors.Floats) -> bytes:
        """Exact decimal digits."""
        return vectors.to_text(obj).encode()


class VectorBinaryDumper(Dumper):
    """A float32 array as pgvector's binary form."""

    format = Format.BINARY

    def dump(self, obj: vectors.Floats) -> bytes:
        """Big-endian float32."""
        return vectors.to_binary(obj)


def engine_arguments(settings: Settings) -> dict[str, Any]:
    """No look-up of hstore; behind PgBouncer no statement is ever prepared."""
    prepare = {"prepare_threshold": None} if settings.pgbouncer else {}
    return {"connect_args": prepare, "use_native_hstore": False}


def prepare_dialect(dialect: Any) -> None:
    """False, to which SQLAlchemy resets, makes psycopg begin READ WRITE against the session's default; None
    is mute. Vectors have a codec.
    """
    dialect.set_readonly = lambda connection, value: connection.set_read_only(value or None)
    dialect.set_deferrable = lambda connection, value: connection.set_deferrable(value or None)
    dialect.has_vector_codec = True


async def connect(target: Target, arguments: Mapping[str, Any]) -> Connection:
    """`arguments` hold SQLAlchemy's adapters (`context`) and the threshold; the rest is the target's."""
    passed: dict[str, Any] = {
        **target.tls,
        **{name: arguments[name] for name in ("context", "prepare_threshold") if name in arguments},
    }
    options = dict(target.options)
    try:
        raw = await Connection.connect(
            host=target.host,
            port=target.port,
            user=target.user,
            password=target.password,
            dbname=target.database,
            application_name=options.pop("application_name"),
            options=" ".join(f"-c {name}={_escaped(value)}" for name, value in options.items()),
            client_encoding="utf8",
            cursor_factory=Cursor,
            **passed,
        )
    except BaseException as error:
        # The socket of a cancelled attempt lives in its frames, which the traceback would keep for a while.
        traceback.clear_frames(error.__traceback__)
        raise
    raw.listen_to(raw.fileno())
    raw.adapters.register_loader("timestamptz", UtcLoader)
    raw.adapters.register_loader(VOID, VoidLoader)
    try:
        await _register_vector(raw)
    except BaseException:
        # Cancelled, perhaps: nobody else knows this connection yet.
        raw.pgconn.finish()
        raise
    return raw


def _escaped(value: str) -> str:
    return re.sub(r"([\\\s])", r"\\\1", value)


async def _register_vector(raw: Connection) -> None:
    await raw.set_autocommit(True)
    info = await TypeInfo.fetch(raw, f"{vectors.SCHEMA}.vector")
    await raw.set_autocommit(False)
    if info is None:
        return
    raw.knows_vector = True
    info.register(raw)
    raw.adapters.register_loader(info.oid, VectorLoader)
    raw.adapters.register_loader(info.oid, VectorBinaryLoader)
    for dumper in (VectorDumper, VectorBinaryDumper):
        raw.adapters.register_dumper("numpy.ndarray", type(dumper.__name__, (dumper,), {"oid": info.oid}))
