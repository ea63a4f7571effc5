"""All fields of an entity to be, judged at once; the model's constructor stops at the first bad one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plant.models import BaseEntity
from plant.validators.violation import Code, Violation, refusal


def check_values(kind: type[BaseEntity], values: Mapping[str, Any]) -> list[Violation]:
    """What `kind(**values)` would refuse, in the order of `values`; fields left out are not judged."""
    entity = kind()
    columns = set(kind.__mapper__.column_attrs.keys())
    found: list[Violation] = []
    for field, value in values.items():
        if field in columns:
            found += refusal(setattr, entity, field, value, field=field)
        else:
            message = f"{field} is no field of {kind.__name__}: use one of {', '.join(sorted(columns))}."
            found.append(Violation(code=Code.UNKNOWN_FIELD, field=field, message=message))
    return found
