"""Layer 5, the contract: every change is in the trail, the trail cannot be changed, and tampering shows."""

from __future__ import annotations

import asyncio
from datetime import datetime
from itertools import cycle
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.database import Database
from plant.core.errors import InsufficientPrivilege
from plant.models import AuditEntry, BaseEntity, Skill
from plant.security import audit
from plant.security.audit_chain import Reason
from tests.fixtures import schema
from tests.fixtures.audit import (
    CONFUSABLE,
    HOSTILE,
    NASTY,
    chains_by_hand,
    content_by_hand,
    judged,
    links,
    record_twelve,
    set_locally,
    sha256,
    trail,
    write_25,
)
from tests.fixtures.audit_schema import (
    AUDIT_COLUMNS,
    AUDIT_TRIGGERS,
    COLUMNS,
    GRANTS,
    KEPT,
    OPEN_FUNCTIONS,
    POLICIES,
    TRIGGERS,
    direct_writes,
)
from tests.fixtures.databases import AGENT_A, AGENT_B, Superuser
from tests.fixtures.factories import skill
from tests.fixtures.locks import Observer
from tests.fixtures.pools import DatabaseWith
from tests.fixtures.rows import all_records, entities, insert
from tests.fixtures.tampering import (
    CUT_CLEANLY,
    DELETED_CLEANLY,
    EDITS,
    IN_BULK,
    LENGTH,
    REWRITTEN,
    TAMPERINGS,
    TRIGGERS_OFF,
    undone,
)

NOW = text("SELECT clock_timestamp()")
MOMENTS = "SELECT created_at FROM plant.base_entity UNION ALL SELECT created_at FROM plant.audit_log"


async def test_audit_table_exists(plant_db: Database, observer: Observer) -> None:
    """The trail has its columns, triggers, policies and grants, and the application can only read its own agent's."""
    await record_twelve(plant_db)
    connection = observer.connection
    columns: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in await connection.execute(COLUMNS):
        columns.setdefault(table, []).append((column, kind))
    triggers = {tuple(row) for row in await connection.execute(TRIGGERS)}
    policies = {tuple(row) for row in await connection.execute(POLICIES)}
    grants = {tuple(row) for row in await connection.execute(GRANTS)}
    seen = {}
    for agent in (AGENT_A, AGENT_B, None):
        async with plant_db.session(agent) as session:
            heads = list(await session.scalars(text("SELECT governance_agent_id FROM plant.audit_head")))
            seen[agent] = [entry.governance_agent_id for entry in await trail(session)], heads
    for table in schema.AUDIT_TABLES:
        for statement in direct_writes(table):
            assert f"permission denied for table {table}" in await _refusal(plant_db, statement)

    assert {table: columns[table] for table in AUDIT_COLUMNS} == AUDIT_COLUMNS
    assert triggers == AUDIT_TRIGGERS
    assert policies == {(table, command, True) for table in schema.AUDIT_TABLES for command in "rawd"}
    assert grants == {("audit_log", "SELECT", False), ("audit_head", "SELECT", False)}
    assert list(await connection.scalars(OPEN_FUNCTIONS)) == []
    assert seen == {AGENT_A: ([AGENT_A] * LENGTH, [AGENT_A]), AGENT_B: ([AGENT_B], [AGENT_B]), None: ([], [])}


async def test_skill_insert_creates_audit_record(plant_db: Database, observer: Observer) -> None:
    """An insert leaves one entry in its own transaction, which tells who did what to which entity; a rollback none."""
    kept, undone = skill(embedding=np.linspace(-1, 1, 384)), skill()
    before = await observer.connection.scalar(NOW)
    async with plant_db.session(AGENT_A) as session:
        session.add(kept)
        await session.flush()
        transaction = await session.scalar(text("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)"))
        uncommitted = await trail(observer.connection)
        async with session.begin_nested() as savepoint:
            session.add(skill())
            await session.flush()
            await savepoint.rollback()
    after = await observer.connection.scalar(NOW)
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with plant_db.session(AGENT_A) as session:
            session.add(undone)
            await session.flush()
            raise RuntimeError("changed my mind")
    entries = await trail(observer.connection)
    by_row = await observer.value("SELECT CAST(xmin AS text) FROM plant.skill")

    assert uncommitted == []
    assert len(entries) == 1
    assert (entries[0].actor, entries[0].action, entries[0].governance_agent_id) == ("plant_app", "insert", AGENT_A)
    assert (entries[0].entity_type, entries[0].entity_id, entries[0].version) == ("skill", kept.id, 1)
    assert entries[0].content == await content_by_hand(observer.connection, "skill", kept.id)
    assert entries[0].version_hash == sha256(entries[0].content) == kept.version_hash
    assert (entries[0].transaction_id, entries[0].written) == (transaction, by_row)
    assert before < entries[0].created_at < after
    assert await observer.rows("SELECT * FROM plant.audit_pending") == []


async def test_timestamp_immutability(database_with: DatabaseWith, observer: Observer) -> None:
    """`created_at` is the server's: nobody can choose it or change it, the owner neither, for entities or entries."""
    application, owner = database_with(), database_with("plant_migrator")
    entity = skill()
    before = await observer.connection.scalar(NOW)
    async with application.session(AGENT_A) as session:
        session.add(entity)
    stored = await observer.rows(MOMENTS)
    after = await observer.connection.scalar(NOW)
    for moment in (entity.created_at.replace(year=2020), entity.created_at.replace(year=2030)):
        chosen = skill()
        chosen.created_at = moment
        with pytest.raises(InsufficientPrivilege, match="created_at of base_entity is set by the server"):
            async with application.session(AGENT_A) as session:
                session.add(chosen)
        entity.created_at = moment
        with pytest.raises(InsufficientPrivilege, match="created_at of base_entity is immutable") as caught:
            async with application.session(AGENT_A) as session:
                await session.merge(entity)
        for table, reason in (("base_entity", "is immutable"), ("audit_log", "is refused, its rows are kept for good")):
            statement = f"UPDATE plant.{table} SET created_at = '{moment.isoformat()}'"
            assert reason in await _refusal(owner, statement, role="plant_owner")
            await _refusal(application, statement)

    assert (caught.value.table, caught.value.column) == ("base_entity", "created_at")
    assert len(stored) == 2
    assert [moment for (moment,) in stored if not before < moment < after] == []
    assert await observer.rows(MOMENTS) == stored


async def test_entity_version_tracking(plant_db: Database, observer: Observer) -> None:
    """Each change raises the version by one, the hash is the content's, and the history is never rewritten."""
    entity = skill(name="one")
    histories = []
    moments: list[datetime] = []
    for number, (change, action) in enumerate(CHANGES, start=1):
        async with plant_db.session(AGENT_A) as session:
            await _change(session, entity, change)
        stored = await _stored(plant_db, entity.id)
        history = await trail(observer.connection)
        assert (stored.version, history[-1].version, history[-1].action) == (number, number, action), change
        assert history[-1].content == await content_by_hand(observer.connection, "skill", entity.id)
        assert stored.version_hash == history[-1].version_hash == sha256(history[-1].content) == stored.content_hash()
        moments.append(stored.updated_at)
        histories.append(history)
    async with plant_db.session(AGENT_A) as session:
        await session.execute(text("UPDATE plant.base_entity SET name = name"))
    for version in (1, len(CHANGES), len(CHANGES) + 1):
        assert "version of base_entity is raised by the server" in await _refusal(
            plant_db, f"UPDATE plant.base_entity SET name = 'x', version = {version} + 1"
        )
    final = await trail(observer.connection)

    assert [history for history in histories if history != final[: len(history)]] == []
    assert [entry.version for entry in final] == list(range(1, len(CHANGES) + 1))
    assert len({entry.version_hash for entry in final[:6]}) == 6
    assert moments == sorted(set(moments))


async def test_hash_chain_computation(database_with: DatabaseWith, observer: Observer) -> None:
    """Every hash equals one computed here by hand, no two contents share an encoding, and no session setting shows."""
    database = database_with()
    async with database.session(AGENT_A) as session:
        for settings, (table, values) in zip(cycle(HOSTILE), all_records(entities(AGENT_A)), strict=False):
            await set_locally(session, settings)
            # Without the hash that Python would send along, the server has to compute its own.
            await insert(session, (table, {name: values[name] for name in values if name != "version_hash"}))
        await session.execute(text("UPDATE plant.base_entity SET description = 'ä, 🌱' WHERE name LIKE 'after %'"))
    async with database.session(NASTY) as session:
        session.add_all(entities(NASTY))
    entries = await trail(observer.connection)
    latest = {entry.entity_id: entry for entry in entries}
    end = [entry.hash for entry in entries if entry.governance_agent_id == AGENT_A][-1]
    verdicts = set()
    for settings in HOSTILE:
        async with database.session(AGENT_A) as session:
            # psycopg cannot read a moment in any other DateStyle than ISO.
            await set_locally(session, settings | {"DateStyle": "ISO, DMY"})
            verdicts.add(await audit.verify(session, AGENT_A))
            await set_locally(session, settings)
            verdicts.add(await audit.verify_in_server(session, AGENT_A))
    ambiguous = (await observer.connection.execute(CONFUSABLE)).one()

    assert links(entries) == chains_by_hand(entries)
    assert {entry.version_hash for entry in entries} == {sha256(entry.content) for entry in entries}
    for identifier, entry in latest.items():
        assert entry.content == await content_by_hand(observer.connection, entry.entity_type, identifier)
    assert (len(entries), len(latest)) == (25, 20)
    assert [(one.intact, one.entries, one.head_hash) for one in verdicts] == [(True, 15, end)]
    assert tuple(ambiguous) == (13**3, 13**3)


async def test_append_only_pattern_enforcement(database_with: DatabaseWith, observer: Observer) -> None:
    """UPDATE, DELETE and TRUNCATE are refused for the application by grant, for owner and superuser by trigger."""
    application, owner, root = database_with(), database_with("plant_migrator"), database_with(None)
    await record_twelve(application)
    before = await trail(observer.connection), await observer.rows("SELECT * FROM plant.audit_head")
    by_grant: set[str] = set()
    by_trigger: set[str] = set()
    for table in schema.AUDIT_TABLES:
        for statement in direct_writes(table):
            by_grant.add((await _refusal(application, statement)).partition(" (")[0])
            refusals = [
                await _refusal(owner, statement, role="plant_owner"),
                await _refusal(root, statement),
                await _refusal(root, statement, replica=True),
            ]
            by_trigger.update(refusal.partition(" (")[0] for refusal in refusals)

    assert by_grant == {f"permission denied for table {table}" for table in schema.AUDIT_TABLES}
    assert by_trigger == {
        *(f"{command} on audit_log is refused, its rows are kept for good" for command in KEPT["audit_log"]),
        *(f"{command} on audit_head is refused, its rows are kept for good" for command in KEPT["audit_head"]),
        *(f"{command} on audit_pending is refused, its rows are kept for good" for command in KEPT["audit_pending"]),
        *(
            f"{command} on {table} is refused, only changes of entities write it"
            for table, kept in KEPT.items()
            for command in {"INSERT", "UPDATE", "DELETE", "TRUNCATE"} - kept
        ),
    }
    assert (await trail(observer.connection), await observer.rows("SELECT * FROM plant.audit_head")) == before


async def test_created_at_indexed_for_audit(plant_db: Database, observer: Observer) -> None:
    """Among 10,000 entries the application's query for a range of time is planned as an index scan on created_at."""
    for statement in (*TRIGGERS_OFF, IN_BULK.format(agent=AGENT_A, count=10_000), "ANALYZE plant.audit_log"):
        await observer.run(statement)
    query = select(AuditEntry.seq).where(
        AuditEntry.created_at >= text("timestamptz '2026-01-03 00:00:00+00'"),
        AuditEntry.created_at < text("timestamptz '2026-01-03 01:00:00+00'"),
    )
    async with plant_db.session(AGENT_A) as session:
        found = list(await session.scalars(query.order_by(AuditEntry.created_at)))
        plan = "\n".join(await session.scalars(text(f"EXPLAIN {query}")))

    assert found == list(range(2880, 2940))
    assert "Index Scan using ix_audit_log_governance_agent_id_created_at on audit_log" in plan
    assert "created_at >= '2026-01-03 00:00:00+00'" in plan.partition("Index Cond:")[2].partition("\n")[0]
    assert "Seq Scan" not in plan


async def test_audit_log_retention(plant_db: Database, observer: Observer) -> None:
    """Entries outlive their entity's soft delete, even its removal by a superuser, and the application removes none."""
    await record_twelve(plant_db)
    before = await trail(observer.connection)
    async with plant_db.session(AGENT_A) as session:
        for entity in await session.scalars(select(BaseEntity)):
            entity.status = "deleted"
    deleted = await trail(observer.connection)
    for table in schema.ENTITY_TABLES + schema.AUDIT_TABLES:
        for statement in (f"DELETE FROM plant.{table}", f"TRUNCATE plant.{table} CASCADE", f"DROP TABLE plant.{table}"):
            await _refusal(plant_db, statement)
    refused = await trail(observer.connection)
    for table in reversed(schema.ENTITY_TABLES):
        # Foreign keys stay in force, and so would whatever they cascade to.
        await observer.run(f"ALTER TABLE plant.{table} DISABLE TRIGGER USER")
        await observer.run(f"DELETE FROM plant.{table}")
    removed = await trail(observer.connection)
    async with plant_db.session(AGENT_A) as session:
        verdict = await judged(session)

    assert [entry.action for entry in deleted if entry not in before] == ["delete"] * 10
    assert [entry for entry in deleted if entry in before] == before
    assert deleted == refused == removed
    assert await observer.value("SELECT count(*) FROM plant.base_entity") == 0
    assert (verdict.intact, verdict.entries) == (True, LENGTH + 10)


async def test_tamper_detection_via_hash_verification(plant_db: Database, superuser: Superuser) -> None:
    """Whatever a superuser edits, deletes, reorders, forges or cuts, verification names the first bad entry."""
    await record_twelve(plant_db)
    key = Ed25519PrivateKey.generate()
    async with plant_db.session(AGENT_A) as session:
        sound = await judged(session)
        signed = await audit.checkpoint(session, AGENT_A, key)
    found, clean = {}, {}
    async with superuser() as connection, AsyncSession(connection) as session:
        for statement in TRIGGERS_OFF:
            await session.execute(text(statement))
        for tampering in TAMPERINGS:
            async with undone(session, *tampering.statements):
                verdict = await judged(session)
                others = await judged(session, AGENT_B)
            found[tampering.name] = (verdict.entries, verdict.bad_seq, verdict.reason, others.intact)
        for name, statements in {"cut": CUT_CLEANLY, "deleted": DELETED_CLEANLY, "rewritten": REWRITTEN}.items():
            async with undone(session, *statements):
                alone = await judged(session)
                verdict = await audit.verify(session, AGENT_A, checkpoints=[signed], key=key.public_key())
            clean[name] = (alone.intact, verdict.bad_seq, verdict.reason)

    assert (sound.intact, sound.entries) == (True, LENGTH)
    assert set(EDITS) == {column for column, _ in AUDIT_COLUMNS["audit_log"]}
    assert found == {one.name: (one.bad_seq - 1, one.bad_seq, one.reason, True) for one in TAMPERINGS}
    assert clean == {
        "cut": (True, 9, Reason.MISSING),
        "deleted": (True, 1, Reason.MISSING),
        "rewritten": (True, LENGTH, Reason.CHECKPOINT),
    }


async def test_sequential_audit_entries(database_with: DatabaseWith, observer: Observer, superuser: Superuser) -> None:
    """Eight concurrent writers of 25 changes leave 200 entries in one chain without gap, fork or deadlock."""
    database = database_with(pool_size=WRITERS, max_overflow=0)
    shared = skill(name="shared")
    async with database.session(AGENT_A) as session:
        session.add(shared)
    async with asyncio.TaskGroup() as group, superuser() as holder:
        # All eight are made to want the next place in the chain at the same moment.
        await holder.execute(text("SELECT FROM plant.audit_head FOR UPDATE"))
        for number in range(WRITERS):
            group.create_task(write_25(database, number, shared.id))
        await observer.until_lock_waits(WRITERS)
    entries = await trail(observer.connection)
    async with database.session(AGENT_A) as session:
        verdict = await judged(session)
    written = [entry for entry in entries if entry.entity_id != shared.id]

    assert [entry.seq for entry in entries] == list(range(1, WRITERS * 25 + 2))
    assert links(entries) == chains_by_hand(entries)
    assert (verdict.intact, verdict.entries) == (True, WRITERS * 25 + 1)
    assert sorted(entry.version for entry in entries if entry.entity_id == shared.id) == list(range(1, 8 * WRITERS + 2))
    assert len({entry.entity_id for entry in written}) == WRITERS
    assert len(written) == WRITERS * 17


WRITERS = 8
CHANGES: tuple[tuple[str | dict[str, Any], str], ...] = (
    ("add", "insert"),
    ({"name": "two"}, "update"),
    ({"category": "soft_skill"}, "update"),
    ({"description": "four", "embedding": np.ones(384), "embedding_model": "ngram"}, "update"),
    ("UPDATE plant.skill SET embedding_model = 'five'", "update"),
    ("UPDATE plant.base_entity SET attributes = '{\"sixth\": 6.0}'", "update"),
    # A hash that is not the content's is not believed; the attempt is a change like any other.
    (f"UPDATE plant.base_entity SET version_hash = '{'7' * 64}'", "update"),
    ({"status": "deleted"}, "delete"),
    ({"status": "active"}, "update"),
)


async def _refusal(database: Database, statement: str, *, role: str | None = None, replica: bool = False) -> str:
    """The text with which a statement is refused for want of privilege, in the given role, or in replica mode."""
    with pytest.raises(InsufficientPrivilege) as caught:
        async with database.session(AGENT_A) as session:
            if role is not None:
                await session.execute(text(f"SET LOCAL ROLE {role}"))
            if replica:
                await session.execute(text("SET LOCAL session_replication_role = replica"))
            await session.execute(text(statement))
    assert caught.value.sqlstate == "42501"
    return str(caught.value)


async def _change(session: AsyncSession, entity: Skill, change: str | dict[str, Any]) -> None:
    if change == "add":
        session.add(entity)
    elif isinstance(change, str):
        await session.execute(text(change))
    else:
        stored = (await session.scalars(select(Skill))).one()
        for name, value in change.items():
            setattr(stored, name, value)


async def _stored(database: Database, identifier: UUID) -> BaseEntity:
    async with database.session(AGENT_A) as session:
        return await session.get_one(BaseEntity, identifier)
