"""The command `pgmatrix perf`: measures the cells that are named, writes the run, prints it. Decides no verdict.

Exit code 0 says that the run is recorded; `--show CELL` ends with 1 where something keeps that cell from a pass.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from pgmatrix.config import Config
from pgmatrix.errors import ConfigError, UnknownName
from pgmatrix.matrix import Cell, Driver
from pgmatrix.perf import results
from pgmatrix.perf.assemble import Wanted, assemble
from pgmatrix.perf.cells import CellProcess
from pgmatrix.perf.conductor import Conductor
from pgmatrix.perf.machine import digest, load_average, machine_facts
from pgmatrix.perf.results import Environment, PerfRun
from pgmatrix.perf.table import PerfTable, read_table
from pgmatrix.report.perf import print_cell, print_run
from pgmatrix.revision import revision

RUNS = Path(".pgmatrix") / "runs"
BASELINE = Path(".pgmatrix") / "perf-baseline.json"
BENCH = Path(".pgmatrix") / "bench.json"


def run(options: argparse.Namespace, config: Config) -> int:
    """Measure, or show. Raises PgMatrixError."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    if options.show:
        if options.folder is None:
            raise ConfigError("--show needs the run's folder", do_next="name it with --folder")
        return print_cell(console, results.read(results.path_of(options.folder)), options.show)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-perf"
    folder = options.folder or config.root / RUNS / name
    found = asyncio.run(_measured(options, config, folder, console))
    path = results.write(folder, found)
    print_run(console, found)
    console.print(f"every figure: {path}", markup=False, highlight=False, soft_wrap=True)
    if options.save_baseline:
        kept = config.root / (read_table(config["perf"]).baseline or BASELINE)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, kept)
        console.print(f"kept as the baseline: {kept}", markup=False, highlight=False, soft_wrap=True)
    return 0


async def _measured(options: argparse.Namespace, config: Config, folder: Path, console: Console) -> PerfRun:
    table, started = read_table(config["perf"]), time.time()
    cells = [config.cell(text, tuple(Driver)) for text in options.cell] or list(config.matrix.cells)
    conductor = Conductor(
        cells=[CellProcess(cell=cell, argv=_argv(options, cell), root=config.root) for cell in cells],
        minutes=options.minutes or table.minutes,
        quick=options.quick,
        goal=table.load,
        say=lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True),
        only=options.workloads,
        budgeted={(one.workload, one.clients) for one in table.budgets},
        slow=dict(_slow(text) for text in options.slow),
    )
    conductor.say(f"{len(cells)} cells in turn: {', '.join(map(str, cells))}; load {load_average()}")
    await conductor.run()
    _refuse_unknown(options.workloads, conductor)
    named, path = _baseline(options, config, table)
    wanted = Wanted(run=folder.name, cells=cells, table=table, baseline=named, path=path, runs=config.root / RUNS)
    found = assemble(wanted, conductor, _environment(config, conductor, started))
    own = results.toolkit(config.root / BENCH, found.environment.commit)
    return replace(found, toolkit=own)


def _argv(options: argparse.Namespace, cell: Cell) -> list[str]:
    pythons = dict(text.partition("=")[::2] for text in options.python)
    quick = ["--quick"] if options.quick else []
    return [pythons.get(cell.driver, sys.executable), "-m", "pgmatrix.perf.worker", str(cell), *quick]


def _slow(text: str) -> tuple[str, float]:
    name, _, factor = text.partition("=")
    try:
        return name, float(factor)
    except ValueError as error:
        raise ConfigError(f"--slow {text} cannot be used", do_next="write WORKLOAD=FACTOR, such as x=1.3") from error


def _refuse_unknown(wanted: Sequence[str], conductor: Conductor) -> None:
    known = dict.fromkeys(one["workload"] for cell in conductor.cells for one in cell.ready.get("offers", []))
    unknown = [name for name in wanted if known and name not in known]
    if unknown:
        raise UnknownName(f"not measured: {', '.join(unknown)}", do_next=f"choose from {', '.join(known)}")


def _baseline(options: argparse.Namespace, config: Config, table: PerfTable) -> tuple[str, Path]:
    """How the baseline is called and where it is. The one that was saved is used where it is there."""
    if options.save_baseline:
        return "", config.root
    named = options.baseline or table.baseline
    if not named:
        named = BASELINE if (config.root / BASELINE).is_file() else ""
    return str(named), config.root / named


def _environment(config: Config, conductor: Conductor, started: float) -> Environment:
    machine = machine_facts()
    sources = revision(config.root)
    sizes = [
        (one["workload"], one["variant"], one["size"])
        for offered in list(conductor.offers().values())[:1]
        for one in offered
        if one["role"] != results.Role.LIMIT
    ]
    slowed = {f"slowed on purpose, {name}": f"{factor:g} times" for name, factor in conductor.slow.items()}
    return Environment(
        machine=digest(machine),
        workloads=digest(sorted(sizes)),
        facts=machine | slowed,
        commit=sources.commit,
        dirty=sources.dirty,
        started=started,
        ended=time.time(),
        quick=conductor.quick,
        rounds=conductor.rounds,
    )
