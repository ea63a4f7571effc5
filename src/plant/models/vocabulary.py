"""The words of the schema: entity types, statuses, categories, and the SQL of the checks that allow them. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from plant.models.fields import NAME

UNSETTLED: Final = "0" * 64
AUTHOR: Final = "system"


class EntityType(StrEnum):
    """The discriminator; each value is also the name of its table."""

    SKILL = "skill"
    INDUSTRY = "industry"
    JOB_ROLE = "job_role"
    TEAM = "team"
    AGENT = "agent"


class Status(StrEnum):
    """Lifecycle; `deleted` is the soft delete, rows themselves are never removed."""

    DRAFT = "draft"
    ACTIVE = "active"
    DEPRECATED = "deprecated"
    ARCHIVED = "archived"
    DELETED = "deleted"


class Alignment(StrEnum):
    """Result of the last check against the constitution."""

    UNCHECKED = "unchecked"
    ALIGNED = "aligned"
    MISALIGNED = "misaligned"


class SkillCategory(StrEnum):
    """What kind of skill it is."""

    TECHNICAL = "technical"
    SOFT = "soft_skill"
    DOMAIN = "domain_expertise"


class Seniority(StrEnum):
    """The level a job role asks for."""

    JUNIOR = "junior"
    MID = "mid"
    SENIOR = "senior"
    LEAD = "lead"


class Action(StrEnum):
    """What an audit entry tells; `delete` is the change to status deleted, `adopt` an entity older than the trail."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    ADOPT = "adopt"


def one_of(column: str, words: type[StrEnum]) -> str:
    """The SQL of a check that allows these words."""
    return f"{column} IN ({', '.join(repr(str(word)) for word in words)})"


def length(column: str, longest: int = NAME) -> str:
    """The SQL of a check for 1 to `longest` characters."""
    return f"char_length({column}) BETWEEN 1 AND {longest}"
