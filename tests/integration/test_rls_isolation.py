"""Layer 3, beyond the contract: no statement, view, function, COPY or error shows an agent what another one has."""

from __future__ import annotations

import traceback
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from plant.core.agents import AGENT_SETTING
from plant.core.bulk import copy_in, copy_out
from plant.core.errors import (
    ForeignKeyViolation,
    InsufficientPrivilege,
    InvalidValue,
    PlantError,
    StatementRefused,
)
from plant.models import Base, BaseEntity, Skill
from tests.fixtures import schema
from tests.fixtures.databases import AGENT_A, AGENT_B, APP, Superuser
from tests.fixtures.rows import Record, all_records, changed, entities, fresh, insert, records, referring

SECRET = "secret"
MERGE = """
MERGE INTO plant.base_entity b USING (VALUES ('{agent}', '{external_id}')) AS v (agent, external_id)
ON b.governance_agent_id = v.agent AND b.external_id = v.external_id
WHEN MATCHED THEN UPDATE SET description = 'taken'
WHEN NOT MATCHED THEN INSERT (governance_agent_id, entity_type, name, external_id)
     VALUES (v.agent, 'skill', 'merged', v.external_id)
"""
BLIND_MERGE = "MERGE INTO plant.industry USING (VALUES (1)) AS v ON true WHEN MATCHED THEN UPDATE SET code = 'x'"
UPSERT = """
INSERT INTO plant.base_entity (governance_agent_id, entity_type, name, external_id)
VALUES ('{agent}', 'skill', 'upserted', '{external_id}')
ON CONFLICT (governance_agent_id, external_id) DO {action}
"""
READS = (
    "SELECT governance_agent_id FROM plant.{table}",
    "SELECT governance_agent_id FROM ONLY plant.{table} TABLESAMPLE SYSTEM (100)",
    "SELECT governance_agent_id FROM plant.{table} WHERE governance_agent_id = 'agent-b' OR true",
    "WITH t AS MATERIALIZED (TABLE plant.{table}) SELECT governance_agent_id FROM t",
    "SELECT x.governance_agent_id FROM plant.{table} y RIGHT JOIN plant.{table} x ON x.id <> y.id",
    "SELECT (SELECT max(t.governance_agent_id) FROM plant.{table} t WHERE t.id = b.id) FROM plant.base_entity b"
    " WHERE b.id IN (SELECT id FROM plant.{table})",
    "SELECT governance_agent_id FROM plant.{table} UNION ALL SELECT governance_agent_id FROM plant.audit_head",
)
# Cheap enough for the planner to try it before any other condition, if it may.
PEEK = (
    "CREATE TEMPORARY TABLE seen (value text)",
    """CREATE FUNCTION pg_temp.peek(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
       AS $$ BEGIN INSERT INTO pg_temp.seen VALUES (value); RETURN true; END $$""",
    "SELECT count(*) FROM plant.base_entity WHERE pg_temp.peek(name)",
    "SELECT count(*) FROM plant.base_entity b JOIN plant.skill s USING (id) WHERE pg_temp.peek(b.external_id)",
)
VIEWS = (
    "SET LOCAL ROLE plant_owner",
    "CREATE VIEW plant.seen AS SELECT b.governance_agent_id FROM plant.base_entity b JOIN plant.skill s USING (id)",
    "CREATE VIEW plant.seen_as_caller WITH (security_invoker) AS SELECT * FROM plant.base_entity",
    """CREATE FUNCTION plant.seen_by_owner() RETURNS SETOF plant.base_entity LANGUAGE sql SECURITY DEFINER
       SET search_path = pg_catalog, pg_temp AS 'SELECT * FROM plant.base_entity'""",
    "GRANT SELECT ON plant.seen, plant.seen_as_caller TO plant_app",
)
FORGED = """
SELECT plant.entity_content(jsonb_populate_record(CAST(NULL AS plant.base_entity),
    '{{"governance_agent_id": "{agent}", "id": "{id}", "entity_type": "skill"}}'))
"""
STATISTICS = text("SELECT count(*) FROM pg_stats WHERE schemaname = 'plant' AND tablename = 'base_entity'")
POWERFUL = text("""
SELECT p.proname, has_function_privilege('plant_app', p.oid, 'EXECUTE'),
       'search_path=pg_catalog, pg_temp' = ANY (p.proconfig)
FROM pg_proc p WHERE p.pronamespace = to_regnamespace('plant') AND p.prosecdef
""")


@pytest.fixture
async def both(async_session: AsyncSession) -> AsyncSession:
    """A session acting as A, in whose transaction B has ten sealed entities too, named and numbered `secret`."""
    await _act(async_session, AGENT_B)
    async_session.add_all(_secrets())
    await async_session.flush()
    await _act(async_session, AGENT_A)
    async_session.add_all(entities(AGENT_A))
    await async_session.flush()
    for when in ("IMMEDIATE", "DEFERRED"):
        await async_session.execute(text(f"SET CONSTRAINTS ALL {when}"))
    return async_session


async def test_references_to_others_are_refused_like_missing_ones(both: AsyncSession) -> None:
    """Whatever foreign key A probes with an id of B, by INSERT or UPDATE, the error is that of an unknown id."""
    await _act(both, AGENT_B)
    targets = {entity.entity_type: entity.id for entity in await both.scalars(select(BaseEntity))}
    await _act(both, AGENT_A)
    family = {entity.entity_type: entity for entity in await both.scalars(select(BaseEntity))}
    for table, _, column, other in schema.FOREIGN_KEYS:
        source = family["skill" if table == "base_entity" else table]
        # A child's own key is probed with an id of its own type.
        target = targets[table if column == "id" else "skill" if other == "base_entity" else other]
        answers = [await _answer(both, referring(source, table, column, probe)) for probe in (target, uuid4())]
        assert answers[0] == answers[1], (table, column)
        if (table, column) in UPDATABLE:
            update = f"UPDATE plant.{table} SET {column} = '%s' WHERE id = '{source.id}'"
            moved = [await _error(both, update % probe) for probe in (target, uuid4())]
            assert moved[0] == moved[1], (table, column)
            assert moved[0][:2] == (ForeignKeyViolation, "23503")
        assert answers[0][:2] == (ForeignKeyViolation, "23503")


UPDATABLE = {("base_entity", "parent_id")} | {
    ("agent", f"{name}_id") for name in ("skill", "job_role", "industry", "team")
}


async def test_no_read_shows_others(both: AsyncSession) -> None:
    """Scans, samples, joins, common tables, sub-selects and unions return rows of the acting agent alone."""
    found = {
        read: set(await both.scalars(text(read)))
        for read in [read.format(table=table) for read in READS for table in schema.ENTITY_TABLES]
    }

    assert found == {read: {AGENT_A} for read in found}


async def test_functions_in_conditions_see_own_rows_only(both: AsyncSession) -> None:
    """A function that the planner would rather call first is called with values of the acting agent alone."""
    for statement in PEEK:
        await both.execute(text(statement))
    seen = set(await both.scalars(text("SELECT value FROM pg_temp.seen")))

    assert "sparse 0" in seen
    assert not any(value and SECRET in value for value in seen)


async def test_writes_reach_own_rows_only(both: AsyncSession) -> None:
    """Blind, joined and returning writes, upserts and MERGE change and return rows of the acting agent alone."""
    await _act(both, AGENT_B)
    before = await _everything(both)
    await _act(both, AGENT_A)
    returned = [
        "UPDATE plant.base_entity SET description = 'taken' RETURNING governance_agent_id",
        "UPDATE plant.skill s SET embedding_model = 'taken' FROM plant.base_entity b WHERE b.id = s.id"
        " RETURNING b.governance_agent_id",
        UPSERT.format(agent=AGENT_A, external_id=f"{SECRET} 5", action="UPDATE SET name = 'taken'")
        + "RETURNING governance_agent_id",
    ]
    owners = [set(await both.scalars(text(statement))) for statement in returned]
    await both.execute(text("UPDATE plant.team SET capacity = 1"))
    await both.execute(text(MERGE.format(agent=AGENT_A, external_id=f"{SECRET} 6")))
    # Where it reads no column, PostgreSQL lets MERGE scan all rows, and refuses to go on at the first one of another.
    blind = await _error(both, BLIND_MERGE)
    taken = await both.scalar(text("SELECT count(*) FROM plant.base_entity WHERE name IN ('upserted', 'merged')"))
    await _act(both, AGENT_B)

    assert owners == [{AGENT_A}] * 3
    assert blind[:2] == (InsufficientPrivilege, "42501")
    assert taken == 2
    assert await _everything(both) == before


async def test_no_write_tells_whether_another_has_a_row(both: AsyncSession) -> None:
    """A write in B's name is refused alike whether B has such a row or not."""
    for write in (
        UPSERT.format(agent=AGENT_B, external_id="{}", action="UPDATE SET name = 'taken'"),
        UPSERT.format(agent=AGENT_B, external_id="{}", action="NOTHING"),
        MERGE.format(agent=AGENT_B, external_id="{}"),
    ):
        existing, missing = [await _error(both, write.format(name)) for name in (f"{SECRET} 5", "of nobody")]

        assert existing == missing
        assert existing[:2] == (InsufficientPrivilege, "42501")


async def test_copy_moves_own_rows_only(both: AsyncSession) -> None:
    """COPY out holds the acting agent's rows alone, and COPY in is refused under row-level security."""
    copied: list[bytes] = []

    async def write(chunk: bytes) -> None:
        copied.append(chunk)

    counts = [await copy_out(both, Base.metadata.tables[f"plant.{table}"], write) for table in schema.ENTITY_TABLES]
    with pytest.raises(StatementRefused) as caught:
        await copy_in(both, Base.metadata.tables["plant.skill"], ["governance_agent_id"], [(AGENT_A,)])

    assert counts == [10, 2, 2, 2, 2, 2]
    assert AGENT_A.encode() in b"".join(copied)
    assert SECRET.encode() not in b"".join(copied)
    assert AGENT_B.encode() not in b"".join(copied)
    assert caught.value.sqlstate == "0A000"


async def test_views_and_functions_of_the_owner_show_own_rows_only(superuser: Superuser) -> None:
    """Views and SECURITY DEFINER functions of the owner obey the policies, because these are forced on the owner."""
    sources = ("plant.seen", "plant.seen_as_caller", "plant.seen_by_owner()")
    seen: dict[str, list[list[str]]] = {}
    async with superuser() as connection:
        for statement in VIEWS:
            await connection.execute(text(statement))
        await connection.execute(text(f"SET LOCAL ROLE {APP}"))
        for agent in (AGENT_B, AGENT_A):
            await _act(connection, agent)
            await insert(connection, *all_records(entities(agent)))
        for agent in (AGENT_A, ""):
            await _act(connection, agent)
            for source in sources:
                rows = await connection.scalars(text(f"SELECT governance_agent_id FROM {source}"))
                seen.setdefault(agent, []).append(list(rows))
        await connection.rollback()

    assert seen == {AGENT_A: [[AGENT_A] * 2, [AGENT_A] * 10, [AGENT_A] * 10], "": [[], [], []]}


async def test_own_functions_give_nothing_away(both: AsyncSession) -> None:
    """plant's functions run with the owner's rights as triggers only, on a fixed path, and show no other's rows."""
    powerful = list(await both.execute(POWERFUL))
    await _act(both, AGENT_B)
    victim = await both.scalar(select(Skill.id).limit(1))
    await _act(both, AGENT_A)
    content = await both.scalar(text(FORGED.format(agent=AGENT_B, id=victim)))
    refused = await _error(both, f"SELECT * FROM plant.audit_verify('{AGENT_B}')")
    missing = await _error(both, "SELECT * FROM plant.audit_verify('nobody')")

    assert powerful
    assert {(executable, fixed) for _, executable, fixed in powerful} == {(False, True)}
    assert content is None
    assert refused == missing
    assert refused[:2] == (InsufficientPrivilege, "42501")


async def test_statistics_show_nothing(superuser: Superuser) -> None:
    """What ANALYZE has gathered about the values of all agents is hidden from the application."""
    async with superuser() as connection:
        await insert(connection, *all_records(entities(AGENT_B)))
        await connection.execute(text("ANALYZE plant.base_entity"))
        gathered = await connection.scalar(STATISTICS)
        await connection.execute(text(f"SET LOCAL ROLE {APP}"))
        shown = await connection.scalar(STATISTICS)
        await connection.rollback()

    assert gathered
    assert shown == 0


async def test_errors_carry_no_values_of_others(both: AsyncSession) -> None:
    """Neither a typed error nor any cause that a logged traceback prints holds a value of another agent's row."""
    await _act(both, AGENT_B)
    base, own = records((await both.scalars(select(Skill).where(Skill.name == f"{SECRET} 5"))).one())
    await _act(both, AGENT_A)
    mine = {"governance_agent_id": AGENT_A, "name": "mine", "external_id": "mine"}
    attempts = {
        "a row for B": (changed(fresh(base), name="mine"), InsufficientPrivilege),
        "a child for B": (changed(own, embedding_model="mine"), InsufficientPrivilege),
        "a parent of B": (changed(fresh(_bare(base)), **mine, parent_id=base[1]["id"]), ForeignKeyViolation),
    }
    shown = {}
    for name, (record, kind) in attempts.items():
        with pytest.raises(kind) as caught:
            async with both.begin_nested():
                await insert(both, record)
        shown[name] = "".join(traceback.format_exception(caught.value))
    with pytest.raises(InvalidValue) as cast:
        async with both.begin_nested():
            await both.execute(text("SELECT count(*) FROM plant.base_entity WHERE CAST(name AS integer) > 0"))
    shown["a cast of every name"] = "".join(traceback.format_exception(cast.value))

    assert [name for name, lines in shown.items() if SECRET in lines] == []


def _secrets() -> list[BaseEntity]:
    """Ten entities of B; names, external ids and descriptions say `secret`."""
    found = entities(AGENT_B)
    for number, entity in enumerate(found):
        entity.name = entity.external_id = f"{SECRET} {number}"
        entity.description = SECRET
    return found


def _bare(record: Record) -> Record:
    """The record without links to other entities."""
    table, values = record
    return table, {name: value for name, value in values.items() if name not in ("parent_id", "supersedes_id")}


async def _act(session: AsyncSession | AsyncConnection, agent: str) -> None:
    """From here on the transaction acts as this agent; what SQLAlchemy remembers of the other's rows is forgotten."""
    if isinstance(session, AsyncSession):
        session.expunge_all()
    await session.execute(text(f"SELECT set_config('{AGENT_SETTING}', :agent, true)"), {"agent": agent})


async def _everything(session: AsyncSession) -> list[list[str]]:
    """All rows of all entity tables that the acting agent sees, as text."""
    queries = (f"SELECT CAST(t AS text) FROM plant.{table} t ORDER BY 1" for table in schema.ENTITY_TABLES)
    return [list(await session.scalars(text(query))) for query in queries]


async def _error(session: AsyncSession, statement: str) -> tuple[Any, ...]:
    """What the error of a statement tells."""
    with pytest.raises(PlantError) as caught:
        async with session.begin_nested():
            await session.execute(text(statement))
    return _told(caught.value)


async def _answer(session: AsyncSession, found: list[Record]) -> tuple[Any, ...]:
    """What the error of inserting these records tells."""
    with pytest.raises(PlantError) as caught:
        async with session.begin_nested():
            await insert(session, *found)
    return _told(caught.value)


def _told(error: PlantError) -> tuple[Any, ...]:
    causes = []
    link: BaseException | None = error
    while link is not None:
        causes.append(type(link))
        link = link.__cause__
    return type(error), error.sqlstate, error.table, error.column, error.constraint, str(error), causes
