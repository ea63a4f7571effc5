"""Constitutional alignment: what each entity owes to those who govern it. Pure, but for `review`.

L0 binds every entity: a governance agent, a tracked and append-only history, a kept chain of supersession,
content that can be exported. L1 adds the rules of the entity's own type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from plant.models import (
    Agent,
    AuditEntry,
    BaseEntity,
    EntityType,
    Industry,
    Skill,
    Status,
    Team,
    fields,
)
from plant.validators.links import check_links
from plant.validators.violation import Code, Violation, refusal

LIVING: Final = (Status.DRAFT.value, Status.ACTIVE.value)
ADOPTED: Final = "adopt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One version in an entity's history; `action` is the audit trail's word for how it came about."""

    version: int
    version_hash: str
    action: str


def check(
    entity: BaseEntity,
    *,
    history: Sequence[Recorded] | None = None,
    related: Iterable[BaseEntity] | None = None,
) -> list[Violation]:
    """Every rule the entity breaks; history, oldest first, and predecessors are judged where given."""
    found = [*check_agent(entity), *check_export(entity), *check_type(entity)]
    if history is not None:
        found += check_history(entity, history)
    if related is not None:
        found += check_supersession(entity, related)
    return found


async def review(session: AsyncSession, entity: BaseEntity) -> list[Violation]:
    """`check` with the history and the predecessors that are committed; reads, and flushes nothing.

    The audit trail is written at COMMIT: an entity changed in this transaction is reported as not recorded.
    """
    recorded = select(AuditEntry.version, AuditEntry.version_hash, AuditEntry.action)
    with session.no_autoflush:
        rows = await session.execute(recorded.where(AuditEntry.entity_id == entity.id).order_by(AuditEntry.version))
        history = [Recorded(**row) for row in rows.mappings()]
        related = (await session.scalars(_related(entity))).all() if entity.supersedes_id else []
    return check(entity, history=history, related=related)


def _related(entity: BaseEntity) -> Select[Any]:
    """The predecessors, however many, and the other successors of the nearest."""
    base = BaseEntity.__table__
    links = select(base.c.id, base.c.supersedes_id)
    chain = links.where(base.c.id == entity.supersedes_id).cte(recursive=True)
    chain = chain.union(links.where(base.c.id == chain.c.supersedes_id))
    siblings = BaseEntity.supersedes_id == entity.supersedes_id
    return select(BaseEntity).where(or_(BaseEntity.id.in_(select(chain.c.id)), siblings))


def check_agent(entity: BaseEntity) -> list[Violation]:
    """L0: a governance agent is present, text of 1 to 200 storable characters."""
    field = "governance_agent_id"
    return refusal(fields.text, field, entity.governance_agent_id, field=field, code=Code.GOVERNANCE_AGENT)


def check_export(entity: BaseEntity) -> list[Violation]:
    """L0: every field of the content is a JSON value, also what was put into attributes afterwards."""
    return [
        violation
        for field, value in entity.content().items()
        for violation in refusal(fields.json_object, field, {field: value}, field=field, code=Code.EXPORT)
    ]


def check_history(entity: BaseEntity, history: Sequence[Recorded]) -> list[Violation]:
    """L0: each version is recorded once, up to the present one, whose hash is that of the content."""
    found: list[Violation] = []
    versions = [entry.version for entry in history]
    if not history:
        found.append(_history("version", "is not recorded", "write the entity through a session and commit"))
    elif history[-1].version != entity.version:
        found.append(_history("version", "is not the last one recorded", "commit or refresh the entity"))
    elif history[-1].version_hash != entity.version_hash:
        found.append(_history("version_hash", "is not the recorded one", "find out who changed the entity"))
    if entity.version_hash != entity.content_hash():
        found.append(_history("version_hash", "is not the hash of the content", "commit or refresh the entity"))
    if history and history[0].version != 1 and history[0].action != ADOPTED:
        found.append(_append_only("does not begin with version 1", "restore the first entries from a backup"))
    if versions != list(range(versions[0], versions[0] + len(versions)) if versions else ()):
        found.append(_append_only("has gaps, repetitions or another order", "verify the audit trail"))
    return found


def check_supersession(entity: BaseEntity, related: Iterable[BaseEntity]) -> list[Violation]:
    """L0: what the entity supersedes, and what that superseded, is there, of its type and agent, and out of
    use.

    `related` holds the predecessors and may hold their other successors; no entity has two, none supersedes
    itself.
    """
    known = {other.id: other for other in related if other.id != entity.id} | {entity.id: entity}
    found: list[Violation] = []
    seen: set[UUID] = set()
    step = entity
    while step.supersedes_id is not None and step.id not in seen:
        seen.add(step.id)
        predecessor = known.get(step.supersedes_id)
        if predecessor is None:
            return [*found, _supersession("is not there", "load it, or refer to one that exists")]
        found += _check_predecessor(step, predecessor)
        if any(other.supersedes_id == predecessor.id and other.id != step.id for other in known.values()):
            found.append(_supersession("has two successors", "let the later one supersede the earlier"))
        step = predecessor
    cycles = [violation for violation in check_links(known.values()) if violation.field == "supersedes_id"]
    return found + cycles


def _check_predecessor(entity: BaseEntity, predecessor: BaseEntity) -> list[Violation]:
    rules = (
        (
            predecessor.entity_type != entity.entity_type,
            "is of another entity type",
            "supersede an entity of the same type",
        ),
        (
            predecessor.governance_agent_id != entity.governance_agent_id,
            "belongs to another governance agent",
            "supersede an entity of the same agent",
        ),
        (
            predecessor.status in LIVING and entity.status not in (Status.DRAFT.value, Status.DELETED.value),
            "is still in use",
            "deprecate or archive it when its successor takes over",
        ),
    )
    return [_supersession(problem, advice) for broken, problem, advice in rules if broken]


def check_type(entity: BaseEntity) -> list[Violation]:
    """L1: required fields have values, and the rules of the type hold."""
    code = Code(f"L1.{entity.entity_type}")
    missing = [
        Violation(code=code, field=field, message=f"{field} has no value: every {entity.entity_type} needs one.")
        for field in _required(type(entity))
        if getattr(entity, field) is None
    ]
    rule = RULES.get(EntityType(entity.entity_type))
    broken = rule(entity) if rule else ()
    return missing + [
        Violation(code=code, field=field, message=f"{field} {problem}: {advice}.") for field, problem, advice in broken
    ]


Broken = Iterable[tuple[str, str, str]]


def _skill(skill: Skill) -> Broken:
    if skill.embedding is not None and skill.embedding_model is None:
        yield "embedding_model", "is missing", "name the model the embedding came from"
    if skill.embedding is None and skill.embedding_model is not None:
        yield "embedding", "is missing", "embed the skill, or leave embedding_model empty too"


def _industry(industry: Industry) -> Broken:
    if industry.regulated and industry.code is None:
        yield "code", "is missing", "a regulated industry names its code, by which its supervisor is found"


def _team(team: Team) -> Broken:
    if team.status == Status.ACTIVE and team.mission is None:
        yield "mission", "is missing", "an active team says what it is for"


def _agent(agent: Agent) -> Broken:
    for field in ("skill_id", "job_role_id", "industry_id", "team_id"):
        if getattr(agent, field) == agent.id:
            yield field, "is the agent itself", "refer to an entity of the right type"


RULES: Final[dict[EntityType, Callable[[Any], Broken]]] = {
    EntityType.SKILL: _skill,
    EntityType.INDUSTRY: _industry,
    EntityType.TEAM: _team,
    EntityType.AGENT: _agent,
}


def _required(kind: type[BaseEntity]) -> list[str]:
    """Columns that take no NULL and have no default; the governance agent is L0's."""
    return [
        attribute.key
        for attribute in kind.__mapper__.column_attrs
        if attribute.key != "governance_agent_id"
        and all(not column.nullable and column.server_default is None for column in attribute.columns)
    ]


def _history(field: str, problem: str, advice: str) -> Violation:
    return Violation(code=Code.HISTORY, field=field, message=f"{field} {problem}: {advice}.")


def _append_only(problem: str, advice: str) -> Violation:
    return Violation(code=Code.APPEND_ONLY, field="version", message=f"the history {problem}: {advice}.")


def _supersession(problem: str, advice: str) -> Violation:
    return Violation(
        code=Code.SUPERSESSION, field="supersedes_id", message=f"the superseded entity {problem}: {advice}."
    )
