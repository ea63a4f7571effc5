"""Fields judged together, before an entity is made."""

from __future__ import annotations

from datetime import datetime

import pytest

from plant.core.errors import DimensionMismatch, InvalidValue
from plant.models import Agent, BaseEntity, Skill, Team
from plant.validators.values import check_values
from plant.validators.violation import Code, Violation, refusal


def test_good_values_break_no_rule() -> None:
    """What the constructor would take passes."""
    values = {"governance_agent_id": "a'b\"c", "name": "n", "category": "technical", "embedding": [1.0] * 384}

    assert check_values(Skill, values) == []


def test_every_bad_field_is_returned() -> None:
    """Nine bad values give nine violations, in the order of the fields, each with its code."""
    found = check_values(
        Skill,
        {
            "governance_agent_id": "x" * 300,
            "name": "nul \0",
            "external_id": "\ud800",
            "status": "retired",
            "category": "magic",
            "alignment_checked_at": datetime(2026, 1, 1),
            "embedding": [1.0] * 383,
            "attributes": {"x": float("nan")},
            "colour": "red",
        },
    )

    assert [(violation.code, violation.field) for violation in found] == [
        (Code.VALUE, "governance_agent_id"),
        (Code.VALUE, "name"),
        (Code.VALUE, "external_id"),
        (Code.VALUE, "status"),
        (Code.VALUE, "category"),
        (Code.VALUE, "alignment_checked_at"),
        (Code.DIMENSION, "embedding"),
        (Code.VALUE, "attributes"),
        (Code.UNKNOWN_FIELD, "colour"),
    ]


def test_messages_are_the_models_own() -> None:
    """The text of a violation is that of the error the constructor would raise."""
    with pytest.raises(InvalidValue) as caught:
        Team(capacity=0)

    assert check_values(Team, {"capacity": 0})[0].message == str(caught.value)


def test_an_unknown_field_is_told_the_known_ones() -> None:
    """The message lists the fields there are."""
    found = check_values(Agent, {"skil_id": None})

    assert found[0].message.startswith("skil_id is no field of Agent: use one of alignment_checked_at, ")
    assert " skill_id," in found[0].message


@pytest.mark.parametrize("kind", [InvalidValue, DimensionMismatch])
def test_a_refusal_without_a_field_gets_one(kind: type[InvalidValue]) -> None:
    """Where an error names no field, the checked one is named."""

    def refuse() -> None:
        raise kind("no")

    code = Code.DIMENSION if kind is DimensionMismatch else Code.VALUE
    assert refusal(refuse, field="f") == [Violation(code=code, field="f", message="no")]


def test_other_errors_are_not_hidden() -> None:
    """A check that fails by mistake is no violation."""
    with pytest.raises(ZeroDivisionError):
        refusal(lambda: 1 // 0, field="f")


def test_the_base_has_no_fields_of_its_children() -> None:
    """Fields are those of the type asked for."""
    assert BaseEntity.__mapper__.column_attrs.keys() != Skill.__mapper__.column_attrs.keys()
    assert check_values(Team, {"category": "technical"})[0].code is Code.UNKNOWN_FIELD
