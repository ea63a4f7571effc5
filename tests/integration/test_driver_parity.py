"""Layer 1, beyond the contract: values, bulk loads and statements mean the same through either driver."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import Column, Connection, MetaData, Table, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from plant.core import values
from plant.core.bulk import bulk_insert, copy_in, copy_out
from plant.core.database import Database
from plant.core.errors import CheckViolation, InvalidValue, NotNullViolation, StaleStatement, StatementRefused
from plant.models import Base
from tests.fixtures.locks import Observer
from tests.fixtures.pools import DatabaseWith

AGENT = {"governance_agent_id": "agent-a"}
CORPUS = Table(
    "corpus",
    MetaData(),
    Column("small", values.StrictInteger(16), primary_key=True, autoincrement=False),
    Column("whole", values.StrictInteger()),
    Column("big", values.StrictInteger(64)),
    Column("exact", values.StrictNumeric(30, 10)),
    Column("float", values.StrictFloat()),
    Column("moment", values.UtcDateTime()),
    Column("wall", values.WallTime()),
    Column("word", values.StrictText(20)),
    Column("words", values.StrictTextArray()),
    Column("json", values.StrictJson()),
    Column("uuid", values.StrictUuid()),
    Column("vector", values.StrictVector(3)),
    prefixes=["TEMPORARY"],
)
IST = timezone(timedelta(hours=5, minutes=30))
ROWS: list[dict[str, Any]] = [
    {
        "small": -(2**15),
        "whole": 2**31 - 1,
        "big": -(2**63),
        "exact": Decimal("0.1"),
        "float": 0.1,
        "moment": datetime(2026, 2, 3, 4, 5, 6, 789_012, tzinfo=IST),
        "wall": datetime(2026, 2, 3, 4, 5, 6, 789_012),
        "word": "'🌱' \\ %s $1 :x",
        "words": ["a,b", '"', "NULL", "", "🌱"],
        "json": {"𝒌ey": ["🌱", None, True], "b": 2**60 + 1, "aa": 0.1, "deep": {"": [[]]}},
        "uuid": UUID("00000000-0000-4000-8000-00000000000f"),
        "vector": np.array([0.1, 1.0, -2.5e-8], dtype=np.float32),
    },
    {
        "small": 0,
        "whole": 0,
        "big": 2**63 - 1,
        "exact": Decimal("-1E+19"),
        "float": -0.0,
        "moment": datetime(1, 1, 2, tzinfo=UTC),
        "wall": datetime(9999, 12, 31, 23, 59, 59, 999_998),
        "word": "",
        "words": [],
        "json": [],
        "uuid": UUID(int=2**128 - 1),
        "vector": np.array([1e30 / 1e12, -1, 3], dtype=np.float32),
    },
    dict.fromkeys(CORPUS.columns.keys()) | {"small": 1},
]
STORED = [
    '(-32768,2147483647,-9223372036854775808,0.1000000000,0.1,"2026-02-02 22:35:06.789012+00",'
    '"2026-02-03 04:05:06.789012","\'🌱\' \\\\ %s $1 :x","{""a,b"",""\\\\"""",""NULL"","""",🌱}",'
    '"{""b"": 1152921504606846977, ""aa"": 0.1, ""deep"": {"""": [[]]}, ""𝒌ey"": [""🌱"", null, true]}",'
    '00000000-0000-4000-8000-00000000000f,"[0.1,1,-2.5e-08]")',
    '(0,0,9223372036854775807,-10000000000000000000.0000000000,-0,"0001-01-02 00:00:00+00",'
    '"9999-12-31 23:59:59.999998","",{},[],ffffffff-ffff-ffff-ffff-ffffffffffff,"[1e+18,-1,3]")',
    "(1,,,,,,,,,,,)",
]
REFUSED: list[tuple[str, Any]] = [
    ("small", 2**15),
    ("whole", 1.6),
    ("whole", True),
    ("whole", "7"),
    ("whole", Decimal(1)),
    ("whole", 2**31),
    ("big", 2**63),
    ("exact", 0.1),
    ("exact", "0.1"),
    ("exact", Decimal("NaN")),
    ("exact", Decimal("Infinity")),
    ("exact", Decimal("0.12345678901")),
    ("exact", Decimal("1E+20")),
    ("float", 1),
    ("float", float("nan")),
    ("float", float("inf")),
    ("moment", datetime(2026, 1, 1)),
    ("moment", datetime.max.replace(tzinfo=UTC)),
    ("moment", datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))),
    ("moment", "2026-01-01T00:00:00Z"),
    ("wall", datetime(2026, 1, 1, tzinfo=UTC)),
    ("wall", datetime.max),
    ("word", 5),
    ("word", "nul \x00"),
    ("word", "lone \ud800"),
    ("word", "x" * 21),
    ("words", "abc"),
    ("words", ["a", None]),
    ("json", {"a": float("nan")}),
    ("json", {1: "a"}),
    ("json", {"a": Decimal(1)}),
    ("json", {"a": "\x00"}),
    ("uuid", "00000000-0000-4000-8000-00000000000f"),
    ("vector", [1, 2]),
    ("vector", [0, 0, 0]),
    ("vector", [1, 2, float("nan")]),
    ("vector", "[1,2,3]"),
]
NUMBERS = Table(
    "numbers",
    MetaData(),
    Column("id", values.StrictInteger(), primary_key=True, autoincrement=False),
    Column("word", values.StrictText(), nullable=False),
    Column("value", values.StrictNumeric(20, 2)),
    Column("moment", values.UtcDateTime()),
    prefixes=["TEMPORARY"],
    schema="pg_temp",
)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
async def connection(async_engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection with both tables, all of it rolled back."""
    async with async_engine.connect() as connection:

        def create(sync: Connection) -> None:
            CORPUS.create(sync)
            NUMBERS.create(sync)

        await connection.run_sync(create)
        yield connection


async def test_values_are_stored_alike(connection: AsyncConnection) -> None:
    """What plant's types accept is stored as the same bytes, row by row as in bulk, whatever the driver."""
    await connection.execute(insert(CORPUS), ROWS[0])
    await connection.execute(insert(CORPUS), ROWS[1:])
    stored = list(await connection.scalars(text("SELECT CAST(corpus AS text) FROM corpus ORDER BY ctid")))
    digest = await connection.scalar(
        text("SELECT md5(string_agg(CAST(corpus AS text), ';' ORDER BY ctid)) FROM corpus")
    )

    assert stored == STORED
    assert digest == hashlib.md5(";".join(STORED).encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Prague", "America/New_York"])
async def test_values_are_read_alike(connection: AsyncConnection, zone: str) -> None:
    """What is read back equals what was stored and is of the same type and zone, whatever TimeZone the session has."""
    await connection.execute(text(f"SET LOCAL TimeZone = '{zone}'"))
    await connection.execute(insert(CORPUS), ROWS)
    read = [dict(row) for row in (await connection.execute(select(CORPUS).order_by(text("ctid")))).mappings()]

    assert [_plain(row) for row in read] == [_plain(row) for row in ROWS]
    assert {row["moment"].tzinfo for row in read[:2]} == {UTC}


@pytest.mark.parametrize("style", ["ISO, DMY", "German, DMY", "SQL, MDY", "Postgres"])
async def test_moments_are_read_right_or_not_at_all(connection: AsyncConnection, style: str) -> None:
    """In a DateStyle that names zones by abbreviation a moment is read as it is or refused, never read wrong."""
    await connection.execute(insert(CORPUS), ROWS[0])
    await connection.execute(text(f"SET LOCAL DateStyle = '{style}'"))
    try:
        read = await connection.scalar(select(CORPUS.c.moment))
    except InvalidValue as error:
        read = error
    iso = style.startswith("ISO")

    assert read == ROWS[0]["moment"] or (not iso and f"moments cannot be read in DateStyle {style}" in str(read))


@pytest.mark.parametrize(("field", "value"), REFUSED)
async def test_values_are_refused_alike(connection: AsyncConnection, field: str, value: object) -> None:
    """What the drivers would store differently is refused by name before anything is sent."""
    with pytest.raises(InvalidValue) as caught:
        await connection.execute(insert(CORPUS), {"small": 1, field: value})

    assert (caught.value.sqlstate, caught.value.field) == ("22000", field)
    assert str(caught.value).startswith(f"{field} ")
    assert await connection.scalar(select(CORPUS.c.small)) is None


async def test_bulk_insert_is_complete(async_session: AsyncSession) -> None:
    """Rows go in by chunks as they come from an iterable, each as a single INSERT would store it."""
    await (await async_session.connection()).run_sync(NUMBERS.create)
    rows = ({"id": n, "word": f"w{n}", "value": Decimal(n) / 4, "moment": NOON} for n in range(2_000))
    done = await bulk_insert(async_session, NUMBERS, rows, chunk=300)
    found = (await async_session.execute(select(NUMBERS).order_by(NUMBERS.c.id))).all()

    assert done == 2_000
    assert [tuple(row) for row in found] == [(n, f"w{n}", Decimal(n) / 4, NOON) for n in range(2_000)]


async def test_many_rows_may_come_first(plant_db: Database) -> None:
    """A transaction may begin with many rows: its agent reaches the server before the first of them."""
    ids = [UUID(int=number, version=4) for number in range(3)]
    base = [{"id": one, **AGENT, "entity_type": "team", "name": "first"} for one in ids]
    async with plant_db.session("agent-a") as session:
        await bulk_insert(session, Base.metadata.tables["plant.base_entity"], base)
        await bulk_insert(session, Base.metadata.tables["plant.team"], [{"id": one, **AGENT} for one in ids])
    async with plant_db.session("agent-a") as session:
        found = await session.scalars(text("SELECT id FROM plant.team ORDER BY id"))

    assert found.all() == ids


async def test_two_statements_in_one_string_are_refused_alike(connection: AsyncConnection) -> None:
    """A string that holds two statements is refused as a syntax error, also without parameters."""
    with pytest.raises(StatementRefused) as caught:
        await connection.execute(text("SELECT 1; SELECT 2"))

    assert caught.value.sqlstate == "42601"


async def test_copy_in_and_out_round_trip(plant_db: Database) -> None:
    """COPY stores what INSERT stores, checks values as INSERT does, and writes the same CSV through both drivers."""
    rows = [(n, f"w{n}", Decimal(n) / 4, NOON) for n in range(3)]
    chunks: list[bytes] = []

    async def write(chunk: bytes) -> None:
        chunks.append(bytes(chunk))

    async with plant_db.session() as session:
        await (await session.connection()).run_sync(NUMBERS.create)
        copied = await copy_in(session, NUMBERS, ["id", "word", "value", "moment"], rows)
        written = await copy_out(session, select(NUMBERS).order_by(NUMBERS.c.id), write)
        with pytest.raises(InvalidValue) as caught:
            await copy_in(session, NUMBERS, ["id", "word", "value"], [(3, "w3", 0.1)])
        await session.rollback()

    assert (copied, written) == (3, 3)
    assert caught.value.field == "value"
    assert b"".join(chunks).decode().splitlines() == [
        "id,word,value,moment",
        "0,w0,0.00,2026-01-01 12:00:00+00",
        "1,w1,0.25,2026-01-01 12:00:00+00",
        "2,w2,0.50,2026-01-01 12:00:00+00",
    ]


async def test_copy_errors_are_typed(plant_db: Database) -> None:
    """A row that COPY cannot store raises the typed error with its SQLSTATE, and nothing of the COPY stays."""
    async with plant_db.session() as session:
        await (await session.connection()).run_sync(NUMBERS.create)
        await session.execute(text("ALTER TABLE numbers ADD CHECK (value > 0)"))
        async with session.begin_nested() as savepoint:
            with pytest.raises(CheckViolation) as check:
                await copy_in(session, NUMBERS, ["id", "word", "value"], [(1, "a", Decimal(1)), (2, "b", Decimal(-1))])
            await savepoint.rollback()
        async with session.begin_nested() as savepoint:
            with pytest.raises(NotNullViolation) as null:
                await copy_in(session, NUMBERS, ["id", "value"], [(1, Decimal(1))])
            await savepoint.rollback()
        left = await session.scalar(text("SELECT count(*) FROM numbers"))
        await session.rollback()

    assert (check.value.sqlstate, null.value.sqlstate) == ("23514", "23502")
    assert (null.value.column, left) == ("word", 0)


async def test_statement_cached_before_ddl(database_with: DatabaseWith, ledger: Observer) -> None:
    """A cached plan that DDL made stale raises StaleStatement once, then works; the retry helper hides even that."""
    database = database_with(pool_size=1, max_overflow=0)
    query = text("SELECT * FROM public.ledger WHERE id = 1")

    async def columns() -> tuple[str, ...]:
        async with database.session() as session:
            return tuple((await session.execute(query)).keys())

    for _ in range(10):
        await columns()
    await ledger.run("ALTER TABLE public.ledger ADD COLUMN one integer")
    with pytest.raises(StaleStatement) as caught:
        await columns()
    second = await columns()
    for _ in range(10):
        await columns()
    await ledger.run("ALTER TABLE public.ledger ADD COLUMN two integer")
    row = await database.run_in_transaction(lambda session: session.execute(query))

    assert caught.value.sqlstate == "0A000"
    assert second == ("id", "value", "one")
    assert tuple(row.keys()) == ("id", "value", "one", "two")
    assert database.metrics().total_opened == 1


@pytest.mark.parametrize("pgbouncer", [True, False])
async def test_pgbouncer_mode_prepares_nothing(database_with: DatabaseWith, pgbouncer: bool) -> None:
    """In PgBouncer mode no statement stays prepared on the server, however often it runs; without, some do."""
    database = database_with(pool_size=1, max_overflow=0, pgbouncer=pgbouncer)
    for n in range(10):
        async with database.session("agent-a") as session:
            await session.execute(text("SELECT CAST(:n AS integer)"), {"n": n})
    async with database.session() as session:
        prepared = await session.scalar(text("SELECT count(*) FROM pg_prepared_statements")) or 0

    assert (prepared == 0) is pgbouncer


async def test_pgbouncer_mode_sets_limits_and_agent_each_time(database_with: DatabaseWith) -> None:
    """In PgBouncer mode every transaction brings its time limits and its agent, and leaves none of them behind."""
    database = database_with(pool_size=1, max_overflow=0, pgbouncer=True, statement_timeout=7, lock_timeout=3)
    query = text("""SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),
                           current_setting('app.current_agent_id'), current_setting('TimeZone')""")
    async with database.session("agent-a") as session:
        acting = (await session.execute(query)).one()
    async with database.session() as session:
        nobody = (await session.execute(query)).one()
    async with database.engine.connect() as connection:
        bare = (await connection.execute(text("SHOW statement_timeout"))).scalar_one()

    assert tuple(acting) == ("7s", "3s", "agent-a", "UTC")
    assert tuple(nobody) == ("7s", "3s", "", "UTC")
    assert bare == "0"


def _plain(row: dict[str, Any]) -> list[tuple[str, type, object]]:
    """Names, types and values of a row; a vector's bits as bytes, a float with the sign of its zero."""
    return [(name, type(value), _comparable(value)) for name, value in row.items()]


def _comparable(value: object) -> object:
    if isinstance(value, np.ndarray):
        return (value.dtype, value.tobytes())
    return repr(value) if isinstance(value, float) else value
