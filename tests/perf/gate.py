"""Measures the release gate on prepared runs: from the start of its process to the verdict and all reports on disk.

The runs are made here: sources, and of every session its record, coverage data and JUnit file; of a hundred tests one
failed on one driver, with its traceback and its log.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import coverage

from pgmatrix import records
from pgmatrix.matrix import Driver, Matrix, Session
from pgmatrix.records import Outcome, Record, TestResult
from pgmatrix.report.junit_xml import render
from pgmatrix.verdict import RunView, Scope, SessionView, State, Verdict
from tests.perf.bench import Bench
from tests.perf.commands import run
from tests.perf.measure import Samples, Unit
from tests.perf.table import Goal, Row

FILES, LINES = 60, 120
# Judges, and says how much memory that took at most; a failure is what is expected.
PROGRAM = """
import resource, sys
from pgmatrix.__main__ import main
code = main(["gate", sys.argv[1]])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code != 1)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a run is, and what its verdict may take."""

    what: str
    matrix: Matrix
    tests: int
    seconds: float
    megabytes: float


def sizes() -> tuple[Size, ...]:
    """The usual matrix with 74 tests a cell, and one of 500 sessions with 200,000 results."""
    drivers = (Driver.ASYNCPG, Driver.PSYCOPG)
    seven = {f"layer{number}": (f"tests/test_{number}.py",) for number in range(7)}
    ten = {f"layer{number}": (f"tests/test_{number}.py",) for number in range(10)}
    return (
        Size(
            what="28 sessions, 308 results",
            matrix=Matrix(majors=(15, 16), drivers=drivers, layers=seven),
            tests=11,
            seconds=2,
            megabytes=500,
        ),
        Size(
            what="500 sessions, 200,000 results",
            matrix=Matrix(majors=tuple(range(20, 45)), drivers=drivers, layers=ten),
            tests=400,
            seconds=30,
            megabytes=500,
        ),
    )


def measure_gate(bench: Bench) -> list[Row]:
    """Verdict and reports of each run; quick: of the small one."""
    return [row for size in sizes()[: 1 if bench.quick else None] for row in _rows(bench, size)]


def _rows(bench: Bench, size: Size) -> Iterator[Row]:
    project = bench.folder / f"gate-{len(size.matrix.sessions)}"
    folder = prepare(project, size)
    seconds, megabytes = [], []
    for _ in range(bench.rounds(5, 2)):
        command = [sys.executable, "-c", PROGRAM, str(folder)]
        ended = run(command, env=bench.environ(), cwd=project, output=bench.file("gate.log"))
        seconds.append(ended.seconds)
        megabytes.append(int(ended.output.split()[-1]) / 1024)
    what = f"verdict and reports of {size.what}"
    yield Row(what=what, measured=Samples(values=tuple(seconds)), goal=Goal(bound=size.seconds))
    memory = Samples(values=tuple(megabytes), unit=Unit.MEGABYTES)
    yield Row(what=f"peak memory of the same, {size.what}", measured=memory, goal=Goal(bound=size.megabytes))


def prepare(project: Path, size: Size) -> Path:
    """A project below `project`, with the folder of one run of it; that folder."""
    sources = [project / "src" / f"module_{number:02}.py" for number in range(FILES)]
    for path in sources:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"x{line} = {line}\n" for line in range(LINES)), encoding="utf-8")
    majors, drivers = list(size.matrix.majors), [str(driver) for driver in size.matrix.drivers]
    layers = "".join(f"{layer} = {json.dumps(list(paths))}\n" for layer, paths in size.matrix.layers.items())
    table = f"[tool.pgmatrix]\npostgres = {majors}\ndrivers = {drivers}\n[tool.pgmatrix.layers]\n{layers}"
    table += '[tool.pgmatrix.coverage]\ntotal = 90\n"src/" = 90\n'
    table += '[tool.coverage.run]\nsource = ["src"]\nbranch = true\nrelative_files = true\n'
    (project / "pyproject.toml").write_text(table, encoding="utf-8")
    folder = project / ".pgmatrix" / "runs" / "run"
    for session in size.matrix.sessions:
        _session(folder, session, size)
        _coverage(folder / "coverage" / str(session), session, sources)
    plan = {"run": "run", "sessions": [str(session) for session in size.matrix.sessions]}
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    return folder


def _session(folder: Path, session: Session, size: Size) -> None:
    tests = tuple(_result(session, number) for number in range(size.tests))
    driver, major = str(session.cell.driver), session.cell.major
    record = Record(
        run="run",
        session=str(session),
        started=1000.0,
        ended=1010.0,
        exit_code=int(any(test.outcome is Outcome.FAILED for test in tests)),
        workers=0,
        workers_reason="as asked",
        ready_seconds=0.2,
        tests=tests,
        facts={
            "cell": str(session.cell),
            "provider": "embedded",
            "server_version": f"{major}.1",
            "server_version_num": major * 10000 + 1,
            "driver": driver,
            "driver_version": "1.0",
            "extensions": {"vector": "0.8"},
        },
        drivers={driver: "1.0"},
        collected=len(tests),
    )
    records.write(folder, record)
    records.write_text(folder / "junit" / f"{session}.xml", _junit(session, record))


def _result(session: Session, number: int) -> TestResult:
    test = f"tests/test_{session.layer[5:]}.py::test_that_something_holds_{number:03}[value-{number}]"
    if number % 100 == 7 and session.cell.driver is Driver.PSYCOPG:
        detail = "\n".join(f"    line {line} of a traceback, as long as such lines are" for line in range(30))
        log = {"PostgreSQL log of this test": detail}
        return TestResult(test=test, outcome=Outcome.FAILED, seconds=0.2, detail=f"{detail}\nE  boom", sections=log)
    return TestResult(test=test, outcome=Outcome.PASSED, seconds=0.01 * (number % 7))


def _junit(session: Session, record: Record) -> str:
    """A JUnit file of this session alone."""
    view = SessionView(
        session=str(session), cell=str(session.cell), layer=session.layer, state=State.GREEN, record=record
    )
    run_view = RunView(
        run="run",
        scope=Scope.MATRIX,
        folder="",
        commit="",
        dirty=False,
        started=0.0,
        ended=0.0,
        judged=0.0,
        pgmatrix="0",
        cells=(str(session.cell),),
        layers=(session.layer,),
    )
    return render(Verdict(ship=True, run=run_view, reasons=(), rules=(), sessions=(view,)))


def _coverage(path: Path, session: Session, sources: list[Path]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = coverage.CoverageData(str(path))
    data.set_context(str(session))
    lines = [(before, before + 1) for before in range(1, LINES)]
    names = [os.path.relpath(source, sources[0].parents[1]) for source in sources]
    data.add_arcs({name: [(-1, 1), *lines, (LINES, -1)] for name in names})
    data.write()
    data.close()
