"""The command line: `python -m pgmatrix.stress [CELL ...] [--quick]`. Parses, runs cell by cell, prints, keeps all.

Exit code 0 only where every test passed every time; 1 where one did not, 2 for a mistake in what was asked.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from pgmatrix.config import Config, find_root, load
from pgmatrix.errors import ConfigError, PgMatrixError, UnknownName
from pgmatrix.matrix import Cell
from pgmatrix.servers.tuning import usable_cores
from pgmatrix.stress.passes import Course
from pgmatrix.stress.run import Wish, stress
from pgmatrix.stress.server import warm_server
from pgmatrix.stress.table import pass_line, print_stress
from pgmatrix.stress.tally import Pass, Tally
from pgmatrix.stress.trials import FULL, QUICK, WORKERS, Kind


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for; the exit code."""
    options = _parser().parse_args(argv)
    console = Console(width=None if sys.stdout.isatty() else 160)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(options, _config(), console)
    except PgMatrixError as error:
        print(f"pgmatrix: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace, config: Config, console: Console) -> int:
    cells = [_cell(config, text) for text in options.cells] or list(config.matrix.cells)
    files = _files(config, options.layer)
    wish, folder = (
        _wish(options),
        config.root / ".pgmatrix" / "stress" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}",
    )
    console.print(f"seed {wish.seed}; logs and records: {folder}", markup=False, highlight=False, soft_wrap=True)
    tallies = []
    for cell in cells:
        with warm_server(config, cell, max(*WORKERS, wish.jobs)) as environ:
            course = Course(
                root=config.root,
                files=files,
                environ=environ,
                folder=folder / str(cell),
                extra=options.pytest,
                limit=options.limit,
            )
            tallies.append(stress(cell, course, wish, partial(_say, console, str(cell))))
        _keep(folder / "stress.json", wish, tallies)
    print_stress(console, tallies, wish.seed, folder)
    return 0 if all(one.steady for one in tallies) else 1


def _say(console: Console, cell: str, one: Pass) -> None:
    """A line for a trial that ended; a test that passed alone is not worth one."""
    if not one.trial.test or one.bad or one.problem:
        console.print(pass_line(cell, one), soft_wrap=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pgmatrix.stress",
        description="Run the layers' tests in random orders, by several workers and each alone, and count.",
    )
    parser.add_argument("cells", nargs="*", metavar="CELL", help="such as pg16-asyncpg; all of the matrix by default")
    parser.add_argument("--quick", action="store_true", help="3 random orders, and one test in ten alone")
    parser.add_argument("--rounds", type=_positive, help=f"random orders, by default {FULL.rounds}")
    parser.add_argument("--seed", type=int, help="of the first random order; the others count on from it")
    parser.add_argument("--only", action="append", choices=list(Kind), help="order, workers or alone; repeatable")
    parser.add_argument("--layer", action="append", default=[], help="this layer's tests only; repeatable")
    parser.add_argument("--jobs", type=_positive, default=usable_cores(), help="processes side by side")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds after which a pytest counts as hung")
    parser.add_argument("--pytest", action="append", default=[], metavar="ARG", help="one more argument for pytest")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _config() -> Config:
    root = find_root(Path.cwd())
    if root is None:
        raise ConfigError(
            f"no pyproject.toml with a [tool.pgmatrix] table at or above {Path.cwd()}",
            do_next="go to the project's folder, or add the table",
        )
    return load(root)


def _cell(config: Config, text: str) -> Cell:
    cell = Cell.parse(text)
    if cell not in config.matrix.cells:
        raise UnknownName(
            f"{text} is not in the matrix", do_next=f"choose from {', '.join(map(str, config.matrix.cells))}"
        )
    return cell


def _files(config: Config, layers: Sequence[str]) -> list[str]:
    chosen = {session.layer for session in config.matrix.select(layers=layers)}
    return list(dict.fromkeys(file for layer in chosen for file in config.matrix.layers[layer]))


def _wish(options: argparse.Namespace) -> Wish:
    effort = QUICK if options.quick else FULL
    if options.rounds:
        effort = replace(effort, rounds=options.rounds)
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    return Wish(effort=effort, seed=seed, kinds=options.only or tuple(Kind), jobs=options.jobs)


def _keep(path: Path, wish: Wish, tallies: Sequence[Tally]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [
        {
            "cell": one.cell,
            "steady": one.steady,
            "tests": len(one.tests),
            "runs": one.runs,
            "suspects": [asdict(suspect) | {"flaky": suspect.flaky} for suspect in one.suspects],
            "problems": one.problems,
            "rows": [asdict(row) for row in one.rows()],
        }
        for one in tallies
    ]
    path.write_text(json.dumps({"seed": wish.seed, "cells": cells}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
