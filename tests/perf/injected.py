"""`python -m tests.perf.injected [CELL]`: is a slowdown of 30 % noticed, and nothing where there is none?

One cell, one server, and many small runs on it after a longer one that is their baseline. In each run one workload is
slowed on purpose and the others are not. The exit code is 1 where fewer than 19 of 20 slowdowns were called slower, or
more than one run of 20 raised an alarm without cause.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rich.console import Console

from pgmatrix.errors import PgMatrixError
from pgmatrix.matrix import Cell
from pgmatrix.perf import schedule
from pgmatrix.perf.baseline import since
from pgmatrix.perf.cells import CellProcess
from pgmatrix.perf.collect import Collected, series
from pgmatrix.perf.judge import Shelf
from pgmatrix.perf.results import CellFacts, Environment, PerfRun, Role, Series, Word

ROOT: Final = Path(__file__).parents[2]
WORKLOADS: Final = ("point-read", "update", "audit-append", "transaction")
VARIANTS: Final = {"plant": Role.SUBJECT, "bare": Role.BARE}
FACTOR: Final = 1.3
NOWHERE: Final = Environment(
    machine="", workloads="", facts={}, commit="", dirty=False, started=0.0, ended=0.0, quick=False, rounds=0
)


def main() -> int:
    """Read the command line, do the experiment, print it."""
    parser = argparse.ArgumentParser(prog="python -m tests.perf.injected", description=__doc__)
    parser.add_argument("cell", nargs="?", default="pg16-asyncpg")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=schedule.MOST)
    options = parser.parse_args()
    return asyncio.run(_experiment(Cell.parse(options.cell), options.runs, options.rounds, Console(soft_wrap=True)))


async def _experiment(cell: Cell, runs: int, rounds: int, console: Console) -> int:
    argv = [sys.executable, "-m", "pgmatrix.perf.worker", str(cell), "--quick"]
    process = CellProcess(cell=cell, argv=argv, root=ROOT)
    caught, missed, false = 0, 0, 0
    try:
        await process.start()
        await _measured(process, 2, {})  # warms
        before = PerfRun(run="before", environment=NOWHERE, series=await _measured(process, 2 * rounds, {}))
        for number in range(runs):
            chosen = WORKLOADS[number % len(WORKLOADS)]
            found = await _measured(process, rounds, {chosen: FACTOR})
            words = _words(found, before)
            alarms = [name for name, word in words.items() if word[0] is Word.SLOWER and name != chosen]
            caught, false = caught + (words[chosen][0] is Word.SLOWER), false + bool(alarms)
            missed += words[chosen][0] in (Word.WITHIN_NOISE, Word.FASTER)
            told = ", ".join(f"{name}{'*' * (name == chosen)} {text}" for name, (_, text) in words.items())
            console.print(f"run {number + 1}: {told}", highlight=False)
    finally:
        await process.stop()
    console.print(
        f"{cell}: of {runs} slowdowns of {FACTOR:g} times (*) {caught} were called slower, {runs - caught - missed} too"
        f" noisy to judge, {missed} passed; {false} of {runs} runs raised an alarm without cause",
        highlight=False,
    )
    return int(caught < 0.95 * runs or false > 0.05 * runs)


async def _measured(process: CellProcess, rounds: int, slow: Mapping[str, float]) -> tuple[Series, ...]:
    """The workloads by plant and by the bare driver, in turn, so many rounds."""
    found = {(workload, variant): Collected() for workload in WORKLOADS for variant in VARIANTS}
    for number in range(rounds):
        for (workload, variant), collected in found.items():
            factor = slow.get(workload, 1.0) if variant == "plant" else 1.0
            seconds = schedule.length(collected.p50)
            order = {"workload": workload, "variant": variant, "clients": 1, "seconds": seconds, "slow": factor}
            answer = await process.ask(do="slice", **order)
            if answer is None or process.problem:
                raise PgMatrixError(f"{process.cell} cannot be measured: {process.problem}", do_next="see above")
            collected.add(number, answer)
    names = {"cell": str(process.cell), "clients": 1}
    return tuple(
        series({**names, "workload": workload, "variant": variant}, VARIANTS[variant], collected, told={})
        for (workload, variant), collected in found.items()
    )


def _words(now: tuple[Series, ...], before: PerfRun) -> dict[str, tuple[Word, str]]:
    """By workload, the word and the ratio to the baseline."""
    cell = CellFacts(cell=now[0].cell)
    earlier = PerfRun(run=before.run, environment=before.environment, series=before.series, cells=(cell,))
    return {
        one.workload: (one.word, f"{one.low or 0:.2f} to {one.high or 0:.2f} {one.word}")
        for one in since(Shelf(series=now), (cell,), earlier)
    }


if __name__ == "__main__":
    sys.exit(main())
