"""Reading one entity by its id: the statement, built once per class, and the entity made of its row without a session.

SQLAlchemy's session builds both anew on every call, which takes most of the time of such a read.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Row, Select, bindparam, inspect, select
from sqlalchemy.orm import Mapper, make_transient_to_detached
from sqlalchemy.orm.attributes import instance_state

Entity = TypeVar("Entity")


@cache
def by_id(entity: type[Entity]) -> Select[Any]:
    """`await session.scalar(by_id(Skill), {"entity_id": ...})`: the entity, or None where there is none to be seen."""
    column: Any = entity.id  # type: ignore[attr-defined]
    return select(entity).where(column == bindparam("entity_id"))


@cache
def is_leaf(entity: type[Any]) -> bool:
    """Whether rows of this class are of no other class, so that its own columns are all there are."""
    return len(list(_mapper(entity).self_and_descendants)) == 1


@cache
def columns_by_id(entity: type[Any]) -> Select[Any]:
    """Its columns, each under its attribute's name; the parameter is `entity_id`."""
    mapper = _mapper(entity)
    columns = [attribute.columns[0].label(attribute.key) for attribute in mapper.column_attrs]
    (key,) = mapper.primary_key
    return select(*columns).select_from(mapper.selectable).where(key == bindparam("entity_id", type_=key.type))


def loaded(entity: type[Entity], row: Row[Any]) -> Entity:
    """The entity of that row, as a session leaves it behind: detached, with nothing changed."""
    instance: Entity = _mapper(entity).class_manager.new_instance()
    state = instance_state(instance)
    state.dict.update(row._mapping)
    make_transient_to_detached(instance)
    # As after a load by a session: values that can change in place learn whose they are.
    state.manager.dispatch.load(state, None)
    return instance


def _mapper(entity: type[Any]) -> Mapper[Any]:
    mapper: Mapper[Any] = inspect(entity)
    return mapper
