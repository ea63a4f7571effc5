"""pgvector's wire format for `vector`, float32 bit for bit; shared by both drivers' codecs. Pure.

Binary: big-endian int16 dimensions, int16 zero, then one float32 each (pgvector src/vector.c, vector_send).
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
SCHEMA = "public"
HEADER = struct.Struct(">HH")


def to_binary(value: Any) -> bytes:
    """A float32 array, a sequence of numbers or pgvector's text form, as the server's binary form."""
    array = from_text(value) if isinstance(value, str) else np.asarray(value, dtype=np.float32)
    return HEADER.pack(array.shape[0], 0) + array.astype(">f4").tobytes()


def from_binary(data: bytes) -> Floats:
    """A new, writable float32 array of the machine's own byte order."""
    return np.frombuffer(data, dtype=">f4", offset=HEADER.size).astype(np.float32)


def to_text(value: Floats) -> str:
    """`[1,2.5]`; repr of the doubles is exact, so the server reads back the same float32."""
    return f"[{','.join(map(repr, value.tolist()))}]"


def from_text(text: str) -> Floats:
    """The array of pgvector's text form."""
    return np.array([float(number) for number in text.strip()[1:-1].split(",")], dtype=np.float32)
