"""Layer 3, beyond the contract: under row-level security each statement on entities still goes by an index.

The plans are noted in the record, so that majors can be compared.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from sqlalchemy import select

from plant.core.database import Database
from plant.models import BaseEntity, Industry
from plant.validators.uniqueness import check_unique
from tests.fixtures.databases import AGENT_A, PlansOf
from tests.fixtures.locks import Observer
from tests.fixtures.plans import FILL, explaining


async def fill(observer: Observer) -> None:
    """Four thousand entities for each of two agents, analysed."""
    for statement in FILL:
        await observer.run(statement)


async def test_an_entity_is_found_by_its_key(plant_db: Database, observer: Observer, pg_plans: PlansOf) -> None:
    """Loading one of many reads the primary key."""
    await fill(observer)
    key = UUID(hashlib.md5(b"agent-a7", usedforsecurity=False).hexdigest())

    async with plant_db.session(AGENT_A) as session:
        with explaining(plant_db.engine) as seen:
            name = await session.scalar(select(BaseEntity.name).where(BaseEntity.id == key))

    shape = pg_plans("entity by key", seen[-1].explained)
    assert name == "i7"
    assert "using pk_base_entity on base_entity" in shape


async def test_drafts_are_listed_by_index(plant_db: Database, observer: Observer, pg_plans: PlansOf) -> None:
    """An agent's entities of one type and status are read through the index that begins with the agent."""
    await fill(observer)

    async with plant_db.session(AGENT_A) as session:
        query = select(BaseEntity.name).where(BaseEntity.entity_type == "industry", BaseEntity.status == "draft")
        with explaining(plant_db.engine) as seen:
            names = list(await session.scalars(query))

    shape = pg_plans("entities by type and status", seen[-1].explained)
    assert len(names) == 400
    assert "ix_base_entity_governance_agent_id_entity_type_status" in shape
    assert "Seq Scan" not in shape


async def test_the_check_for_uniqueness_reads_no_whole_table(
    plant_db: Database, observer: Observer, pg_plans: PlansOf
) -> None:
    """Whether a key is taken is asked of an index."""
    await fill(observer)

    async with plant_db.session(AGENT_A) as session:
        new = Industry(governance_agent_id=AGENT_A, name="new", external_id="taken", code="X1")
        with explaining(plant_db.engine) as seen:
            await check_unique(session, [new])

    shapes = [pg_plans(f"uniqueness {number}", one.explained) for number, one in enumerate(seen, 1)]
    assert shapes
    assert [shape for shape in shapes if "Seq Scan" in shape] == []
