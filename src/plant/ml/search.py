"""Nearest skills, complete under row-level security: k rows whenever the acting agent has k that match.

It runs what `plant.ml.nearest` decides. What it sets on the server ends with the transaction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Engine, Row, Select, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.agents import agent_of
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
RECOUNT: Final = 50
MAX_SHARES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A skill found. `distance`: 1 - cosine similarity (0 to 2), Euclidean, or the negated inner product."""

    id: UUID
    name: str
    distance: float


@dataclass(slots=True, kw_only=True)
class _Share:
    """Whether an agent had few rows when they were last counted, and how often that has been used since."""

    few: bool
    uses: int = 0


_known: WeakKeyDictionary[Engine, Capabilities] = WeakKeyDictionary()
# Which way is faster, never which is right: an answer that may not be whole is looked for again, exactly.
_shares: WeakKeyDictionary[Engine, dict[tuple[str, int], _Share]] = WeakKeyDictionary()


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
    """Counted anew for each set of conditions; of all rows of an agent, which change slowly, now and then."""
    agent = agent_of(session.sync_session)
    shares = _shares.setdefault(session.get_bind().engine, {})
    kept = None if where or agent is None else shares.get((agent, k))
    if kept is not None and kept.uses < RECOUNT:
        kept.uses += 1
        return kept.few
    few = bool(await session.scalar(count_statement(where), {"fetch": ITERATIVE_SPARE * k}))
    if not where and agent is not None:
        if len(shares) >= MAX_SHARES:
            shares.clear()
        shares[agent, k] = _Share(few=few)
    return few


EF_SEARCH: Final = ", set_config('hnsw.ef_search', :ef_search, true)"
ITERATIVE_SCAN: Final = ", set_config('hnsw.iterative_scan', 'relaxed_order', true)"


class Bounds(NamedTuple):
    """Settings by name, SQL that sets them for now and tells what they were, and SQL that makes them that again."""

    names: tuple[str, ...]
    configure: TextClause
    restore: TextClause


def _bounds(settings: Mapping[str, str], more: str = "") -> Bounds:
    now = ", ".join(f"current_setting('{name}') AS {name}" for name in settings)
    new = ", ".join(f"set_config('{name}', '{value}', true) AS new_{name}" for name, value in settings.items())
    old = ", ".join(f"set_config('{name}', :{name}, true)" for name in settings)
    return Bounds(
        names=tuple(settings),
        configure=text(f"WITH before AS MATERIALIZED (SELECT {now}) SELECT *, {new}{more} FROM before"),
        restore=text(f"SELECT {old}"),
    )


SINGLE: Final = _bounds({"enable_sort": "off"}, EF_SEARCH)
ITERATIVE: Final = _bounds({"enable_sort": "off"}, EF_SEARCH + ITERATIVE_SCAN)
AMONG_FEW: Final = _bounds({"enable_seqscan": "off", "max_parallel_workers_per_gather": "0"})


async def _run(
    session: AsyncSession, attempt: Attempt, statement: Select[Any], values: dict[str, Any], *, few: bool
) -> Sequence[Row[Any]]:
    """The planner does not know the agent's share of the rows: it would rather sort them than use the vectors' index,
    and would read the whole table, with workers that take longer to start than the search, for an agent that has few.

    So these are forbidden it during the search; all settings end with the transaction, and these at once.
    """
    rows: Sequence[Row[Any]]
    if attempt.ef_search is None and not few:
        rows = (await session.execute(statement, values)).all()
        return rows
    bounds, effort = AMONG_FEW, {}
    if attempt.ef_search is not None:
        bounds = ITERATIVE if (await capabilities(session)).iterative_scan else SINGLE
        effort = {"ef_search": str(attempt.ef_search)}
    before = (await session.execute(bounds.configure, effort)).mappings().one()
    rows = (await session.execute(statement, values)).all()
    await session.execute(bounds.restore, {name: before[name] for name in bounds.names})
    return rows
