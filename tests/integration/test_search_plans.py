"""Layer 4, beyond the contract: by which plan skills are searched, noted in the record to compare majors by."""

from __future__ import annotations

import pytest

from plant.core.database import Database
from plant.ml import nearest
from plant.ml.search import search
from plant.models import Skill
from tests.fixtures.databases import AGENT_A, PlansOf, Superuser
from tests.fixtures.plans import explaining
from tests.fixtures.vectors import clustered, load_committed


async def test_many_are_searched_through_the_index(
    plant_db: Database, superuser: Superuser, monkeypatch: pytest.MonkeyPatch, pg_plans: PlansOf
) -> None:
    """Where few is none, the nearest come from the vector index, in its order, and nothing else reads all skills."""
    monkeypatch.setattr(nearest, "FEW", 0)
    monkeypatch.setattr(nearest, "STEP_COST", 0)
    await load_committed(superuser, AGENT_A, clustered(400))
    technical = [Skill.category == "technical"]  # the statement with conditions is built anew, with what is set here

    async with plant_db.session(AGENT_A) as session:
        with explaining(plant_db.engine) as seen:
            found = await search(session, clustered(1, seed=2)[0], k=5, where=technical)

    shape = pg_plans("nearest among many", seen[-1].explained)
    assert len(found) == 5
    assert "Index Scan using ix_skill_embedding on skill" in shape
    assert "Seq Scan" not in shape


async def test_few_are_compared_one_by_one(plant_db: Database, superuser: Superuser, pg_plans: PlansOf) -> None:
    """An agent with few skills never pays for the vector index: its own rows are read and sorted."""
    await load_committed(superuser, AGENT_A, clustered(200))

    async with plant_db.session(AGENT_A) as session:
        with explaining(plant_db.engine) as seen:
            found = await search(session, clustered(1, seed=2)[0], k=5)

    shape = pg_plans("nearest among few", seen[-1].explained)
    assert len(found) == 5
    assert "ix_skill_embedding" not in shape
    assert "Sort" in shape
