"""Layer 2, the contract: what each migration makes and takes away, and that rows outlive the way up and down."""

from __future__ import annotations

import asyncio
import os
import sys
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.database import Database
from plant.core.errors import ForeignKeyViolation, NotNullViolation, UniqueViolation
from plant.database import migrate
from plant.models import Agent, Base, BaseEntity, Industry, JobRole, Skill, Team
from tests.fixtures import catalog, schema
from tests.fixtures.bare import Bare
from tests.fixtures.databases import AGENT_A, APP
from tests.fixtures.factories import Factory, skill
from tests.fixtures.locks import until
from tests.fixtures.pools import DatabaseWith
from tests.fixtures.rows import HAND_WRITTEN, all_records, changed, entities, insert, records, referring

KINDS: tuple[type[BaseEntity], ...] = (Skill, Industry, JobRole, Team, Agent)
EMBEDDING_TYPE = text("""
SELECT format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = to_regclass('plant.skill') AND attname = 'embedding'
""")
PRIMARY_KEY = text("""
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = to_regclass('plant.base_entity') AND contype = 'p'
""")
# The lock is transaction-local in plant, so any session may hold it.
HOLD = text("SELECT pg_advisory_lock(hashtextextended('plant.migrate', 0))")
LET_GO = text("SELECT pg_advisory_unlock(hashtextextended('plant.migrate', 0))")
VERIFY = text("SELECT * FROM plant.audit_verify(current_setting('app.current_agent_id'))")
VERSIONS = text("SELECT version_num FROM plant.alembic_version")
WAITING = text("""
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")


async def test_migration_001_base_entity_table_exists(bare: Bare) -> None:
    """Revision 001 makes base_entity, and going back to base leaves no object of ours, nor anything granted."""
    before = await bare.snapshot()
    await bare.up("001")
    made = await catalog.tables(bare.admin)
    columns = (await catalog.required(bare.admin))["base_entity"]
    await bare.down("base")

    assert made == {"base_entity", schema.VERSION_TABLE}
    assert columns == schema.REQUIRED["base_entity"]
    assert await catalog.objects(bare.admin) == set()
    assert await bare.snapshot() == before


async def test_migration_002_skill_entity_table_exists(bare: Bare) -> None:
    """Revision 002 makes skill with its foreign key to base_entity, and going back leaves no object of ours."""
    before = await bare.snapshot()
    await bare.up("002")
    made = await catalog.tables(bare.admin)
    keys = [key for key in await catalog.foreign_keys(bare.admin) if key[0] == "skill"]
    await bare.down("base")

    assert made == {"base_entity", "skill", schema.VERSION_TABLE}
    own = ("governance_agent_id", "id")
    assert keys == [("skill", "fk_skill_governance_agent_id_id_base_entity", own, "base_entity", own)]
    assert await catalog.objects(bare.admin) == set()
    assert await bare.snapshot() == before


async def test_skill_entity_has_embedding_column(async_session: AsyncSession) -> None:
    """At head the embedding is a vector of 384 dimensions."""
    assert await async_session.scalar(EMBEDDING_TYPE) == "vector(384)"


async def test_migration_creates_indexes(async_session: AsyncSession) -> None:
    """The indexes, with method, columns, operator classes and predicate, are the expected ones, no more and no less."""
    assert await catalog.indexes(async_session) == schema.INDEXES


async def test_base_entity_primary_key_exists(async_session: AsyncSession) -> None:
    """The primary key of base_entity is its agent and id, and a second row of an agent with the same id is refused."""
    base, _ = records(skill())
    await insert(async_session, base)
    with pytest.raises(UniqueViolation) as caught:
        await insert(async_session, changed(base, name="another"))

    assert (caught.value.sqlstate, caught.value.constraint) == ("23505", "pk_base_entity")
    await async_session.rollback()
    assert (await async_session.execute(PRIMARY_KEY)).all() == [
        ("pk_base_entity", "PRIMARY KEY (governance_agent_id, id)")
    ]


async def test_skill_entity_inherits_from_base_entity(async_session: AsyncSession, create_test_skill: Factory) -> None:
    """Loading a BaseEntity by id gives the Skill it is, and a skill without its row in base_entity cannot exist."""
    written = await create_test_skill(name="welding")
    async_session.expunge_all()
    loaded = await async_session.scalar(select(BaseEntity).where(BaseEntity.id == written.id))
    with pytest.raises(ForeignKeyViolation) as caught:
        await insert(async_session, changed(records(skill())[1], id=str(uuid4())))

    assert type(loaded) is Skill
    assert (loaded.name, loaded.category, loaded.entity_type) == ("welding", "technical", "skill")
    assert caught.value.sqlstate == "23503"
    assert caught.value.constraint == "fk_skill_governance_agent_id_id_base_entity"


async def test_migration_creates_foreign_keys(async_session: AsyncSession) -> None:
    """The foreign keys are the expected ones, each within one governance agent, and each refuses an orphan."""
    found = entities(AGENT_A)
    family = {entity.__tablename__: entity for entity in found}
    await insert(async_session, *all_records(found))
    refused = set()
    for table, _, column, other in schema.FOREIGN_KEYS:
        *others, orphan = referring(family["agent" if table == "base_entity" else table], table, column, uuid4())
        with pytest.raises(ForeignKeyViolation) as caught:
            async with async_session.begin_nested():
                await insert(async_session, *others, orphan)
        refused.add((caught.value.sqlstate, caught.value.table, caught.value.constraint, column, other))

    assert await catalog.foreign_keys(async_session) == {
        (table, name, ("governance_agent_id", column), other, ("governance_agent_id", "id"))
        for table, name, column, other in schema.FOREIGN_KEYS
    }
    assert refused == {("23503", *key) for key in schema.FOREIGN_KEYS}


async def test_migration_adds_columns_idempotently(bare: Bare) -> None:
    """Two processes at once, a second upgrade and the offline script all end at one and the same schema."""
    outcome = await _upgraded_by_two_processes(bare)
    once, written = await bare.snapshot(), await catalog.written(bare.admin)
    await bare.up()
    twice, rewritten = await bare.snapshot(), await catalog.written(bare.admin)
    versions = list(await bare.admin.scalars(VERSIONS))
    await bare.down("base")
    await bare.run_script(migrate.sql())
    offline = await bare.snapshot()

    assert outcome == (2, 0, b"The database is at revision 005.\n", b"")
    assert versions == ["005"]
    assert (twice, rewritten) == (once, written)
    assert offline == once


async def test_all_entity_tables_created(async_session: AsyncSession) -> None:
    """The tables are those of the models and the version table, no more and no less."""
    of_models = {table.name for table in Base.metadata.tables.values()}

    assert await catalog.tables(async_session) == of_models | {schema.VERSION_TABLE} == schema.TABLES


async def test_migrations_maintain_data_integrity(bare: Bare) -> None:
    """At every revision, with rows in every table, down and up again loses no row that has a table and no object."""
    below, objects_below, tables = "base", await bare.snapshot(), set[str]()
    for revision, new in schema.TABLES_SINCE.items():
        tables |= new
        await bare.up(revision)
        async with bare.open(APP if revision >= "004" else None) as database:
            await _fill(database, f"agent-{revision}", tables)
        objects, rows = await bare.snapshot(), await bare.rows()
        await bare.down(below)
        objects_down, rows_down = await bare.snapshot(), await bare.rows()
        await bare.up(revision)
        objects_up, rows_up = await bare.snapshot(), await bare.rows()

        assert {table for table, found in rows.items() if found} == tables - {"audit_pending"}
        assert objects_down == objects_below
        assert rows_down == {table: rows[table] for table in tables - new}
        assert objects_up == objects
        assert {table: rows_up[table] for table in rows_down} == rows_down
        below, objects_below = revision, objects
    async with bare.open(APP) as database:
        whole = 0
        for revision in schema.TABLES_SINCE:
            async with database.session(f"agent-{revision}") as session:
                whole += await _whole(session)

    assert whole == sum(len(rows_up[table]) for table in schema.ENTITY_TABLES if table != "base_entity") > 0


async def test_migration_null_constraints(database_with: DatabaseWith) -> None:
    """The columns that refuse NULL are the expected ones, and each refuses it by itself, with all triggers off."""
    found = [*all_records(entities(AGENT_A)), *HAND_WRITTEN]
    of_table = dict(found)
    refused: dict[str, set[str | None]] = {}
    async with database_with(None).session(AGENT_A) as session:
        for table in schema.TABLES:
            await session.execute(text(f"ALTER TABLE plant.{table} DISABLE TRIGGER USER"))
        await insert(session, *found)
        for table, column in [(name, column) for name in of_table for column in schema.REQUIRED[name]]:
            with pytest.raises(NotNullViolation) as caught:
                async with session.begin_nested():
                    await insert(session, (table, of_table[table] | {column: None}))
            assert (caught.value.sqlstate, caught.value.table) == ("23502", table)
            refused.setdefault(table, set()).add(caught.value.column)
        in_catalog = await catalog.required(session)
        await session.rollback()

    assert in_catalog == schema.REQUIRED
    assert refused == schema.REQUIRED


async def _upgraded_by_two_processes(bare: Bare) -> tuple[int, int | None, bytes, bytes]:
    """This process and another upgrade, both begun while neither can go on.

    Returns how many waited for the migration's lock, and the other's exit code and output.
    """
    await bare.admin.execute(HOLD)
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "plant", "migrate", "up"),
        env={**os.environ, "PLANT_URL": bare.url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    tasks = [asyncio.create_task(bare.up()), output := asyncio.create_task(other.communicate())]

    async def waiting_or_done() -> bool:
        return await bare.admin.scalar(WAITING) == 2 or any(task.done() for task in tasks)

    try:
        await until(waiting_or_done, "both processes came to the migration's lock", bound=60)
        waited = int(await bare.admin.scalar(WAITING) or 0)
    finally:
        await bare.admin.execute(LET_GO)
        await asyncio.gather(*tasks)
    return waited, other.returncode, *output.result()


async def _fill(database: Database, agent: str, tables: set[str]) -> None:
    """Ten entities, as far as their tables are there, and a change of one where the models' whole schema is."""
    async with database.session(agent) as session:
        await insert(session, *[record for record in all_records(entities(agent)) if record[0] in tables])
    if "audit_log" in tables:
        async with database.session(agent) as session:
            one = (await session.scalars(select(BaseEntity).where(BaseEntity.name == "sparse 0"))).one()
            one.description = "changed"


async def _whole(session: AsyncSession) -> int:
    """How many whole entities the agent has, each with Python's hash, in a chain that verifies."""
    found = [entity for kind in KINDS for entity in await session.scalars(select(kind))]
    verdict = (await session.execute(VERIFY)).one()

    assert [entity.version_hash for entity in found] == [entity.content_hash() for entity in found]
    assert (verdict.entries, verdict.bad_seq, verdict.reason) == (len(found), None, None)
    return len(found)
