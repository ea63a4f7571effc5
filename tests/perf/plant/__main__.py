"""`python -m tests.perf.plant --cell pg16-asyncpg [--quick] [NAME ...]`: measures, prints the table, writes JSON.

The exit code is 0 whether or not a bound is met, and 1 when something could not be measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from rich.console import Console

from pgmatrix.config import Config, load
from pgmatrix.errors import PgMatrixError
from pgmatrix.matrix import Cell
from tests.perf.plant.figures import Figure, print_figures
from tests.perf.plant.ground import PRODUCTION, Ground, ground
from tests.perf.plant.loads import measure_bulk
from tests.perf.plant.nearest import measure_search
from tests.perf.plant.reads import measure_reads
from tests.perf.plant.trail import measure_chain, measure_inserts
from tests.perf.plant.writers import measure_writers
from tests.perf.table import Verdict

ROOT: Final = Path(__file__).parents[3]
Measurement = Callable[[Ground], list[Figure]]
MEASUREMENTS: Final[Mapping[str, Measurement]] = {
    "reads": measure_reads,
    "bulk": measure_bulk,
    "inserts": measure_inserts,
    "chain": measure_chain,
    "writers": measure_writers,
    "search": measure_search,
}


def main() -> int:
    """Measure what was asked for, on one server; say what failed and go on with the rest."""
    options = _options()
    table = load(ROOT, options={"memory": False, "settings": PRODUCTION})
    cell = Cell.parse(options.cell)
    console = Console(width=None if sys.stdout.isatty() else 160)
    started, facts, figures = time.time(), list[str](), list[Figure]()
    try:
        with ground(table, cell, quick=options.quick) as found:
            facts += found.describe()
            console.print(*facts, sep="\n", markup=False, highlight=False)
            for name in options.names or MEASUREMENTS:
                figures += _measure(found, name, console)
    except PgMatrixError as error:
        figures.append(Figure(what=f"a server for {cell}", failed=f"{type(error).__name__}: {error}"))
    print_figures(console, f"plant on {cell}{', quick' if options.quick else ''}", figures)
    path = _write(table, cell, options.quick, started, facts, figures)
    console.print(f"{_summary(figures)}; every sample: {path}", markup=False, highlight=False)
    return 1 if any(figure.verdict is Verdict.FAILED for figure in figures) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.perf.plant", description=__doc__)
    parser.add_argument("--cell", required=True, help="for example pg16-asyncpg")
    parser.add_argument("--quick", action="store_true", help="less of everything: for a look, not for a decision")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*MEASUREMENTS, []], help=", ".join(MEASUREMENTS))
    return parser.parse_args()


def _measure(found: Ground, name: str, console: Console) -> list[Figure]:
    """One failure is one red line: the others are still worth having."""
    start = time.monotonic()
    try:
        return MEASUREMENTS[name](found)
    except Exception as error:
        return [Figure(what=name, failed=f"{type(error).__name__}: {error}")]
    finally:
        console.print(f"{name}: {time.monotonic() - start:.0f} s", highlight=False)


def _summary(figures: list[Figure]) -> str:
    counts = {verdict: sum(figure.verdict is verdict for figure in figures) for verdict in Verdict}
    bounds = counts[Verdict.MET] + counts[Verdict.MISSED]
    failed = f", {counts[Verdict.FAILED]} could not be measured" if counts[Verdict.FAILED] else ""
    return f"{counts[Verdict.MET]} of {bounds} bounds met{failed}"


def _write(table: Config, cell: Cell, quick: bool, started: float, facts: list[str], figures: list[Figure]) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(started))
    path = table.root / ".pgmatrix" / "perf" / f"plant-{cell}-{stamp}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "cell": str(cell),
        "quick": quick,
        "started": started,
        "seconds": time.time() - started,
        "facts": facts,
        "figures": [figure.to_json() for figure in figures],
    }
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
