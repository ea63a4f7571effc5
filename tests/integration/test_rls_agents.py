"""Layer 3, beyond the contract: which texts name an agent, how long one acts, and what is found open."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.agents import AGENT_SETTING, acting_as, current_agent
from plant.core.database import Database
from plant.core.errors import CheckViolation, InsufficientPrivilege, InvalidValue
from plant.models import BaseEntity, Skill
from plant.security.audit import verify
from plant.security.rls import openings
from tests.fixtures.databases import AGENT_A, AGENT_B, APP, Superuser
from tests.fixtures.factories import skill
from tests.fixtures.locks import Observer
from tests.fixtures.pools import DatabaseWith
from tests.fixtures.rows import all_records, changed, entities, insert, records

NAMES = (
    "o'brien",
    "'; DROP TABLE plant.skill; --",
    'a"b\\c',
    "$1 %s :agent {0}",
    "%",
    "agent-a ",
    "AGENT-A",
    "a\nb\tc",
    "null",
    "g" * 200,
    "🌱" * 200,
)
NOT_NAMES = ("", "x" * 201, "x" * 300, "nul\x00", "\ud800", 7, b"agent-a")
AGENT_NOW = text(f"SELECT current_setting('{AGENT_SETTING}', true)")
OPENED = (
    "ALTER TABLE plant.skill DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE plant.team NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY agent_delete ON plant.agent",
    "DROP POLICY agent_update ON plant.agent",
    "CREATE TABLE plant.forgotten ()",
    "CREATE TABLE plant.own ()",
    f"ALTER TABLE plant.own OWNER TO {APP}",
    f"ALTER ROLE {APP} SUPERUSER BYPASSRLS",
    f"GRANT plant_owner TO {APP}",
    f"SET LOCAL ROLE {APP}",
)


async def set_agent(session: AsyncSession, agent: str) -> None:
    """By hand, for the transaction."""
    await session.execute(text(f"SELECT set_config('{AGENT_SETTING}', :agent, true)"), {"agent": agent})


async def test_any_text_names_one_agent(plant_db: Database) -> None:
    """Quotes, wildcards, case, blanks and 200 characters of any plane make an agent that sees its own row alone."""
    for name in (AGENT_A, *NAMES):
        async with plant_db.session(name) as session:
            session.add(skill(governance_agent_id=name, name=name))
    seen = {}
    for name in (AGENT_A, *NAMES):
        with acting_as(name):
            async with plant_db.session() as session:
                seen[name] = list(await session.scalars(select(Skill.name))), await session.scalar(AGENT_NOW)

    assert seen == {name: ([name], name) for name in (AGENT_A, *NAMES)}


@pytest.mark.parametrize("name", NOT_NAMES)
async def test_what_names_no_agent_is_refused_before_the_network(plant_db: Database, name: str) -> None:
    """An agent id that is empty, too long, unstorable or no text is an InvalidValue, and no connection is opened."""
    with pytest.raises(InvalidValue, match="governance_agent_id ") as by_session:
        async with plant_db.session(name) as session:
            await session.scalar(AGENT_NOW)
    with pytest.raises(InvalidValue) as by_context, acting_as(name):
        pass

    assert by_session.value.field == by_context.value.field == "governance_agent_id"
    assert str(by_session.value) == str(by_context.value)
    assert plant_db.metrics().total_opened == 0
    assert current_agent.get() is None


async def test_server_refuses_a_long_agent_too(async_session: AsyncSession) -> None:
    """An agent of 300 characters, set past plant, can write nothing."""
    await set_agent(async_session, "x" * 300)
    with pytest.raises(CheckViolation) as caught:
        await insert(async_session, changed(records(skill())[0], governance_agent_id="x" * 300))

    assert (caught.value.sqlstate, caught.value.constraint) == ("23514", "ck_base_entity_governance_agent_id")


@pytest.mark.parametrize("agent", [None, ""], ids=["unset", "empty"])
async def test_without_an_agent_nothing_is_read_or_written(plant_db: Database, agent: str | None) -> None:
    """Where no agent is set, or an empty one, reads find nothing, updates change nothing, inserts are refused."""
    async with plant_db.session(AGENT_A) as session:
        await insert(session, *all_records(entities(AGENT_A)))
    async with plant_db.session() as session:
        for table, values in dict(all_records(entities(AGENT_A))).items():
            if agent is not None:
                await set_agent(session, agent)
            found = await session.scalar(text(f"SELECT count(*) FROM plant.{table}"))
            touched = await session.scalars(text(f"UPDATE plant.{table} SET id = id RETURNING id"))
            assert (found, list(touched)) == (0, [])
            with pytest.raises(InsufficientPrivilege, match=f'policy for table "{table}"'):
                await insert(session, (table, values))
            await session.rollback()


async def test_agent_ends_with_its_transaction(database_with: DatabaseWith) -> None:
    """Each transaction of a session gets the session's agent anew, and the connection keeps none."""
    database = database_with(pool_size=1, max_overflow=0)
    seen = []
    async with database.session(AGENT_A) as session:
        seen.append(await session.scalar(AGENT_NOW))
        await set_agent(session, AGENT_B)
        await session.commit()
        seen.append(await session.scalar(AGENT_NOW))
        await set_agent(session, AGENT_B)
        await session.rollback()
        seen.append(await session.scalar(AGENT_NOW))
    async with database.session() as session:
        seen.append(await session.scalar(AGENT_NOW))
    async with database.engine.connect() as connection:
        seen.append(await connection.scalar(AGENT_NOW))

    assert seen == [AGENT_A, AGENT_A, AGENT_A, "", ""]
    assert database.metrics().total_opened == 1


async def test_agent_and_savepoints(plant_db: Database) -> None:
    """A savepoint inherits the agent; one that rolls back restores it, one that is released keeps what was set."""
    seen = []
    async with plant_db.session(AGENT_A) as session:
        async with session.begin_nested() as savepoint:
            seen.append(await session.scalar(AGENT_NOW))
            await set_agent(session, AGENT_B)
            await savepoint.rollback()
        seen.append(await session.scalar(AGENT_NOW))
        async with session.begin_nested():
            await set_agent(session, AGENT_B)
        seen.append(await session.scalar(AGENT_NOW))
        await session.commit()
        seen.append(await session.scalar(AGENT_NOW))

    assert seen == [AGENT_A, AGENT_A, AGENT_B, AGENT_A]


async def test_refresh_after_commit_acts_as_the_same_agent(plant_db: Database) -> None:
    """An entity refreshed after its commit, in a new transaction, is still the agent's own."""
    async with plant_db.session(AGENT_A) as session:
        session.add(entity := skill(name="before"))
        await session.commit()
        await session.refresh(entity)
        entity.name = "after"
        await session.commit()
        await session.refresh(entity)

    assert (entity.name, entity.version) == ("after", 2)


async def test_tasks_act_as_their_own_agents(plant_db: Database) -> None:
    """Tasks act as different agents at once; the inner block wins over the outer, a session's own over both."""
    barrier = asyncio.Barrier(4)

    async def work(agent: str) -> list[str]:
        with acting_as(agent):
            async with plant_db.session() as session:
                await barrier.wait()
                session.add(skill(governance_agent_id=agent, name=agent))
                await session.flush()
                await barrier.wait()
                return list(await session.scalars(select(BaseEntity.name)))

    agents = [f"agent-{number}" for number in range(4)]
    with acting_as(AGENT_A):
        found = await asyncio.gather(*map(work, agents))
        with acting_as(AGENT_B):
            async with plant_db.session() as inner, plant_db.session("agent-0") as named:
                within = await inner.scalar(AGENT_NOW), await named.scalar(AGENT_NOW)
        after = current_agent.get()

    assert found == [[agent] for agent in agents]
    assert within == (AGENT_B, "agent-0")
    assert (after, current_agent.get()) == (AGENT_A, None)


async def test_a_known_id_tells_nothing(plant_db: Database, observer: Observer) -> None:
    """B may write an entity under an id that A has: nobody learns of the other's, each reads and changes its own."""
    shared = uuid4()
    for agent in (AGENT_A, AGENT_B):
        async with plant_db.session(agent) as session:
            session.add(skill(id=shared, governance_agent_id=agent, name=f"of {agent}"))
    async with plant_db.session(AGENT_B) as session:
        mine = await session.get(Skill, shared)
        assert mine is not None
        mine.name, mine.category = "changed", "soft_skill"
    async with plant_db.session(AGENT_A) as session:
        theirs = await session.get(BaseEntity, shared)
    rows = await observer.rows(
        "SELECT b.governance_agent_id, b.name, s.category, b.version FROM plant.base_entity b"
        " JOIN plant.skill s USING (governance_agent_id, id) ORDER BY 1"
    )
    entries = await observer.rows("SELECT governance_agent_id, version FROM plant.audit_log ORDER BY 1, 2")

    assert isinstance(theirs, Skill)
    assert (theirs.name, theirs.version) == ("of agent-a", 1)
    assert rows == [
        (AGENT_A, "of agent-a", "technical", 1),
        (AGENT_B, "changed", "soft_skill", 2),
    ]
    assert entries == [(AGENT_A, 1), (AGENT_B, 1), (AGENT_B, 2)]


async def test_one_id_of_two_agents_in_one_transaction(plant_db: Database, observer: Observer) -> None:
    """Two agents' entities of one id, written in one transaction, are two entries of two chains that are intact."""
    shared = str(uuid4())
    async with plant_db.session(AGENT_A) as session:
        for agent in (AGENT_A, AGENT_B):
            await set_agent(session, agent)
            await insert(session, *records(skill(id=UUID(shared), governance_agent_id=agent)))
    entries = await observer.rows("SELECT governance_agent_id, seq, CAST(entity_id AS text) FROM plant.audit_log")

    assert sorted(entries) == [(AGENT_A, 1, shared), (AGENT_B, 1, shared)]
    for agent in (AGENT_A, AGENT_B):
        async with plant_db.session(agent) as session:
            assert (await verify(session, agent)).intact


async def test_a_session_keeps_to_one_agent(plant_db: Database) -> None:
    """A session that holds one agent's entities refuses to act as another, also where it would ask no server."""
    async with plant_db.session() as session:
        with acting_as(AGENT_A):
            session.add(entity := skill())
            await session.commit()
        with acting_as(AGENT_B):
            with pytest.raises(InvalidValue, match="holds objects of another governance agent") as kept:
                await session.get(Skill, entity.id)
            with pytest.raises(InvalidValue) as begun:
                await session.scalar(AGENT_NOW)
            session.expunge_all()
            assert await session.get(Skill, entity.id) is None

    assert kept.value.field == begun.value.field == "governance_agent_id"


async def test_openings_are_found(superuser: Superuser) -> None:
    """Every table left open and every power of the connected role is told in a line that says what it is."""
    async with superuser() as connection:
        for statement in OPENED:
            await connection.execute(text(statement))
        found = await openings(connection)
        await connection.rollback()

    assert found == [
        "agent has no policy for DELETE, UPDATE",
        "forgotten has row-level security disabled, does not force it on its owner,"
        " has no policy for DELETE, INSERT, SELECT, UPDATE",
        "own has row-level security disabled, does not force it on its owner,"
        " has no policy for DELETE, INSERT, SELECT, UPDATE",
        "skill has row-level security disabled",
        "team does not force it on its owner",
        "plant_app bypasses row-level security",
        "plant_app is a member of another role",
        "plant_app is a superuser",
        "plant_app owns tables",
    ]
