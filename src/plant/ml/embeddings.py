"""Text to vectors: the `Embedder` protocol and a default without downloads. MiniLM is `plant.ml.minilm`.

Every embedder gives float32 rows of unit length and refuses text that has nothing to embed. It stores
nothing.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from plant.models import fields

DIMENSIONS: Final = fields.DIMENSIONS
LONGEST_TEXT: Final = 20_000
WORD: Final = re.compile(r"\w+")
GRAMS: Final = (3, 4)
WORD_WEIGHT: Final = 6
PAIR_WEIGHT: Final = 4
GRAM_WEIGHT: Final = 2

Floats = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors; `name` goes into `Skill.embedding_model`: only equal names compare."""

    @property
    def name(self) -> str:
        """1 to 200 characters; changes whenever the same text would get another vector."""

    @property
    def dimension(self) -> int:
        """Length of each vector."""

    def embed(self, texts: Sequence[str]) -> Floats:
        """Shape (len(texts), dimension), rows of length 1; InvalidValue names the text: `texts[3]`."""


def as_vector(value: Any, dimension: int = DIMENSIONS, field: str = "embedding") -> Floats:
    """A new float32 array of shape (dimension,) from a list, tuple or numeric array.

    Raises DimensionMismatch for another length, InvalidValue for text, booleans, objects, other shapes, NaN,
    infinity, numbers beyond float32 and the zero vector.
    """
    return fields.vector(field, value, dimensions=dimension)


def checked_texts(texts: Sequence[str]) -> list[str]:
    """The texts, each of 1 to 20,000 characters, not all blank, that a UTF-8 database can store."""
    if isinstance(texts, str | bytes) or not isinstance(texts, Sequence):
        raise fields.refuse("texts", f"is {type(texts).__name__}, not a list of texts", "pass a list of str")
    return [_checked(f"texts[{number}]", text) for number, text in enumerate(texts)]


def _checked(field: str, text: Any) -> str:
    checked = fields.text(field, text, longest=LONGEST_TEXT)
    if checked.isspace():
        raise fields.refuse(field, "is blank", "leave the embedding NULL for an entity that has no text")
    return checked


class HashEmbedder:
    """Signed feature hashing of words, pairs of words and character n-grams; nothing to install or to train.

    Equal text gives the same bits in every process and on every platform: BLAKE2b chooses coordinate and
    sign, weights are whole numbers, and square root and division are correctly rounded. Texts are compared
    without case and in NFKC. Source: Weinberger et al., Feature Hashing for Large Scale Multitask Learning,
    ICML 2009.
    """

    name: Final = "hash-ngrams-1"
    dimension: Final = DIMENSIONS

    def embed(self, texts: Sequence[str]) -> Floats:
        """Shape (len(texts), 384), rows of length 1; texts without a common n-gram are nearly orthogonal."""
        checked = checked_texts(texts)
        rows = np.zeros((len(checked), DIMENSIONS), dtype=np.float64)
        for row, text in zip(rows, checked, strict=True):
            for feature, weight in _features(text):
                coordinate, sign = _place(feature)
                row[coordinate] += sign * weight
        return np.asarray(rows / np.sqrt(np.square(rows).sum(axis=1, keepdims=True)), dtype=np.float32)


def _features(text: str) -> Iterator[tuple[str, int]]:
    """Features and their weights, repeated as often as they occur. Text without a word is taken as one word.

    All weights but one are even: however features cancel each other out, their sum is odd, so never zero.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = WORD.findall(folded) or ["".join(folded.split())]
    yield f"text {folded}", 1
    for word in words:
        yield f"word {word}", WORD_WEIGHT
        framed = f"^{word}$"
        for size in GRAMS:
            for start in range(len(framed) - size + 1):
                yield f"gram {framed[start : start + size]}", GRAM_WEIGHT
    for pair in pairwise(words):
        yield f"pair {' '.join(pair)}", PAIR_WEIGHT


def _place(feature: str) -> tuple[int, int]:
    digest = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "big")
    return (digest >> 1) % DIMENSIONS, 1 if digest & 1 else -1
