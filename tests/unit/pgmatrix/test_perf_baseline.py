"""An earlier run: whether it may be compared with at all, and what became slower since."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pgmatrix.perf import baseline, results
from pgmatrix.perf.judge import Shelf
from pgmatrix.perf.results import Comparison, Outcome, PerfRun, Series, Word
from tests.unit.pgmatrix.perf_builders import CELL, a_bare, a_cell, a_series, an_environment

HERE = an_environment()
AGAIN = "measure one here: nox -s perf -- --save-baseline"
EARLIER = PerfRun(run="before", environment=HERE, cells=(a_cell(),), series=(a_series(), a_bare()))


def since(*now: Series, earlier: PerfRun = EARLIER, cell: str = CELL) -> Comparison:
    """The one comparison with the earlier run."""
    (found,) = baseline.since(Shelf(series=now), (a_cell(cell),), earlier)
    return found


def test_without_a_name_there_is_no_baseline() -> None:
    """Nobody asked, nothing is wrong, and nothing is compared."""
    earlier, facts = baseline.read(Path("nowhere"), "", HERE)

    assert (earlier, facts.asked, facts.problem) == (None, False, "")


def test_a_baseline_of_this_machine_is_used(tmp_path: Path) -> None:
    """It says which commit it is of."""
    earlier, facts = baseline.read(results.write(tmp_path, EARLIER), "old.json", HERE)

    assert earlier == EARLIER
    assert (facts.path, facts.commit, facts.started, facts.problem) == ("old.json", "abcdef012345", 10.0, "")


def test_a_baseline_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    """Who asks for a comparison and gets none has not passed."""
    path = tmp_path / "old.json"
    earlier, facts = baseline.read(path, "old.json", HERE)

    assert earlier is None
    assert facts.problem.startswith(f"the baseline cannot be used: {path} is no performance run: ")
    assert facts.problem.endswith(AGAIN)


def test_a_baseline_of_a_later_schema_is_a_problem(tmp_path: Path) -> None:
    """What this version cannot read it does not guess at."""
    path = results.write(tmp_path, replace(EARLIER, schema=results.SCHEMA + 1))
    _, facts = baseline.read(path, "old.json", HERE)

    assert f"it has schema {results.SCHEMA + 1}, this pgmatrix reads up to {results.SCHEMA}" in facts.problem


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (
            an_environment(machine="x", facts={"processor": "one", "cores": "8"}),
            "it was measured on another machine (cores 8, here 2)",
        ),
        (an_environment(machine="x"), "it was measured on another machine (other facts)"),
        (an_environment(workloads="x"), "it measured other workloads, or other sizes of them"),
    ],
)
def test_a_baseline_from_elsewhere_is_a_problem(tmp_path: Path, there: results.Environment, why: str) -> None:
    """Another machine, or other workloads: said clearly, and no pass."""
    earlier, facts = baseline.read(results.write(tmp_path, replace(EARLIER, environment=there)), "old.json", HERE)

    assert earlier is None
    assert facts.problem == f"the baseline old.json cannot be used: {why}; {AGAIN}"


def test_what_became_slower_is_found() -> None:
    """Half as slow again is slower, and no pass; the sentence says what to do."""
    found = since(a_series((1.5,) * 8), a_bare())

    assert (found.word, found.ratio, found.passes) == (Word.SLOWER, pytest.approx(1.5), False)
    assert found.why == (
        f"{CELL} read: 1.50 times (1.50 to 1.50) what it took in the baseline: slower;"
        " look at what changed since, or save a new baseline if it is meant to be"
    )


def test_a_slower_machine_is_not_taken_for_slower_code() -> None:
    """Where the bare driver is slower by as much, it is the machine."""
    found = since(a_series((1.5,) * 8), a_bare((0.75,) * 8))

    assert (found.word, found.ratio, found.passes) == (Word.WITHIN_NOISE, pytest.approx(1.0), True)


def test_without_a_bare_driver_times_are_compared_as_they_are() -> None:
    """A workload that has no bare variant is still compared."""
    earlier = replace(EARLIER, series=(a_series(),))

    assert since(a_series((0.5,) * 8), earlier=earlier).word is Word.FASTER


@pytest.mark.parametrize(
    ("now", "earlier", "why"),
    [
        ((a_series(workload="new"),), EARLIER, "the baseline has no such series"),
        ((replace(a_series(), outcome=Outcome.INVALID, why="errors"),), EARLIER, "it is invalid: errors"),
        ((a_series((1.0, 1.0)), a_bare()), EARLIER, "2 rounds now and 8 in the baseline, 3 are needed in both"),
        (
            (a_series(), a_bare()),
            replace(EARLIER, cells=(a_cell(facts={"server_version": "16.13"}),)),
            "the baseline was measured with server version 16.13, this run with 16.14",
        ),
        ((a_series(), a_bare()), replace(EARLIER, cells=()), "the baseline was measured with server version unknown"),
        (
            (a_series((0.3, 3.0, 0.5, 2.0, 0.4, 2.5, 0.6, 1.9)), a_bare()),
            EARLIER,
            "too noisy to say whether it became slower: ",
        ),
    ],
)
def test_what_cannot_be_compared_is_invalid(now: tuple[Series, ...], earlier: PerfRun, why: str) -> None:
    """A new workload, errors, too few rounds, another server or too much noise: never a pass."""
    found = since(*now, earlier=earlier)

    assert (found.word, found.ratio, found.passes) == (Word.INVALID, None, False)
    assert found.why.startswith(f"{CELL} {found.workload}: {why}")


def test_in_a_quick_run_too_much_noise_is_only_noise() -> None:
    """A look decides nothing, so it cannot be too noisy to decide."""
    shelf = Shelf(series=[a_series((0.3, 3.0, 0.5, 2.0, 0.4, 2.5, 0.6, 1.9)), a_bare()])
    (found,) = baseline.since(shelf, (a_cell(),), EARLIER, strict=False)

    assert (found.word, found.passes) == (Word.WITHIN_NOISE, True)
