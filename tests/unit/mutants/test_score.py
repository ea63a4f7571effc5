"""tests.mutants.score: what a mutant's exit code means, and what a module's score is worth."""

from __future__ import annotations

import pytest

from plant.validators import constitution
from tests.mutants.score import GOAL, SERVED, Score, score, select, total

CODES = {"a__1": 1, "a__2": 3, "a__3": 36, "a__4": -24, "a__5": 0, "a__6": 33, "a__7": None, "a__8": 35, "a__9": -11}


def test_noticed_is_what_failed_a_test_or_never_ended() -> None:
    """All else survived: untested, never tried, suspicious and broken mutants too."""
    found = score("plant.core.values", CODES)

    assert (found.killed, found.timeout, found.untested) == (2, 2, 1)
    assert found.survivors == ("a__5", "a__6", "a__7", "a__8", "a__9")
    assert (found.mutants, round(found.percent, 1)) == (9, 44.4)


def test_what_asks_a_server_is_left_out() -> None:
    """Functions of SQL in a pure module count neither way, and each of them is there."""
    name = "plant.validators.constitution.x_review"

    assert score("plant.validators.constitution", {f"{name}__mutmut_1": 0, f"{name}er__mutmut_1": 1}).mutants == 1
    assert all(hasattr(constitution, one.rpartition(".x_")[2]) for one in SERVED)


@pytest.mark.parametrize(
    ("module", "killed", "goal", "met"),
    [
        ("plant.core.values", 9, GOAL, True),
        ("plant.core.values", 8, GOAL, False),
        ("pgmatrix.gate", 9, 95.0, False),
        ("pgmatrix.gate.judge", 9, 95.0, False),
        ("pgmatrix.gate.judge", 10, 95.0, True),
        ("pgmatrix.gateway", 9, GOAL, True),
    ],
)
def test_the_gate_must_notice_more(module: str, killed: int, goal: float, met: bool) -> None:
    """A package's goal holds for its modules, and not for names that begin alike."""
    found = Score(module=module, killed=killed, survivors=("x",) * (10 - killed))

    assert (found.goal, found.met) == (goal, met)


def test_a_module_without_mutants_reaches_every_goal() -> None:
    """There is nothing in it to notice."""
    assert score("plant.core", {}).met


def test_the_total_adds_up() -> None:
    """Mutants and survivors of all modules, in their order."""
    found = total([score("a", CODES), score("b", {"b__1": 1, "b__2": 0})])

    assert (found.killed, found.timeout, found.untested, found.mutants) == (3, 2, 1, 11)
    assert found.survivors[-1] == "b__2"


def test_modules_are_chosen_by_name_or_package() -> None:
    """All of them where none is named."""
    known = ["plant.ml.embeddings", "plant.ml.quality", "plant.mlx"]

    assert select(known, []) == known
    assert select(known, ["plant.ml"]) == known[:2]
    assert select(known, ["plant.mlx", "plant.ml.quality"]) == known[1:]


def test_an_unknown_module_is_refused() -> None:
    """The error names it, and those there are."""
    with pytest.raises(LookupError) as caught:
        select(["a.b", "a.c"], ["a.b", "a.d", "a.bc"])

    assert str(caught.value.args[0]) == "not among the mutated modules: a.d, a.bc\n  do    choose from a.b, a.c"
