"""Layer 3, the contract: who sees and writes which rows, and which rows nobody may write."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.agents import AGENT_SETTING
from plant.core.database import Database
from plant.core.errors import (
    CheckViolation,
    ConstraintViolation,
    ForeignKeyViolation,
    InsufficientPrivilege,
    NotNullViolation,
    UniqueViolation,
)
from plant.models import BaseEntity, Skill
from plant.security.rls import openings
from tests.fixtures import schema
from tests.fixtures.databases import AGENT_A, AGENT_B
from tests.fixtures.factories import Factory, skill
from tests.fixtures.locks import Observer
from tests.fixtures.pools import DatabaseWith
from tests.fixtures.rows import all_records, changed, entities, fresh, insert, records, referring

GUARDED = text("""
SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
       ARRAY(SELECT DISTINCT CAST(unnest(CASE p.polcmd WHEN '*' THEN '{r,a,w,d}' ELSE ARRAY[p.polcmd] END) AS text)
               FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive ORDER BY 1)
FROM pg_class c WHERE c.relnamespace = to_regnamespace('plant') AND c.relkind IN ('r', 'p')
""")
POWERS = text("""
SELECT current_user, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication,
       (SELECT count(*) FROM pg_shdepend WHERE refobjid = r.oid AND deptype = 'o') AS owned,
       (SELECT count(*) FROM pg_auth_members WHERE member = r.oid) AS memberships,
       has_database_privilege(current_database(), 'CREATE') AS may_create,
       ARRAY(SELECT CAST(nspname AS text) FROM pg_namespace
              WHERE nspname !~ '^pg_(toast_)?temp' AND has_schema_privilege(oid, 'CREATE')) AS may_create_in
FROM pg_roles r WHERE r.rolname = current_user
""")
GRANTS = text("""
SELECT c.relname, privilege FROM pg_class c, unnest(CAST(:privileges AS text[])) AS privilege
WHERE c.relnamespace = to_regnamespace('plant') AND c.relkind IN ('r', 'p')
AND has_table_privilege(c.oid, privilege)
""")
WRITING = ["INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]
# base_entity, each child, each child joined with its parent, the trail: what the agent sees of it.
SEEN = text(
    "SELECT "
    + ", ".join(f"(SELECT count(*) FROM plant.{table})" for table in (*schema.ENTITY_TABLES, "audit_log", "audit_head"))
    + "".join(
        f", (SELECT count(*) FROM plant.base_entity b JOIN plant.{table} c USING (governance_agent_id, id))"
        for table in schema.ENTITY_TABLES[1:]
    )
)
STATUSES = ("draft", "active", "deprecated", "archived", "deleted")
AGENT_NOW = text(f"SELECT current_setting('{AGENT_SETTING}', true)")


async def test_rls_policies_enabled_on_base_entity(async_session: AsyncSession) -> None:
    """Row-level security is forced for all commands on every table with data, and plant_app has no way around."""
    guarded = {name: (forced, commands) for name, forced, commands in await async_session.execute(GUARDED)}
    powers = (await async_session.execute(POWERS)).mappings().one()
    grants = {(table, privilege) for table, privilege in await async_session.execute(GRANTS, {"privileges": WRITING})}

    assert guarded.pop(schema.VERSION_TABLE) == (False, [])
    assert guarded == dict.fromkeys(schema.TABLES - {schema.VERSION_TABLE}, (True, ["a", "d", "r", "w"]))
    assert powers["current_user"] == "plant_app"
    assert not any(value for name, value in powers.items() if name != "current_user"), dict(powers)
    assert grants == {(table, command) for table in schema.ENTITY_TABLES for command in ("INSERT", "UPDATE")}
    assert await openings(async_session) == []


async def test_insert_valid_skill(database_with: DatabaseWith) -> None:
    """A row of A is seen by A alone, not by B nor without an agent, through parent, child, join and trail alike."""
    async with database_with().session(AGENT_A) as session:
        session.add_all(entities(AGENT_A))
    others = database_with(pool_size=1, max_overflow=0)
    async with others.session() as session:
        unset = await session.scalar(AGENT_NOW), tuple((await session.execute(SEEN)).one())
    async with others.session(AGENT_A) as session:
        own = tuple((await session.execute(SEEN)).one())
    async with others.session(AGENT_B) as session:
        foreign = tuple((await session.execute(SEEN)).one())
    async with others.session() as session:
        await session.execute(text(f"SELECT set_config('{AGENT_SETTING}', '', true)"))
        empty = await session.scalar(AGENT_NOW), tuple((await session.execute(SEEN)).one())

    assert own == (10, 2, 2, 2, 2, 2, 10, 1, 2, 2, 2, 2, 2)
    assert foreign == (0,) * len(own)
    assert unset == (None, foreign)
    assert empty == ("", foreign)


async def test_append_only_enforcement(plant_db: Database, observer: Observer) -> None:
    """Immutable columns refuse UPDATE, rows DELETE and tables TRUNCATE, even where the grants would allow it."""
    async with plant_db.session(AGENT_A) as session:
        await insert(session, *all_records(entities(AGENT_A)))
    before = [await observer.rows(f"SELECT CAST(t AS text) FROM plant.{table} t") for table in schema.ENTITY_TABLES]
    for table in schema.ENTITY_TABLES:
        await _assert_rows_kept(plant_db, table, "permission denied for table")
    await observer.run("GRANT DELETE, TRUNCATE ON ALL TABLES IN SCHEMA plant TO plant_app")
    for table in schema.ENTITY_TABLES:
        await _assert_rows_kept(plant_db, table, "is refused, its rows are kept for good")
        for column, value in schema.IMMUTABLE[table].items():
            error = await _refused(plant_db, f"UPDATE plant.{table} SET {column} = {value}")
            assert (error.table, error.column) == (table, column)
    after = [await observer.rows(f"SELECT CAST(t AS text) FROM plant.{table} t") for table in schema.ENTITY_TABLES]

    assert after == before
    assert all(rows for rows in after)


async def test_skill_entity_insert_allowed(plant_db: Database, observer: Observer) -> None:
    """A inserts for itself; for B it is refused in every table, also by an UPDATE that would move a row to B."""
    async with plant_db.session(AGENT_A) as session:
        await insert(session, *all_records(entities(AGENT_A)))
    async with plant_db.session(AGENT_A) as session:
        visible = await session.scalar(select(Skill.name).order_by(Skill.name))
    found = {record[0]: record for record in all_records(entities(AGENT_B))}
    for table, record in found.items():
        with pytest.raises(InsufficientPrivilege, match=f'policy for table "{table}"') as caught:
            async with plant_db.session(AGENT_A) as session:
                await insert(session, record)
        assert caught.value.sqlstate == "42501"
    for table in found:
        # Without the guards, and without WHERE or RETURNING, the policy's own check is what is left.
        await observer.run(f"ALTER TABLE plant.{table} DISABLE TRIGGER USER")
        error = await _refused(plant_db, f"UPDATE plant.{table} SET governance_agent_id = '{AGENT_B}'")
        assert f'violates row-level security policy for table "{table}"' in str(error)
    owners = await observer.rows("SELECT DISTINCT governance_agent_id FROM plant.base_entity")

    assert visible == "after sparse 0"
    assert owners == [(AGENT_A,)]
    with pytest.raises(InsufficientPrivilege, match='policy for table "base_entity"'):
        async with plant_db.session() as session:
            session.add(skill())


async def test_non_null_constraints_enforced(async_session: AsyncSession) -> None:
    """Every required field, missing or NULL, is refused with NotNullViolation that names table and column."""
    found = dict(all_records(entities(AGENT_A)))
    await insert(async_session, *all_records(entities(AGENT_A)))
    refused: dict[str, set[str | None]] = {table: set() for table in found}
    for table, column in [(name, column) for name in found for column in schema.REQUIRED[name]]:
        with pytest.raises(NotNullViolation) as caught:
            async with async_session.begin_nested():
                await insert(async_session, (table, found[table] | {column: None}))
        assert caught.value.sqlstate == "23502"
        refused[str(caught.value.table)].add(caught.value.column)
    with pytest.raises(NotNullViolation) as missing:
        async with async_session.begin_nested():
            async_session.add(Skill(governance_agent_id=AGENT_A, category="technical"))

    assert refused == {table: schema.REQUIRED[table] for table in schema.ENTITY_TABLES}
    assert (missing.value.table, missing.value.column, missing.value.field) == ("base_entity", "name", "name")


async def test_unique_constraint_on_external_id(plant_db: Database) -> None:
    """An external id is unique for one agent, and B may use A's without learning that A has it."""
    for agent in (AGENT_A, AGENT_B):
        async with plant_db.session(agent) as session:
            session.add(skill(governance_agent_id=agent, external_id="x-1"))
            session.add_all([skill(governance_agent_id=agent), skill(governance_agent_id=agent)])
        with pytest.raises(UniqueViolation) as caught:
            async with plant_db.session(agent) as session:
                session.add(skill(governance_agent_id=agent, external_id="x-1"))
        async with plant_db.session(agent) as session:
            stored = list(await session.scalars(select(Skill.external_id).order_by(Skill.external_id)))

        assert caught.value.sqlstate == "23505"
        assert caught.value.constraint == "uq_base_entity_governance_agent_id_external_id"
        assert stored == ["x-1", None, None]


async def test_primary_key_enforcement(plant_db: Database, observer: Observer) -> None:
    """A duplicate id is refused in parent and child, by models and by plain SQL, and the first row stays as it was."""
    first = skill(name="the first")
    async with plant_db.session(AGENT_A) as session:
        session.add(first)
    base, own = records(skill(id=first.id, name="the second", category="soft_skill"))
    before = await observer.rows("SELECT CAST((b, s) AS text) FROM plant.base_entity b JOIN plant.skill s USING (id)")
    with pytest.raises(UniqueViolation) as by_models:
        async with plant_db.session(AGENT_A) as session:
            session.add(skill(id=first.id, name="the second"))
    with pytest.raises(UniqueViolation) as of_parent:
        async with plant_db.session(AGENT_A) as session:
            await insert(session, base)
    with pytest.raises(UniqueViolation) as of_child:
        async with plant_db.session(AGENT_A) as session:
            await insert(session, own)
    after = await observer.rows("SELECT CAST((b, s) AS text) FROM plant.base_entity b JOIN plant.skill s USING (id)")

    errors = [caught.value for caught in (by_models, of_parent, of_child)]
    assert [error.sqlstate for error in errors] == ["23505"] * 3
    assert [error.constraint for error in errors] == ["pk_base_entity", "pk_base_entity", "pk_skill"]
    assert after == before
    assert len(after) == 1


async def test_foreign_key_constraint(async_session: AsyncSession, create_test_agent: Factory) -> None:
    """An agent that refers to a missing skill, job role, industry or team is refused by that reference's own key."""
    whole = await create_test_agent()
    refused = {}
    for table, constraint, column, _ in schema.FOREIGN_KEYS:
        if table != "agent" or column == "id":
            continue
        parent, own = referring(whole, table, column, uuid4())
        await insert(async_session, parent)
        with pytest.raises(ForeignKeyViolation) as caught:
            async with async_session.begin_nested():
                await insert(async_session, own)
        refused[column] = (caught.value.sqlstate, caught.value.table, caught.value.constraint) == (
            "23503",
            "agent",
            constraint,
        )

    assert refused == {"skill_id": True, "job_role_id": True, "industry_id": True, "team_id": True}


async def test_check_constraint_status(async_session: AsyncSession) -> None:
    """Every allowed status is accepted on insert and on update, and any other is refused by the check."""
    base, own = records(skill())
    await insert(async_session, base, own)
    for status in STATUSES:
        await insert(async_session, fresh(changed(base, status=status)))
        await async_session.execute(_set_status(base[1]["id"], status))
    for status in ("", "Active", "active ", "unknown", "draft,active"):
        with pytest.raises(CheckViolation) as inserted:
            async with async_session.begin_nested():
                await insert(async_session, fresh(changed(base, status=status)))
        with pytest.raises(CheckViolation) as updated:
            async with async_session.begin_nested():
                await async_session.execute(_set_status(base[1]["id"], status))
        for error in (inserted.value, updated.value):
            assert (error.sqlstate, error.constraint) == ("23514", "ck_base_entity_status")
    stored = set(await async_session.scalars(text("SELECT status FROM plant.base_entity")))

    assert stored == set(STATUSES)


async def test_insert_skill_with_valid_data(plant_db: Database) -> None:
    """The server sets id, the transaction's timestamps, version 1 and the hash, as Python computes it."""
    async with plant_db.session(AGENT_A) as session:
        now = await session.scalar(text("SELECT now()"))
        identifier = await session.scalar(
            text(
                "INSERT INTO plant.base_entity (governance_agent_id, entity_type, name)"
                f" VALUES ('{AGENT_A}', 'skill', 'welding 🌱') RETURNING id"
            )
        )
        await insert(
            session, ("skill", {"governance_agent_id": AGENT_A, "id": str(identifier), "category": "technical"})
        )
    async with plant_db.session(AGENT_A) as session:
        stored = (await session.scalars(select(BaseEntity))).one()

    assert isinstance(stored, Skill)
    assert (stored.id, stored.id.version, stored.id.variant) == (identifier, 4, UUID(int=2**63).variant)
    assert (stored.created_at, stored.updated_at, stored.deleted_at) == (now, now, None)
    assert (stored.version, stored.status, stored.tags, stored.attributes) == (1, "draft", [], {})
    assert (stored.constitution_version, stored.alignment_status, stored.created_by) == ("1", "unchecked", "system")
    assert stored.version_hash == stored.content_hash() == _hash_by_hand(str(identifier))


async def test_constraint_violation_handling(plant_db: Database) -> None:
    """Each violation arrives with the same class, SQLSTATE, table, constraint and text, and leaves a usable session."""
    base, own = records(skill(external_id="x-1"))
    async with plant_db.session(AGENT_A) as session:
        await insert(session, base, own)
    violations = {
        "uq_base_entity_governance_agent_id_external_id": changed(base, id=str(uuid4())),
        "pk_base_entity": changed(base, external_id="x-2"),
        "ck_base_entity_status": changed(fresh(base), status="unknown"),
        "fk_base_entity_governance_agent_id_parent_id_base_entity": changed(fresh(base), parent_id=str(uuid4())),
        "name": changed(fresh(base), name=None),
    }
    found: dict[str, tuple[Any, ...]] = {}
    async with plant_db.session(AGENT_A) as session:
        for name, record in violations.items():
            with pytest.raises(ConstraintViolation) as caught:
                await insert(session, record)
            error = caught.value
            found[name] = (type(error), error.sqlstate, error.table, error.constraint, error.column, str(error))
            await session.rollback()
            assert await session.scalar(select(Skill.external_id)) == "x-1"

    assert found == {name: (*facts[:2], "base_entity", *facts[2:]) for name, facts in VIOLATIONS.items()}


VIOLATIONS = {
    "uq_base_entity_governance_agent_id_external_id": (
        UniqueViolation,
        "23505",
        "uq_base_entity_governance_agent_id_external_id",
        None,
        'duplicate key value violates unique constraint "uq_base_entity_governance_agent_id_external_id"'
        " (SQLSTATE 23505). Use another value, or update the row that has it.",
    ),
    "pk_base_entity": (
        UniqueViolation,
        "23505",
        "pk_base_entity",
        None,
        'duplicate key value violates unique constraint "pk_base_entity" (SQLSTATE 23505).'
        " Use another value, or update the row that has it.",
    ),
    "ck_base_entity_status": (
        CheckViolation,
        "23514",
        "ck_base_entity_status",
        None,
        'new row for relation "base_entity" violates check constraint "ck_base_entity_status" (SQLSTATE 23514).'
        " Use a value the check allows.",
    ),
    "fk_base_entity_governance_agent_id_parent_id_base_entity": (
        ForeignKeyViolation,
        "23503",
        "fk_base_entity_governance_agent_id_parent_id_base_entity",
        None,
        'insert or update on table "base_entity" violates foreign key constraint'
        ' "fk_base_entity_governance_agent_id_parent_id_base_entity" (SQLSTATE 23503).'
        " Refer to a row that exists for this governance agent, or create it first.",
    ),
    "name": (
        NotNullViolation,
        "23502",
        None,
        "name",
        'null value in column "name" of relation "base_entity" violates not-null constraint (SQLSTATE 23502).'
        " Give the field a value.",
    ),
}


async def _refused(database: Database, statement: str) -> InsufficientPrivilege:
    """The error with which a statement of agent A is refused for want of privilege."""
    with pytest.raises(InsufficientPrivilege) as caught:
        async with database.session(AGENT_A) as session:
            await session.execute(text(statement))
    assert caught.value.sqlstate == "42501"
    return caught.value


async def _assert_rows_kept(database: Database, table: str, reason: str) -> None:
    for statement in (f"DELETE FROM plant.{table}", f"TRUNCATE plant.{table} CASCADE"):
        assert reason in str(await _refused(database, statement))


def _set_status(identifier: str, status: str) -> Any:
    return text("UPDATE plant.base_entity SET status = :status WHERE id = CAST(CAST(:id AS text) AS uuid)").bindparams(
        status=status, id=identifier
    )


def _hash_by_hand(identifier: str) -> str:
    """SHA-256 over the skill's content as jsonb prints it, written down without plant's help."""
    unset = ("external_id", "description", "supersedes_id", "alignment_checked_at", "updated_by", "change_reason")
    content: dict[str, object] = dict.fromkeys((*unset, "parent_id", "embedding", "embedding_model"))
    content |= {"id": identifier, "governance_agent_id": AGENT_A, "entity_type": "skill", "name": "welding 🌱"}
    content |= {"status": "draft", "constitution_version": "1", "alignment_status": "unchecked", "tags": []}
    content |= {"created_by": "system", "attributes": {}, "category": "technical"}
    ordered = dict(sorted(content.items(), key=lambda item: (len(item[0]), item[0])))
    return hashlib.sha256(json.dumps(ordered, ensure_ascii=False).encode()).hexdigest()
