"""`industry`: the field of business an agent works in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, validates

from plant.core import checks
from plant.core.values import StrictBoolean, StrictText, StrictUuid
from plant.models import fields
from plant.models.base import OWN_KEY, BaseEntity, identity
from plant.models.vocabulary import EntityType, length


class Industry(BaseEntity):
    """An industry; `code` is that of a classification such as NAICS, `regulated` whether a supervisor licenses it."""

    __tablename__ = "industry"
    __table_args__: Any = (
        PrimaryKeyConstraint("governance_agent_id", "id"),
        ForeignKeyConstraint(["governance_agent_id", "id"], OWN_KEY, ondelete="RESTRICT"),
        CheckConstraint(length("code"), name="code"),
    )
    __mapper_args__: Any = identity(EntityType.INDUSTRY)

    governance_agent_id: Mapped[str] = mapped_column(StrictText)
    id: Mapped[UUID] = mapped_column(StrictUuid)
    code: Mapped[str | None] = mapped_column(StrictText)
    regulated: Mapped[bool] = mapped_column(StrictBoolean, server_default=text("false"))

    def __init__(self, **values: Any) -> None:
        values.setdefault("regulated", False)
        super().__init__(**values)

    def content(self) -> dict[str, Any]:
        """The base's fields and this table's."""
        return super().content() | {"code": self.code, "regulated": self.regulated}

    @validates("regulated")
    def _regulated(self, field: str, value: bool | None) -> bool | None:
        return None if value is None else checks.checked_boolean(value, field)

    @validates("code")
    def _code(self, field: str, value: str | None) -> str | None:
        return None if value is None else fields.text(field, value)
