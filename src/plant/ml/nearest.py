"""How to look for the nearest skills: what to try in which order, when to believe it, and its SQL. Pure.

An HNSW scan filters by agent only after it has chosen its candidates. So few rows are compared one by one,
many are searched through the index, and whatever the index cannot answer in full is answered exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Double,
    FromClause,
    Integer,
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
)

from plant.models import BaseEntity, Skill, Status

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
class Capabilities:
    """What the server's pgvector can do."""

    version: tuple[int, ...]

    @property
    def iterative_scan(self) -> bool:
        """Whether an index scan goes on until enough rows pass the filters."""
        return self.version >= ITERATIVE_SINCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One way to find candidates: `fetch` of them (None: all), by the index if `ef_search` is set.

    Fewer than `enough` candidates from the index mean that it has missed some.
    """

    fetch: int | None
    ef_search: int | None = None
    enough: int = 0


def plan(k: int, able: Capabilities | None) -> tuple[Attempt, ...]:
    """What to try, cheapest first; the last is always right. `able` is None where no index may be used."""
    spare = ITERATIVE_SPARE * k
    exact = (Attempt(fetch=spare), Attempt(fetch=None))
    if able is None:
        return exact
    if able.iterative_scan:
        width = min(max(EF_SEARCH, spare), MAX_EF_SEARCH)
        return (Attempt(fetch=spare, ef_search=width, enough=spare), *exact)
    wanted = SINGLE_SPARE * k
    efforts = [effort for effort in EFFORTS if effort >= wanted]
    return (*(Attempt(fetch=effort, ef_search=effort, enough=wanted) for effort in efforts), *exact)


def trusted(attempt: Attempt, k: int, found: int, seen: int) -> bool:
    """Whether `found` matches among `seen` candidates can be the whole answer.

    Candidates that turned out to be deleted may have pushed out others, unless every row was a candidate;
    that nothing was found says nothing about how many were seen.
    """
    if attempt.fetch is None:
        return True
    if attempt.ef_search is None:
        return found == k or 0 < seen < attempt.fetch
    return found == k and seen >= attempt.enough


def nearest_statement(metric: Metric, attempt: Attempt, where: tuple[ColumnElement[bool], ...]) -> Select[Any]:
    """Conditions hold values, so only statements without any are kept."""
    return _build(metric, attempt, where) if where else _plain(metric, attempt)


@lru_cache(maxsize=64)
def _plain(metric: Metric, attempt: Attempt) -> Select[Any]:
    return _build(metric, attempt, ())


def _build(metric: Metric, attempt: Attempt, where: tuple[ColumnElement[bool], ...]) -> Select[Any]:
    """Candidates, nearest first, then their names; adding 0 hides from the planner that an index can sort.

    What the index gives is only nearly in order. Numbers of candidates are part of the text: a plan for an
    unknown LIMIT would not use the index.
    """
    query: BindParameter[Any] = bindparam("query", type_=skill.c.embedding.type)
    operator: Any = skill.c.embedding.op(OPERATORS[metric], return_type=Double())
    distance: ColumnElement[float] = operator(query) if attempt.ef_search else operator(query) + 0
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


def count_statement(where: tuple[ColumnElement[bool], ...]) -> Select[Any]:
    """One boolean: whether so few rows match that comparing all costs less than a scan that skips the others.

    Its parameter `fetch` is the number of candidates wanted.
    """
    return _count(where) if where else _count_all()


@cache
def _count_all() -> Select[Any]:
    return _count(())


def _count(where: tuple[ColumnElement[bool], ...]) -> Select[Any]:
    """A scan takes `fetch / share` steps, share = rows / total, hence rows < sqrt(STEP_COST * fetch * total).

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
    rows = select(func.count()).select_from(counted).scalar_subquery()
    return select(rows <= bound.c.rows).select_from(bound)
