"""The command line: `python -m pgmatrix`. Parses, calls, prints; decides nothing.

Errors of pgmatrix end here as text and exit code 2.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pgmatrix import __version__
from pgmatrix.clients import driver_version, installed_drivers
from pgmatrix.config import KEYS, Config, find_root, load
from pgmatrix.errors import ConfigError, PgMatrixError, RecordError, UnknownName
from pgmatrix.fanout.commands import add_commands, print_job_matrix
from pgmatrix.matrix import Cell, Session
from pgmatrix.perf.options import add_options
from pgmatrix.records import Record

if TYPE_CHECKING:
    from pgmatrix.report.files import Files
    from pgmatrix.verdict import Verdict


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options, _config() if options.table else None))
    except PgMatrixError as error:
        print(f"pgmatrix: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pgmatrix", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--version", action="version", version=__version__)
    parser.set_defaults(table=True)  # a command that works without the project's table says so
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    doctor = commands.add_parser("doctor", help="say which providers work here, and why the others do not")
    doctor.set_defaults(run=_doctor)
    plan = commands.add_parser("plan", help="say what would run, and on which provider")
    plan.add_argument("sessions", nargs="*", metavar="SESSION", help="such as pg16-asyncpg-rls; all by default")
    plan.add_argument("--write", type=Path, metavar="FILE", help="also keep the plan in FILE")
    plan.add_argument("--json", action="store_true", help="print the jobs for a CI system instead, one for each cell")
    plan.set_defaults(run=_plan)
    report = commands.add_parser("report", help="print the matrix and the merged coverage of a run")
    report.add_argument("folder", nargs="?", type=Path, help="the run's folder; the last run by default")
    report.set_defaults(run=_report)
    perf = commands.add_parser("perf", help="measure every cell side by side, as [tool.pgmatrix.perf] says")
    add_options(perf)
    perf.set_defaults(run=_perf)
    compare = commands.add_parser("compare", help="say what changes between two majors, two drivers or two runs")
    compare.add_argument("before", help="a major (15), a driver (asyncpg), or the folder of a run")
    compare.add_argument("after", help="another one of the same kind")
    compare.add_argument("--run", type=Path, dest="folder", metavar="DIR", help="the run; the last one by default")
    form = compare.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON instead")
    form.add_argument("--markdown", action="store_true", help="print Markdown instead")
    compare.set_defaults(run=_compare)
    gate = commands.add_parser("gate", help="judge a run: exit code 0 to ship, 1 not to, 2 where nothing can be judged")
    gate.add_argument("place", nargs="?", type=Path, help="a run's folder, or a JUnit file of any tests; the last run")
    gate.add_argument("--json", action="store_true", help="print the whole verdict as JSON instead of the reasons")
    gate.add_argument("--rules", action="store_true", help="say what is demanded, and judge nothing")
    gate.set_defaults(run=_gate)
    up = commands.add_parser("up", help="start a server with a migrated clone, until interrupted")
    up.add_argument("cell", nargs="?", help="such as pg16-asyncpg")
    up.set_defaults(run=_up)
    clean = commands.add_parser("clean", help="remove the cache and the records of past runs")
    clean.set_defaults(run=_clean)
    add_commands(commands)
    return parser


def _config() -> Config:
    root = find_root(Path.cwd())
    if root is None:
        raise ConfigError(
            f"no pyproject.toml with a [tool.pgmatrix] table at or above {Path.cwd()}",
            do_next="go to the project's folder, or add the table",
        )
    return load(root)


def _doctor(_: argparse.Namespace, config: Config) -> int:
    """What works here. Exit code 1 when a major of the table cannot be served."""
    from pgmatrix.provision import choose_for, providers
    from pgmatrix.servers.guard import Guard

    installed = installed_drivers()
    for driver in config.matrix.drivers:
        print(f"driver {driver}: {driver_version(driver) if driver in installed else 'not installed'}")
    for key in KEYS:
        print(f"setting {config.explain(key.name)}")
    served = True
    for cell in _one_cell_a_major(config):
        for provider in providers(config, Guard()):
            print(f"PostgreSQL {cell.major}: {provider.name}: {provider.refusal(cell) or 'can serve it'}")
        try:
            chosen = choose_for(config, cell, Guard())
            print(f"PostgreSQL {cell.major}: would use {chosen.provider.name} ({chosen.reason})")
        except PgMatrixError as error:
            served = False
            print(f"PostgreSQL {cell.major}: {error}")
    return 0 if served else 1


def _one_cell_a_major(config: Config) -> list[Cell]:
    return [Cell(major=major, driver=config.matrix.drivers[0]) for major in config.matrix.majors]


def _plan(options: argparse.Namespace, config: Config) -> int:
    from pgmatrix.provision import choose_for
    from pgmatrix.report.terminal import plan_lines
    from pgmatrix.servers.guard import Guard

    sessions = [Session.parse(text) for text in options.sessions] or list(config.matrix.sessions)
    unknown = [str(session) for session in sessions if session not in config.matrix.sessions]
    if unknown:
        cells, layers = ", ".join(map(str, config.matrix.cells)), ", ".join(config.matrix.layers)
        raise UnknownName(f"not in the matrix: {', '.join(unknown)}", do_next=f"cells: {cells}; layers: {layers}")
    if options.json:
        return print_job_matrix(sessions)
    reasons = {}
    for cell in sorted({session.cell for session in sessions}):
        chosen = choose_for(config, cell, Guard())
        reasons[cell] = f"{chosen.provider.name} ({chosen.reason})"
    jobs = min(int(os.environ.get("PGMATRIX_PARALLEL_SESSIONS", "1")), len(sessions))
    print("\n".join(plan_lines(sessions, reasons, jobs)))
    if options.write:
        options.write.parent.mkdir(parents=True, exist_ok=True)
        kept = {"run": os.environ.get("PGMATRIX_RUN", ""), "sessions": [str(session) for session in sessions]}
        options.write.write_text(json.dumps(kept), encoding="utf-8")
    return 0


def _report(options: argparse.Namespace, config: Config) -> int:
    """Leave the reports of a run beside it, and print its matrix; only an error makes an exit code."""
    from rich.console import Console

    from pgmatrix.report.terminal import print_run

    found, kept = _judged((options.folder or _last_run(config)).absolute(), config, pages=True)
    print_run(Console(), found, [f"report: {kept.html}"] if kept else [])
    return 0


def _perf(options: argparse.Namespace, config: Config) -> int:
    if find_spec("numpy") is None:
        raise ConfigError("pgmatrix perf needs NumPy, which is not installed", do_next='pip install "pgmatrix[perf]"')
    from pgmatrix.measure import run

    return run(options, config)


def _compare(options: argparse.Namespace, config: Config) -> int:
    """What changes if we move. Exit code 1 when something breaks."""
    from rich.console import Console

    from pgmatrix.compare import Axis, Operation, axis_of, compare, operations, side_name, sides
    from pgmatrix.perf import results
    from pgmatrix.report.comparison import markdown, print_comparison

    axis, names = axis_of(options.before, options.after), (options.before, options.after)
    measured: tuple[Operation, ...] = ()
    if axis is Axis.RUN:
        before, after = ({one.session: one for one in _records(Path(name))} for name in names)
    else:
        folder = options.folder or _last_run(config)
        before, after = sides(axis, *names, _records(folder))
        speed = results.path_of(folder)
        measured = operations(axis, *names, results.read(speed)) if speed.exists() else ()
    found = compare(axis, (side_name(axis, names[0]), side_name(axis, names[1])), before, after, measured)
    if options.json:
        print(found.to_json())
    elif options.markdown:
        print(markdown(found), end="")
    else:
        print_comparison(Console(), found)
    return 1 if found.worse else 0


def _records(folder: Path) -> list[Record]:
    """The records of a run. Raises ConfigError for another folder, RecordError where there is none."""
    from pgmatrix import records

    if not (folder / "plan.json").is_file():
        raise ConfigError(f"{folder} is not the folder of a run", do_next="name one below .pgmatrix/runs")
    found = records.read_all(folder)
    if not found:
        raise RecordError(f"{folder} has no record", do_next="run its sessions again, or name another run")
    return found


def _gate(options: argparse.Namespace, config: Config) -> int:
    """Judge, leave the reports beside the run, and print them. Exit code 1 where it may not ship."""
    from rich.console import Console

    from pgmatrix.gate import judge
    from pgmatrix.gate.policy import policy
    from pgmatrix.report.terminal import print_verdict

    if options.rules:
        off = policy(config, judge.IDS).off
        print("\n".join(f"{one.id}: {one.says}{' (off)' * (one.id in off)}" for one in judge.RULES))
        return 0
    place = (options.place or _last_run(config)).absolute()
    found, kept = _judged(place, config, step_summary=os.environ.get("GITHUB_STEP_SUMMARY", ""))
    if options.json:
        print(found.to_json())
    else:
        written = [kept.html, kept.markdown, kept.junit, kept.json] if kept else []
        print_verdict(Console(), found, [str(path) for path in written])
    return 0 if found.ship else 1


def _judged(
    place: Path, config: Config, *, pages: bool = False, step_summary: str = ""
) -> tuple[Verdict, Files | None]:
    """The verdict on a run's folder, with its reports written there, or on a JUnit file. `pages`: coverage's too."""
    from pgmatrix.gate import gather, judge
    from pgmatrix.gate.policy import policy
    from pgmatrix.report import files

    rules = policy(config, judge.IDS)
    try:
        of = gather.of_file(place, rules) if place.is_file() else gather.of_run(place, config, rules, pages=pages)
    except OSError as error:
        raise RecordError(f"{place} cannot be judged: {error}", do_next="make it readable and writable") from error
    found = judge.judge(*of)
    return found, files.write(place, found, step_summary=step_summary) if place.is_dir() else None


def _last_run(config: Config) -> Path:
    runs = sorted((config.root / ".pgmatrix" / "runs").glob("*/plan.json"))
    if not runs:
        raise ConfigError("no run is recorded here", do_next="nox -s integration")
    return runs[-1].parent


def _up(options: argparse.Namespace, config: Config) -> int:
    from pgmatrix.clients import connect
    from pgmatrix.databases.database import Database
    from pgmatrix.databases.names import clone_name
    from pgmatrix.databases.stock import clone
    from pgmatrix.provision import provision

    cell = config.cell(options.cell, installed_drivers())
    found = provision(config, cell, workers=1, label="up")
    try:
        client = connect(found.server)
        database = Database(name=clone_name(found.token, "up", 0), server=found.server)
        clone(client, database.name, found.template)
        client.close()
        print(f"PostgreSQL {found.facts.server_version}, ready in {found.seconds:.2f} s; Ctrl-C ends it")
        for role in (None, *config["roles"]):
            print(f"{role or 'superuser'}: {database.url(role)}")
        sys.stdout.flush()
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        found.close()
    return 0


def _clean(_: argparse.Namespace, config: Config) -> int:
    from pgmatrix.provision import providers
    from pgmatrix.servers.cache import cache_root
    from pgmatrix.servers.guard import Guard

    for provider in providers(config, Guard()):
        try:
            for name in provider.prune(0):
                print(f"removed {name}")
        except PgMatrixError as error:
            print(f"{provider.name}: nothing to remove: {error.wanted}")
    for folder in (cache_root(config["cache"]), config.root / ".pgmatrix"):
        if folder.is_dir():
            shutil.rmtree(folder)
            print(f"removed {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
