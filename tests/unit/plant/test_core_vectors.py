"""plant.core.drivers.vectors: pgvector's wire format."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plant.core.drivers import vectors

FLOATS = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20)


@given(FLOATS)
def test_every_float32_survives_both_forms(numbers: list[float]) -> None:
    """Bit for bit."""
    array = np.array(numbers, dtype=np.float32)

    assert vectors.from_binary(vectors.to_binary(array)).tobytes() == array.tobytes()
    assert vectors.from_text(vectors.to_text(array)).tobytes() == array.tobytes()


def test_the_binary_form_is_pgvectors() -> None:
    """Two big-endian int16, then big-endian float32; text and sequences give the same bytes."""
    wire = b"\x00\x02\x00\x00\x3f\x80\x00\x00\xc0\x00\x00\x00"

    assert [vectors.to_binary(value) for value in ([1, -2], (1.0, -2.0), "[1,-2]")] == [wire] * 3


def test_what_is_read_is_native_and_writable() -> None:
    """It is a new array, not a view of the driver's buffer."""
    array = vectors.from_binary(vectors.to_binary([1, 2]))
    array[0] = 5

    assert (array.dtype, array.tolist()) == (np.dtype(np.float32), [5.0, 2.0])
