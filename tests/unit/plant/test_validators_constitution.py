"""Constitutional rules: each can be broken alone, and all that are broken are returned together."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from plant.models import Agent, BaseEntity, Industry, JobRole, Skill, Team
from plant.validators.constitution import (
    Recorded,
    check,
    check_agent,
    check_export,
    check_history,
    check_supersession,
    check_type,
)
from plant.validators.violation import Code, Violation


def skill(**values: Any) -> Skill:
    """A skill that keeps every rule."""
    return Skill(**{"governance_agent_id": "a", "name": "s", "category": "technical", **values})


def stored(entity: BaseEntity, version: int = 1) -> BaseEntity:
    """The entity as a commit would leave it."""
    entity.version = version
    entity.version_hash = entity.content_hash()
    return entity


def versions(*numbers: int, last: str, first: str = "insert") -> list[Recorded]:
    """A history with these version numbers; the last entry has the hash `last`."""
    return [
        Recorded(
            version=number,
            version_hash=last if place == len(numbers) - 1 else f"{place:064}",
            action=first if place == 0 else "update",
        )
        for place, number in enumerate(numbers)
    ]


def told(found: list[Violation]) -> list[tuple[str, str]]:
    """Code and field of each violation."""
    return [(violation.code.value, violation.field) for violation in found]


def test_an_aligned_entity_breaks_no_rule() -> None:
    """A complete skill with its history and its retired predecessor passes every check."""
    old = skill(status="deprecated")
    entity = stored(skill(status="active", supersedes_id=old.id), version=2)

    assert check(entity, history=versions(1, 2, last=entity.version_hash), related=[old]) == []


def test_every_broken_rule_is_returned() -> None:
    """An entity that breaks rules of both levels gets all of them at once."""
    entity = Skill(embedding=[1.0] * 384, supersedes_id=uuid4(), attributes={})
    entity.attributes["ratio"] = float("inf")
    entity.version, entity.version_hash = 1, "0" * 64
    found = check(entity, history=[], related=[])

    assert told(found) == [
        ("L0.governance_agent", "governance_agent_id"),
        ("L0.export", "attributes"),
        ("L1.skill", "name"),
        ("L1.skill", "category"),
        ("L1.skill", "embedding_model"),
        ("L0.history", "version"),
        ("L0.history", "version_hash"),
        ("L0.supersession", "supersedes_id"),
    ]


def test_history_and_predecessors_are_judged_where_given() -> None:
    """Without them an entity that was never stored is judged by its content alone."""
    assert check(skill(supersedes_id=uuid4())) == []


def test_a_missing_governance_agent() -> None:
    """No agent, no alignment; the message says what to pass."""
    entity = skill()
    entity.governance_agent_id = None  # type: ignore[assignment]

    assert check_agent(entity) == [
        Violation(
            code=Code.GOVERNANCE_AGENT,
            field="governance_agent_id",
            message="governance_agent_id must be text, not NoneType. Pass a value of the field's type and range.",
        )
    ]


@pytest.mark.parametrize("value", [float("nan"), object(), {1: "x"}, ["\0"]])
def test_content_that_cannot_be_exported(value: Any) -> None:
    """What JSON does not have, slipped into the attributes of a checked entity, is found by its field."""
    entity = skill(attributes={"fine": 1})
    entity.attributes["later"] = value

    assert told(check_export(entity)) == [("L0.export", "attributes")]


def test_content_with_every_kind_of_value_is_exported() -> None:
    """Embeddings, tags, nested attributes and references are no hindrance."""
    entity = skill(embedding=[1.0] * 384, tags=["x"], attributes={"deep": {"list": [1, 2.5, None]}}, parent_id=uuid4())

    assert check_export(entity) == []


@pytest.mark.parametrize(
    ("numbers", "first", "expected"),
    [
        ((1, 2, 3), "insert", []),
        ((3,), "adopt", []),
        ((2, 3), "adopt", []),
        ((), "insert", [("L0.history", "version")]),
        ((1, 2), "insert", [("L0.history", "version")]),
        ((2, 3), "insert", [("L0.append_only", "version")]),
        ((1, 3), "insert", [("L0.append_only", "version")]),
        ((1, 2, 2, 3), "insert", [("L0.append_only", "version")]),
        ((2, 1, 3), "insert", [("L0.append_only", "version"), ("L0.append_only", "version")]),
    ],
)
def test_the_history_is_complete(numbers: tuple[int, ...], first: str, expected: list[tuple[str, str]]) -> None:
    """Versions run from 1, or from an adoption, to the present one without gap, repetition or disorder."""
    entity = stored(skill(), version=3)

    assert told(check_history(entity, versions(*numbers, last=entity.version_hash, first=first))) == expected


def test_a_recorded_hash_that_differs() -> None:
    """A present version whose recorded hash is another one has been changed behind the history's back."""
    entity = stored(skill())

    found = check_history(entity, versions(1, last="f" * 64))

    assert [violation.message for violation in found] == [
        "version_hash is not the recorded one: find out who changed the entity."
    ]


def test_content_that_is_not_the_hashed_one() -> None:
    """An entity changed and not yet committed does not match its hash."""
    entity = stored(skill())
    entity.name = "another"

    found = check_history(entity, versions(1, last=entity.version_hash))

    assert [violation.message for violation in found] == [
        "version_hash is not the hash of the content: commit or refresh the entity."
    ]


def test_history_messages_say_what_to_do() -> None:
    """Lost and missing entries are told apart."""
    entity = stored(skill(), version=4)
    lost = check_history(entity, versions(2, 4, last=entity.version_hash))

    assert [violation.message for violation in lost] == [
        "the history does not begin with version 1: restore the first entries from a backup.",
        "the history has gaps, repetitions or another order: verify the audit trail.",
    ]
    assert check_history(entity, [])[0].message == (
        "version is not recorded: write the entity through a session and commit."
    )
    assert check_history(entity, versions(1, last="f" * 64))[0].message == (
        "version is not the last one recorded: commit or refresh the entity."
    )


def test_a_chain_of_retired_predecessors() -> None:
    """Two generations, both out of use, are a kept chain."""
    first = skill(status="archived")
    second = skill(status="deprecated", supersedes_id=first.id)

    assert check_supersession(skill(status="active", supersedes_id=second.id), [first, second]) == []


def test_a_draft_may_supersede_what_is_in_use() -> None:
    """The predecessor retires when its successor becomes active, not before."""
    old = skill(status="active")

    assert check_supersession(skill(status="draft", supersedes_id=old.id), [old]) == []


def test_each_flaw_of_a_predecessor() -> None:
    """A predecessor of another type and agent that is still in use breaks three rules."""
    old = Team(governance_agent_id="b", name="t", status="active")

    found = check_supersession(skill(status="active", supersedes_id=old.id), [old])

    assert [violation.message for violation in found] == [
        "the superseded entity is of another entity type: supersede an entity of the same type.",
        "the superseded entity belongs to another governance agent: supersede an entity of the same agent.",
        "the superseded entity is still in use: deprecate or archive it when its successor takes over.",
    ]
    assert {violation.code for violation in found} == {Code.SUPERSESSION}


def test_a_chain_with_a_missing_link() -> None:
    """A predecessor that refers to nothing breaks the chain of its successor."""
    old = skill(status="archived", supersedes_id=uuid4())

    found = check_supersession(skill(supersedes_id=old.id), [old])

    assert [violation.message for violation in found] == [
        "the superseded entity is not there: load it, or refer to one that exists."
    ]


def test_two_successors() -> None:
    """A chain that forks is told for the entity whose predecessor another one supersedes too."""
    old = skill(status="archived")
    rival = skill(supersedes_id=old.id)

    found = check_supersession(skill(supersedes_id=old.id), [old, rival])

    assert [violation.message for violation in found] == [
        "the superseded entity has two successors: let the later one supersede the earlier."
    ]


def test_a_chain_that_leads_back() -> None:
    """Following a circle ends, and the circle is one violation."""
    first, second = skill(status="archived"), skill(status="archived")
    first.supersedes_id, second.supersedes_id = second.id, first.id

    assert told(check_supersession(first, [second])) == [("cycle", "supersedes_id")]


FAR = UUID(int=5)


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        (skill(), []),
        (skill(embedding=[1.0] * 384, embedding_model="hash-ngrams-1"), []),
        (skill(embedding=[1.0] * 384), [("L1.skill", "embedding_model")]),
        (skill(embedding_model="hash-ngrams-1"), [("L1.skill", "embedding")]),
        (skill(category=None), [("L1.skill", "category")]),
        (Industry(name="i"), []),
        (Industry(name="i", regulated=True, code="522110"), []),
        (Industry(name="i", regulated=True), [("L1.industry", "code")]),
        (JobRole(name="r"), []),
        (JobRole(), [("L1.job_role", "name")]),
        (Team(name="t"), []),
        (Team(name="t", status="active", mission="ship"), []),
        (Team(name="t", status="active"), [("L1.team", "mission")]),
        (Agent(name="a", skill_id=FAR, job_role_id=FAR, industry_id=FAR), []),
        (
            Agent(id=FAR, name="a", skill_id=FAR, job_role_id=None),
            [("L1.agent", "job_role_id"), ("L1.agent", "industry_id"), ("L1.agent", "skill_id")],
        ),
    ],
)
def test_the_rules_of_each_type(entity: BaseEntity, expected: list[tuple[str, str]]) -> None:
    """Required fields and the type's own rules, one violation for each that is broken."""
    assert sorted(told(check_type(entity))) == sorted(expected)


def test_rules_of_types_say_what_to_do() -> None:
    """Messages of L1 name the field and the way out."""
    assert [violation.message for violation in check_type(Industry(regulated=True))] == [
        "name has no value: every industry needs one.",
        "code is missing: a regulated industry names its code, by which its supervisor is found.",
    ]
    assert [violation.message for violation in check_type(skill(embedding=[1.0] * 384))] == [
        "embedding_model is missing: name the model the embedding came from."
    ]
    assert [violation.message for violation in check_type(skill(embedding_model="m"))] == [
        "embedding is missing: embed the skill, or leave embedding_model empty too."
    ]
    assert [violation.message for violation in check_type(Team(name="t", status="active"))] == [
        "mission is missing: an active team says what it is for."
    ]
    itself = Agent(id=FAR, name="a", skill_id=FAR, job_role_id=uuid4(), industry_id=uuid4())
    assert [violation.message for violation in check_type(itself)] == [
        "skill_id is the agent itself: refer to an entity of the right type."
    ]


def test_flaws_of_every_generation_are_returned() -> None:
    """What is wrong with a predecessor is not forgotten when the next one is judged."""
    first = skill(governance_agent_id="b", status="archived")
    second = skill(status="active", supersedes_id=first.id)
    found = check_supersession(skill(status="active", supersedes_id=second.id), [first, second])

    assert [violation.message.partition(":")[0] for violation in found] == [
        "the superseded entity is still in use",
        "the superseded entity belongs to another governance agent",
    ]
