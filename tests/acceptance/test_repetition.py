"""What the README says of stress and mutants, seen from the command line."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.conftest import ROOT, Nox

pytestmark = pytest.mark.slow


def test_a_part_of_the_stress_run(nox: Nox) -> None:
    """One layer of one cell in three orders: a table, the seed that was asked for, no flake, exit code 0."""
    found = nox(
        "-s", "stress", "--", "pg16-asyncpg", "--quick", "--layer", "transactions", "--only", "order", "--seed", "5"
    )

    assert found.code == 0, found.output
    assert "order-3 (seed 7): " in found.output
    assert " 0 flaky, 0 never passed, trials gone wrong: 0" in found.output


def test_the_score_of_one_module(nox: Nox) -> None:
    """mutmut works in a copy, and the module's score is printed and recorded with its survivors."""
    found = nox("-s", "mutants", "--", "plant.core.retry")
    record = json.loads((ROOT / ".pgmatrix" / "mutants" / "mutants.json").read_text(encoding="utf-8"))
    (module,) = record["modules"]

    assert found.code == 0, found.output
    assert "every module reaches its goal" in found.output
    assert module["module"] == "plant.core.retry"
    assert module["killed"] > 10
    assert sorted(record["survivors"]) == sorted(module["survivors"])
    assert all(diff.startswith("@@") for diff in record["survivors"].values())


def test_a_module_that_is_not_mutated_is_refused(nox: Nox) -> None:
    """The error lists those that are."""
    found = nox("-s", "mutants", "--", "plant.nothing")

    assert found.code != 0
    assert "not among the mutated modules: plant.nothing" in found.output
    assert "plant.core.retry" in found.output
