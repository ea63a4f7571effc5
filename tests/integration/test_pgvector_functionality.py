"""Layer 4: vectors are stored exactly, refused when they mean nothing, and found when they are near."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.database import Database
from plant.core.errors import CheckViolation, DimensionMismatch, InvalidValue
from plant.ml import nearest
from plant.ml.nearest import Metric
from plant.ml.search import capabilities, search
from plant.models import Skill
from tests.fixtures.databases import AGENT_A, AGENT_B, Superuser
from tests.fixtures.factories import Factory, skill
from tests.fixtures.vectors import (
    DIMENSIONS,
    SEED,
    Floats,
    clustered,
    load_committed,
    load_skills,
    towards,
    unit_vectors,
)

OPERATORS = """
    SELECT oprname FROM pg_operator
    WHERE oprleft = 'public.vector'::regtype AND oprright = 'public.vector'::regtype AND oprresult = 'float8'::regtype
    ORDER BY oprname
"""
COLUMN = """
    SELECT format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
    WHERE attrelid = 'plant.skill'::regclass AND attname = 'embedding'
"""
INDEX = """
    SELECT c.relname, o.opcname FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_am a ON a.oid = c.relam
    JOIN pg_opclass o ON o.oid = i.indclass[0]
    WHERE i.indrelid = 'plant.skill'::regclass AND a.amname = 'hnsw' AND i.indisvalid
"""
SCANS = "SELECT pg_stat_get_xact_numscans(CAST(CAST(:name AS text) AS regclass))"
INSERT = (
    "INSERT INTO plant.skill (id, governance_agent_id, category, embedding)"
    " VALUES (:id, :agent, 'technical', CAST(CAST(:embedding AS text) AS vector))"
)
INSERT_PARENT = (
    "INSERT INTO plant.base_entity (id, governance_agent_id, entity_type, name) VALUES (:id, :agent, 'skill', 'raw')"
)


@pytest.fixture
def always_by_index(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    """Makes searches use the index where they would compare few rows one by one; the conditions to search with."""
    monkeypatch.setattr(nearest, "FEW", 0)
    monkeypatch.setattr(nearest, "STEP_COST", 0)
    return (Skill.category == "technical",)


def numpy_distances(query: Floats, rows: Floats, metric: Metric) -> Floats:
    """The distances of `rows` from `query` in double precision, as pgvector defines them."""
    a, b = query.astype(np.float64), rows.astype(np.float64)
    if metric is Metric.L2:
        return np.linalg.norm(b - a, axis=1)  # type: ignore[return-value]
    product = b @ a
    if metric is Metric.INNER_PRODUCT:
        return -product  # type: ignore[no-any-return]
    return 1 - product / (np.linalg.norm(b, axis=1) * np.linalg.norm(a))  # type: ignore[no-any-return]


async def insert_raw(session: AsyncSession, embedding: str) -> None:
    """A skill past every check of the client: the server has the last word."""
    entity = skill()
    values = {"id": entity.id, "agent": AGENT_A}
    await session.execute(text(INSERT_PARENT), values)
    await session.execute(text(INSERT), values | {"embedding": embedding})


async def test_pgvector_extension_available(async_session: AsyncSession) -> None:
    """The operators for L2, cosine and inner product are there, and the version is a capability of the server."""
    operators = await async_session.scalars(text(OPERATORS))
    version = await async_session.scalar(text("SELECT extversion FROM pg_extension WHERE extname = 'vector'"))
    able = await capabilities(async_session)

    assert {"<#>", "<->", "<=>"} <= set(operators)
    assert ".".join(map(str, able.version)) == version
    assert able.iterative_scan == (able.version >= (0, 8))


async def test_skill_embedding_column_exists(async_session: AsyncSession) -> None:
    """Catalog and model agree: 384 dimensions, and it may be NULL."""
    kind, required = (await async_session.execute(text(COLUMN))).one()
    column = Skill.__table__.c.embedding

    assert (kind, required) == ("vector(384)", False)
    assert (column.type.dim, column.nullable) == (DIMENSIONS, True)


async def test_vector_insert_and_retrieve(plant_db: Database) -> None:
    """The float32 that went in comes out over another connection, bit for bit."""
    info = np.finfo(np.float32)
    special = [1e18, info.tiny, info.smallest_subnormal, -0.0, 1 / 3, np.nextafter(np.float32(1), np.float32(2))]
    sent = unit_vectors(1)[0]
    sent[: len(special)] = special
    entity = skill(embedding=sent)
    async with plant_db.session(AGENT_A) as session:
        session.add(entity)

    async with plant_db.session(AGENT_A) as other:
        found = await other.get_one(Skill, entity.id)

    assert found.embedding is not None
    assert found.embedding.dtype == np.float32
    assert found.embedding.tobytes() == sent.tobytes()


@pytest.mark.parametrize("metric", list(Metric))
async def test_vector_distance_calculation(async_session: AsyncSession, metric: Metric) -> None:
    """The distances of 100 seeded pairs agree with NumPy to 1e-6."""
    rows, query = unit_vectors(100), unit_vectors(1, seed=SEED + 1)[0]
    ids = await load_skills(async_session, rows)

    found = await search(async_session, query, k=100, metric=metric, exact=True)

    distances = {match.id: match.distance for match in found}
    expected = numpy_distances(query, rows, metric)
    assert [distances[one] for one in ids] == pytest.approx(list(expected), abs=1e-6), f"seed {SEED}"


async def test_vector_index_creation(
    plant_db: Database, superuser: Superuser, always_by_index: tuple[Any, ...]
) -> None:
    """The HNSW index has cosine operators, a search uses it, and finds 95 % of the 10 nearest of 2,000."""
    rows, queries = clustered(2000), clustered(20, seed=SEED + 1)
    await load_committed(superuser, AGENT_A, rows)
    hits = 0

    async with plant_db.session(AGENT_A) as session:
        ((name, operators),) = (await session.execute(text(INDEX))).all()
        for query in queries:
            found = await search(session, query, k=10, where=always_by_index)
            nearest_ten = np.argsort(numpy_distances(query, rows, Metric.COSINE))[:10]
            hits += len({match.name for match in found} & {f"s{number + 1}" for number in nearest_ten})
        scans = await session.scalar(text(SCANS), {"name": f"plant.{name}"})

    assert operators == "vector_cosine_ops"
    assert scans == len(queries)
    assert hits / (10 * len(queries)) >= 0.95, f"seed {SEED}"


async def test_vector_null_handling(async_session: AsyncSession, create_test_skill: Factory) -> None:
    """A NULL embedding is stored and never found; zero, NaN and infinite vectors are refused, by the server too."""
    without = await create_test_skill(embedding=None)
    near = await create_test_skill(embedding=unit_vectors(1)[0])

    found = await search(async_session, unit_vectors(1)[0], k=10)

    stored_as_null = text("SELECT embedding IS NULL FROM plant.skill WHERE id = :id")
    assert await async_session.scalar(stored_as_null, {"id": without.id})
    assert [match.id for match in found] == [near.id]
    for bad in (0.0, np.nan, np.inf):
        with pytest.raises(InvalidValue, match=r"no direction|NaN, infinite") as refused:
            skill(embedding=np.full(DIMENSIONS, bad))
        assert refused.value.field == "embedding"
        with pytest.raises(InvalidValue) as query_refused:
            await search(async_session, np.full(DIMENSIONS, bad))
        assert query_refused.value.field == "query"
    for bad_text, error, state in (
        ("0", CheckViolation, "23514"),
        ("1e30", CheckViolation, "23514"),
        ("NaN", InvalidValue, "22000"),
        ("Infinity", InvalidValue, "22000"),
    ):
        with pytest.raises(error) as by_server:
            async with async_session.begin_nested():
                await insert_raw(async_session, f"[{','.join([bad_text] * DIMENSIONS)}]")
        assert by_server.value.sqlstate == state


async def test_multiple_vectors_stored(plant_db: Database, superuser: Superuser) -> None:
    """1,000 vectors go in by one bulk call; an exact search, which needs no index, returns them in NumPy's order."""
    rows, query = unit_vectors(1000), unit_vectors(1, seed=SEED + 1)[0]
    async with superuser() as connection:
        await connection.execute(text("DROP INDEX plant.ix_skill_embedding"))
        await connection.commit()

    async with plant_db.session(AGENT_A) as session:
        ids = await load_skills(session, rows)
        found = await search(session, query, k=1000, exact=True)

    order = np.argsort(numpy_distances(query, rows, Metric.COSINE))
    assert [match.id for match in found] == [ids[number] for number in order], f"seed {SEED}"


async def test_vector_type_compatibility(async_session: AsyncSession, create_test_skill: Factory) -> None:
    """Lists, tuples, float32 and float64 arrays store the same bits; text and wrong shapes are refused."""
    wide = unit_vectors(1)[0].astype(np.float64) / 3
    narrow = wide.astype(np.float32)
    accepted = [wide.tolist(), tuple(wide.tolist()), narrow, wide]

    stored = [await create_test_skill(embedding=value) for value in accepted]

    for entity in stored:
        await async_session.refresh(entity)
        assert entity.embedding.tobytes() == narrow.tobytes()
    words, flags = ["1.0"] * DIMENSIONS, [True] * DIMENSIONS
    for bad in (str(wide.tolist()), wide.reshape(2, 192), [wide.tolist()], words, flags, 1.0):
        with pytest.raises(InvalidValue) as refused:
            skill(embedding=bad)
        assert refused.value.field == "embedding"


@pytest.mark.parametrize("dimensions", [383, 385])
async def test_embedding_dimension_compatibility(async_session: AsyncSession, dimensions: int) -> None:
    """383 and 385 dimensions are DimensionMismatch before the network, in a query, and from the server alike."""
    wrong = [0.5] * dimensions

    with pytest.raises(DimensionMismatch, match=f"{dimensions} dimensions, but 384 are expected") as by_client:
        skill(embedding=wrong)
    with pytest.raises(DimensionMismatch) as by_query:
        await search(async_session, wrong)
    with pytest.raises(DimensionMismatch) as by_server:
        async with async_session.begin_nested():
            await insert_raw(async_session, str(wrong))

    assert (by_client.value.field, by_query.value.field) == ("embedding", "query")
    assert by_server.value.sqlstate == "22000"


async def test_k_rows_though_others_own_the_neighbours(
    plant_db: Database, superuser: Superuser, always_by_index: tuple[Any, ...]
) -> None:
    """An agent whose rows all lie behind another agent's gets its k nearest, where a plain index scan gives none."""
    query = unit_vectors(1, seed=SEED + 1)[0]
    far = unit_vectors(50)
    await load_committed(superuser, AGENT_B, towards(query, 1000, noise=0.5))
    await load_committed(superuser, AGENT_A, far)

    async with plant_db.session(AGENT_A) as session:
        for setting in ("enable_sort", "enable_seqscan"):
            await session.execute(text(f"SELECT set_config('{setting}', 'off', true)"))
        plain = await session.execute(
            text("SELECT id FROM plant.skill ORDER BY embedding <=> CAST(CAST(:q AS text) AS vector) LIMIT 10"),
            {"q": str(query.tolist())},
        )
        visible = len(plain.all())
    async with plant_db.session(AGENT_A) as session:
        found = await search(session, query, k=10, where=always_by_index)

    nearest_ten = np.argsort(numpy_distances(query, far, Metric.COSINE))[:10]
    assert visible == 0
    assert {match.name for match in found} == {f"s{number + 1}" for number in nearest_ten}
