"""Layer 1, beyond the contract: many rows at once keep every rule that one row keeps, and leave nothing else behind."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Column, MetaData, Table, select, text

from plant.core.bulk import MANY, bulk_insert
from plant.core.database import Database
from plant.core.errors import (
    CheckViolation,
    ForeignKeyViolation,
    InsufficientPrivilege,
    InvalidValue,
    NotNullViolation,
    PlantError,
    UniqueViolation,
)
from plant.core.values import StrictInteger, StrictText
from plant.models import Base, BaseEntity, Team
from plant.security.audit import verify
from tests.fixtures.databases import AGENT_A, AGENT_B
from tests.fixtures.factories import skill
from tests.fixtures.locks import Observer
from tests.fixtures.pools import DatabaseWith

ENTITY = Base.metadata.tables["plant.base_entity"]
TEAM = Base.metadata.tables["plant.team"]
NUMBER = MANY + 50
TEMPORARY = text("SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()")


def rows(number: int = NUMBER, **values: Any) -> list[dict[str, Any]]:
    """Rows of base_entity for teams of A."""
    fixed = {"governance_agent_id": AGENT_A, "entity_type": "team", "tags": ["a,b", '{"'], "attributes": {"n": [1]}}
    return [{"id": uuid4(), "name": f"team {n}", **fixed, **values} for n in range(number)]


def keys(base: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of team that belong to them."""
    return [{"governance_agent_id": row["governance_agent_id"], "id": row["id"], "capacity": 3} for row in base]


@pytest.mark.parametrize("number", [1, MANY, NUMBER])
async def test_rows_come_in_as_one_by_one(plant_db: Database, number: int) -> None:
    """Few rows or many: all are stored with the server's defaults, each has its entry, and no table stays behind."""
    base = rows(number)
    async with plant_db.session(AGENT_A) as session:
        done = [await bulk_insert(session, ENTITY, iter(base)), await bulk_insert(session, TEAM, keys(base))]
        left = await session.scalar(TEMPORARY)
    async with plant_db.session(AGENT_A) as session:
        stored = {team.id: team for team in await session.scalars(select(Team))}
        verdict = await verify(session, AGENT_A)

    assert (done, left) == ([number, number], 0)
    assert stored.keys() == {row["id"] for row in base}
    assert all(team.version_hash == team.content_hash() for team in stored.values())
    assert {(team.version, team.status, team.capacity, *team.tags) for team in stored.values()} == {
        (1, "draft", 3, "a,b", '{"')
    }
    assert (verdict.intact, verdict.entries) == (True, number)


async def test_chunks_share_one_transaction(plant_db: Database, observer: Observer) -> None:
    """Many chunks, of two tables and one of them twice, are one transaction, and a rollback leaves nothing of it."""
    async with plant_db.session(AGENT_A) as session:
        for base in (rows(3 * MANY), rows()):
            await bulk_insert(session, ENTITY, base, chunk=MANY)
            await bulk_insert(session, TEAM, keys(base), chunk=MANY)
        inside = await session.scalar(text("SELECT count(*) FROM plant.team"))
        await session.rollback()

    assert inside == 3 * MANY + NUMBER
    assert await observer.value("SELECT count(*) FROM plant.base_entity") == 0
    assert await observer.value("SELECT count(*) FROM plant.audit_pending") == 0


@pytest.mark.parametrize(
    ("bad", "kind", "state"),
    [
        ({"governance_agent_id": AGENT_B}, InsufficientPrivilege, "42501"),
        ({"version": 2}, InsufficientPrivilege, "42501"),
        ({"name": None}, NotNullViolation, "23502"),
        ({"status": "unknown"}, CheckViolation, "23514"),
        ({"name": "nul \0"}, InvalidValue, "22000"),
        ({"id": UUID(int=7)}, UniqueViolation, "23505"),
    ],
)
async def test_one_bad_row_among_many(
    plant_db: Database, bad: dict[str, Any], kind: type[PlantError], state: str
) -> None:
    """The last of many rows breaks a rule: its error is typed and names table or field, and no row is stored."""
    async with plant_db.session(AGENT_A) as session:
        session.add(skill(id=UUID(int=7)))
    base = rows(version=1, status="draft")
    base[-1] |= bad
    with pytest.raises(kind) as caught:
        async with plant_db.session(AGENT_A) as session:
            await bulk_insert(session, ENTITY, base)
    async with plant_db.session(AGENT_A) as session:
        stored = (await session.scalars(select(BaseEntity.id))).all()

    assert caught.value.sqlstate == state
    assert caught.value.table == "base_entity" or caught.value.field in bad or "base_entity" in str(caught.value)
    assert stored == [UUID(int=7)]


@pytest.mark.parametrize("number", [2, NUMBER])
@pytest.mark.parametrize("change", [{"description": "more"}, {"name": None}])
async def test_rows_with_other_names_are_refused(plant_db: Database, number: int, change: dict[str, Any]) -> None:
    """A row with one name more or less than the first is refused by that name, before it is sent."""
    base = rows(number)
    base[-1] = {key: value for key, value in {**base[-1], **change}.items() if value is not None}
    with pytest.raises(InvalidValue, match="is in some rows for base_entity and not in others") as caught:
        async with plant_db.session(AGENT_A) as session:
            await bulk_insert(session, ENTITY, base)

    assert [caught.value.field] == list(change)


async def test_children_of_another_type_are_refused(plant_db: Database) -> None:
    """Many rows of team for entities that are skills are refused by the rule that refuses one."""
    base = rows(entity_type="skill")
    with pytest.raises(ForeignKeyViolation, match="the base_entity row is of another entity_type than team") as caught:
        async with plant_db.session(AGENT_A) as session:
            await bulk_insert(session, ENTITY, base)
            await bulk_insert(session, TEAM, keys(base))

    assert caught.value.sqlstate == "23503"


async def test_a_role_that_may_make_no_temporary_table(plant_db: Database, observer: Observer) -> None:
    """Without that right the rows go in by INSERTs, all of them."""
    name = await observer.value("SELECT quote_ident(current_database())")
    await observer.run(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
    base = rows()
    async with plant_db.session(AGENT_A) as session:
        done = await bulk_insert(session, ENTITY, base, chunk=MANY)
        await bulk_insert(session, TEAM, keys(base))

    assert done == NUMBER
    assert await observer.value("SELECT count(*) FROM plant.audit_log") == NUMBER


async def test_defaults_of_the_client_and_odd_names(database_with: DatabaseWith) -> None:
    """A column that SQLAlchemy fills is filled also for many rows, and a name may hold quotes, colons and capitals."""
    word = Column("word", StrictText(), default="made here")
    table = Table("bulk", MetaData(), Column("n", StrictInteger()), word, prefixes=["TEMPORARY"])
    columns = [Column("a :b", StrictInteger()), Column('"c"', StrictText())]
    odd = Table('Odd :"name', MetaData(), *columns, prefixes=["TEMPORARY"])
    async with database_with().session() as session:
        connection = await session.connection()
        for one in (table, odd):
            await connection.run_sync(one.create)
        await bulk_insert(session, table, [{"n": n} for n in range(NUMBER)])
        await bulk_insert(session, odd, [{"a :b": n, '"c"': "x"} for n in range(NUMBER)])
        words = (await session.scalars(select(table.c.word).distinct())).all()
        total = await session.scalar(select(odd.c["a :b"]).order_by(odd.c["a :b"].desc()).limit(1))
        await session.rollback()

    assert (words, total) == (["made here"], NUMBER - 1)
