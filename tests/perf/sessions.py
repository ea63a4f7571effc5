"""Measures what a session pays before its first test: nox and its environment, pytest's plugins, imports."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from pgmatrix.matrix import Driver, Session
from tests.perf.bench import Bench, Command
from tests.perf.commands import run
from tests.perf.measure import Action, interleave
from tests.perf.table import Goal, Row

FLOOR = Path(__file__).parent / "floor"
_NOTHING = "def test_nothing() -> None:\n    pass\n"
_DATA_LAYER = "import sqlalchemy.ext.asyncio, sqlalchemy.orm, {}"


def observe(bench: Bench, session: Session) -> Command:
    """How nox starts the pytest of `session`, watched with a pytest that only says its version."""
    finished = bench.run_nox([*_only(session), "--", "--version"], bench.spied())
    bench.forget(finished.pid)
    seen = bench.seen()
    return Command(argv=seen.argv[:-1], env=seen.env, began=seen.began - finished.began)


def command_of(bench: Bench, session: Session, paths: Sequence[str]) -> Command:
    """The pytest of `session` on other `paths`, leaving its record, coverage and results in our folder."""
    seen = observe(bench, session)
    old = set(bench.table.matrix.layers[session.layer])
    words = [word for word in seen.argv if word not in old and not word.startswith("--junitxml=")]
    place = words.index("pytest") + 1
    env = {**seen.env, "PGMATRIX_RUN_DIR": str(bench.file("run")), "COVERAGE_FILE": str(bench.file("coverage"))}
    return Command(argv=(*words[:place], *paths, *words[place:]), env=env, began=seen.began)


def measure_environment(bench: Bench) -> list[Row]:
    """From the start of nox until the session's pytest starts, beside a noxfile that only starts it."""
    session = bench.sessions[0]
    observe(bench, session)  # makes the environment if it is not there
    empty = bench.file("noxfile.py")
    shutil.copy(FLOOR / "noxfile.py", empty)

    def plain() -> float:
        pythons = json.dumps({"one": bench.python(session.cell.driver)})
        env = bench.spied(PERF_PYTHONS=pythons, PERF_ARGS='["--version"]', PERF_DATA=str(bench.folder))
        argv = [bench.nox, "-m", "nox", "-f", str(empty), "-s", "floor(one)", "--no-dependencies"]
        finished = run(argv, env=env, cwd=bench.folder, output=bench.file("empty.log"))
        return bench.seen().began - finished.began

    actions: dict[str, Action] = {"ours": lambda: observe(bench, session).began, "empty": plain}
    found = interleave(bench.rounds(7, 3), actions)
    return [
        Row(
            what="a warm session, from starting nox until its pytest starts",
            measured=found["ours"],
            beside=found["empty"],
            beside_what="in a noxfile of one line",
            goal=Goal(bound=0.3),
        )
    ]


def measure_imports(bench: Bench) -> list[Row]:
    """pytest with a session's plugins beside every installed one, and SQLAlchemy with each driver."""
    session = bench.sessions[0]
    plugins = observe(bench, session).env["PYTEST_PLUGINS"]
    test = bench.file("test_nothing.py")
    test.write_text(_NOTHING, encoding="utf-8")
    variants = {
        "every": {},
        "session": {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": plugins},
        "none": {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    }
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={bench.folder}", str(test)]
    found = interleave(
        bench.rounds(5, 3),
        {name: _starts(bench, argv, **environ) for name, environ in variants.items()},
    )
    number = len(importlib.metadata.entry_points(group="pytest11"))
    rows = [
        Row(
            what=f"pytest and one empty test, {len(plugins.split(','))} plugins as in a session",
            measured=found["session"],
            beside=found["every"],
            beside_what=f"all {number} installed",
        ),
        Row(
            what="the same without any plugin",
            measured=found["none"],
            beside=found["every"],
            beside_what=f"all {number} installed",
        ),
    ]
    return rows + [_data_layer(bench, driver) for driver in bench.table.matrix.drivers]


def _data_layer(bench: Bench, driver: Driver) -> Row:
    observe(bench, next(one for one in bench.sessions if one.cell.driver is driver))
    python = bench.python(driver)
    found = interleave(
        bench.rounds(5, 3),
        {
            "import": _starts(bench, [python, "-c", _DATA_LAYER.format(driver)]),
            "nothing": _starts(bench, [python, "-c", "pass"]),
        },
    )
    return Row(
        what=f"Python that imports SQLAlchemy and {driver}",
        measured=found["import"],
        beside=found["nothing"],
        beside_what="that imports nothing",
    )


def _starts(bench: Bench, argv: Sequence[str], **environ: str) -> Action:
    env = bench.environ(**environ)
    return lambda: run(argv, env=env, cwd=bench.folder, output=bench.file("start.log")).seconds


def _only(session: Session) -> list[str]:
    return ["-s", f"integration({session})", "--no-dependencies"]
