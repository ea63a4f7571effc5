"""Owns the entities that are measured: seeded, realistic in size, the same for every contender. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from plant.models import Industry, Skill

DIMENSIONS = 384
AGENT = "agent-a"
SPREAD = 0.6
BASE_COLUMNS = (
    "id",
    "governance_agent_id",
    "entity_type",
    "name",
    "description",
    "status",
    "constitution_version",
    "alignment_status",
    "created_by",
    "tags",
    "attributes",
    "version_hash",
)
SKILL_COLUMNS = ("governance_agent_id", "id", "category", "embedding", "embedding_model")
INDUSTRY_COLUMNS = ("governance_agent_id", "id", "code", "regulated")
_WORDS = (
    *("plan", "write", "review", "measure", "deploy", "secure", "model"),
    *("query", "explain", "teach", "repair", "trade", "design", "index"),
)

Floats = NDArray[np.float32]


def vectors(number: int, *, seed: int, topics: int | None = None) -> Floats:
    """Unit vectors around `topics` (one for 50 vectors) random topics, shape (number, 384).

    Embeddings of texts lie in clusters; independent random vectors, all equally far apart, would be searched by nobody.
    Topics depend on their number alone, so vectors of another seed are fresh queries to the same topics.
    """
    topics = topics or max(1, number // 50)
    centers = _unit(np.random.default_rng(topics).standard_normal((topics, DIMENSIONS), dtype=np.float32))
    dice = np.random.default_rng(seed)
    chosen = centers[dice.integers(topics, size=number)]
    noise = _unit(dice.standard_normal((number, DIMENSIONS), dtype=np.float32))
    return _unit(chosen + SPREAD * noise)


def _unit(array: Floats) -> Floats:
    unit: Floats = (array / np.linalg.norm(array, axis=1, keepdims=True)).astype(np.float32)
    return unit


def facts(number: int, seed: int) -> list[dict[str, Any]]:
    """What a caller knows of `number` entities."""
    dice = np.random.default_rng(seed)
    ids = dice.bytes(16 * number)
    words = dice.integers(len(_WORDS), size=(number, 12))
    return [
        {
            "id": UUID(bytes=ids[16 * n : 16 * n + 16], version=4),
            "name": f"{_WORDS[words[n][0]]} {_WORDS[words[n][1]]} {n}",
            "description": " ".join(_WORDS[word] for word in words[n]),
            "tags": [_WORDS[words[n][2]], _WORDS[words[n][3]]],
            "attributes": {"level": int(words[n][4]), "source": _WORDS[words[n][5]]},
        }
        for n in range(number)
    ]


def skills(known: Sequence[dict[str, Any]], embeddings: Floats, agent: str = AGENT) -> list[Skill]:
    """Skills in no session."""
    fixed = {"governance_agent_id": agent, "category": "technical", "embedding_model": "perf"}
    return [Skill(**fixed, **one, embedding=vector) for one, vector in zip(known, embeddings, strict=True)]


def industries(known: Sequence[dict[str, Any]], agent: str = AGENT) -> list[Industry]:
    """Industries in no session: entities without a vector."""
    return [Industry(governance_agent_id=agent, code="5415", **one) for one in known]


def columns(entities: Sequence[Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """The entities as rows of one table, content hash included."""
    return [
        {name: entity.content_hash() if name == "version_hash" else getattr(entity, name) for name in names}
        for entity in entities
    ]
