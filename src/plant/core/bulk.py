"""Many rows at once: bulk INSERT, COPY in, COPY out; inside the session's transaction, the same on both drivers.

COPY FROM cannot write to a table under row-level security (PostgreSQL refuses it): there `bulk_insert` is the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, cast

from sqlalchemy import Select, Table, TextClause, insert, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.drivers import Raw, Sink, is_driver_error, translate
from plant.core.errors import InvalidValue

CHUNK = 5000
# From here on a temporary table costs less than it saves.
MANY = 200
BEGIN = text("SELECT 1")
MAY_STAGE = text("SELECT has_database_privilege(current_database(), 'TEMPORARY')")


async def bulk_insert(
    session: AsyncSession, table: Table, rows: Iterable[Mapping[str, Any]], *, chunk: int = CHUNK
) -> int:
    """INSERT rows (column name to value; all with the same names) in chunks of `chunk` rows; how many there were.

    Rows are taken from the iterable as they are sent. Many go by COPY into a temporary table, which no policy guards,
    and from there by one INSERT, which every policy, constraint and trigger of the table sees; few, and all where the
    role may make no temporary table, by INSERTs. Raises PlantErrors; the transaction is then to be rolled back.
    """
    source = iter(rows)
    chunks = _alike(table, iter(lambda: list(islice(source, chunk)), []))
    first = next(chunks, [])
    stage = _stage(table, tuple(first[0])) if len(first) >= MANY else None
    if stage is None or not await session.scalar(MAY_STAGE):
        return await _insert(session, table, chain([first], chunks))
    done = 0
    await session.execute(stage.create)
    for part in chain([first], chunks):
        lines = ([row[name] for name in stage.columns] for row in part)
        done += await _copy(session, table, ("pg_temp", stage.name), stage.columns, lines)
        await session.execute(stage.insert)
        await session.execute(stage.empty)
    await session.execute(stage.drop)
    return done


def _alike(table: Table, chunks: Iterable[list[Mapping[str, Any]]]) -> Iterator[list[Mapping[str, Any]]]:
    """The chunks; a row with other names than the first would lose a value, or take a default for one."""
    names = None
    for part in chunks:
        names = names or part[0].keys()
        other = next((row for row in part if row.keys() != names), None)
        if other is not None:
            field = min(other.keys() ^ names)
            raise InvalidValue(
                f"{field} is in some rows for {table.name} and not in others: give all rows the same columns.",
                field=field,
            )
        yield part


async def _insert(session: AsyncSession, table: Table, chunks: Iterable[list[Mapping[str, Any]]]) -> int:
    statement, done = insert(table), 0
    connection = await session.connection()
    for part in chunks:
        if part:
            await connection.execute(statement, part)
            done += len(part)
    return done


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """A temporary table with some of a table's columns and none of its rules; it ends with the transaction."""

    name: str
    columns: tuple[str, ...]
    create: TextClause
    insert: TextClause
    empty: TextClause
    drop: TextClause


def _stage(table: Table, columns: tuple[str, ...]) -> _Stage | None:
    """None where SQLAlchemy gives columns that are left out a default of its own."""
    if any(column.default is not None and column.name not in columns for column in table.columns):
        return None
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    quote = dialect.identifier_preparer.quote
    # Drivers remember the types of a table's columns by its name.
    name = f"bulk_{table.schema or 'public'}_{table.name}"[:63]
    here, there = f"pg_temp.{quote(name)}", dialect.identifier_preparer.format_table(table)
    names = ", ".join(quote(column) for column in columns)
    statements = {
        "create": f"CREATE TEMPORARY TABLE {quote(name)} ON COMMIT DROP AS SELECT {names} FROM {there} WITH NO DATA",
        "insert": f"INSERT INTO {there} ({names}) SELECT {names} FROM {here}",
        "empty": f"TRUNCATE {here}",
        "drop": f"DROP TABLE {here}",
    }
    return _Stage(name=name, columns=columns, **{key: _plain(sql) for key, sql in statements.items()})


def _plain(sql: str) -> TextClause:
    """Names may hold colons, which mean nothing here."""
    return text(sql.replace(":", "\\:"))


async def copy_in(session: AsyncSession, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """COPY rows, values in the order of `columns`, checked by the columns' types; how many were stored."""
    return await _copy(session, table, (table.schema or "public", table.name), columns, rows)


async def _copy(
    session: AsyncSession, table: Table, into: tuple[str, str], columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    raw = await _driver(session)
    with _typed():
        return await raw.copy_in(into, columns, _bound(session, table, columns, rows))


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
