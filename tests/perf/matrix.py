"""Measures the whole matrix under `nox -j 2`, beside the floor and beside the same sessions done by hand."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pgmatrix.matrix import Cell, Session
from pgmatrix.records import read_all
from pgmatrix.servers import storage
from pgmatrix.servers.account import Account, find_account
from pgmatrix.servers.cache import cache_root
from pgmatrix.servers.container.address import explain, find_engine
from pgmatrix.servers.container.engine import Engine
from pgmatrix.servers.container.order import image_name
from pgmatrix.servers.embedded import EmbeddedProvider
from pgmatrix.servers.guard import Guard
from pgmatrix.servers.watchdog import end_processes_in, remove_tree
from tests.perf.bench import Bench
from tests.perf.commands import run
from tests.perf.measure import Absent, MeasurementFailed, Samples, Unit
from tests.perf.sessions import FLOOR, observe
from tests.perf.table import Goal, Of, Row

JOBS = "2"
LABEL = "pgmatrix-bench"
_PLUGINS = "pytest_cov.plugin,pytest_asyncio.plugin"
_INITDB = ("--no-sync", "--no-instructions", "--auth=trust", "--wal-segsize=1", "--username=postgres")
_LOCALE = ("--locale=C", "--encoding=UTF8")
_CONFIG = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = session
asyncio_default_test_loop_scope = session
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """One `nox -s integration`: its seconds, and of each of its sessions pytest's and the server's."""

    seconds: float
    pytest: tuple[float, ...]
    ready: tuple[float, ...]
    tests: int


def measure_matrix(bench: Bench) -> list[Row]:
    """Ours and the floor in turn, then once by hand, all with two sessions at a time."""
    for cell in bench.table.matrix.cells:  # whatever is not warm becomes so
        _ours(bench, [one for one in bench.sessions if one.cell == cell][:1])
    with _ground(bench) as servers:
        pairs = [(_floor(bench, servers), _ours(bench, bench.sessions)) for _ in range(bench.rounds(2, 1))]
        pairs_floor = [floor for floor, _ in pairs] + [_floor(bench, servers)]
    floor, ours = Samples(values=tuple(pairs_floor)), [whole for _, whole in pairs]
    count = f"{len(bench.sessions)} of {len(bench.table.matrix.sessions)} sessions"
    total = Samples(values=tuple(whole.seconds for whole in ours))
    rows = [
        Row(
            what=f"nox -s integration -j {JOBS}, warm, {count}, {ours[0].tests} tests",
            measured=total,
            beside=floor,
            beside_what="the floor: ten `select 1` tests each",
            goal=Goal(bound=1.5, of=Of.RATIO),
        )
    ]
    return [*rows, _by_hand_row(bench, total), *_inside(ours)]


def _inside(ours: Sequence[Whole]) -> list[Row]:
    pytest = Samples(values=tuple(seconds for whole in ours for seconds in whole.pytest))
    ready = Samples(values=tuple(seconds for whole in ours for seconds in whole.ready))
    return [
        Row(what="of it, one session's pytest once its plugins are loaded", measured=pytest),
        Row(what="of it, one session's server with its template", measured=ready),
    ]


def _by_hand_row(bench: Bench, ours: Samples) -> Row:
    what = f"the same sessions by hand: testcontainers, plant's migrations, ten `select 1` tests, -j {JOBS}"
    try:
        by_hand = Samples(values=(_by_hand(bench),))
    except Absent as error:
        return Row(what=what, absent=str(error))
    goal = Goal(bound=2.0, of=Of.RATIO, at_least=True)
    return Row(what=what, measured=by_hand, beside=ours, beside_what="ours", goal=goal)


def _ours(bench: Bench, sessions: Sequence[Session]) -> Whole:
    everything = set(sessions) == set(bench.table.matrix.sessions)
    names = ["integration"] if everything else [f"integration({one})" for one in sessions]
    finished = bench.run_nox(["-s", *names, "-j", JOBS], bench.environ())
    records = [record for folder in bench.runs(finished) for record in read_all(folder)]
    bench.forget(finished)
    if {record.session for record in records} != {str(one) for one in sessions} or not all(r.green for r in records):
        raise MeasurementFailed("the sessions' records are not all there and green", finished.output)
    return Whole(
        seconds=finished.seconds,
        pytest=tuple(record.seconds for record in records),
        ready=tuple(record.ready_seconds for record in records),
        tests=sum(len(record.tests) for record in records),
    )


def _floor(bench: Bench, servers: Mapping[str, object]) -> float:
    env = _environ(bench, "by_copy", PERF_SERVERS=json.dumps(servers))
    return _run_floor(bench, env)


def _run_floor(bench: Bench, env: Mapping[str, str]) -> float:
    argv = [bench.nox, "-m", "nox", "-f", "noxfile.py", "-s", "floor", "-j", JOBS]
    finished = run(argv, env=env, cwd=_project(bench), output=bench.file("floor.log"))
    passed = finished.output.count("10 passed")
    if passed != len(bench.sessions):
        raise MeasurementFailed(f"{passed} of {len(bench.sessions)} sessions passed their ten tests", finished.output)
    return finished.seconds


def _project(bench: Bench) -> Path:
    """A folder with nothing but the floor's noxfile, tests and plugins."""
    folder = bench.file("floor")
    if not folder.exists():
        shutil.copytree(FLOOR, folder, ignore=shutil.ignore_patterns("__*"))
        (folder / "pytest.ini").write_text(_CONFIG, encoding="utf-8")
        (folder / ".coveragerc").write_text("[run]\nbranch = true\nconcurrency = greenlet, thread\n", encoding="utf-8")
    return folder


def _environ(bench: Bench, plugin: str, **changes: str) -> dict[str, str]:
    pythons = {str(one): bench.python(one.cell.driver) for one in bench.sessions}
    words = ["-q", "-p", plugin, "-p", "no:cacheprovider", "--cov=.", "--cov-report=", "ten.py"]
    return bench.environ(
        PERF_PYTHONS=json.dumps(pythons),
        PERF_ARGS=json.dumps(words),
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
        PYTEST_PLUGINS=_PLUGINS,
        **changes,
    )


@contextmanager
def _ground(bench: Bench) -> Iterator[dict[str, object]]:
    """For each major a data folder as initdb leaves it, where our own servers would have theirs; removed at the end."""
    place = storage.choose_place(memory=True).folder
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=place))
    account = find_account(bench.table["run-as"])
    try:
        folder.chmod(0o755)
        yield {str(major): _prepared(bench, major, folder, account) for major in bench.table.matrix.majors}
    finally:
        end_processes_in(str(folder))
        remove_tree(str(folder))


def _prepared(bench: Bench, major: int, folder: Path, account: Account) -> dict[str, object]:
    guard = Guard()
    try:
        provider = EmbeddedProvider(cache=cache_root(bench.table["cache"]), guard=guard)
        installation = provider.installation(Cell(major=major, driver=bench.table.matrix.drivers[0]))
    finally:
        guard.close()
    own = folder / str(major)
    own.mkdir()
    account.own(own)
    argv = account.named([str(installation.bin / "initdb"), "-D", str(own / "data"), *_INITDB, *_LOCALE])
    made = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/", **account.popen)
    if made.returncode != 0:
        raise MeasurementFailed(f"initdb of PostgreSQL {major} failed", made.stdout + made.stderr)
    return {
        "postgres": str(installation.bin / "postgres"),
        "data": str(own / "data"),
        "place": str(folder),
        "account": account.popen,
    }


def _by_hand(bench: Bench) -> float:
    search = find_engine()
    if search.address is None:
        raise Absent(explain(search))
    engine = Engine(search.address)
    images = {str(c.major): image_name(bench.table["image"], c) for c in bench.table.matrix.cells}
    missing = sorted(name for name in images.values() if engine.image(name) is None)
    if missing:
        raise Absent(f"the engine has no image {', '.join(missing)}")
    for driver in bench.table.matrix.drivers:
        observe(bench, next(one for one in bench.sessions if one.cell.driver is driver))
    changes = {"PERF_IMAGES": json.dumps(images), "PERF_LABEL": LABEL, "TESTCONTAINERS_RYUK_DISABLED": "true"}
    try:
        return _run_floor(bench, _environ(bench, "by_container", **changes))
    finally:
        for container in engine.containers(LABEL):
            engine.remove(str(container["Id"]))
