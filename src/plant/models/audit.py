"""The tables of the audit trail as the models know them; only the database's triggers write them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from plant.models.metadata import Base


class AuditEntry(Base):
    """One change of one entity, number `seq` (1, 2, ...) of its governance agent's chain; hashes are SHA-256 in hex."""

    __tablename__ = "audit_log"
    __table_args__: Any = (
        PrimaryKeyConstraint("governance_agent_id", "seq"),
        UniqueConstraint("governance_agent_id", "entity_id", "version"),
        Index(None, "governance_agent_id", "created_at"),
    )
    governance_agent_id: Mapped[str] = mapped_column(Text)
    seq: Mapped[int] = mapped_column(BigInteger, autoincrement=False)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    transaction_id: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    entity_type: Mapped[str] = mapped_column(Text)
    entity_id: Mapped[UUID] = mapped_column(Uuid)
    version: Mapped[int] = mapped_column(Integer)
    version_hash: Mapped[str] = mapped_column(Text)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    prev_hash: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(Text)


class AuditHead(Base):
    """The last entry of each chain; its row is the lock by which the chain's writers take turns."""

    __tablename__ = "audit_head"

    governance_agent_id: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(Text)


audit_pending = Table(
    "audit_pending",
    Base.metadata,
    Column("transaction_id", BigInteger, autoincrement=False),
    Column("entity_id", Uuid),
    Column("version", Integer, autoincrement=False),
    Column("governance_agent_id", Text),
    Column("entity_type", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("awaits_child", Boolean, nullable=False, server_default=text("true")),
    Column("version_hash", Text, nullable=False),
    Column("content", JSONB, nullable=False),
    PrimaryKeyConstraint("transaction_id", "entity_id", "version", "governance_agent_id"),
    prefixes=["UNLOGGED"],
)
"""What the running transaction changed and COMMIT will seal into the chain; empty between transactions."""
