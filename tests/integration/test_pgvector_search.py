"""Search on a real server: complete under row-level security, exact where it must be, near enough elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, text

from plant.core.database import Database
from plant.core.errors import ConfigurationError, InvalidValue
from plant.ml.embeddings import HashEmbedder
from plant.ml.search import capabilities, search
from plant.models import Skill
from tests.fixtures.databases import AGENT_A, AGENT_B, Superuser
from tests.fixtures.factories import skill
from tests.fixtures.vectors import clustered as vectors
from tests.fixtures.vectors import load_committed

CROWD = 500


async def test_a_small_agent_among_a_crowd_gets_its_k_rows(plant_db: Database, superuser: Superuser) -> None:
    """All nearest neighbours belong to another agent; the small one still gets its own ten, the right ones."""
    query = vectors(1, seed=1)[0]
    rows, crowd = vectors(100, seed=2), vectors(CROWD, seed=3)
    await load_committed(superuser, AGENT_A, rows)
    await load_committed(superuser, AGENT_B, np.asarray((crowd + 20 * query) / 21, dtype=np.float32))

    async with plant_db.session(agent=AGENT_A) as session:
        found = await search(session, query, k=10)

    order = np.argsort(-(rows.astype(np.float64) @ query.astype(np.float64)))[:10]
    assert [match.name for match in found] == [f"s{place + 1}" for place in order]


async def test_without_an_agent_nothing_is_found(plant_db: Database, superuser: Superuser) -> None:
    """Where no agent is set there is no neighbour, by any path."""
    await load_committed(superuser, AGENT_A, vectors(50))

    async with plant_db.session() as session:
        assert await search(session, vectors(1)[0]) == []
        assert await search(session, vectors(1)[0], exact=True) == []


async def test_deleted_and_unembedded_skills_are_never_found(plant_db: Database) -> None:
    """Sixty deleted neighbours, nearer than all others, hide nothing; a skill without embedding is no match."""
    query = vectors(1)[0]
    async with plant_db.session(agent=AGENT_A) as session:
        gone = [skill(name="gone", status="deleted", embedding=query) for _ in range(60)]
        kept = [skill(name=f"kept {n}", embedding=row) for n, row in enumerate(vectors(5, seed=9))]
        session.add_all([*gone, *kept, skill(name="bare")])
    async with plant_db.session(agent=AGENT_A) as session:
        found = await search(session, query, k=10)
        only_deleted = await search(session, query, k=10, where=[Skill.name == "gone"])

    assert sorted(match.name for match in found) == [f"kept {n}" for n in range(5)]
    assert only_deleted == []


async def test_conditions_restrict_the_search(plant_db: Database) -> None:
    """Conditions on the skill, its entity, and hostile values in them."""
    rows = vectors(6)
    async with plant_db.session(agent=AGENT_A) as session:
        for number, row in enumerate(rows):
            session.add(
                skill(
                    name=f"n{number}",
                    category=("technical", "soft_skill")[number % 2],
                    tags=["odd"] if number % 2 else ["even"],
                    embedding=row,
                )
            )
    async with plant_db.session(agent=AGENT_A) as session:
        soft = await search(session, rows[0], where=[Skill.category == "soft_skill"])
        tagged = await search(session, rows[0], where=[Skill.tags.contains(["even"]), Skill.name != "n0"])
        hostile = await search(session, rows[0], where=[Skill.name == "n0' OR true --"])

    assert {match.name for match in soft} == {"n1", "n3", "n5"}
    assert {match.name for match in tagged} == {"n2", "n4"}
    assert hostile == []


async def test_search_by_the_meaning_of_a_text(plant_db: Database) -> None:
    """With the default embedder the nearest skill to a text is the one that shares its words."""
    embedder = HashEmbedder()
    names = ["writes SQL queries", "negotiates contracts", "plans project sprints"]
    async with plant_db.session(agent=AGENT_A) as session:
        for name, row in zip(names, embedder.embed(names), strict=True):
            session.add(skill(name=name, embedding=row, embedding_model=embedder.name))
    async with plant_db.session(agent=AGENT_A) as session:
        found = await search(session, embedder.embed(["contracts and negotiation"])[0], k=1)

    assert [match.name for match in found] == ["negotiates contracts"]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"k": 0}, "k"),
        ({"k": 1001}, "k"),
        ({"k": 2.0}, "k"),
        ({"k": True}, "k"),
        ({"metric": "manhattan"}, "metric"),
        ({"query": "[1,2]"}, "query"),
        ({"query": [0.0] * 384}, "query"),
        ({"query": [float("nan")] * 384}, "query"),
    ],
)
async def test_bad_arguments_are_refused_by_name(plant_db: Database, arguments: dict[str, Any], field: str) -> None:
    """Nothing is sent for a k, a metric or a query that cannot work."""
    async with plant_db.session(agent=AGENT_A) as session:
        with pytest.raises(InvalidValue, match=f"^{field} ") as caught:
            await search(session, **{"query": vectors(1)[0], **arguments})

        assert not session.in_transaction()
    assert caught.value.field == field


async def test_capabilities_are_the_servers(plant_db: Database, superuser: Superuser) -> None:
    """The version is the installed extension's, and tells whether scans can be iterative."""
    async with superuser() as connection:
        version = await connection.scalar(text("SELECT extversion FROM pg_extension WHERE extname = 'vector'"))
    async with plant_db.session(agent=AGENT_A) as session:
        able = await capabilities(session)

        assert ".".join(map(str, able.version)) == version
        assert able.iterative_scan is (able.version >= (0, 8))
        assert await capabilities(session) is able


async def test_a_database_without_the_extension(plant_db: Database, superuser: Superuser) -> None:
    """The error says what is missing and who can bring it."""
    async with superuser() as connection:
        await connection.execute(text("DROP EXTENSION vector CASCADE"))
        await connection.commit()
    async with plant_db.session(agent=AGENT_A) as session:
        with pytest.raises(ConfigurationError, match="search needs the extension vector") as caught:
            await capabilities(session)

    assert "let its administrator run `python -m plant bootstrap`" in str(caught.value)


async def test_an_agents_rows_are_counted_now_and_then(
    plant_db: Database, superuser: Superuser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many rows an agent has is asked once for many of its searches, each time for a search with conditions."""
    monkeypatch.setattr("plant.ml.search.RECOUNT", 3)
    await load_committed(superuser, AGENT_A, vectors(20))
    counts: list[str] = []

    def note(_c: object, _u: object, statement: str, *_: object) -> None:
        if "reltuples" in statement:
            counts.append(statement)

    event.listen(plant_db.engine.sync_engine, "before_cursor_execute", note)
    asked = []
    for agent, times, where in ((AGENT_A, 4, []), (AGENT_A, 1, []), (AGENT_B, 2, []), (AGENT_A, 2, [Skill.name != ""])):
        for _ in range(times):
            async with plant_db.session(agent=agent) as session:
                await search(session, vectors(1)[0], where=where)
        asked.append(len(counts))

    assert asked == [1, 2, 3, 5]
