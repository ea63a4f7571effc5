"""The command line: `python -m tests.mutants [MODULE ...]`. Mutates, prints scores and survivors, keeps a record.

Exit code 1 where a module misses its goal, 2 where mutmut could not do its work.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgmatrix.servers.tuning import usable_cores
from tests.mutants.project import ROOT, MutmutFailed, differences, make_copy, mutated, read_scores, run
from tests.mutants.score import Score, select, total

FOLDER = ROOT / ".pgmatrix" / "mutants"


def main(argv: Sequence[str] | None = None) -> int:
    """Mutate what was named, or every module of the table; the exit code."""
    options = _parser().parse_args(argv)
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        modules = select(mutated(), options.modules)
        make_copy(FOLDER / "project", modules)
        run(FOLDER / "project", options.jobs)
        scores = list(read_scores(FOLDER / "project", modules))
        diffs = differences(FOLDER / "project", total(scores).survivors)
    except (LookupError, MutmutFailed) as error:
        console.print(str(error.args[0]), markup=False, highlight=False, soft_wrap=True)
        return 2
    print_scores(console, scores, diffs)
    keep(FOLDER / "mutants.json", scores, diffs)
    return int(not all(one.met for one in scores))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Which mutants do unit tests notice?")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as plant.core.values, or plant.validators")
    parser.add_argument("--jobs", type=int, default=usable_cores(), help="mutants tried side by side")
    return parser


def print_scores(console: Console, scores: Sequence[Score], diffs: Mapping[str, str]) -> None:
    """Each survivor with its change, then one line for each module."""
    for name, diff in diffs.items():
        console.print(Text(name, style="bold"), soft_wrap=True)
        console.print(Text(diff), soft_wrap=True)
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    table.add_column("module")
    for name in ("mutants", "noticed", "survived", "untested", "score", "goal"):
        table.add_column(name, justify="right")
    for one in [*scores, total(scores)]:
        style = "green" if one.met else "bold red"
        figures = (one.mutants, one.killed + one.timeout, len(one.survivors), one.untested)
        goal = "" if one.module == "total" else f"{one.goal:.0f} %"
        table.add_row(one.module, *map(str, figures), Text(f"{one.percent:.1f} %", style=style), goal)
    console.print(table)
    missed = [one.module for one in scores if not one.met]
    verdict = f"below their goal: {', '.join(missed)}" if missed else "every module reaches its goal"
    console.print(Text(verdict, style="bold red" if missed else "bold green"), soft_wrap=True)


def keep(path: Path, scores: Sequence[Score], diffs: Mapping[str, str]) -> None:
    """Write all of it as JSON; a survivor's name stands with its change."""
    modules = [
        asdict(one) | {"percent": round(one.percent, 2), "goal": one.goal, "survivors": list(one.survivors)}
        for one in scores
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"modules": modules, "survivors": dict(diffs)}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
