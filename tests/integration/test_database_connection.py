"""Layer 1, the contract: the engine, its extensions and tables, sessions and their connections."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from sqlalchemy import inspect, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from pgmatrix.databases.database import Database as Clone
from pgmatrix.matrix import Cell
from plant.core.config import Settings
from plant.core.connector import Connector
from plant.core.database import Database
from plant.core.errors import ConnectTimeout
from plant.database.migrate import drift
from plant.models import BaseEntity, Skill
from tests.fixtures.databases import AGENT_A
from tests.fixtures.factories import skill
from tests.fixtures.locks import Observer
from tests.fixtures.network import silent_port
from tests.fixtures.pools import DatabaseWith

SECTIONS = {
    "identity": {"id", "governance_agent_id", "entity_type", "external_id", "name", "description"},
    "lifecycle": {"status", "created_at", "updated_at", "deleted_at"},
    "versioning": {"version", "version_hash", "supersedes_id"},
    "constitutional alignment": {"constitution_version", "alignment_status", "alignment_checked_at"},
    "audit trail": {"created_by", "updated_by", "change_reason"},
    "metadata": {"tags", "attributes"},
    "relationships": {"parent_id"},
}
COLUMNS = text("""
SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = to_regclass('plant.base_entity') AND a.attnum > 0 AND NOT a.attisdropped
""")
TYPES = text("""
SELECT CAST(ARRAY[pg_typeof(b.id), pg_typeof(b.name), pg_typeof(b.created_at), pg_typeof(b.version), pg_typeof(b.tags),
                  pg_typeof(b.attributes), pg_typeof(s.embedding)] AS text[])
FROM plant.base_entity b JOIN plant.skill s USING (governance_agent_id, id)
""")
ROWS = text("""
SELECT (SELECT count(*) FROM plant.base_entity), (SELECT count(*) FROM plant.skill),
       (SELECT count(*) FROM plant.audit_log)
""")
PID = text("SELECT pg_backend_pid()")


async def test_async_engine_created(async_engine: AsyncEngine, pg_cell: Cell) -> None:
    """The engine talks through the cell's driver, as the application's role, to a server of the cell's major."""
    async with async_engine.connect() as connection:
        version = (await connection.execute(text("SHOW server_version_num"))).scalar_one()
        role = (await connection.execute(text("SELECT current_user"))).scalar_one()
        raw = (await connection.get_raw_connection()).driver_connection
    packages = {base.__module__.partition(".")[0] for base in type(raw).__mro__}

    assert async_engine.dialect.driver == pg_cell.driver
    assert packages & {"asyncpg", "psycopg"} == {str(pg_cell.driver)}
    assert int(version) // 10_000 == pg_cell.major
    assert role == "plant_app"


async def test_pgvector_extension_loaded(async_session: AsyncSession) -> None:
    """pgvector is installed, and a vector comes back as float32 numbers, not as text."""
    installed = await async_session.scalar(text("SELECT extname FROM pg_extension WHERE extname = 'vector'"))
    vector = await async_session.scalar(text("SELECT CAST('[1, 2.5, -0.125]' AS public.vector)"))

    assert installed == "vector"
    assert isinstance(vector, np.ndarray)
    assert vector.dtype == np.float32
    assert vector.tolist() == [1.0, 2.5, -0.125]


async def test_uuid_ossp_extension_loaded(async_session: AsyncSession) -> None:
    """The server's v5 UUIDs are Python's, and its v4 UUIDs are random ones with the right version and variant."""
    names = ["plant.example", "", "Grüße 🌱", "x" * 1000]
    made = [
        await async_session.scalar(text("SELECT uuid_generate_v5(uuid_ns_dns(), :name)"), {"name": name})
        for name in names
    ]
    random = list(await async_session.scalars(text("SELECT uuid_generate_v4() FROM generate_series(1, 100)")))

    assert await async_session.scalar(text("SELECT extname FROM pg_extension WHERE extname = 'uuid-ossp'"))
    assert made == [uuid.uuid5(uuid.NAMESPACE_DNS, name) for name in names]
    assert {(value.version, value.variant) for value in random} == {(4, uuid.RFC_4122)}
    assert len(set(random)) == 100


async def test_base_entity_table_created(async_session: AsyncSession) -> None:
    """All seven sections are there: each column's name, type, nullability and default is the model's."""
    found = {row[0]: (row[1], row[2], _plain(row[3])) for row in await async_session.execute(COLUMNS)}
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    wanted = {
        column.name: (
            column.type.compile(dialect).lower(),
            column.nullable,
            _plain(getattr(column.server_default, "arg", None)),
        )
        for column in BaseEntity.__table__.columns
    }

    assert set(found) == set().union(*SECTIONS.values())
    assert found == wanted


async def test_async_session_lifecycle(plant_db: Database, observer: Observer) -> None:
    """A session holds a connection from its first statement to its end; then it is idle and the row visible."""
    async with plant_db.session(AGENT_A) as session:
        before = plant_db.metrics().checked_out
        entity = skill()
        session.add(entity)
        await session.flush()
        pid = await session.scalar(PID)
        flushed = await observer.backend(pid)
        during = plant_db.metrics().checked_out
        await session.commit()
        committed = await observer.backend(pid)
    closed = await observer.backend(pid)
    metrics = plant_db.metrics()

    assert (before, during) == (0, 1)
    assert (flushed.state, flushed.in_transaction) == ("idle in transaction", True)
    assert (committed.state, committed.in_transaction) == ("idle", False)
    assert (closed.state, closed.in_transaction) == ("idle", False)
    assert (metrics.checked_out, metrics.checked_in) == (0, 1)
    assert inspect(entity).detached
    assert await observer.value("SELECT count(*) FROM plant.skill") == 1


async def test_database_connection_timeout(pg_cell: Cell) -> None:
    """A server that accepts and never answers is given up with ConnectTimeout after connect_timeout, not later."""
    with silent_port() as port:
        url = f"postgresql+{pg_cell.driver}://plant_app@127.0.0.1:{port}/plant"
        database = Database(Settings(url=url, connect_timeout=0.2))
        start = time.monotonic()
        with pytest.raises(ConnectTimeout) as caught:
            async with asyncio.timeout(3), database.session() as session:
                await session.scalar(PID)
        elapsed = time.monotonic() - start
        metrics = database.metrics()

    assert caught.value.sqlstate == "08001"
    assert str(caught.value) == (
        f"no connection to 127.0.0.1:{port}/plant within 0.2 s. "
        "Check that the address is right and reachable, or raise connect_timeout."
    )
    assert 0.19 <= elapsed < 2
    assert (metrics.checked_out, metrics.total_opened) == (0, 0)


async def test_schema_validation(pg_database: Clone) -> None:
    """Alembic's autogenerate finds nothing to change between the migrated database and the models."""
    differences = await drift(pg_database.url("plant_migrator"))

    assert differences == []


async def test_database_insert_and_retrieve(connector: Connector) -> None:
    """A row with every column type, read over another connection, equals what was written, in value and in type."""
    moment = datetime(2026, 2, 3, 4, 5, 6, 789_012, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    written = skill(
        external_id="𝕖xternal",
        description="line\nbreak, 'quotes', 漢字, 🌱",
        alignment_checked_at=moment,
        tags=["a,b", '{"', "NULL", "🌱"],
        attributes={"𝒌ey": ["🌱", 1, 0.1, 1e-7, True, None, {"deep": [[]]}], "b": 2**53 + 1, "aa": ""},
        embedding=np.random.default_rng(7).standard_normal(384).astype(np.float32),
    )
    async with connector.write(AGENT_A) as session:
        session.add(written)
        await session.flush()
        writer = await session.scalar(PID)
    async with connector.read(AGENT_A) as session:
        read = (await session.scalars(select(BaseEntity).where(BaseEntity.id == written.id))).one()
        reader = await session.scalar(PID)
        types = await session.scalar(TYPES)
        found = await session.scalar(
            select(Skill.id).where(Skill.attributes.contains({"b": 2**53 + 1}), Skill.tags.contains(["🌱"]))
        )

    assert writer != reader
    assert type(read) is Skill
    assert _values(read) == _values(written)
    assert read.alignment_checked_at == moment
    assert {type(read.id), type(found)} == {uuid.UUID}
    assert {read.created_at.tzinfo, read.alignment_checked_at.tzinfo} == {UTC}
    assert found == written.id
    assert types == ["uuid", "text", "timestamp with time zone", "integer", "text[]", "jsonb", "vector"]


async def test_connection_pool_properties(test_db_url: str) -> None:
    """Size, overflow, timeout, recycling and pre-ping of both engines' pools are the settings'."""
    chosen = {"pool_size": 3, "max_overflow": 2, "pool_timeout": 1.5, "pool_recycle": 77, "pool_pre_ping": True}

    assert _properties(Settings(url=test_db_url, **chosen)) == [(3, 2, 1.5, 77, True)] * 2
    assert _properties(Settings(url=test_db_url)) == [(5, 5, 30.0, -1, False)] * 2


async def test_multiple_concurrent_connections(database_with: DatabaseWith, observer: Observer) -> None:
    """Five sessions held at once have five backends, all with our application_name."""
    database = database_with(pool_size=5, max_overflow=0, pool_timeout=0.5, application_name="plant five")
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(database.session()) for _ in range(5)]
        pids = [await session.scalar(PID) for session in sessions]
        seen = await observer.backends("plant five")

    assert len(set(pids)) == 5
    assert {backend.pid for backend in seen} == set(pids)


async def test_transaction_rollback(plant_db: Database, observer: Observer) -> None:
    """After a rollback nothing is visible to others, neither the entity nor its audit entry."""
    async with plant_db.session(AGENT_A) as session:
        session.add(skill())
        await session.flush()
        await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        inside = (await session.execute(ROWS)).one()
        await session.rollback()
    after = await observer.rows(str(ROWS))
    async with plant_db.session(AGENT_A) as session:
        session.add(skill())
    committed = await observer.rows(str(ROWS))

    assert tuple(inside) == (1, 1, 1)
    assert after == [(0, 0, 0)]
    assert committed == [(1, 1, 1)]


async def test_async_context_manager(plant_db: Database, observer: Observer) -> None:
    """An exception inside the block rolls back, releases the connection and arrives as it was raised."""
    error = LookupError("the caller's own")
    with pytest.raises(LookupError) as caught:
        async with plant_db.session(AGENT_A) as session:
            session.add(skill())
            await session.flush()
            pid = await session.scalar(PID)
            raise error
    metrics = plant_db.metrics()
    backend = await observer.backend(pid)

    assert caught.value is error
    assert (error.__cause__, error.__context__) == (None, None)
    assert await observer.value("SELECT count(*) FROM plant.base_entity") == 0
    assert (metrics.checked_out, metrics.checked_in) == (0, 1)
    assert (backend.state, backend.in_transaction) == ("idle", False)


def _plain(default: object) -> str | None:
    """A default without the casts that the server adds to its text."""
    return None if default is None else str(default).partition("::")[0]


def _properties(settings: Settings) -> list[tuple[object, ...]]:
    """Size, overflow, timeout, recycling and pre-ping of a connector's two pools."""
    connector = Connector(settings)
    pools: list[Any] = [database.engine.pool for database in (connector.primary, connector.reader)]
    return [(pool.size(), pool._max_overflow, pool.timeout(), pool._recycle, pool._pre_ping) for pool in pools]


def _values(entity: BaseEntity) -> dict[str, object]:
    """Every column's value; the vector as bytes, so that bits are compared."""
    values = {attribute.key: getattr(entity, attribute.key) for attribute in inspect(type(entity)).column_attrs}
    return {name: value.tobytes() if isinstance(value, np.ndarray) else value for name, value in values.items()}
