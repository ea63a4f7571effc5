"""Layer 1, beyond the contract: one entity by its id, read without a session, is the one a session reads."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import inspect

from plant.core.agents import acting_as
from plant.core.connector import Connector
from plant.core.database import Database
from plant.core.errors import InvalidValue, StatementRefused
from plant.models import Agent, BaseEntity, Skill
from tests.fixtures.databases import AGENT_A, AGENT_B
from tests.fixtures.factories import skill
from tests.fixtures.locks import Observer
from tests.fixtures.rows import entities


def _values(entity: Any) -> dict[str, tuple[type, str]]:
    """Every attribute's type and value."""
    found = {name: getattr(entity, name) for name in inspect(type(entity)).column_attrs.keys()}  # noqa: SIM118
    return {name: (type(value), repr(value)) for name, value in found.items()}


async def test_what_is_read_is_what_a_session_reads(plant_db: Database) -> None:
    """Every attribute of every type of entity is equal and of equal type, and nothing counts as changed."""
    written = entities(AGENT_A)
    async with plant_db.session(AGENT_A) as session:
        session.add_all(written)
    for entity in written:
        got = await plant_db.get(type(entity), entity.id, agent=AGENT_A)
        async with plant_db.session(AGENT_A) as session:
            expected = await session.get_one(type(entity), entity.id)

        assert got is not None
        assert _values(got) == _values(expected)
        assert got.content_hash() == got.version_hash
        assert inspect(got).detached
        assert not inspect(got).modified


async def test_it_can_be_changed_in_a_session(plant_db: Database) -> None:
    """Added to a session, an entity's changes are written, those in place too, once and as the next version."""
    async with plant_db.session(AGENT_A) as session:
        session.add(written := skill(tags=["a"], attributes={"n": 1}))
    got = await plant_db.get(Skill, written.id, agent=AGENT_A)
    assert got is not None
    async with plant_db.session(AGENT_A) as session:
        session.add(got)
        got.tags.append("b")
        got.attributes["n"] = 2
    again = await plant_db.get(Skill, written.id, agent=AGENT_A)

    assert again is not None
    assert (again.tags, again.attributes, again.version) == (["a", "b"], {"n": 2}, 2)


async def test_whose_it_is_decides(plant_db: Database) -> None:
    """Only the agent that owns it, named or acted as, reads it, through its own class or the base's, and no other's."""
    async with plant_db.session(AGENT_A) as session:
        session.add(written := skill())
    with acting_as(AGENT_A):
        found = [await plant_db.get(kind, written.id) for kind in (Skill, BaseEntity)]
        missing = [await plant_db.get(Agent, written.id), await plant_db.get(Skill, uuid4())]
        missing.append(await plant_db.get(Skill, written.id, agent=AGENT_B))
    missing.append(await plant_db.get(Skill, written.id))

    assert [type(one) for one in found] == [Skill, Skill]
    assert missing == [None] * 4


async def test_what_cannot_be_read_is_refused(plant_db: Database, observer: Observer) -> None:
    """What is no id or agent is refused by name before the network; the server refuses with a typed error too."""
    with pytest.raises(InvalidValue) as no_agent:
        await plant_db.get(Skill, uuid4(), agent="")
    with pytest.raises(InvalidValue) as no_id:
        await plant_db.get(Skill, "no id", agent=AGENT_A)
    await observer.run("ALTER TABLE plant.skill RENAME COLUMN embedding_model TO model")
    with pytest.raises(StatementRefused) as no_column:
        await plant_db.get(Skill, uuid4(), agent=AGENT_A)
    await observer.run("ALTER TABLE plant.skill RENAME COLUMN model TO embedding_model")

    assert (no_agent.value.field, no_id.value.field, no_column.value.sqlstate) == ("governance_agent_id", "id", "42703")
    assert await plant_db.get(Skill, uuid4(), agent=AGENT_A) is None
    assert plant_db.metrics().checked_out == 0


async def test_the_connector_reads_from_the_read_engine(connector: Connector) -> None:
    """`Connector.get` opens no connection to the primary, and nothing of the agent stays on the one it used."""
    assert await connector.get(Skill, uuid4(), agent=AGENT_A) is None
    metrics = connector.metrics()

    assert (metrics["primary"].total_opened, metrics["read"].total_opened) == (0, 1)
    async with connector.reader.session() as session:
        assert await session.get(Skill, uuid4()) is None
