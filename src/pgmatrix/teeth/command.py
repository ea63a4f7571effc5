"""The command line behind a project's faults: parses, checks, tries, prints, records. Exit code 0 where all have teeth,
1 where a named test stayed green or a fault proves nothing, 2 for what was asked wrongly."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from pgmatrix import config
from pgmatrix.clients import installed_drivers
from pgmatrix.errors import PgMatrixError
from pgmatrix.plugin.workers import read_durations
from pgmatrix.servers.tuning import usable_cores
from pgmatrix.teeth.check import Contract, check, layers_of, select
from pgmatrix.teeth.crew import Crew, try_faults
from pgmatrix.teeth.faults import Fault
from pgmatrix.teeth.outcomes import Report, Trial, contract_tests, judge
from pgmatrix.teeth.report import print_report
from pgmatrix.teeth.worker import Order, load

TIMEOUT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Whose faults these are: `faults` is `module:attribute`, `plugins` pytest's own that the tests need.

    `warm`, also `module:attribute`, is called once in each worker before the first fault: what every test would have to
    load or compute again is done there, since each fault gets a process that knows what its worker knows.
    """

    root: Path
    faults: str
    contract: Contract
    plugins: tuple[str, ...] = ()
    warm: str = ""


def main(project: Project, argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    options = _parser().parse_args(argv)
    console = Console(width=None if sys.stdout.isatty() else 200)
    try:
        return _run(project, options, console)
    except PgMatrixError as error:
        console.print(f"teeth: {error}", style="bold red", markup=False, highlight=False, soft_wrap=True)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="teeth", description="Inject each fault and see which tests turn red.")
    parser.add_argument("names", nargs="*", metavar="FAULT", help="only these faults")
    parser.add_argument("--cell", help="such as pg15-psycopg; the newest major on the first driver by default")
    parser.add_argument("--layer", action="append", default=[], metavar="NAME", help="only faults of this layer")
    parser.add_argument("-j", "--workers", type=_count, metavar="N", help="side by side; cores + 1 by default")
    parser.add_argument("--pg-provider", metavar="NAME", help="auto, external, container or embedded")
    parser.add_argument("--timeout", type=float, default=TIMEOUT, metavar="SECONDS", help="for the tests of one fault")
    parser.add_argument("--list", action="store_true", help="name the faults and the tests they must turn red, and end")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of workers")
    return number


def _run(project: Project, options: argparse.Namespace, console: Console) -> int:
    table = config.load(project.root, options={"provider": options.pg_provider})
    cell = table.cell(options.cell or os.environ.get("PGMATRIX_CELL"), installed_drivers())
    every: Sequence[Fault] = load(project.faults)
    check(every, project.contract, project.root)
    chosen = select(every, project.contract, names=options.names, layers=options.layer)
    if options.list:
        return _list(console, chosen, project.contract)
    folder = _folder(project.root)
    # One more than there are cores: where a pool is broken, its tests mostly wait.
    workers = min(options.workers or usable_cores() + 1, len(chosen))
    console.print(f"{len(chosen)} faults on {cell}, {workers} at a time; logs and record in {folder}", soft_wrap=True)
    order = Order(
        faults=project.faults,
        contract=project.contract,
        arguments=_arguments(project, str(cell), options.pg_provider),
        warm=project.warm,
        timeout=options.timeout,
        log=folder / f"{cell}.log",
    )
    start = time.monotonic()
    found = _try(console, order, _longest_first(chosen, project, table), workers)
    report = Report(
        cell=str(cell),
        judged=judge(chosen, found.trials, project.contract),
        # Of a part of the faults only what they name can be asked.
        contract=contract_tests(project.contract, None if len(chosen) == len(every) else _named(chosen)),
        seconds=time.monotonic() - start,
        workers=workers,
        facts=found.facts,
    )
    path = folder / f"{cell}.json"
    path.write_text(json.dumps(report.to_json(), indent=1), encoding="utf-8")
    print_report(console, report, record=str(path))
    return 0 if report.good else 1


def _try(console: Console, order: Order, names: Sequence[str], workers: int) -> Crew:
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=len(names))

        def tell(trial: Trial) -> None:
            progress.update(bar, advance=1, description=trial.fault)

        return try_faults(order, names, workers=workers, tell=tell)


def _list(console: Console, faults: Iterable[Fault], contract: Contract) -> int:
    for fault in faults:
        console.print(f"{fault.name} ({', '.join(layers_of(fault, contract))}): {fault.breaks}", markup=False)
        for test in sorted(fault.reds):
            console.print(f"    {test}", markup=False)
    return 0


def _named(faults: Iterable[Fault]) -> set[str]:
    return {test for fault in faults for test in fault.reds}


def _folder(root: Path) -> Path:
    run = os.environ.get("PGMATRIX_RUN_DIR")
    named = root / ".pgmatrix" / "runs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    folder = Path(run) if run else named
    (folder / "teeth").mkdir(parents=True, exist_ok=True)
    return folder / "teeth"


def _arguments(project: Project, cell: str, provider: str | None) -> tuple[str, ...]:
    files = dict.fromkeys(node.partition("::")[0] for nodes in project.contract.values() for node in nodes)
    plugins = [word for name in project.plugins for word in ("-p", name)]
    chosen = ["--pg-provider", provider] if provider else []
    return (*plugins, "--rootdir", str(project.root), "--pg-cell", cell, *chosen, *files)


def _longest_first(faults: Sequence[Fault], project: Project, table: config.Config) -> list[str]:
    """So that no worker begins with the longest trial when the others are done."""
    known = read_durations(table.root)

    def seconds(fault: Fault) -> float:
        layers = layers_of(fault, project.contract)
        files = {node.partition("::")[0] for layer in layers for node in project.contract[layer]}
        return sum(known.get(file, 1.0) for file in files) * (0.5 if fault.is_in_template else 1.0)

    return [fault.name for fault in sorted(faults, key=seconds, reverse=True)]
