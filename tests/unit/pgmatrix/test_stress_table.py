"""pgmatrix.stress.table: what a person reads."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from pgmatrix.stress.table import pass_line, print_stress, suspect_lines, verdict_line
from pgmatrix.stress.tally import Pass, Suspect, Tally
from pgmatrix.stress.trials import Kind, Trial

IN_ORDER = Trial(kind=Kind.ORDER, number=0)
RANDOM = Trial(kind=Kind.ORDER, number=1, seed=42)
GOOD = Pass(trial=IN_ORDER, outcomes={"a[x]": "passed", "b": "passed"}, seconds=1.25)
BAD = Pass(trial=RANDOM, outcomes={"a[x]": "failed", "b": "passed"}, seconds=2.0)


def printed(*tallies: Tally) -> str:
    """The report as a person sees it."""
    console = Console(file=io.StringIO(), width=140)
    print_stress(console, tallies, 42, Path("folder"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_trial_is_one_line() -> None:
    """The cell, the trial, what makes it special, and what became of its tests."""
    hung = Pass(trial=RANDOM, problem="not over after 9 s; see log")

    assert str(pass_line("pg16-asyncpg", GOOD)) == "pg16-asyncpg  order-0: 2 ✓  1.2 s"
    assert str(pass_line("pg16-asyncpg", BAD)) == "pg16-asyncpg  order-1 (seed 42): 1 ✗ 1 ✓  2.0 s"
    assert str(pass_line("c", hung)) == "c  order-1 (seed 42): not over after 9 s; see log  0.0 s"


def test_the_report_names_the_test_and_the_seed() -> None:
    """In the table the seed, below it the test with its brackets, and in the end the verdict."""
    text = printed(Tally(cell="pg16-asyncpg", passes=(GOOD, BAD)))

    assert next(line for line in text.splitlines() if "random order" in line).rstrip().endswith("1 │ seed 42")
    assert "pg16-asyncpg: flaky: a[x]: passed 1 of 2 times" in text
    assert "pg16-asyncpg:     failed, seed 42" in text
    assert "seed 42; logs and records: folder" in text
    assert "4 runs of a test on 1 cell: 1 flaky, 0 never passed, trials gone wrong: 0" in text


def test_the_report_names_what_went_wrong() -> None:
    """A trial that left nothing is there, and no test is blamed for it."""
    text = printed(Tally(cell="c", passes=(GOOD, Pass(trial=RANDOM, problem="no record"))))

    assert "c: order-1 (seed 42): no record" in text
    assert "0 flaky, 0 never passed, trials gone wrong: 1" in text


def test_the_verdict_is_green_only_where_all_is() -> None:
    """One unsteady cell is enough, and so is no cell."""
    steady, unsteady = Tally(cell="c", passes=(GOOD,)), Tally(cell="d", passes=(GOOD, BAD))

    assert verdict_line([steady]).style == "bold green"
    assert verdict_line([steady, unsteady]).style == verdict_line([]).style == "bold red"


def test_a_long_list_of_places_is_cut() -> None:
    """Six of them, and how many more there were."""
    suspect = Suspect(test="a", passed=0, runs=9, where=tuple(f"failed, seed {n}" for n in range(9)))
    lines = suspect_lines(suspect)

    assert lines[0] == "never passes: a: passed 0 of 9 times"
    assert lines[-2:] == ["    failed, seed 5", "    and 3 times more"]
    assert len(lines) == 8


def test_a_flood_is_cut() -> None:
    """Forty tests are named, and where the others are."""
    many = {f"t{n:02}": "failed" for n in range(43)}
    text = printed(Tally(cell="c", passes=(Pass(trial=IN_ORDER, outcomes=many),)))

    assert text.count("never passes: ") == 40
    assert "c: and 3 tests more; stress.json names them all" in text
