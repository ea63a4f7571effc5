"""What a validator returns for each broken rule, and the codes of the rules. It judges nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from plant.core.errors import DimensionMismatch, InvalidValue


class Code(StrEnum):
    """L0 rules hold for every entity, L1 rules for one type; the others are about single values."""

    GOVERNANCE_AGENT = "L0.governance_agent"
    HISTORY = "L0.history"
    APPEND_ONLY = "L0.append_only"
    SUPERSESSION = "L0.supersession"
    EXPORT = "L0.export"
    SKILL = "L1.skill"
    INDUSTRY = "L1.industry"
    JOB_ROLE = "L1.job_role"
    TEAM = "L1.team"
    AGENT = "L1.agent"
    VALUE = "value"
    DIMENSION = "dimension"
    UNKNOWN_FIELD = "unknown_field"
    UNIQUE = "unique"
    CYCLE = "cycle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One broken rule: its code, the field to correct, what is wrong and what to do. No stored value."""

    code: Code
    field: str
    message: str


def refusal(check: Callable[..., Any], *arguments: Any, field: str, code: Code = Code.VALUE) -> list[Violation]:
    """The violation for what `check(*arguments)` raises as InvalidValue; empty where it raises nothing."""
    try:
        check(*arguments)
    except DimensionMismatch as problem:
        return [Violation(code=Code.DIMENSION, field=problem.field or field, message=str(problem))]
    except InvalidValue as problem:
        return [Violation(code=code, field=problem.field or field, message=str(problem))]
    return []
