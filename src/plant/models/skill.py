"""`skill`: what an agent can do, with the embedding by which it is found."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column, validates

from plant.core.values import StrictText, StrictUuid, StrictVector
from plant.models import fields
from plant.models.base import OWN_KEY, BaseEntity, identity
from plant.models.canonical import vector_digest
from plant.models.vocabulary import EntityType, SkillCategory, length, one_of

# The squared length as pgvector computes it for distances, in float32.
DIRECTION = """vector_negative_inner_product(embedding, embedding) < 0
 AND vector_negative_inner_product(embedding, embedding) > '-infinity'"""


class Skill(BaseEntity):
    """A skill; `embedding` is float32 of shape (384,), finite and not zero, or None."""

    __tablename__ = "skill"
    __table_args__: Any = (
        PrimaryKeyConstraint("governance_agent_id", "id"),
        ForeignKeyConstraint(["governance_agent_id", "id"], OWN_KEY, ondelete="RESTRICT"),
        Index(None, "governance_agent_id", "category"),
        Index(
            None,
            "embedding",
            postgresql_using="hnsw",
            postgresql_ops={"embedding": "vector_cosine_ops"},
        ),
        CheckConstraint(one_of("category", SkillCategory), name="category"),
        CheckConstraint(DIRECTION, name="embedding"),
        CheckConstraint(length("embedding_model"), name="embedding_model"),
    )
    __mapper_args__: Any = identity(EntityType.SKILL)

    governance_agent_id: Mapped[str] = mapped_column(StrictText)
    id: Mapped[UUID] = mapped_column(StrictUuid)
    category: Mapped[str] = mapped_column(StrictText)
    embedding: Mapped[NDArray[np.float32] | None] = mapped_column(StrictVector(fields.DIMENSIONS))
    embedding_model: Mapped[str | None] = mapped_column(StrictText)

    def content(self) -> dict[str, Any]:
        """The vector takes part by the SHA-256 of its binary form."""
        return super().content() | {
            "category": self.category,
            "embedding": vector_digest(self.embedding),
            "embedding_model": self.embedding_model,
        }

    @validates("category")
    def _category(self, field: str, value: str | None) -> str | None:
        return None if value is None else fields.choice(field, value, SkillCategory)

    @validates("embedding")
    def _embedding(self, field: str, value: Any) -> NDArray[np.float32] | None:
        return None if value is None else fields.vector(field, value)

    @validates("embedding_model")
    def _model(self, field: str, value: str | None) -> str | None:
        return None if value is None else fields.text(field, value)
