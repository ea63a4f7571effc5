"""The canonical content of an entity and its SHA-256, equal to what the database's triggers compute. Pure.

Content is one JSON object in the text form of PostgreSQL's `jsonb`: keys by length then bytes, `", "` and `": "`,
numbers in plain decimal notation as `numeric` prints them. No server or session setting takes part.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
_quote = json.encoder.encode_basestring


def canonical_json(value: Any) -> str:
    """`value::jsonb::text` without a server; raises TypeError for what JSON does not have."""
    if isinstance(value, str):
        return _quote(value)
    if value is None:
        return "null"
    if isinstance(value, int):
        return ("true" if value else "false") if isinstance(value, bool) else str(int(value))
    if isinstance(value, Mapping):
        pairs = [f"{quoted}: {canonical_json(value[key])}" for key, quoted in _ordered(tuple(value))]
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(canonical_json, value))}]"
    if isinstance(value, float | Decimal):
        return _number(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def content_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical text in UTF-8, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def microseconds(moment: datetime | None) -> int | None:
    """Whole microseconds since 1970-01-01 UTC, exact."""
    return None if moment is None else (moment - EPOCH) // MICROSECOND


def identifier(value: UUID | None) -> str | None:
    """The text form of a uuid; also for the drivers' own subclasses of UUID."""
    return None if value is None else str(value)


def vector_digest(array: NDArray[np.float32] | None) -> str | None:
    """SHA-256 of `vector_send`: int16 dimensions, int16 zero, then each float32, all big-endian."""
    if array is None:
        return None
    return hashlib.sha256(struct.pack(">HH", len(array), 0) + array.astype(">f4").tobytes()).hexdigest()


@lru_cache(maxsize=1024)
def _ordered(keys: tuple[str, ...]) -> list[tuple[str, str]]:
    """Keys in jsonb's order with their quoted form; entities of a kind share them."""
    return [(key, _quote(key)) for key in sorted(keys, key=lambda key: (len(key.encode()), key.encode()))]


def _number(value: float | Decimal) -> str:
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    return format(exact if exact else abs(exact), "f")
