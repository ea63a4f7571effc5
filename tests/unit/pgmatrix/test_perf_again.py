"""The run before: which one counts as such, and what is said of its conclusions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pgmatrix.perf.again import agreement, before
from pgmatrix.perf.conclusions import conclusions
from pgmatrix.perf.results import Comparison, Kind, PerfRun, Word, path_of, write
from tests.unit.pgmatrix.perf_builders import CELL, OTHER, a_cell, an_environment

HERE = an_environment(started=100.0)


def beside(workload: str, ratio: float | None, word: Word, cell: str = OTHER, doubt: float = 1.01) -> Comparison:
    """psycopg beside asyncpg."""
    return Comparison(
        kind=Kind.DRIVERS, cell=cell, workload=workload, clients=1, measured="psycopg", beside="asyncpg", word=word,
        why="", ratio=ratio, low=ratio and ratio / doubt, high=ratio and ratio * doubt,
    )  # fmt: skip


def a_run(name: str = "first", **changes: Any) -> PerfRun:
    """A run on one cell, at second 10 unless it is said otherwise."""
    comparisons = changes.pop("comparisons", ())
    return PerfRun(run=name, environment=an_environment(**changes), cells=(a_cell(),), comparisons=comparisons)


def kept(runs: Path, *found: PerfRun) -> Path:
    """The folder of runs with these in it."""
    for run in found:
        write(runs / run.run, run)
    return runs


def test_the_newest_run_of_the_same_is_the_run_before(tmp_path: Path) -> None:
    """By when they began; what cannot be read is none of them."""
    runs = kept(tmp_path, a_run("b", started=20.0), a_run("a", started=30.0), a_run("later", started=200.0))
    (runs / "broken").mkdir()
    path_of(runs / "broken").write_text("{", encoding="utf-8")

    found = before(runs, HERE, [CELL])

    assert found is not None
    assert found.run == "a"


@pytest.mark.parametrize(
    "other",
    [
        {"machine": "another"},
        {"facts": {"slowed on purpose, update": "1.3 times"}},
        {"workloads": "others"},
        {"commit": "0123"},
        {"dirty": True},
        {"quick": True},
        {"started": 100.0},
    ],
)
def test_a_run_of_anything_else_is_not(tmp_path: Path, other: dict[str, Any]) -> None:
    """Another machine, code or way of measuring; the run itself."""
    assert before(kept(tmp_path, a_run(**other)), HERE, [CELL]) is None


@pytest.mark.parametrize("here", [replace(HERE, dirty=True), replace(HERE, commit="")])
def test_what_is_not_committed_has_no_run_before(tmp_path: Path, here: Any) -> None:
    """Nobody knows whether that one measured the same."""
    assert before(kept(tmp_path, a_run(commit=here.commit)), here, [CELL]) is None


def test_a_run_of_other_cells_is_not(tmp_path: Path) -> None:
    """What is the middle of two places there is one place here."""
    assert before(kept(tmp_path, a_run()), HERE, [CELL, OTHER]) is None


def test_the_same_conclusions_are_counted() -> None:
    """The words count, not the figures; what only one run measured is not in it."""
    now = [beside("update", 1.5, Word.SLOWER), beside("copy", 1.02, Word.WITHIN_NOISE)]
    then = [beside("update", 1.4, Word.SLOWER), beside("read", 1.4, Word.SLOWER), *now[1:]]

    said = agreement(now, a_run(comparisons=tuple(then)))

    assert said == "the run before of this commit (first) came to the same 2 conclusions"
    assert agreement(now, a_run()) == ""


def test_each_other_conclusion_is_named() -> None:
    """With what it was and what it is."""
    now = [beside("update", 1.5, Word.SLOWER), beside("copy", 1.02, Word.WITHIN_NOISE)]
    then = [beside("update", None, Word.INVALID), now[1]]

    assert agreement(now, a_run(comparisons=tuple(then))) == (
        "the run before of this commit (first) concluded otherwise on 1 of 2:"
        " psycopg beside asyncpg on update invalid then, slower (1.50) now"
    )


def test_two_places_make_one_conclusion() -> None:
    """Each alone leaves it open, both together do not; the ratio is their middle."""
    places = [beside("update", 1.35, Word.WITHIN_NOISE, cell, 1.3) for cell in ("pg15-psycopg", OTHER)]
    (alone,), (both,) = conclusions(places[:1]), conclusions(places)

    assert (alone.word, both.word) == (Word.WITHIN_NOISE, Word.SLOWER)
    assert both.ratio == pytest.approx(1.35)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (1.31, Word.SLOWER),
        (1.29, Word.WITHIN_NOISE),
        (0.76, Word.FASTER),
        (0.78, Word.WITHIN_NOISE),
    ],
)
def test_what_is_certain_but_small_is_no_conclusion(ratio: float, expected: Word) -> None:
    """The middle decides, which two runs agree on better than on an interval's end."""
    (found,) = conclusions([beside("update", ratio, Word.SLOWER)])

    assert found.word is expected


def test_places_that_contradict_each_other_conclude_nothing() -> None:
    """Both are kept, so that they can be said."""
    places = [beside("update", 1.5, Word.SLOWER, "pg15-psycopg"), beside("update", 0.5, Word.FASTER)]
    (found,) = conclusions(places)

    assert (found.word, found.ratio, found.split) == (Word.WITHIN_NOISE, None, (("pg15", 1.5), ("pg16", 0.5)))


def test_a_place_without_figures_leaves_no_conclusion() -> None:
    """The other place is not all places."""
    places = [beside("update", None, Word.INVALID, "pg15-psycopg"), beside("update", 0.5, Word.FASTER)]
    (found,) = conclusions(places)

    assert found.word is Word.INVALID
