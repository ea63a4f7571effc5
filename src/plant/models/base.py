"""`base_entity`: what every entity has, in seven sections, and the rules a client can check before the network.

The server decides `created_at`, `updated_at`, `deleted_at` and `version`. The hash that is sent along spares the server
a second write and is never trusted: a trigger replaces a wrong one.
"""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    CheckConstraint,
    FetchedValue,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)
from sqlalchemy.ext.mutable import MutableDict, MutableList
from sqlalchemy.orm import Mapped, mapped_column, validates

from plant.core.errors import InvalidValue
from plant.core.values import StrictInteger, StrictJson, StrictText, StrictTextArray, StrictUuid, UtcDateTime
from plant.models import fields
from plant.models.canonical import content_hash, identifier, microseconds
from plant.models.metadata import Base
from plant.models.vocabulary import AUTHOR, UNSETTLED, Alignment, EntityType, Status, length, one_of

OWN_KEY = ["plant.base_entity.governance_agent_id", "plant.base_entity.id"]
TAGS_CHECK = f"""cardinality(tags) <= {fields.TAGS} AND coalesce(array_ndims(tags), 1) = 1
 AND array_position(tags, NULL) IS NULL"""


def identity(kind: EntityType) -> dict[str, Any]:
    """Mapper arguments of a child: loaded with its own columns also where it is found as a BaseEntity."""
    return {"polymorphic_identity": kind.value, "polymorphic_load": "selectin"}


class BaseEntity(Base):
    """One entity of one governance agent; load it by id and get the subclass it is.

    Text fields hold 1 to 200 characters, `description` and `change_reason` up to 10,000, `tags` up to 100 entries.
    Assigning a value that its field cannot hold raises InvalidValue at once, with `.field`.
    """

    __tablename__ = "base_entity"
    __table_args__: Any = (
        PrimaryKeyConstraint("governance_agent_id", "id"),
        UniqueConstraint("governance_agent_id", "external_id"),
        UniqueConstraint("governance_agent_id", "supersedes_id"),
        ForeignKeyConstraint(["governance_agent_id", "parent_id"], OWN_KEY, ondelete="RESTRICT"),
        ForeignKeyConstraint(["governance_agent_id", "supersedes_id"], OWN_KEY, ondelete="RESTRICT"),
        Index(None, "governance_agent_id", "entity_type", "status"),
        Index(None, "governance_agent_id", "parent_id"),
        Index(None, "governance_agent_id", "created_at"),
        CheckConstraint(length("governance_agent_id"), name="governance_agent_id"),
        CheckConstraint(one_of("entity_type", EntityType), name="entity_type"),
        CheckConstraint(length("external_id"), name="external_id"),
        CheckConstraint(length("name"), name="name"),
        CheckConstraint(length("description", fields.PROSE), name="description"),
        CheckConstraint(one_of("status", Status), name="status"),
        CheckConstraint("isfinite(created_at)", name="created_at"),
        CheckConstraint("isfinite(updated_at) AND updated_at >= created_at", name="updated_at"),
        CheckConstraint("(status = 'deleted') = (deleted_at IS NOT NULL)", name="deleted_at"),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("version_hash ~ '^[0-9a-f]{64}$'", name="version_hash"),
        CheckConstraint("supersedes_id <> id", name="supersedes_id"),
        CheckConstraint(length("constitution_version"), name="constitution_version"),
        CheckConstraint(one_of("alignment_status", Alignment), name="alignment_status"),
        CheckConstraint("isfinite(alignment_checked_at)", name="alignment_checked_at"),
        CheckConstraint(length("created_by"), name="created_by"),
        CheckConstraint(length("updated_by"), name="updated_by"),
        CheckConstraint(length("change_reason", fields.PROSE), name="change_reason"),
        CheckConstraint(TAGS_CHECK, name="tags"),
        CheckConstraint("jsonb_typeof(attributes) = 'object'", name="attributes"),
        CheckConstraint("parent_id <> id", name="parent_id"),
    )
    # identity
    id: Mapped[UUID] = mapped_column(StrictUuid, server_default=text("gen_random_uuid()"))
    governance_agent_id: Mapped[str] = mapped_column(StrictText)
    entity_type: Mapped[str] = mapped_column(StrictText)
    external_id: Mapped[str | None] = mapped_column(StrictText)
    name: Mapped[str] = mapped_column(StrictText)
    description: Mapped[str | None] = mapped_column(StrictText)
    # lifecycle
    status: Mapped[str] = mapped_column(StrictText, server_default=text("'draft'"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(
        UtcDateTime, server_default=text("now()"), server_onupdate=FetchedValue()
    )
    deleted_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime, server_default=FetchedValue(), server_onupdate=FetchedValue()
    )
    # versioning
    version: Mapped[int] = mapped_column(StrictInteger, server_default=text("1"), server_onupdate=FetchedValue())
    version_hash: Mapped[str] = mapped_column(StrictText, server_default=text(f"'{UNSETTLED}'"))
    supersedes_id: Mapped[UUID | None] = mapped_column(StrictUuid)
    # constitutional alignment
    constitution_version: Mapped[str] = mapped_column(StrictText, server_default=text("'1'"))
    alignment_status: Mapped[str] = mapped_column(StrictText, server_default=text("'unchecked'"))
    alignment_checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # audit trail
    created_by: Mapped[str] = mapped_column(StrictText, server_default=text(f"'{AUTHOR}'"))
    updated_by: Mapped[str | None] = mapped_column(StrictText)
    change_reason: Mapped[str | None] = mapped_column(StrictText)
    # metadata
    tags: Mapped[list[str]] = mapped_column(
        MutableList.as_mutable(StrictTextArray(field="tags")), server_default=text("'{}'")
    )
    attributes: Mapped[dict[str, Any]] = mapped_column(
        MutableDict.as_mutable(StrictJson("attributes")), server_default=text("'{}'")
    )
    # relationships
    parent_id: Mapped[UUID | None] = mapped_column(StrictUuid)

    # A change made since the entity was read is not overwritten: the ORM compares versions, the server raises them.
    __mapper_args__: Any = MappingProxyType(
        {
            # A session sees one agent's rows, among which the id says which one.
            "primary_key": ["id"],
            "polymorphic_on": "entity_type",
            "polymorphic_abstract": True,
            "version_id_col": version,
            "version_id_generator": False,
            "eager_defaults": True,
        }
    )

    def __init__(self, **values: Any) -> None:
        """Fields left out get the server's defaults here, so that content and hash are known before a flush."""
        values.setdefault("id", uuid4())
        values.setdefault("status", Status.DRAFT.value)
        values.setdefault("constitution_version", "1")
        values.setdefault("alignment_status", Alignment.UNCHECKED.value)
        values.setdefault("created_by", AUTHOR)
        values.setdefault("tags", [])
        values.setdefault("attributes", {})
        super().__init__(**values)

    def content(self) -> dict[str, Any]:
        """The fields that make a version, as JSON values; the server's timestamps are no part of it."""
        return {
            "id": identifier(self.id),
            "governance_agent_id": self.governance_agent_id,
            "entity_type": self.entity_type,
            "external_id": self.external_id,
            "name": self.name,
            "description": self.description,
            "status": self.status,
            "supersedes_id": identifier(self.supersedes_id),
            "constitution_version": self.constitution_version,
            "alignment_status": self.alignment_status,
            "alignment_checked_at": microseconds(self.alignment_checked_at),
            "created_by": self.created_by,
            "updated_by": self.updated_by,
            "change_reason": self.change_reason,
            "tags": self.tags,
            "attributes": self.attributes,
            "parent_id": identifier(self.parent_id),
        }

    def content_hash(self) -> str:
        """What `version_hash` must be for the present content: SHA-256 as 64 hexadecimal digits."""
        return content_hash(self.content())

    @validates("governance_agent_id", "external_id", "name", "constitution_version", "created_by", "updated_by")
    def _text(self, field: str, value: str | None) -> str | None:
        return None if value is None else fields.text(field, value)

    @validates("description", "change_reason")
    def _prose(self, field: str, value: str | None) -> str | None:
        return None if value is None else fields.text(field, value, longest=fields.PROSE)

    @validates("status")
    def _status(self, field: str, value: str | None) -> str | None:
        return None if value is None else fields.choice(field, value, Status)

    @validates("alignment_status")
    def _alignment(self, field: str, value: str | None) -> str | None:
        return None if value is None else fields.choice(field, value, Alignment)

    @validates("alignment_checked_at")
    def _moment(self, field: str, value: datetime | None) -> datetime | None:
        return None if value is None else fields.moment(field, value)

    @validates("tags")
    def _tags(self, field: str, value: list[str] | None) -> list[str] | None:
        return None if value is None else fields.tags(field, value)

    @validates("attributes")
    def _attributes(self, field: str, value: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if value is None else fields.json_object(field, value)

    @validates("parent_id", "supersedes_id")
    def _not_self(self, field: str, value: UUID | None) -> UUID | None:
        if value is not None and value == self.id:
            raise InvalidValue(f"{field} is the entity itself: refer to another entity, or None.", field=field)
        return value
