"""Measures the contract's tests on one cell by two workers, beside the same tests with fixtures written by hand."""

from __future__ import annotations

import json

from pgmatrix.databases.template import server_values
from pgmatrix.matrix import Cell, Session
from pgmatrix.provision import Provision, provision
from tests.faults.contract import CONTRACT
from tests.perf.bench import Bench
from tests.perf.commands import run
from tests.perf.measure import Action, interleave
from tests.perf.sessions import FLOOR, observe
from tests.perf.table import Goal, Of, Row

WORKERS = "2"
_PLUGINS = "xdist.plugin,pytest_asyncio.plugin"


def measure_fixtures(bench: Bench) -> list[Row]:
    """The newest major through each driver, without coverage on either side."""
    major = max(bench.table.matrix.majors)
    return [_driver(bench, Cell(major=major, driver=driver)) for driver in bench.table.matrix.drivers]


def _driver(bench: Bench, cell: Cell) -> Row:
    observe(bench, Session(cell=cell, layer=bench.layers[0]))  # makes the environment if it is not there
    found = provision(bench.table, cell, workers=2 * int(WORKERS), label="bench")
    try:
        actions: dict[str, Action] = {
            "ours": lambda: _seconds(bench, cell, "pgmatrix.plugin", PGMATRIX_PROVIDER=found.server.provider),
            "hand": lambda: _seconds(bench, cell, "by_fixtures", PYTHONPATH=str(FLOOR), PERF_DATABASES=_order(found)),
        }
        interleave(1, actions)
        seconds = interleave(bench.rounds(3, 1), actions)
    finally:
        found.close()
    return Row(
        what=f"the contract's {sum(map(len, CONTRACT.values()))} tests on {cell}, pytest -n {WORKERS}",
        measured=seconds["ours"],
        beside=seconds["hand"],
        beside_what="the same by the shortest fixtures, on a server that is there already",
        goal=Goal(bound=1.3, of=Of.RATIO),
    )


def _order(found: Provision) -> str:
    return json.dumps({"server": server_values(found.server), "template": found.template})


def _seconds(bench: Bench, cell: Cell, plugin: str, **changes: str) -> float:
    tests = [test for tests in CONTRACT.values() for test in tests]
    argv = [bench.python(cell.driver), "-m", "pytest", "-q", "-n", WORKERS, "-p", "no:cacheprovider", *tests]
    env = bench.environ(
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", PYTEST_PLUGINS=f"{_PLUGINS},{plugin}", PGMATRIX_CELL=str(cell)
    )
    return run(argv, env=env | changes, cwd=bench.root, output=bench.file("contract.log")).seconds
