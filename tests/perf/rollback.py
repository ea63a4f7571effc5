"""Measures what a rolled-back test costs: one statement through `async_session`, beside the same test without it."""

from __future__ import annotations

import json

from pgmatrix.matrix import Cell, Session
from tests.perf.bench import Bench
from tests.perf.commands import run
from tests.perf.measure import Samples
from tests.perf.sessions import command_of
from tests.perf.table import Goal, Row


def measure_rollback(bench: Bench) -> list[Row]:
    """The newest major through each driver, with a session's own plugins and coverage."""
    major = max(bench.table.matrix.majors)
    return [_driver(bench, Cell(major=major, driver=driver)) for driver in bench.table.matrix.drivers]


def _driver(bench: Bench, cell: Cell) -> Row:
    session = Session(cell=cell, layer=bench.layers[0])
    command = command_of(bench, session, ["tests/perf/trivial.py"])
    times = bench.file("times.json")
    argv = [*command.argv, "-n", "0", "-p", "tests.perf.stopwatch"]
    env = {**command.env, "PERF_TIMES": str(times), "PGMATRIX_PROVIDER": "embedded"}
    run(argv, env=env, cwd=bench.root, output=bench.file("rollback.log"))
    taken = json.loads(times.read_text(encoding="utf-8"))
    with_session = Samples(values=tuple(taken["test_with_session"][1:]))
    without = Samples(values=tuple(taken["test_without"][1:]))
    return Row(
        what=f"a rolled-back test with one statement, less the same test without, {cell}",
        measured=with_session.minus(without),
        beside=without,
        beside_what="a test that does nothing",
        goal=Goal(bound=0.003),
    )
