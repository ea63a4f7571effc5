"""The column type of embeddings: `vector(n)` in the database, a float32 array in Python, the same on both drivers.

plant's engines send the array by their codec, others pgvector's text form: exact too, and several times as slow. What
`fields.vector` refuses is refused before the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector.sqlalchemy import VECTOR
from sqlalchemy import Dialect

from plant.models.fields import DIMENSIONS, vector


class Embedding(VECTOR):
    """`vector(dim)`; binds lists, tuples and numeric arrays of shape (dim,), returns float32 arrays of that shape."""

    cache_ok = True

    def __init__(self, dim: int = DIMENSIONS) -> None:
        super().__init__(dim)
        self.dimensions = dim

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | NDArray[np.float32] | None]:
        """Raises InvalidValue or DimensionMismatch; SQLAlchemy wraps it in a StatementError's `orig`."""
        form = _itself if getattr(dialect, "has_vector_codec", False) else to_text

        def process(value: Any) -> str | NDArray[np.float32] | None:
            return None if value is None else form(vector("embedding", value, dimensions=self.dimensions))

        return process

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], NDArray[np.float32] | None]:
        """Text where no codec is registered on the connection, an array where one is."""

        def process(value: Any) -> NDArray[np.float32] | None:
            return from_text(value) if isinstance(value, str) else value

        return process


def _itself(array: NDArray[np.float32]) -> NDArray[np.float32]:
    return array


def to_text(array: NDArray[np.float32]) -> str:
    """`[1.0,2.5]`: the shortest digits of each number as a double, which the server rounds back to the same float32."""
    return f"[{','.join(map(repr, array.tolist()))}]"


def from_text(value: str) -> NDArray[np.float32]:
    """The array of pgvector's text form."""
    return np.array(value[1:-1].split(","), dtype=np.float32)
