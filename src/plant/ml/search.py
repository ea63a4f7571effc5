"""Nearest skills, complete under row-level security: k rows whenever the acting agent has k that match.

It runs what `plant.ml.nearest` decides. What it sets on the server ends with the transaction.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Engine, Row, Select, text
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.errors import ConfigurationError
from plant.ml.embeddings import as_vector
from plant.ml.nearest import (
    ITERATIVE_SPARE,
    Attempt,
    Capabilities,
    Metric,
    count_statement,
    nearest_statement,
    plan,
    trusted,
)
from plant.models import fields

MAX_K: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A skill found. `distance`: 1 - cosine similarity (0 to 2), Euclidean, or the negated inner product."""

    id: UUID
    name: str
    distance: float


_known: WeakKeyDictionary[Engine, Capabilities] = WeakKeyDictionary()


async def capabilities(session: AsyncSession) -> Capabilities:
    """Asked once for each engine; raises ConfigurationError where the extension is missing."""
    engine = session.get_bind().engine
    if engine not in _known:
        version = await session.scalar(text("SELECT extversion FROM pg_extension WHERE extname = 'vector'"))
        if version is None:
            raise ConfigurationError(
                "search needs the extension vector, which this database does not have:"
                " let its administrator run `python -m plant bootstrap`.",
                field="vector",
            )
        _known[engine] = Capabilities(version=tuple(map(int, re.findall(r"\d+", version))))
    return _known[engine]


async def search(
    session: AsyncSession,
    query: Any,
    *,
    k: int = 10,
    metric: Metric = Metric.COSINE,
    where: Sequence[ColumnElement[bool]] = (),
    exact: bool = False,
) -> list[Match]:
    """The k skills nearest to `query`, shape (384,), that the session's agent may see, nearest first.

    Skills without an embedding and deleted ones are never found; `where` takes conditions on `Skill`. With
    `exact`, or another metric than cosine, every matching row is compared. Raises InvalidValue for `k`
    outside 1 to 1000, for an unknown metric and for a query that is no vector, DimensionMismatch for one of
    another length.
    """
    k = fields.whole("k", k, least=1, most=MAX_K)
    metric = Metric(fields.choice("metric", metric, Metric))
    conditions = tuple(where)
    values = {"query": as_vector(query, field="query"), "k": k}
    by_index = metric is Metric.COSINE and not exact
    few = by_index and await _few(session, k, conditions)
    for attempt in plan(k, await capabilities(session) if by_index and not few else None):
        rows = await _run(session, attempt, nearest_statement(metric, attempt, conditions), values, few=few)
        if trusted(attempt, k, len(rows), rows[0].seen if rows else 0):
            break
    return [Match(id=row.id, name=row.name, distance=row.distance) for row in rows]


async def _few(session: AsyncSession, k: int, where: tuple[ColumnElement[bool], ...]) -> bool:
    return bool(await session.scalar(count_statement(where), {"fetch": ITERATIVE_SPARE * k}))


# An index scan may not sort what it finds; few rows of many are not to be looked for in all of them.
CONFIGURE: Final = """
    WITH before AS MATERIALIZED (SELECT current_setting('{name}') AS value)
    SELECT value, set_config('{name}', 'off', true){more}
    FROM before
"""
EF_SEARCH: Final = ", set_config('hnsw.ef_search', :ef_search, true)"
SINGLE: Final = text(CONFIGURE.format(name="enable_sort", more=EF_SEARCH))
ITERATIVE: Final = text(
    CONFIGURE.format(name="enable_sort", more=f"{EF_SEARCH}, set_config('hnsw.iterative_scan', 'relaxed_order', true)")
)
AMONG_FEW: Final = text(CONFIGURE.format(name="enable_seqscan", more=""))
RESTORE: Final = text("SELECT set_config(:name, :value, true)")


async def _run(
    session: AsyncSession, attempt: Attempt, statement: Select[Any], values: dict[str, Any], *, few: bool
) -> Sequence[Row[Any]]:
    """The planner does not know the agent's share of the rows: it would rather sort them than use the vectors' index,
    and read the whole table for the few that an agent has.

    So one of the two is forbidden it during the search; all settings end with the transaction, and this one at once.
    """
    if attempt.ef_search is None and not few:
        rows: Sequence[Row[Any]] = (await session.execute(statement, values)).all()
        return rows
    if attempt.ef_search is None:
        name, before = "enable_seqscan", await session.scalar(AMONG_FEW)
    else:
        configure = ITERATIVE if (await capabilities(session)).iterative_scan else SINGLE
        name, before = "enable_sort", await session.scalar(configure, {"ef_search": str(attempt.ef_search)})
    rows = (await session.execute(statement, values)).all()
    await session.execute(RESTORE, {"name": name, "value": before})
    return rows
