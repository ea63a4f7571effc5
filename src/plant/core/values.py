"""Column types with one meaning on both drivers: the same value is stored as the same bytes, or refused by
both.

Each type checks what is bound to it (plant.core.checks) before anything is sent, and names its column in
the error: a type attached to a column learns the column's name. What is read back is equal and of equal
type: aware datetimes in UTC, uuid.UUID, Decimal, list, float32 arrays. `text()` binds have no type and so
no checks: give them one.
"""

from __future__ import annotations

from copy import copy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    Integer,
    Interval,
    Numeric,
    SmallInteger,
    String,
    Text,
    Uuid,
    event,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeDecorator, TypeEngine

from plant.core import checks
from plant.core.drivers import vectors

INTEGERS = {16: SmallInteger, 32: Integer, 64: BigInteger}


class Named:
    """A type that knows the field it stands for; None until it is attached to a column."""

    field: str | None = None

    def named(self, field: str) -> Self:
        """A copy for this field."""
        twin = copy(self)
        twin.field = field
        return twin


class StrictText(Named, TypeDecorator[str]):
    """text, or varchar(max_length); refuses NUL, lone surrogates, and what is longer."""

    impl = Text
    cache_ok = True

    def __init__(self, max_length: int | None = None, field: str | None = None) -> None:
        super().__init__()
        if max_length is not None:
            self.impl = String(max_length)  # type: ignore[assignment]
        self.max_length = max_length
        self.field = field

    def process_bind_param(self, value: Any, _dialect: Dialect) -> str | None:
        """Raises InvalidValue."""
        return None if value is None else checks.checked_text(value, self.field, max_length=self.max_length)

    def coerce_compared_value(self, _op: OperatorType | None, _value: Any) -> TypeEngine[Any]:
        """What is compared (a pattern, say) may be longer than what is stored."""
        return StrictText(None, self.field)


class StrictTextArray(Named, TypeDecorator[list[str]]):
    """text[] of StrictText items."""

    impl = ARRAY(Text)
    cache_ok = True

    def __init__(self, max_length: int | None = None, field: str | None = None) -> None:
        super().__init__()
        self.max_length = max_length
        self.field = field

    def process_bind_param(self, value: Any, _dialect: Dialect) -> list[str] | None:
        """Raises InvalidValue; a tuple is accepted, a str is not."""
        return None if value is None else checks.checked_texts(value, self.field, max_length=self.max_length)

    def coerce_compared_value(self, _op: OperatorType | None, value: Any) -> TypeEngine[Any]:
        """Lists are compared with lists, items with items."""
        return self if isinstance(value, (list, tuple)) else StrictText(None, self.field)


class StrictInteger(Named, TypeDecorator[int]):
    """smallint, integer or bigint by `bits` (16, 32, 64); refuses floats, bools, text and what does not
    fit.
    """

    impl = Integer
    cache_ok = True

    def __init__(self, bits: int = 32, field: str | None = None) -> None:
        super().__init__()
        self.impl = INTEGERS[bits]()  # type: ignore[assignment]
        self.bits = bits
        self.field = field

    def process_bind_param(self, value: Any, _dialect: Dialect) -> int | None:
        """Raises InvalidValue."""
        return None if value is None else checks.checked_integer(value, self.field, bits=self.bits)


class StrictNumeric(Named, TypeDecorator[Decimal]):
    """numeric(precision, scale); takes Decimal and int, refuses floats, bools, text, NaN and what would be
    rounded.
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int, field: str | None = None) -> None:
        super().__init__(precision, scale)
        self.precision = precision
        self.scale = scale
        self.field = field

    def process_bind_param(self, value: Any, _dialect: Dialect) -> Decimal | None:
        """Raises InvalidValue."""
        if value is None:
            return None
        return checks.checked_numeric(value, self.field, precision=self.precision, scale=self.scale)


class StrictFloat(Named, TypeDecorator[float]):
    """double precision; takes finite floats only."""

    impl = Double
    cache_ok = True

    def __init__(self, field: str | None = None) -> None:
        super().__init__()
        self.field = field

    def process_bind_param(self, value: Any, _dialect: Dialect) -> float | None:
        """Raises InvalidValue."""
        return None if value is None else checks.checked_float(value, self.field)


class UtcDateTime(Named, TypeDecorator[datetime]):
    """timestamptz; takes aware datetimes, gives them in UTC, refuses naive ones and infinity both ways."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def __init__(self, field: str | None = None) -> None:
        super().__init__()
        self.field = field

    def process_bind_param(self, value: Any, _dialect: Dialect) -> datetime | None:
        """Raises InvalidValue."""
        return None if value is None else checks.checked_moment(value, self.field)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Raises InvalidValue for infinity, which one driver gives as a naive datetime."""
        if value is None or value.tzinfo is UTC:
            return value
        if value.tzinfo is None:
            checks.refuse(self.field, "is infinity in the database, which a datetime cannot hold")
        return value.astimezone(UTC)

    def coerce_compared_value(self, _op: OperatorType | None, value: Any) -> TypeEngine[Any]:
        """A moment plus or minus a timedelta."""
        return Interval() if isinstance(value, timedelta) else self


class WallTime(Named, TypeDecorator[datetime]):
    """timestamp without time zone; takes naive datetimes only."""

    impl = DateTime
    cache_ok = True

    def __init__(self, field: str | None = None) -> None:
        super().__init__()
        self.field = field

    def process_bind_param(self, value: Any, _dialect: Dialect) -> datetime | None:
        """Raises InvalidValue."""
        return None if value is None else checks.checked_wall_time(value, self.field)


class StrictBoolean(Named, TypeDecorator[bool]):
    """boolean; takes True and False only."""

    impl = Boolean
    cache_ok = True

    def __init__(self, field: str | None = None) -> None:
        super().__init__()
        self.field = field

    def process_bind_param(self, value: Any, _dialect: Dialect) -> bool | None:
        """Raises InvalidValue."""
        return None if value is None else checks.checked_boolean(value, self.field)


class StrictUuid(Named, TypeDecorator[UUID]):
    """uuid; takes and gives uuid.UUID itself."""

    impl = Uuid
    cache_ok = True

    def __init__(self, field: str | None = None) -> None:
        super().__init__()
        self.field = field

    def process_bind_param(self, value: Any, _dialect: Dialect) -> UUID | None:
        """Raises InvalidValue."""
        return None if value is None else checks.checked_uuid(value, self.field)


class StrictJson(Named, TypeDecorator[Any]):
    """jsonb of dicts, lists, text, finite numbers, bools and None; refuses what would come back changed."""

    impl = JSONB(none_as_null=True)
    cache_ok = True

    def __init__(self, field: str | None = None) -> None:
        super().__init__()
        self.field = field

    def process_bind_param(self, value: Any, _dialect: Dialect) -> Any:
        """Raises InvalidValue."""
        return checks.checked_json(value, self.field)

    def coerce_compared_value(self, _op: OperatorType | None, value: Any) -> TypeEngine[Any]:
        """Keys and paths are not JSON themselves."""
        return self.impl_instance.coerce_compared_value(_op, value)


class StrictVector(Named, VECTOR):
    """pgvector's vector(dim) with its distance operators; takes sequences of real numbers, gives float32
    arrays.

    Raises DimensionMismatch or InvalidValue; see plant.core.checks.checked_vector. plant's engines send and give it by
    their codec, others as pgvector's text: exact too, and several times as slow.
    """

    cache_ok = True

    def __init__(self, dim: int, field: str | None = None) -> None:
        super().__init__(dim)
        self.dimensions = dim
        self.field = field

    def bind_processor(self, dialect: Dialect) -> Any:
        """Check and convert; the codec does the rest, where there is one."""
        has_codec = getattr(dialect, "has_vector_codec", False)

        def process(value: Any) -> Any:
            if value is None:
                return None
            vector = checks.checked_vector(value, self.field, dimensions=self.dimensions)
            return vector if has_codec else vectors.to_text(vector)

        return process

    def result_processor(self, dialect: Dialect, _coltype: object) -> Any:
        """Nothing is left to do where there is a codec."""
        if getattr(dialect, "has_vector_codec", False):
            return None
        return lambda value: vectors.from_text(value) if isinstance(value, str) else value


@event.listens_for(Column, "after_parent_attach")
def _name_field(column: Column[Any], _: object) -> None:
    if isinstance(column.type, Named) and column.type.field is None:
        column.type = column.type.named(column.name)
