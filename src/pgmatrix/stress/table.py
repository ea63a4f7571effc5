"""Owns what a stress run looks like in a terminal: a line for each trial, one table, and every test that wavered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgmatrix.stress.tally import Pass, Suspect, Tally

SHOWN = 6
NAMED = 40


def pass_line(cell: str, one: Pass) -> Text:
    """One trial as it ended."""
    name = one.trial.test or str(one.trial)
    good = len(one.outcomes) - one.bad
    what = one.problem or (f"{one.bad} ✗ {good} ✓" if one.bad else f"{good} ✓")
    special = "" if one.trial.how == one.trial.row == "file order" else f" ({one.trial.how})"
    style = "red" if one.problem or one.bad else ""
    return Text(f"{cell}  {name}{special}: {what}  {one.seconds:.1f} s", style=style)


def stress_table(tallies: Sequence[Tally]) -> Table:
    """A line for each cell and circumstance: how often, how many tests, and how many of them wavered under what."""
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    table.add_column("cell")
    table.add_column("circumstance")
    for name in ("pytest started", "tests", "runs of a test", "not always passed"):
        table.add_column(name, justify="right")
    table.add_column("where")
    for tally in tallies:
        for number, row in enumerate(tally.rows()):
            bad = Text(str(row.suspects), style="bold red" if row.suspects else "green")
            figures = (str(row.starts), str(row.tests), str(row.runs))
            table.add_row(tally.cell if number == 0 else "", row.name, *figures, bad, _some(row.where))
    return table


def suspect_lines(suspect: Suspect) -> list[str]:
    """A test that did not pass every time, and where it did not."""
    kind = "flaky" if suspect.flaky else "never passes"
    head = f"{kind}: {suspect.test}: passed {suspect.passed} of {suspect.runs} times"
    return [head, *(f"    {where}" for where in suspect.where[:SHOWN]), *_more(len(suspect.where))]


def _more(number: int) -> list[str]:
    return [f"    and {number - SHOWN} times more"] if number > SHOWN else []


def _some(where: Sequence[str]) -> str:
    return ", ".join(where[:SHOWN]) + (" ..." if len(where) > SHOWN else "")


def verdict_line(tallies: Sequence[Tally]) -> Text:
    """One line to remember."""
    steady = bool(tallies) and all(one.steady for one in tallies)
    runs = sum(one.runs for one in tallies)
    flaky = sum(suspect.flaky for one in tallies for suspect in one.suspects)
    broken = sum(not suspect.flaky for one in tallies for suspect in one.suspects)
    problems = sum(len(one.problems) for one in tallies)
    cells = f"{len(tallies)} cell{'s' * (len(tallies) != 1)}"
    text = f"{runs} runs of a test on {cells}: {flaky} flaky, {broken} never passed, trials gone wrong: {problems}"
    return Text(text, style="bold green" if steady else "bold red")


def print_stress(console: Console, tallies: Sequence[Tally], seed: int, folder: Path) -> None:
    """The whole report."""
    console.print(stress_table(tallies))
    for tally in tallies:
        lines = [line for suspect in tally.suspects[:NAMED] for line in suspect_lines(suspect)]
        if len(tally.suspects) > NAMED:
            lines.append(f"and {len(tally.suspects) - NAMED} tests more; stress.json names them all")
        for line in [*lines, *tally.problems]:
            console.print(Text(f"{tally.cell}: {line}", style="red"), soft_wrap=True)
    console.print(Text(f"seed {seed}; logs and records: {folder}"), soft_wrap=True)
    console.print(verdict_line(tallies), soft_wrap=True)
