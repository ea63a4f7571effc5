"""Many rows at once: multi-row INSERT, COPY in, COPY out; inside the session's transaction, the same on
both drivers.

COPY FROM cannot write to a table under row-level security (PostgreSQL refuses it): there `bulk_insert` is
the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, cast

from sqlalchemy import Select, Table, insert, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.drivers import Raw, Sink, is_driver_error, translate

CHUNK = 1000
BEGIN = text("SELECT 1")


async def bulk_insert(
    session: AsyncSession, table: Table, rows: Iterable[Mapping[str, Any]], *, chunk: int = CHUNK
) -> int:
    """INSERT rows (column name to value; all with the same names) in chunks of `chunk` rows; how many there
    were.

    Rows are taken from the iterable as they are sent. Raises PlantErrors; the transaction is then to be
    rolled back.
    """
    statement, done = insert(table), 0
    source = iter(rows)
    connection = await session.connection()
    while part := list(islice(source, chunk)):
        await connection.execute(statement, part)
        done += len(part)
    return done


async def copy_in(session: AsyncSession, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """COPY rows, values in the order of `columns`, checked by the columns' types; how many were stored."""
    raw = await _driver(session)
    name = (table.schema or "public", table.name)
    with _typed():
        return await raw.copy_in(name, columns, _bound(session, table, columns, rows))


async def copy_out(session: AsyncSession, source: Table | Select[Any], write: Sink) -> int:
    """Hand the rows of a table or a SELECT to `await write(chunk)` as CSV in UTF-8 with a header line; how
    many.

    Memory does not grow with the rows. An exception of `write` ends the COPY and arrives unchanged.
    """
    query = select(source) if isinstance(source, Table) else source
    # "named" leaves % alone, which has no meaning here.
    dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    sql = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    raw = await _driver(session)
    with _typed():
        return await raw.copy_out(sql, write)


@contextmanager
def _typed() -> Iterator[None]:
    """Here the driver is called past SQLAlchemy, so its errors are translated here; others pass."""
    try:
        yield
    except Exception as error:
        if not is_driver_error(error):
            raise
        raise translate(error) from error


async def _driver(session: AsyncSession) -> Raw:
    """The driver's connection, its transaction begun: SQLAlchemy sends BEGIN with the first statement."""
    await session.execute(BEGIN)
    proxied = await (await session.connection()).get_raw_connection()
    return cast("Raw", proxied.driver_connection)


def _bound(
    session: AsyncSession, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> Iterator[tuple[Any, ...]]:
    dialect = session.get_bind().dialect
    types = [table.c[name].type.dialect_impl(dialect) for name in columns]
    processors = [kind.bind_processor(dialect) for kind in types]
    for row in rows:
        yield tuple(
            value if process is None else process(value) for process, value in zip(processors, row, strict=True)
        )
