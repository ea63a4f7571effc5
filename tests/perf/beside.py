"""Owns what the matrix is measured beside: the floor, and the guide's way by hand, as sessions of another noxfile."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pgmatrix.matrix import Cell
from pgmatrix.servers import storage
from pgmatrix.servers.account import Account, find_account
from pgmatrix.servers.cache import cache_root
from pgmatrix.servers.container.address import explain, find_engine
from pgmatrix.servers.container.engine import Engine
from pgmatrix.servers.container.order import image_name
from pgmatrix.servers.embedded import EmbeddedProvider
from pgmatrix.servers.guard import Guard
from pgmatrix.servers.watchdog import end_processes_in, remove_tree
from tests.faults.contract import CONTRACT
from tests.perf.bench import Bench
from tests.perf.commands import Finished, run
from tests.perf.measure import Absent, MeasurementFailed
from tests.perf.sessions import FLOOR, observe

JOBS = "2"
LABEL = "pgmatrix-bench"
_PLUGINS = "pytest_cov.plugin,pytest_asyncio.plugin"
_INITDB = ("--no-sync", "--no-instructions", "--auth=trust", "--wal-segsize=1", "--username=postgres")
_LOCALE = ("--locale=C", "--encoding=UTF8")
_PYTEST = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = session
asyncio_default_test_loop_scope = session
"""
_COVERAGE = "[run]\nbranch = true\nconcurrency = greenlet, thread\n"


def floor(bench: Bench, servers: Mapping[str, object]) -> Finished:
    """As many sessions as are measured, each copying a data folder and starting a server from it."""
    env = _environ(bench, "by_copy", PERF_SERVERS=json.dumps(servers))
    return _run_floor(bench, env, _ten(bench))


def ours_on_ten(bench: Bench) -> Finished:
    """As many sessions, each started as ours are, on the floor's ten tests: what pgmatrix itself costs."""
    return _ours(bench, {str(one): [str(_project(bench) / "ten.py")] for one in bench.sessions}, _ten(bench))


def ours_on_the_contract(bench: Bench) -> Finished:
    """The same on the contract's tests of each layer, without the others that stand beside them."""
    paths = {str(one): list(CONTRACT[one.layer]) for one in bench.sessions}
    return _ours(bench, paths, sum(map(len, paths.values())))


def _ten(bench: Bench) -> int:
    return 10 * len(bench.sessions)


def _ours(bench: Bench, paths: Mapping[str, Sequence[str]], tests: int) -> Finished:
    seen = observe(bench, bench.sessions[0])
    layer = set(bench.table.matrix.layers[bench.sessions[0].layer])
    kept = [word for word in seen.argv[seen.argv.index("pytest") + 1 :] if word not in layer and "junit" not in word]
    words = ["-p", "by_pgmatrix", *kept, "--rootdir", str(bench.root), "-c", str(bench.root / "pyproject.toml")]
    env = _environ(bench, "by_pgmatrix", PERF_CWD=str(bench.root), PYTHONPATH=str(_project(bench)))
    own = {"PERF_ARGS": json.dumps(words), "PERF_PATHS": json.dumps(paths)}
    return _run_floor(bench, env | own | {"PYTEST_PLUGINS": seen.env["PYTEST_PLUGINS"]}, tests)


def _run_floor(bench: Bench, env: Mapping[str, str], tests: int) -> Finished:
    """Raises MeasurementFailed unless all sessions together passed so many tests; one may have several parameters."""
    argv = [bench.nox, "-m", "nox", "-f", "noxfile.py", "-s", "floor", "-j", JOBS]
    finished = run(argv, env=env, cwd=_project(bench), output=bench.file("floor.log"))
    passed = sum(map(int, re.findall(r"^=* ?(\d+) passed", finished.output, re.MULTILINE)))
    if passed < tests:
        raise MeasurementFailed(f"{passed} of {tests} tests passed in the measured sessions", finished.output)
    return finished


def _project(bench: Bench) -> Path:
    """A folder with nothing but the floor's noxfile, tests and plugins."""
    folder = bench.file("floor")
    if not folder.exists():
        shutil.copytree(FLOOR, folder, ignore=shutil.ignore_patterns("__*"))
        (folder / "pytest.ini").write_text(_PYTEST, encoding="utf-8")
        (folder / ".coveragerc").write_text(_COVERAGE, encoding="utf-8")
    return folder


def _environ(bench: Bench, plugin: str, **changes: str) -> dict[str, str]:
    pythons = {str(one): bench.python(one.cell.driver) for one in bench.sessions}
    words = ["-q", "-p", plugin, "-p", "no:cacheprovider", "--cov=.", "--cov-report=", "ten.py"]
    return bench.environ(
        PERF_PYTHONS=json.dumps(pythons),
        PERF_ARGS=json.dumps(words),
        PERF_DATA=str(bench.folder),
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
        PYTEST_PLUGINS=_PLUGINS,
        PYTHONDONTWRITEBYTECODE="",
        PYTHONPYCACHEPREFIX=str(bench.root / ".nox" / "pycache"),  # as the noxfile has it: imports cost both the same
        **changes,
    )


@contextmanager
def ground(bench: Bench) -> Iterator[dict[str, object]]:
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


def by_hand(bench: Bench) -> Finished:
    """As many sessions, each with a container of its own. Raises Absent where no engine has the images."""
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
        return _run_floor(bench, _environ(bench, "by_container", **changes), _ten(bench))
    finally:
        for container in engine.containers(LABEL):
            engine.remove(str(container["Id"]))
