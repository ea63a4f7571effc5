"""`team`: agents that work together."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column, validates

from plant.core.values import StrictInteger, StrictText, StrictUuid
from plant.models import fields
from plant.models.base import OWN_KEY, BaseEntity, identity
from plant.models.vocabulary import EntityType, length


class Team(BaseEntity):
    """A team; `capacity` is the largest number of agents, 1 to 10,000, or None for no limit."""

    __tablename__ = "team"
    __table_args__: Any = (
        PrimaryKeyConstraint("governance_agent_id", "id"),
        ForeignKeyConstraint(["governance_agent_id", "id"], OWN_KEY, ondelete="RESTRICT"),
        CheckConstraint(length("mission", fields.PROSE), name="mission"),
        CheckConstraint("capacity BETWEEN 1 AND 10000", name="capacity"),
    )
    __mapper_args__: Any = identity(EntityType.TEAM)

    governance_agent_id: Mapped[str] = mapped_column(StrictText)
    id: Mapped[UUID] = mapped_column(StrictUuid)
    mission: Mapped[str | None] = mapped_column(StrictText)
    capacity: Mapped[int | None] = mapped_column(StrictInteger)

    def content(self) -> dict[str, Any]:
        """The base's fields and this table's."""
        return super().content() | {"mission": self.mission, "capacity": self.capacity}

    @validates("mission")
    def _mission(self, field: str, value: str | None) -> str | None:
        return None if value is None else fields.text(field, value, longest=fields.PROSE)

    @validates("capacity")
    def _capacity(self, field: str, value: int | None) -> int | None:
        return None if value is None else fields.whole(field, value, least=1, most=10_000)
