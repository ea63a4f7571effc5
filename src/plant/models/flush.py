"""What happens to an entity just before it is written: in-memory cycles are refused, the content hash is sent along.

It reads only what is loaded; what it cannot know here, the database's triggers refuse.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, event
from sqlalchemy.orm import Mapper, Session, object_session
from sqlalchemy.orm.attributes import get_history
from sqlalchemy.orm.util import identity_key

from plant.core.errors import InvalidValue
from plant.models import fields
from plant.models.base import BaseEntity


def prepare(_mapper: Mapper[Any], _connection: Connection, entity: BaseEntity) -> None:
    """Mapper hook for inserts and updates; raises InvalidValue for `parent_id`, `tags` or `attributes`."""
    if entity.parent_id is not None and get_history(entity, "parent_id").has_changes():
        session = object_session(entity)
        assert session is not None  # noqa: S101 - a flush has a session
        refuse_cycle(entity, session)
    if entity.tags is not None:
        fields.tags("tags", entity.tags)
    if entity.attributes is not None:
        fields.json_object("attributes", entity.attributes)
    digest = entity.content_hash()
    if entity.version_hash != digest:
        entity.version_hash = digest


def refuse_cycle(entity: BaseEntity, session: Session) -> None:
    """Follows the parents that are loaded; raises InvalidValue where they lead back to the entity."""
    seen: set[UUID] = set()
    step: BaseEntity | None = entity
    while step is not None and step.parent_id is not None and step.id not in seen:
        seen.add(step.id)
        if step.parent_id == entity.id:
            raise InvalidValue(
                "parent_id makes the entity its own ancestor: choose a parent that is not a descendant.",
                field="parent_id",
            )
        step = session.identity_map.get(identity_key(BaseEntity, step.parent_id))


event.listen(BaseEntity, "before_insert", prepare, propagate=True)
event.listen(BaseEntity, "before_update", prepare, propagate=True)
