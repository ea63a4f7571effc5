"""`agent`: one worker, bound to the skill, role, industry and team of its own governance agent and of no other."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from plant.core.values import StrictText, StrictUuid
from plant.models.base import OWN_KEY, BaseEntity, identity
from plant.models.canonical import identifier
from plant.models.industry import Industry
from plant.models.job_role import JobRole
from plant.models.skill import Skill
from plant.models.team import Team
from plant.models.vocabulary import EntityType


def _reference(column: str, target: type[BaseEntity]) -> ForeignKeyConstraint:
    """The agent's id is part of the key, so another's row is as missing as one that does not exist."""
    return ForeignKeyConstraint(
        ["governance_agent_id", column],
        [f"plant.{target.__tablename__}.governance_agent_id", f"plant.{target.__tablename__}.id"],
        ondelete="RESTRICT",
    )


class Agent(BaseEntity):
    """An agent; skill, role and industry are required, a team is not."""

    __tablename__ = "agent"
    __table_args__: Any = (
        PrimaryKeyConstraint("governance_agent_id", "id"),
        ForeignKeyConstraint(["governance_agent_id", "id"], OWN_KEY, ondelete="RESTRICT"),
        _reference("skill_id", Skill),
        _reference("job_role_id", JobRole),
        _reference("industry_id", Industry),
        _reference("team_id", Team),
        Index(None, "governance_agent_id", "skill_id"),
        Index(None, "governance_agent_id", "job_role_id"),
        Index(None, "governance_agent_id", "industry_id"),
        Index(None, "governance_agent_id", "team_id"),
    )
    governance_agent_id: Mapped[str] = mapped_column(StrictText)
    id: Mapped[UUID] = mapped_column(StrictUuid)
    skill_id: Mapped[UUID] = mapped_column(StrictUuid)
    job_role_id: Mapped[UUID] = mapped_column(StrictUuid)
    industry_id: Mapped[UUID] = mapped_column(StrictUuid)
    team_id: Mapped[UUID | None] = mapped_column(StrictUuid)

    __mapper_args__: Any = identity(EntityType.AGENT)

    def content(self) -> dict[str, Any]:
        """The base's fields and this table's."""
        return super().content() | {
            "skill_id": identifier(self.skill_id),
            "job_role_id": identifier(self.job_role_id),
            "industry_id": identifier(self.industry_id),
            "team_id": identifier(self.team_id),
        }
