"""What figures mean: ratios, words, budgets, and everything that cannot be judged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pgmatrix.matrix import Cell
from pgmatrix.perf.judge import Shelf, budgets, compare, informing, word
from pgmatrix.perf.results import Comparison, Kind, Outcome, Role, Series, Word
from pgmatrix.perf.statistics import Interval
from pgmatrix.perf.table import Budget
from tests.unit.pgmatrix.perf_builders import CELL, OTHER, a_bare, a_series

CELLS = [Cell.parse(CELL), Cell.parse(OTHER)]
BUDGET = Budget(workload="read", measured="layer", beside="bare", bound=2.5)
WILD = (0.3, 2.0, 0.5, 3.0, 0.4, 2.5, 0.6, 1.9)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.06, 2.0, Word.SLOWER),
        (1.05, 2.0, Word.WITHIN_NOISE),
        (0.5, 0.95, Word.FASTER),
        (0.5, 0.96, Word.WITHIN_NOISE),
        (0.2, 5.0, Word.WITHIN_NOISE),
        (1.01, 1.02, Word.WITHIN_NOISE),
    ],
)
def test_a_difference_is_one_only_where_the_whole_interval_is(low: float, high: float, expected: Word) -> None:
    """What the interval does not exclude, or what is below five percent, is noise."""
    assert word(Interval(ratio=1.0, low=low, high=high)) is expected


def only_budget(*series: Series, budget: Budget = BUDGET) -> Comparison:
    """That budget's comparison in the first cell."""
    (found,) = budgets(Shelf(series=series), [budget], CELLS[:1])
    return found


def test_a_kept_budget_passes() -> None:
    """Twice the bare driver's time is below two and a half."""
    found = only_budget(a_series(), a_bare())

    assert (found.word, found.ratio, found.bound, found.passes) == (Word.FASTER, pytest.approx(2.0), 2.5, True)
    assert found.why == f"{CELL} read: layer takes 2.00 times (2.00 to 2.00) the time of bare, below the budget of 2.5"


def test_a_broken_budget_says_what_to_do() -> None:
    """Three times the time is slower than allowed, and no pass."""
    found = only_budget(a_series((1.5,) * 8), a_bare())

    assert (found.word, found.passes) == (Word.SLOWER, False)
    assert found.why == (
        f"{CELL} read: layer takes 3.00 times (3.00 to 3.00) the time of bare, over the budget of 2.5:"
        " find what made it slower, or raise the bound in [tool.pgmatrix.perf.budgets]"
    )


def test_a_budget_within_its_noise_is_called_that_and_passes() -> None:
    """An interval around the bound is no alarm."""
    found = only_budget(a_series((1.2, 1.3, 1.25, 1.22, 1.28, 1.24, 1.26, 1.25)), a_bare())

    assert (found.word, found.passes) == (Word.WITHIN_NOISE, True)
    assert found.why.endswith("within noise of the budget of 2.5")


CANNOT = f"{CELL} read: layer beside bare cannot be judged by the budget of 2.5: "


@pytest.mark.parametrize(
    ("series", "why"),
    [
        ([a_series()], "it was not measured"),
        (
            [a_series(), a_bare(outcome=Outcome.INVALID, why="3 of 9 operations failed")],
            f"{CELL} bare is invalid: 3 of 9 operations failed",
        ),
        (
            [a_series(), a_bare(outcome=Outcome.ABSENT, why="no such program")],
            f"{CELL} bare is absent: no such program",
        ),
        ([a_series(()), a_bare(())], "only 0 rounds were measured side by side, 3 are needed"),
        ([a_series((1.0, None, 1.0, 1.0)), a_bare((0.5, 0.5, None, 0.5))], "only 2 rounds"),
        ([a_series(WILD), a_bare((0.4,) * 8)], "too noisy to say: takes 2.5"),
    ],
)
def test_a_budget_that_cannot_be_judged_is_invalid_and_never_a_pass(series: list[Series], why: str) -> None:
    """Missing, failed, absent, unmeasured or drowned in noise: each says so."""
    found = only_budget(*series)

    assert (found.word, found.ratio, found.passes) == (Word.INVALID, None, False)
    assert found.why.startswith(CANNOT + why)
    assert found.why.endswith("measure again, or mend the workload")


def test_in_a_quick_run_too_much_noise_is_only_noise() -> None:
    """A look decides nothing, so it cannot be too noisy to decide."""
    shelf = Shelf(series=[a_series(WILD), a_bare((0.4,) * 8)])
    (found,) = budgets(shelf, [BUDGET], CELLS[:1], strict=False)

    assert (found.word, found.passes) == (Word.WITHIN_NOISE, True)


def test_a_budget_between_drivers_is_judged_on_each_major() -> None:
    """It compares the data layer on one driver with the data layer on the other."""
    shelf = Shelf(series=[a_series(), a_series((1.6,) * 8, cell=OTHER)])
    budget = Budget(workload="read", measured="psycopg", beside="asyncpg", bound=1.5)
    (found,) = budgets(shelf, [budget], CELLS)

    assert (found.cell, found.word, found.ratio) == (OTHER, Word.SLOWER, pytest.approx(1.6))


def test_a_budget_between_drivers_needs_both() -> None:
    """Where only one driver is measured there is nothing to judge."""
    budget = Budget(workload="read", measured="psycopg", beside="asyncpg", bound=1.5)

    assert list(budgets(Shelf(series=[a_series(cell=OTHER)]), [budget], CELLS[1:])) == []


def test_a_run_informs_of_variants_drivers_and_majors() -> None:
    """Each subject is beside the other variants, the driver before it, and the older major."""
    names = [CELL, OTHER, "pg15-asyncpg"]
    series = [made for cell in names for made in (a_series(cell=cell), a_bare(cell=cell))]
    found = [(one.kind, one.cell, one.measured, one.beside) for one in informing(Shelf(series=series))]

    assert sorted(found) == [
        (Kind.DRIVERS, OTHER, "psycopg", "asyncpg"),
        (Kind.MAJORS, CELL, "pg16", "pg15"),
        *sorted((Kind.VARIANTS, cell, "layer", "bare") for cell in names),
    ]


def test_a_limit_that_is_absent_is_beside_nothing() -> None:
    """What this machine does not offer makes no comparison invalid."""
    absent = a_series(variant="pgbench", role=Role.LIMIT, outcome=Outcome.ABSENT, why="no pgbench")

    assert list(informing(Shelf(series=[a_series(), absent]))) == []


@pytest.mark.parametrize("changes", [{"clients": 4}, {"role": Role.LIMIT}])
def test_only_one_client_of_the_data_layer_is_compared(changes: dict[str, Any]) -> None:
    """Queues and limits are shown, not judged."""
    assert list(informing(Shelf(series=[a_series(**changes), a_bare()]))) == []


def test_a_comparison_says_what_it_found() -> None:
    """Cell, workload, both names, ratio, interval and word."""
    found = compare(Kind.VARIANTS, a_series(), a_bare(), names=("layer", "bare"))

    assert found.why == f"{CELL} read: layer takes 2.00 times (2.00 to 2.00) the time of bare: slower"
    assert found.passes


def test_an_invalid_series_makes_its_comparison_invalid() -> None:
    """No ratio is made of errors."""
    broken = replace(a_bare(), outcome=Outcome.INVALID, why="no samples")
    found = compare(Kind.VARIANTS, a_series(), broken, names=("layer", "bare"))

    assert (found.word, found.ratio) == (Word.INVALID, None)
    assert found.why == f"{CELL} read: {CELL} bare is invalid: no samples"
