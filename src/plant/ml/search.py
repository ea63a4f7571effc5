"""Nearest skills, complete under row-level security: k rows whenever the acting agent has k that match.

An HNSW scan filters by agent only after it has chosen its candidates. So few rows are compared one by one, many are
searched through the index, and whatever the index cannot answer in full is answered exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    Engine,
    FromClause,
    Integer,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    cast,
    column,
    func,
    literal,
    literal_column,
    select,
    table,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.errors import ConfigurationError
from plant.ml.embeddings import as_vector
from plant.models import BaseEntity, Skill, Status, fields

MAX_K: Final = 1000
ITERATIVE_SINCE: Final = (0, 8)
# Measured on 100,000 rows of 384 dimensions: a lower ef_search misses whole clusters now and then.
EF_SEARCH: Final = 100
MAX_EF_SEARCH: Final = 1000
EFFORTS: Final = (EF_SEARCH, 400, MAX_EF_SEARCH)
# The candidates furthest from the query are the least reliable ones of a scan: it must find more than k.
ITERATIVE_SPARE: Final = 4
SINGLE_SPARE: Final = 2
# Below this many rows an exact search is always fast enough.
FEW: Final = 5000
# One step of an index scan costs as much as this many rows compared one by one.
STEP_COST: Final = 16

skill: Final[Table] = Skill.__table__  # type: ignore[assignment]
entity: Final[Table] = BaseEntity.__table__  # type: ignore[assignment]


class Metric(StrEnum):
    """What "near" means; the index serves cosine, the other two are always searched exactly."""

    COSINE = "cosine"
    L2 = "l2"
    INNER_PRODUCT = "inner_product"


OPERATORS: Final = {Metric.COSINE: "<=>", Metric.L2: "<->", Metric.INNER_PRODUCT: "<#>"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A skill found. `distance`: 1 - cosine similarity (0 to 2), Euclidean, or the negated inner product."""

    id: UUID
    name: str
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the server's pgvector can do."""

    version: tuple[int, ...]

    @property
    def iterative_scan(self) -> bool:
        """Whether an index scan goes on until enough rows pass the filters."""
        return self.version >= ITERATIVE_SINCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One way to find candidates: `fetch` of them (None: all), through the index if `ef_search` is set, else by sorting.

    Fewer than `enough` candidates from the index mean that it has missed some.
    """

    fetch: int | None
    ef_search: int | None = None
    enough: int = 0


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
        _known[engine] = Capabilities(version=tuple(int(part) for part in version.split(".")))
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

    Skills without an embedding and deleted ones are never found; `where` takes conditions on `Skill`. With `exact`, or
    another metric than cosine, every matching row is compared. Raises InvalidValue for `k` outside 1 to 1000, for an
    unknown metric and for a query that is no vector, DimensionMismatch for one of another length.
    """
    k = fields.whole("k", k, least=1, most=MAX_K)
    metric = Metric(fields.choice("metric", metric, Metric))
    values = {"query": as_vector(query, field="query"), "k": k}
    approximate = metric is Metric.COSINE and not exact and not await _few(session, k, where)
    for attempt in plan(k, await capabilities(session) if approximate else None):
        rows = await _run(session, attempt, _statement(metric, attempt, tuple(where)), values)
        if trusted(attempt, k, len(rows), rows[0].seen if rows else 0):
            break
    return [Match(id=row.id, name=row.name, distance=row.distance) for row in rows]


def plan(k: int, able: Capabilities | None) -> tuple[Attempt, ...]:
    """What to try, cheapest first; the last one is always right. `able` is None where the index is not to be used."""
    spare = ITERATIVE_SPARE * k
    exact = (Attempt(fetch=spare), Attempt(fetch=None))
    if able is None:
        return exact
    if able.iterative_scan:
        return (Attempt(fetch=spare, ef_search=min(max(EF_SEARCH, spare), MAX_EF_SEARCH), enough=spare), *exact)
    wanted = SINGLE_SPARE * k
    efforts = (Attempt(fetch=effort, ef_search=effort, enough=wanted) for effort in EFFORTS if effort >= wanted)
    return (*efforts, *exact)


def trusted(attempt: Attempt, k: int, found: int, seen: int) -> bool:
    """Whether `found` matches among `seen` candidates can be the whole answer.

    Candidates that turned out to be deleted may have pushed out others, unless all there are were candidates.
    """
    if attempt.fetch is None:
        return True
    if attempt.ef_search is None:
        return found == k or seen < attempt.fetch
    return found == k and seen >= attempt.enough


def _statement(metric: Metric, attempt: Attempt, where: tuple[ColumnElement[bool], ...]) -> Select[Any]:
    """Conditions hold values, so only statements without any are kept."""
    return _build(metric, attempt, where) if where else _plain(metric, attempt)


@lru_cache(maxsize=64)
def _plain(metric: Metric, attempt: Attempt) -> Select[Any]:
    return _build(metric, attempt, ())


def _build(metric: Metric, attempt: Attempt, where: tuple[ColumnElement[bool], ...]) -> Select[Any]:
    """Candidates, nearest first, then their names; the sum hides from the planner that an index could sort, or has sorted.

    What the index gives is only nearly in order. Numbers of candidates are part of the text: a plan for an unknown LIMIT
    would not use the index.
    """
    query = bindparam("query", type_=skill.c.embedding.type)
    distance = skill.c.embedding.op(OPERATORS[metric], return_type=Double())(query)
    if attempt.ef_search is None:
        distance = distance + 0
    near = (
        select(skill.c.governance_agent_id, skill.c.id, distance.label("distance"))
        .select_from(_source(where))
        .where(skill.c.embedding.is_not(None), *where)
    )
    if attempt.fetch is not None:
        near = near.order_by("distance").limit(literal(attempt.fetch, BigInteger, literal_execute=True))
    found = near.cte("near").prefix_with("MATERIALIZED")
    same = and_(entity.c.governance_agent_id == found.c.governance_agent_id, entity.c.id == found.c.id)
    seen = select(func.count()).select_from(found).scalar_subquery()
    return (
        select(entity.c.id, entity.c.name, found.c.distance, seen.label("seen"))
        .select_from(found.join(entity, same))
        .where(entity.c.status != Status.DELETED.value)
        .order_by(found.c.distance + 0, entity.c.id)
        .limit(bindparam("k", type_=BigInteger))
    )


def _source(where: Sequence[ColumnElement[bool]]) -> FromClause:
    """Conditions may be about the entity; without any, no row of it is read for a skill that is not near."""
    same = and_(entity.c.governance_agent_id == skill.c.governance_agent_id, entity.c.id == skill.c.id)
    return skill.join(entity, same) if where else skill


async def _few(session: AsyncSession, k: int, where: Sequence[ColumnElement[bool]]) -> bool:
    """Whether so few rows match that comparing them all costs less than a scan that has to skip the others."""
    return bool(await session.scalar(_count(tuple(where)) if where else _count_all(), {"fetch": ITERATIVE_SPARE * k}))


@cache
def _count_all() -> Select[Any]:
    return _count(())


def _count(where: tuple[ColumnElement[bool], ...]) -> Select[Any]:
    """A scan takes about `fetch / share` steps, share = rows / total, hence rows < sqrt(STEP_COST * fetch * total).

    The count stops there. Without conditions it reads the keys in an index and touches no row.
    """
    catalog = table("pg_class", column("oid"), column("reltuples"), schema="pg_catalog")
    total = func.greatest(catalog.c.reltuples, 0)
    worth = func.sqrt(STEP_COST * bindparam("fetch", type_=Integer) * total)
    bound = (
        select(cast(func.greatest(FEW, worth), BigInteger).label("rows"))
        .where(catalog.c.oid == literal_column(f"'{skill.fullname}'::regclass"))
        .cte("bound")
    )
    matching = select(literal(1).label("one")).select_from(_source(where)).where(*where)
    counted = matching.limit(select(bound.c.rows + 1).scalar_subquery()).subquery("matching")
    return select(select(func.count()).select_from(counted).scalar_subquery() <= bound.c.rows).select_from(bound)


CONFIGURE: Final = """
    WITH before AS MATERIALIZED (SELECT current_setting('enable_sort') AS enable_sort)
    SELECT enable_sort, set_config('enable_sort', 'off', true), set_config('hnsw.ef_search', :ef_search, true){more}
    FROM before
"""
SINGLE: Final = text(CONFIGURE.format(more=""))
ITERATIVE: Final = text(CONFIGURE.format(more=", set_config('hnsw.iterative_scan', 'relaxed_order', true)"))
RESTORE: Final = text("SELECT set_config('enable_sort', :enable_sort, true)")


async def _run(
    session: AsyncSession, attempt: Attempt, statement: Select[Any], values: dict[str, Any]
) -> Sequence[Row[Any]]:
    """The planner does not know the agent's share of the rows and would rather sort them than use the index.

    So it may not sort during an index search; all settings end with the transaction, and this one at once.
    """
    if attempt.ef_search is None:
        return (await session.execute(statement, values)).all()
    configure = ITERATIVE if (await capabilities(session)).iterative_scan else SINGLE
    before = await session.scalar(configure, {"ef_search": str(attempt.ef_search)})
    rows = (await session.execute(statement, values)).all()
    await session.execute(RESTORE, {"enable_sort": before})
    return rows
