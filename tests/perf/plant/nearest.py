"""Measures search by meaning over 100,000 vectors: how long the index takes, recall against an exact scan, latency."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np

from pgmatrix.databases.database import Database
from plant.core.database import Database as Plant
from plant.ml.search import search
from tests.perf.measure import MeasurementFailed, Samples, Unit
from tests.perf.plant.figures import Figure
from tests.perf.plant.ground import Ground
from tests.perf.plant.loads import INDEX, copy, open_owner, without_audit, without_policies
from tests.perf.plant.rows import SKILL_COLUMNS, Floats, facts, skills, vectors
from tests.perf.table import Goal

K = 10
SMALL, LARGE = "agent-small", "agent-large"
SHARE = 0.01
PART = 5000
FORCED = [f"ALTER TABLE plant.{table} FORCE ROW LEVEL SECURITY" for table in ("base_entity", "skill")]
DEFINITION = "SELECT pg_get_indexdef('plant.ix_skill_embedding'::regclass)"


def measure_search(ground: Ground) -> list[Figure]:
    """100,000 (quick: 20,000) skills, one in a hundred of a small agent; queries nobody has stored, by both in turn."""
    number, asked = ground.rounds(100_000, 20_000), ground.rounds(200, 60)
    database, embeddings = ground.clone(), vectors(number, seed=1, topics=number // 50)
    owned = np.random.default_rng(0).random(number) < SHARE
    ids, building = _fill(ground, database, embeddings, owned)
    queries = vectors(asked, seed=2, topics=number // 50)
    right = {LARGE: _exact(queries, embeddings, ids, ~owned), SMALL: _exact(queries, embeddings, ids, owned)}
    recalls: dict[str, list[float]] = {LARGE: [], SMALL: []}
    seconds: dict[str, list[float]] = {LARGE: [], SMALL: []}
    with ground.plant(database) as plant:
        for agent in recalls:
            ground.run(_ask(plant, agent, vectors(20, seed=3, topics=number // 50)))  # warm
        for index, query in enumerate(queries):
            for agent in recalls:
                found, took = ground.run(_timed(plant, agent, query))
                recalls[agent].append(len(found & right[agent][index]) / K)
                seconds[agent].append(took)
    ground.drop(database)
    figures = [Figure(what=f"building the HNSW index over {number:,} vectors", measured=Samples(values=(building,)))]
    for agent, who in ((LARGE, "most rows"), (SMALL, f"{SHARE:.0%} of the rows")):
        figures += _figures(f"for an agent with {who} of {number:,}", recalls[agent], seconds[agent])
    return figures


def _figures(whose: str, recalls: Sequence[float], seconds: Sequence[float]) -> list[Figure]:
    p95 = float(np.percentile(seconds, 95))
    return [
        Figure(
            what=f"recall@{K} {whose} (mean of {len(recalls)} queries)",
            measured=Samples(values=(float(np.mean(recalls)),), unit=Unit.SHARE),
            goal=Goal(bound=0.95, at_least=True),
        ),
        Figure(what=f"search {whose}, p95", measured=Samples(values=(p95,)), goal=Goal(bound=0.010)),
        Figure(what=f"search {whose}, every query", measured=Samples(values=tuple(seconds))),
    ]


def _exact(queries: Floats, embeddings: Floats, ids: Sequence[UUID], owned: Any) -> list[set[UUID]]:
    """The K nearest of each query among the agent's rows, by NumPy; of unit vectors the product is the cosine."""
    own = np.flatnonzero(owned)
    nearest = np.argpartition(queries @ embeddings[own].T, -K, axis=1)[:, -K:]
    return [{ids[own[place]] for place in places} for places in nearest]


def _fill(ground: Ground, database: Database, embeddings: Floats, owned: Any) -> tuple[list[UUID], float]:
    """Copy the rows in as the owner and build the index anew: the rows' ids, the seconds of the latter."""
    ids: list[UUID] = []
    without_policies(ground, database)
    without_audit(ground, database)
    definition = ground.admin(database, DEFINITION)[0][0]
    ground.admin(database, INDEX)
    owner = ground.run(open_owner(database))
    for start in range(0, len(embeddings), PART):
        part = slice(start, start + PART)
        known = facts(len(embeddings[part]), start)
        made = [
            skills([one], vector[None], SMALL if small else LARGE)[0]
            for one, vector, small in zip(known, embeddings[part], owned[part], strict=True)
        ]
        ids += [skill.id for skill in made]
        ground.run(copy(owner, made, SKILL_COLUMNS))
    ground.run(owner.close())
    begun = time.perf_counter()
    ground.admin(database, "SET maintenance_work_mem = '1GB'", definition)
    took = time.perf_counter() - begun
    ground.admin(database, "VACUUM ANALYZE", *FORCED)
    return ids, took


async def _ask(plant: Plant, agent: str, queries: Floats) -> None:
    for query in queries:
        async with plant.session(agent) as session:
            await search(session, query, k=K)


async def _timed(plant: Plant, agent: str, query: Any) -> tuple[set[UUID], float]:
    """What one search finds, and the seconds of its transaction."""
    start = time.perf_counter()
    async with plant.session(agent) as session:
        found = await search(session, query, k=K)
    took = time.perf_counter() - start
    if len(found) != K:
        raise MeasurementFailed(f"a search of {agent} found {len(found)} rows, not {K}")
    return {match.id for match in found}, took
