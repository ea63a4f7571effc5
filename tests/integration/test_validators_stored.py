"""Validators that ask the database: uniqueness before the insert, and the review of what is committed."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.database import Database
from plant.core.errors import UniqueViolation
from plant.models import Skill
from plant.validators.constitution import review
from plant.validators.uniqueness import check_unique
from tests.fixtures.databases import AGENT_A, AGENT_B, Superuser
from tests.fixtures.factories import skill


async def test_what_is_free_is_no_violation(plant_db: Database) -> None:
    """New entities, entities without an agent, and no entities at all clash with nothing."""
    async with plant_db.session(agent=AGENT_A) as session:
        assert await check_unique(session, [skill(external_id="x"), Skill(name="nobody's")]) == []
        assert await check_unique(session, []) == []


async def test_every_clash_with_stored_entities_is_returned(plant_db: Database) -> None:
    """Id, external id and successor are all taken, and the insert would be refused for the same reason."""
    old, new = skill(status="archived"), skill(external_id="x")
    new.supersedes_id = old.id
    async with plant_db.session(agent=AGENT_A) as session:
        session.add_all([old, new])
    twin = skill(id=new.id, external_id="x", supersedes_id=old.id)

    async with plant_db.session(agent=AGENT_A) as session:
        found = await check_unique(session, [twin])

    assert [(violation.code.value, violation.field, violation.message) for violation in found] == [
        ("unique", "id", "id is already taken: leave it out, a new one is made."),
        (
            "unique",
            "external_id",
            "external_id is already taken: use another one, or update the entity that has it.",
        ),
        (
            "unique",
            "supersedes_id",
            "supersedes_id is already taken: let the later successor supersede the earlier.",
        ),
    ]
    with pytest.raises(UniqueViolation):
        async with plant_db.session(agent=AGENT_A) as session:
            session.add(twin)


async def test_clashes_among_the_entities_themselves(plant_db: Database) -> None:
    """Three entities with one external id clash twice."""
    entities = [skill(external_id="same") for _ in range(3)]

    async with plant_db.session(agent=AGENT_A) as session:
        found = await check_unique(session, entities)

    assert [violation.field for violation in found] == ["external_id", "external_id"]


async def test_a_stored_entity_does_not_clash_with_itself(plant_db: Database) -> None:
    """Checking before an update counts others only, and flushes nothing."""
    async with plant_db.session(agent=AGENT_A) as session:
        stored, other = skill(external_id="mine"), skill(external_id="other")
        session.add_all([stored, other])
    async with plant_db.session(agent=AGENT_A) as session:
        stored = await session.merge(stored)
        assert await check_unique(session, [stored]) == []
        stored.external_id = "other"

        found = await check_unique(session, [stored])

        assert [violation.field for violation in found] == ["external_id"]
        assert stored in session.dirty
        await session.rollback()


async def test_other_agents_ids_are_free_and_unseen(plant_db: Database) -> None:
    """Agent B may use A's external id, and learns nothing of it."""
    async with plant_db.session(agent=AGENT_A) as session:
        session.add(skill(external_id="x"))
    async with plant_db.session(agent=AGENT_B) as session:
        assert await check_unique(session, [skill(governance_agent_id=AGENT_B, external_id="x")]) == []


async def test_a_committed_entity_is_aligned(plant_db: Database) -> None:
    """Written, changed, and superseding a retired predecessor of its own, an entity breaks no rule."""
    first, second, third = skill(status="archived"), skill(status="archived"), skill(status="active")
    second.supersedes_id, third.supersedes_id = first.id, second.id
    async with plant_db.session(agent=AGENT_A) as session:
        session.add_all([first, second, third])
    async with plant_db.session(agent=AGENT_A) as session:
        (await session.merge(third)).name = "renamed"
    async with plant_db.session(agent=AGENT_A) as session:
        entity = await session.get_one(Skill, third.id)

        assert entity.version == 2
        assert await review(session, entity) == []
        assert await review(session, await session.get_one(Skill, first.id)) == []


async def test_a_change_that_is_not_committed_is_not_recorded(plant_db: Database) -> None:
    """History is written at COMMIT; until then the new version is missing from it."""
    async with plant_db.session(agent=AGENT_A) as session:
        entity = skill()
        session.add(entity)
        await session.flush()

        found = await review(session, entity)

        assert [(violation.code.value, violation.field) for violation in found] == [("L0.history", "version")]


async def test_history_rewritten_behind_the_trail_is_found(plant_db: Database, superuser: Superuser) -> None:
    """A lost entry and a predecessor still in use are told together."""
    old, new = skill(status="active"), skill(status="active")
    new.supersedes_id = old.id
    async with plant_db.session(agent=AGENT_A) as session:
        session.add_all([old, new])
    async with plant_db.session(agent=AGENT_A) as session:
        (await session.merge(new)).name = "renamed"
    async with superuser() as connection:
        await connection.execute(text("ALTER TABLE plant.audit_log DISABLE TRIGGER ALL"))
        await connection.execute(
            text("DELETE FROM plant.audit_log WHERE entity_id = :id AND version = 1"), {"id": new.id}
        )
        await connection.commit()
    async with plant_db.session(agent=AGENT_A) as session:
        found = await review(session, await session.get_one(Skill, new.id))

    assert [(violation.code.value, violation.field) for violation in found] == [
        ("L0.append_only", "version"),
        ("L0.supersession", "supersedes_id"),
    ]


async def test_a_reference_to_nothing_is_found(plant_db: Database) -> None:
    """A predecessor that does not exist is missing from the chain, whatever the foreign key will say."""
    async with plant_db.session(agent=AGENT_A) as session:
        entity = skill(supersedes_id=uuid4())

        found = await review(session, entity)

        assert "L0.supersession" in {violation.code.value for violation in found}


@pytest.mark.parametrize(("field", "empty"), [("tags", []), ("attributes", {})])
async def test_none_for_a_list_or_an_object_is_the_empty_one(
    async_session: AsyncSession, field: str, empty: object
) -> None:
    """A new entity whose tags or attributes are None gets the server's default."""
    entity = skill(**{field: None})
    async_session.add(entity)

    await async_session.flush()
    await async_session.refresh(entity)

    assert getattr(entity, field) == empty
