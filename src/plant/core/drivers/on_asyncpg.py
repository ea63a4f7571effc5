"""asyncpg under SQLAlchemy: connecting, codecs, prepared statements, reset, COPY. It is imported only where used."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import asyncpg

from plant.core.config import Settings
from plant.core.drivers import vectors
from plant.core.drivers.backend import RESET, Sink, Target, is_silent


class Connection(asyncpg.Connection):  # type: ignore[misc]
    """asyncpg's connection, which remembers whether vector has its codec."""

    knows_vector = False


class PooledConnection(Connection):
    """The same behind PgBouncer, where a codec's look-up must stay on one server."""

    async def set_type_codec(self, typename: str, **options: Any) -> None:
        """As asyncpg's, in a transaction: its look-up is two messages that must reach the same server."""
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
    """asyncpg knows READ UNCOMMITTED; SQLAlchemy's table for it does not."""
    dialect._isolation_lookup["READ UNCOMMITTED"] = "read_uncommitted"


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
    await _register(raw)
    return raw


async def _register(raw: Connection) -> None:
    """uuid as Python's own class and not asyncpg's; vector as float32 array where the extension is there."""
    await raw.set_type_codec(
        "uuid", schema="pg_catalog", format="binary", encoder=_uuid_bytes, decoder=_uuid_from_bytes
    )
    try:
        await raw.set_type_codec(
            "vector", schema=vectors.SCHEMA, format="binary", encoder=vectors.to_binary, decoder=vectors.from_binary
        )
    except ValueError:
        return
    raw.knows_vector = True


def _uuid_bytes(value: Any) -> bytes:
    return value.bytes if isinstance(value, uuid.UUID) else uuid.UUID(value).bytes


def _uuid_from_bytes(data: bytes) -> uuid.UUID:
    return uuid.UUID(bytes=data)


def rest(raw: Connection) -> None:
    """While asyncpg reads, the server's goodbye is swallowed some time before `is_closed` tells."""
    raw._transport.pause_reading()


def wake(raw: Connection) -> bool:
    """Resumes reading in any case: asyncpg needs it to close, too."""
    alive = not raw.is_closed() and is_silent(raw._transport.get_extra_info("socket").fileno())
    raw._transport.resume_reading()
    return alive


async def reset(raw: Connection) -> None:
    """One simple query."""
    await raw.execute(RESET)


async def copy_in(
    raw: Connection, table: Sequence[str], columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Binary COPY; the number of rows."""
    schema, name = table
    status = await raw.copy_records_to_table(name, schema_name=schema, columns=columns, records=rows)
    return int(status.rpartition(" ")[2])


async def copy_out(raw: Connection, query: str, write: Sink) -> int:
    """CSV with a header line, in the server's chunks; the number of rows."""
    status = await raw.copy_from_query(query, output=write, format="csv", header=True)
    return int(status.rpartition(" ")[2])
