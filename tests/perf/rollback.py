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
    """The newest major through each driver, with a session's own plugins, and with coverage's tracer and without."""
    major = max(bench.table.matrix.majors)
    cells = [Cell(major=major, driver=driver) for driver in bench.table.matrix.drivers]
    return [_driver(bench, cell, covered=covered) for cell in cells for covered in (True, False)]


def _driver(bench: Bench, cell: Cell, *, covered: bool) -> Row:
    session = Session(cell=cell, layer=bench.layers[0])
    command = command_of(bench, session, ["tests/perf/trivial.py"])
    times = bench.file("times.json")
    words = command.argv if covered else [word for word in command.argv if not word.startswith("--cov")]
    argv = [*words, "-n", "0", "-p", "tests.perf.stopwatch"]
    env = {**command.env, "PERF_TIMES": str(times), "PGMATRIX_PROVIDER": "embedded"}
    run(argv, env=env, cwd=bench.root, output=bench.file("rollback.log"))
    taken = json.loads(times.read_text(encoding="utf-8"))
    with_session = Samples(values=tuple(taken["test_with_session"][1:]))
    without = Samples(values=tuple(taken["test_without"][1:]))
    how = "traced for coverage" if covered else "not traced"
    return Row(
        what=f"a rolled-back test with one statement, less the same test without, {cell}, {how}",
        measured=with_session.minus(without),
        beside=without,
        beside_what="a test that does nothing",
        goal=Goal(bound=0.003),
    )
