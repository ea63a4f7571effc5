"""Layer 7, beyond the contract: an entity that somebody else changed since it was read is not overwritten."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.database import Database
from plant.core.errors import FailedTransaction, StaleEntity
from plant.models import Skill
from tests.fixtures.databases import AGENT_A
from tests.fixtures.factories import skill


async def _stored(database: Database) -> UUID:
    async with database.session(AGENT_A) as session:
        session.add(entity := skill(name="as written"))
    return entity.id


async def _rename(database: Database, identifier: UUID, name: str) -> None:
    async with database.session(AGENT_A) as session:
        entity = await session.get_one(Skill, identifier)
        entity.name = name


@pytest.mark.parametrize("ending", ["flush", "commit"])
async def test_a_change_of_what_was_read_before_another_change(plant_db: Database, ending: str) -> None:
    """A flush or a commit raises StaleEntity as 40001, the other's change stays, the session goes on after rollback."""
    identifier = await _stored(plant_db)
    async with plant_db.session(AGENT_A) as session:
        entity = await session.get_one(Skill, identifier)
        await _rename(plant_db, identifier, "the other's")
        entity.name = "mine"
        with pytest.raises(StaleEntity, match=r"an entity is no longer as this session read it\. Read") as caught:
            await getattr(session, ending)()
        with pytest.raises(FailedTransaction):
            await session.commit()
        await session.rollback()
        await session.refresh(entity)

    assert caught.value.sqlstate == "40001"
    assert (entity.name, entity.version) == ("the other's", 2)


async def test_the_retry_helper_repeats_a_stale_change(plant_db: Database) -> None:
    """Run again in a new session, the work reads what the other wrote, and both changes are there."""
    identifier = await _stored(plant_db)
    tries = 0

    async def work(session: AsyncSession) -> None:
        nonlocal tries
        tries += 1
        entity = await session.get_one(Skill, identifier)
        if tries == 1:
            await _rename(plant_db, identifier, "the other's")
        entity.description = "mine"

    await plant_db.run_in_transaction(work, agent=AGENT_A)
    async with plant_db.session(AGENT_A) as session:
        entity = await session.get_one(Skill, identifier)

    assert (tries, entity.name, entity.description, entity.version) == (2, "the other's", "mine", 3)
