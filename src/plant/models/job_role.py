"""`job_role`: a position an agent can fill."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, validates

from plant.core.values import StrictText, StrictUuid
from plant.models import fields
from plant.models.base import OWN_KEY, BaseEntity, identity
from plant.models.vocabulary import EntityType, Seniority, length, one_of


class JobRole(BaseEntity):
    """A job role with the level it asks for."""

    __tablename__ = "job_role"
    __table_args__: Any = (
        PrimaryKeyConstraint("governance_agent_id", "id"),
        ForeignKeyConstraint(["governance_agent_id", "id"], OWN_KEY, ondelete="RESTRICT"),
        CheckConstraint(one_of("seniority", Seniority), name="seniority"),
        CheckConstraint(length("department"), name="department"),
    )
    __mapper_args__: Any = identity(EntityType.JOB_ROLE)

    governance_agent_id: Mapped[str] = mapped_column(StrictText)
    id: Mapped[UUID] = mapped_column(StrictUuid)
    seniority: Mapped[str] = mapped_column(StrictText, server_default=text("'mid'"))
    department: Mapped[str | None] = mapped_column(StrictText)

    def __init__(self, **values: Any) -> None:
        values.setdefault("seniority", Seniority.MID.value)
        super().__init__(**values)

    def content(self) -> dict[str, Any]:
        """The base's fields and this table's."""
        return super().content() | {"seniority": self.seniority, "department": self.department}

    @validates("seniority")
    def _seniority(self, field: str, value: str | None) -> str | None:
        return None if value is None else fields.choice(field, value, Seniority)

    @validates("department")
    def _department(self, field: str, value: str | None) -> str | None:
        return None if value is None else fields.text(field, value)
