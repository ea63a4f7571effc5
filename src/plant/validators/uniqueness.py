"""What must be unique within a governance agent, asked before the insert that would fail.

The answer holds for this moment only; the database's constraints decide. Other agents' rows are invisible and
free.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, inspect, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from plant.models import BaseEntity
from plant.validators.violation import Code, Violation

# A driver sends at most 32,767 values in one statement.
BATCH: Final = 5000
ADVICE: Final = {
    "id": "leave it out, a new one is made",
    "external_id": "use another one, or update the entity that has it",
    "supersedes_id": "let the later successor supersede the earlier",
}

Key = tuple[str, str, str]


async def check_unique(session: AsyncSession, entities: Iterable[BaseEntity]) -> list[Violation]:
    """Clashes of the entities with each other and with what the session's agent can see; nothing is flushed.

    An entity that is already stored clashes with others, not with itself; one without an agent with none.
    """
    members = [entity for entity in entities if entity.governance_agent_id is not None]
    found = [_violation(field) for field in _clashes_inside(members)]
    with session.no_autoflush:
        for start in range(0, len(members), BATCH):
            batch = members[start : start + BATCH]
            found += [_violation(field) for field in await _clashes_outside(session, batch)]
    return found


def _clashes_inside(members: Sequence[BaseEntity]) -> list[str]:
    keys = Counter(key for entity in members for key in _keys(entity))
    return [field for (_, field, _), count in keys.items() for _ in range(count - 1)]


async def _clashes_outside(session: AsyncSession, members: Sequence[BaseEntity]) -> list[str]:
    base = BaseEntity.__table__
    agents = sorted({entity.governance_agent_id for entity in members})
    same = (_same(agent, [e for e in members if e.governance_agent_id == agent]) for agent in agents)
    columns = (base.c.governance_agent_id, base.c.id, base.c.external_id, base.c.supersedes_id)
    stored = await session.execute(select(*columns).where(or_(*same)))
    taken = {key: row.id for row in stored for key in _keys(row)}
    return [
        key[1]
        for entity in members
        for key in _keys(entity)
        if key in taken and not (inspect(entity).persistent and taken[key] == entity.id)
    ]


def _same(agent: str, members: Sequence[BaseEntity]) -> ColumnElement[bool]:
    base = BaseEntity.__table__
    wanted = {field: [value for e in members if (value := getattr(e, field)) is not None] for field in ADVICE}
    return and_(
        base.c.governance_agent_id == agent,
        or_(*(base.c[field].in_(values) for field, values in wanted.items())),
    )


def _keys(entity: Any) -> list[Key]:
    """Agent, field and value of each unique field that has one; of an entity or of a row."""
    return [
        (entity.governance_agent_id, field, str(value))
        for field in ADVICE
        if (value := getattr(entity, field)) is not None
    ]


def _violation(field: str) -> Violation:
    return Violation(code=Code.UNIQUE, field=field, message=f"{field} is already taken: {ADVICE[field]}.")
