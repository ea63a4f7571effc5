"""Faults of vectors: how they are stored, what is refused, and what a search finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from pgmatrix.teeth.faults import Patch
from tests.faults.parts import fault, retyped, rewritten

VECTORS = "plant.core.drivers.vectors"
CHECK = "plant.core.checks:checked_vector"


def _rounded(encode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda array: encode(np.array([float(f"{number:.5g}") for number in array], dtype=np.float32))


def _newer(capabilities: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *, version: capabilities(version=(version[0], version[1] - 1, *version[2:]))


def _reading_text(vector: Callable[..., Any]) -> Callable[..., Any]:
    def lenient(given: Any, *more: Any, **options: Any) -> Any:
        return vector(json.loads(given) if isinstance(given, str) else given, *more, **options)

    return lenient


FAULTS = (
    fault(
        "inner-product-missing",
        "there is no operator for the inner product",
        reds="pgvector_extension_available vector_distance_calculation",
        sql=[
            "ALTER EXTENSION vector DROP OPERATOR public.<#> (public.vector, public.vector)",
            *(
                statement
                for method in ("hnsw", "ivfflat")
                for statement in (
                    f"ALTER EXTENSION vector DROP OPERATOR CLASS public.vector_ip_ops USING {method}",
                    f"ALTER EXTENSION vector DROP OPERATOR FAMILY public.vector_ip_ops USING {method}",
                )
            ),
            "DROP OPERATOR public.<#> (public.vector, public.vector) CASCADE",
        ],
    ),
    fault(
        "capability-misread",
        "the server is taken for one with an older pgvector",
        reds="pgvector_extension_available",
        changes=[Patch(target="plant.ml.search:Capabilities", make=_newer)],
    ),
    fault(
        "embedding-required",
        "a skill must have an embedding",
        reds="skill_embedding_column_exists vector_null_handling",
        sql="ALTER TABLE plant.skill ALTER COLUMN embedding SET NOT NULL",
    ),
    fault(
        "digits-lost",
        "vectors are sent with five digits a number",
        reds="""vector_insert_and_retrieve vector_distance_calculation multiple_vectors_stored
                vector_type_compatibility""",
        changes=[
            Patch(target=f"{VECTORS}:to_binary", make=_rounded),
            Patch(target=f"{VECTORS}:to_text", make=_rounded),
        ],
    ),
    fault(
        "operators-swapped",
        "Euclidean distance and inner product have each other's operator",
        reds="vector_distance_calculation",
        changes=[
            Patch(
                target="plant.ml.nearest:OPERATORS",
                make=lambda by: {**by, "l2": by["inner_product"], "inner_product": by["l2"]},
            )
        ],
    ),
    fault(
        "index-of-another-distance",
        "the vectors' index is for Euclidean distance",
        reds="vector_index_creation migration_creates_indexes",
        sql=[
            "DROP INDEX plant.ix_skill_embedding",
            "CREATE INDEX ix_skill_embedding ON plant.skill USING hnsw (embedding public.vector_l2_ops)",
        ],
    ),
    fault(
        "index-not-used",
        "a search compares every row, whatever the index could do",
        reds="vector_index_creation",
        changes=[Patch(target="plant.ml.search:plan", make=lambda plan: lambda k, able: plan(k, None))],
    ),
    fault(
        "zero-vector-not-checked",
        "the server stores vectors without a direction",
        reds="vector_null_handling",
        sql="ALTER TABLE plant.skill DROP CONSTRAINT ck_skill_embedding",
    ),
    fault(
        "finite-not-checked",
        "the client takes NaN and infinity for numbers",
        reds="vector_null_handling",
        changes=[rewritten(CHECK, ("if 0.0 < square < math.inf:", "if square != 0.0:"))],
    ),
    fault(
        "null-is-near",
        "a search finds what has no embedding",
        reds="vector_null_handling",
        changes=[
            rewritten("plant.ml.nearest:_build", (".where(skill.c.embedding.is_not(None), *where)", ".where(*where)"))
        ],
    ),
    fault(
        "order-lost",
        "what a search found is sorted by id",
        reds="multiple_vectors_stored vector_index_creation",
        changes=[
            rewritten(
                "plant.ml.nearest:_build",
                (".order_by(found.c.distance + 0, entity.c.id)", ".order_by(entity.c.id)"),
            )
        ],
    ),
    fault(
        "tuple-refused",
        "tuples are no vectors",
        reds="vector_type_compatibility",
        changes=[rewritten(CHECK, ("(list, tuple, np.ndarray)", "(list, np.ndarray)"))],
    ),
    fault(
        "text-accepted",
        "text that reads like a vector is taken for one",
        reds="vector_type_compatibility",
        changes=[Patch(target=CHECK, make=_reading_text)],
    ),
    fault(
        "dimension-not-checked",
        "the client sends vectors of any length",
        reds="embedding_dimension_compatibility",
        changes=[rewritten(CHECK, ("if array.size != dimensions:", "if False:"))],
    ),
    fault(
        "dimension-not-declared",
        "the column takes vectors of any length",
        reds="""embedding_dimension_compatibility skill_embedding_column_exists vector_index_creation
                multiple_vectors_stored""",
        sql=["DROP INDEX plant.ix_skill_embedding", retyped("skill", "embedding", "public.vector")],
    ),
    fault(
        "extension-dropped",
        "the extension vector is not installed",
        reds="""pgvector_extension_available skill_embedding_column_exists vector_insert_and_retrieve
                vector_distance_calculation vector_index_creation vector_null_handling multiple_vectors_stored
                vector_type_compatibility embedding_dimension_compatibility pgvector_extension_loaded
                schema_validation async_session_lifecycle database_insert_and_retrieve
                transaction_rollback async_context_manager""",
        sql="DROP EXTENSION vector CASCADE",
    ),
)
