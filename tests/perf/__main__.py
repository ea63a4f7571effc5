"""The command line: `python -m tests.perf [--quick] [NAME ...]`. Measures, prints one table, keeps all samples.

Nothing here is a test: the exit code is 1 only where something could not be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from pgmatrix import config
from pgmatrix.errors import PgMatrixError
from pgmatrix.perf import results
from pgmatrix.revision import revision
from pgmatrix.servers.tuning import usable_cores
from tests.perf.bench import Bench, measured_layers
from tests.perf.databases import measure_clones, measure_strategies
from tests.perf.fixtures import measure_fixtures
from tests.perf.gate import measure_gate
from tests.perf.matrix import measure_matrix
from tests.perf.measure import Absent, MeasurementFailed
from tests.perf.memory import measure_memory
from tests.perf.rollback import measure_rollback
from tests.perf.servers import measure_places, measure_ready
from tests.perf.sessions import measure_environment, measure_imports
from tests.perf.table import Row, Verdict, print_table, summary, toolkit_row

ROOT = Path(__file__).parents[2]
MEASUREMENTS: Mapping[str, Callable[[Bench], list[Row]]] = {
    "ready": measure_ready,
    "places": measure_places,
    "clones": measure_clones,
    "strategies": measure_strategies,
    "rollback": measure_rollback,
    "fixtures": measure_fixtures,
    "imports": measure_imports,
    "environment": measure_environment,
    "memory": measure_memory,
    "gate": measure_gate,
    "matrix": measure_matrix,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was named, or everything; 1 where something could not be measured."""
    options = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = config.load(ROOT)
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:  # whatever is interrupted cleans up behind itself
        bench = Bench(
            table=table,
            nox=options.nox or _nox(),
            quick=options.quick,
            folder=folder,
            layers=measured_layers(table, options.layer),
        )
        rows = [row for name in options.names or MEASUREMENTS for row in _measured(bench, name, console)]
    except KeyboardInterrupt:
        console.print("interrupted")
        return 130
    finally:
        shutil.rmtree(folder)
    print_table(console, _title(bench), rows)
    console.print(summary(rows), markup=False, highlight=False)
    _keep(bench, rows)
    return int(any(row.verdict is Verdict.FAILED for row in rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.perf", description="Measure pgmatrix, side by side.")
    known = ", ".join(MEASUREMENTS)
    parser.add_argument("names", nargs="*", metavar="NAME", type=_name, help=f"of {known}; all by default")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, fewer cells: about a third of the time")
    parser.add_argument("--layer", action="append", default=[], help="measure sessions of this layer only; repeatable")
    parser.add_argument("--nox", metavar="PYTHON", help="an interpreter that has nox; by default one that is found")
    return parser


def _name(text: str) -> str:
    if text not in MEASUREMENTS:
        raise argparse.ArgumentTypeError(f"{text} is not measured; choose from {', '.join(MEASUREMENTS)}")
    return text


def _measured(bench: Bench, name: str, console: Console) -> list[Row]:
    """The rows of one measurement, or the one that says why there are none; what a failed command said is printed."""
    start = time.monotonic()
    try:
        rows = MEASUREMENTS[name](bench)
    except Absent as error:
        rows = [Row(what=name, absent=str(error))]
    except (MeasurementFailed, PgMatrixError) as error:
        console.print(getattr(error, "output", ""), markup=False, highlight=False)
        rows = [Row(what=name, failed=str(error))]
    console.print(f"{name}: {time.monotonic() - start:.0f} s", markup=False, highlight=False)
    return rows


def _nox() -> str:
    if find_spec("nox") is not None:
        return sys.executable
    script = shutil.which("nox")
    if script is None:
        raise SystemExit("no nox was found\n  do    run `nox -s bench`, or name an interpreter that has it with --nox")
    return Path(script).read_text(encoding="utf-8").splitlines()[0].removeprefix("#!").strip()


def _title(bench: Bench) -> str:
    facts = _facts(bench)
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value)


def _facts(bench: Bench) -> dict[str, str]:
    """What figures depend on beside the code."""
    return {
        "Python": platform.python_version(),
        "cores": str(usable_cores()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "nox": _version(bench.nox),
        "bytecode": "is not written (PYTHONDONTWRITEBYTECODE)" if os.environ.get("PYTHONDONTWRITEBYTECODE") else "",
        "rounds": "quick" if bench.quick else "",
    }


def _version(python: str) -> str:
    found = subprocess.run([python, "-m", "nox", "--version"], capture_output=True, text=True, check=False)
    return (found.stdout or found.stderr).strip()


def _keep(bench: Bench, rows: Sequence[Row]) -> None:
    path = bench.root / ".pgmatrix" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    commit, own = revision(bench.root).commit, [toolkit_row(row) for row in rows]
    found = {"measured": time.time(), "commit": commit, "facts": _facts(bench)}
    found |= {"rows": [row.to_json() for row in rows], "toolkit": [asdict(row) for row in own]}
    path.write_text(json.dumps(found, indent=1), encoding="utf-8")
    run = Path(os.environ.get("PGMATRIX_RUN_DIR", path.parent))
    if results.path_of(run).is_file():  # `nox -s perf bench` is one run
        results.write(run, replace(results.read(results.path_of(run)), toolkit=tuple(own)))


if __name__ == "__main__":
    sys.exit(main())
