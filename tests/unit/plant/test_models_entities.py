"""plant.models: entities without a database."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from plant.core.errors import InvalidValue
from plant.models import Agent, Base, BaseEntity, Industry, JobRole, Skill, Team
from plant.models.flush import prepare, refuse_cycle

AGENT_A = "agent-a"
SECTIONS = {
    "identity": {"id", "governance_agent_id", "entity_type", "external_id", "name", "description"},
    "lifecycle": {"status", "created_at", "updated_at", "deleted_at"},
    "versioning": {"version", "version_hash", "supersedes_id"},
    "constitutional alignment": {"constitution_version", "alignment_status", "alignment_checked_at"},
    "audit trail": {"created_by", "updated_by", "change_reason"},
    "metadata": {"tags", "attributes"},
    "relationships": {"parent_id"},
}


def test_base_entity_has_the_seven_sections() -> None:
    """Every column belongs to one of them, and none is missing."""
    assert set(BaseEntity.__table__.columns.keys()) == set[str]().union(*SECTIONS.values())


def test_every_constraint_and_index_has_a_name_postgresql_keeps() -> None:
    """At most 63 bytes, so that none is cut."""
    names = [str(rule.name) for table in Base.metadata.tables.values() for rule in (*table.constraints, *table.indexes)]

    assert max(map(len, names)) <= 63
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("table", ["base_entity", "skill", "industry", "job_role", "team", "agent"])
def test_no_reference_can_cross_agents(table: str) -> None:
    """Each foreign key begins with the governance agent on both sides and refuses deletion."""
    for key in Base.metadata.tables[f"plant.{table}"].foreign_key_constraints:
        assert key.column_keys[0] == "governance_agent_id"
        assert next(iter(key.elements)).target_fullname.endswith(".governance_agent_id")
        assert key.ondelete == "RESTRICT"


def test_a_new_entity_is_complete() -> None:
    """What the server would fill in is known at once, so its hash is."""
    skill = Skill(governance_agent_id=AGENT_A, name="Python", category="technical")

    assert (skill.entity_type, skill.status, skill.constitution_version) == ("skill", "draft", "1")
    assert (skill.alignment_status, skill.created_by, skill.tags, skill.attributes) == ("unchecked", "system", [], {})
    assert len(skill.content_hash()) == 64


@pytest.mark.parametrize(
    "entity",
    [
        Skill(governance_agent_id=AGENT_A, name="s", category="technical", embedding=[1.0] * 384),
        Industry(governance_agent_id=AGENT_A, name="i", code="62"),
        JobRole(governance_agent_id=AGENT_A, name="j", department="R&D"),
        Team(governance_agent_id=AGENT_A, name="t", mission="win", capacity=3),
        Agent(governance_agent_id=AGENT_A, name="a", skill_id=uuid4(), job_role_id=uuid4(), industry_id=uuid4()),
    ],
    ids=lambda entity: entity.entity_type,
)
def test_the_content_is_every_field_but_the_servers(entity: BaseEntity) -> None:
    """Timestamps the server sets, version and hash are no content; every other column of both tables is."""
    columns = {*BaseEntity.__table__.columns.keys(), *type(entity).__table__.columns.keys()}

    assert entity.content().keys() == columns - {"created_at", "updated_at", "deleted_at", "version", "version_hash"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("governance_agent_id", "x" * 201),
        ("external_id", ""),
        ("name", "a\0"),
        ("description", "x" * 10_001),
        ("status", "gone"),
        ("alignment_status", "maybe"),
        ("alignment_checked_at", datetime(2026, 1, 1)),
        ("created_by", "\ud800"),
        ("updated_by", ""),
        ("change_reason", ""),
        ("constitution_version", ""),
        ("tags", "tag"),
        ("attributes", [1]),
        ("category", "magic"),
        ("embedding", "[1]"),
        ("embedding_model", ""),
    ],
)
def test_a_bad_value_is_refused_when_it_is_assigned(field: str, value: Any) -> None:
    """The error names the field."""
    with pytest.raises(InvalidValue) as caught:
        Skill(**{"governance_agent_id": AGENT_A, "name": "s", "category": "technical", field: value})

    assert caught.value.field == field


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (Industry, "code", ""),
        (JobRole, "seniority", "god"),
        (JobRole, "department", ""),
        (Team, "mission", ""),
        (Team, "capacity", 0),
    ],
)
def test_children_refuse_bad_values_too(kind: type[BaseEntity], field: str, value: Any) -> None:
    """The error names the field."""
    with pytest.raises(InvalidValue) as caught:
        kind(governance_agent_id=AGENT_A, name="x", **{field: value})

    assert caught.value.field == field


def test_none_is_left_to_not_null() -> None:
    """A missing value is the server's to refuse, by the name of the column."""
    fields = ("name", "status", "alignment_status", "tags", "attributes", "category", "description", "embedding")
    skill = Skill(**dict.fromkeys(fields), alignment_checked_at=None, parent_id=None, embedding_model=None)

    assert [getattr(skill, field) for field in fields] == [None] * len(fields)
    assert Industry(code=None).code is None
    assert JobRole(seniority=None, department=None).seniority is None
    assert Team(mission=None, capacity=None).capacity is None


@pytest.mark.parametrize("field", ["parent_id", "supersedes_id"])
def test_an_entity_is_not_its_own_relative(field: str) -> None:
    """Neither its parent nor its predecessor."""
    skill = Skill()
    with pytest.raises(InvalidValue, match=f"{field} is the entity itself: refer to another entity, or None"):
        setattr(skill, field, skill.id)


def test_a_cycle_among_loaded_entities_is_refused() -> None:
    """Two teams cannot be each other's parent; a chain that leads elsewhere is none of this check's business."""
    with Session() as session:
        top, middle, low = (_loaded(session, Team(governance_agent_id=AGENT_A, name="t")) for _ in range(3))
        middle.parent_id, low.parent_id = top.id, middle.id
        refuse_cycle(low, session)
        top.parent_id = low.id

        with pytest.raises(InvalidValue, match="parent_id makes the entity its own ancestor: choose a parent that"):
            prepare(Team.__mapper__, None, top)  # type: ignore[arg-type]


def test_a_walk_into_anothers_cycle_ends() -> None:
    """An entity below a cycle is not in it; whoever is, is refused in his own turn."""
    with Session() as session:
        one, other, below = (_loaded(session, Team(governance_agent_id=AGENT_A, name="t")) for _ in range(3))
        one.parent_id, other.parent_id, below.parent_id = other.id, one.id, one.id

        refuse_cycle(below, session)


def test_what_was_changed_in_place_is_checked_before_it_is_written() -> None:
    """A bad tag that was appended is refused, a good one changes the hash."""
    team = Team(governance_agent_id=AGENT_A, name="t")
    prepare(Team.__mapper__, None, team)  # type: ignore[arg-type]
    before = team.version_hash
    team.tags.append("good")
    prepare(Team.__mapper__, None, team)  # type: ignore[arg-type]
    assert team.version_hash == team.content_hash() != before

    team.attributes["nan"] = float("nan")
    with pytest.raises(InvalidValue, match="attributes must be a finite number"):
        prepare(Team.__mapper__, None, team)  # type: ignore[arg-type]


def test_an_embedding_goes_as_text_where_no_codec_is() -> None:
    """The text is exact: what comes back is the same float32, bit for bit."""
    array = np.random.default_rng(7).normal(size=384).astype(np.float32)
    kind = Skill.__table__.c.embedding.type
    bind = kind.bind_processor(postgresql.dialect())
    read = kind.result_processor(postgresql.dialect(), None)

    sent = bind(array)

    assert isinstance(sent, str)
    assert np.array_equal(read(sent), array)  # type: ignore[arg-type]
    assert read(array) is array
    assert (bind(None), read(None)) == (None, None)


@pytest.mark.parametrize("kind", [BaseEntity, Skill, Industry, JobRole, Team, Agent])
def test_core_statements_are_checked_like_entities(kind: type[BaseEntity]) -> None:
    """Every column's type knows its field: what no constructor has seen is refused by the same rule and name."""
    for column in kind.__table__.columns:
        bind = column.type.bind_processor(postgresql.dialect())
        with pytest.raises(InvalidValue) as caught:
            bind(object())

        assert caught.value.field == column.name


def _loaded(session: Session, team: Team) -> Team:
    """As if it had been read: in the session's identity map, with nothing changed."""
    session.add(team)
    session._register_persistent({team._sa_instance_state})  # type: ignore[attr-defined]
    return team
