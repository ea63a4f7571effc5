"""The tables of the audit trail as the models know them; only the database's triggers write them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from plant.core.values import StrictInteger, StrictJson, StrictText, StrictUuid, UtcDateTime
from plant.models.metadata import Base


class AuditEntry(Base):
    """One change of one entity, number `seq` (1, 2, ...) of its governance agent's chain; hashes are SHA-256 in hex."""

    __tablename__ = "audit_log"
    __table_args__: Any = (
        PrimaryKeyConstraint("governance_agent_id", "seq"),
        UniqueConstraint("governance_agent_id", "entity_id", "version"),
        Index(None, "governance_agent_id", "created_at"),
    )
    governance_agent_id: Mapped[str] = mapped_column(StrictText)
    seq: Mapped[int] = mapped_column(StrictInteger(64), autoincrement=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    transaction_id: Mapped[int] = mapped_column(StrictInteger(64))
    actor: Mapped[str] = mapped_column(StrictText)
    action: Mapped[str] = mapped_column(StrictText)
    entity_type: Mapped[str] = mapped_column(StrictText)
    entity_id: Mapped[UUID] = mapped_column(StrictUuid)
    version: Mapped[int] = mapped_column(StrictInteger)
    version_hash: Mapped[str] = mapped_column(StrictText)
    content: Mapped[dict[str, Any]] = mapped_column(StrictJson)
    prev_hash: Mapped[str] = mapped_column(StrictText)
    hash: Mapped[str] = mapped_column(StrictText)


class AuditHead(Base):
    """The last entry of each chain; its row is the lock by which the chain's writers take turns."""

    __tablename__ = "audit_head"

    governance_agent_id: Mapped[str] = mapped_column(StrictText, primary_key=True)
    seq: Mapped[int] = mapped_column(StrictInteger(64))
    hash: Mapped[str] = mapped_column(StrictText)


audit_pending = Table(
    "audit_pending",
    Base.metadata,
    Column("transaction_id", StrictInteger(64), autoincrement=False),
    Column("entity_id", StrictUuid),
    Column("version", StrictInteger, autoincrement=False),
    Column("governance_agent_id", StrictText),
    Column("entity_type", StrictText, nullable=False),
    Column("action", StrictText, nullable=False),
    Column("actor", StrictText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, server_default=text("clock_timestamp()")),
    Column("awaits_child", Boolean, nullable=False, server_default=text("true")),
    Column("version_hash", StrictText, nullable=False),
    Column("content", StrictJson, nullable=False),
    PrimaryKeyConstraint("transaction_id", "entity_id", "version", "governance_agent_id"),
    prefixes=["UNLOGGED"],
)
"""What the running transaction changed and COMMIT will seal into the chain; empty between transactions."""
