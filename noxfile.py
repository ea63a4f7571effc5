"""Sessions of pgmatrix: prove the data layer on every PostgreSQL version and driver of the table in pyproject.toml.

nox -s integration          every layer on every cell, a session a core, then one matrix and one coverage figure
nox -s integration -j 1     the same, one session at a time
nox -k "pg16 and rls"       a part of it
nox -s tests                pgmatrix's own tests
"""

from __future__ import annotations

import argparse
import atexit
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "src"))
from pgmatrix import config as pgmatrix_config  # noqa: E402 - the table is read by the checkout's own code
from pgmatrix.matrix import Cell, Session  # noqa: E402
from pgmatrix.servers.tuning import usable_cores  # noqa: E402

nox.needs_version = ">=2026.10.20"
nox.options.sessions = ["integration"]
TABLE = pgmatrix_config.load(ROOT)
SESSIONS = [nox.param(str(one), id=str(one), tags=list(one.tags)) for one in TABLE.matrix.sessions]
# Tags of their own, so that `-t pg16` means integration sessions.
CELLS = [nox.param(str(one), id=str(one), tags=["perf", f"perf-{one}"]) for one in TABLE.matrix.cells]
MOST_AT_ONCE = 8  # sessions, unless -j says otherwise: a server and up to 256 MB each
PYTHON = f"py{sys.version_info.major}.{sys.version_info.minor}"
EXTRAS = "container,embedded,plant"
INSTALLS = {str(driver): ["-e", f".[{driver},{EXTRAS}]", "--group", "test"] for driver in TABLE.matrix.drivers} | {
    "dev": ["-e", f".[asyncpg,psycopg,{EXTRAS}]", *"--group dev --group lint --group types".split()],
}
LOWEST = "--resolution lowest-direct --python-version 3.11".split()
PIP_INSTALL = "-m pip install -qq --no-compile --disable-pip-version-check --constraint".split()
PYTEST = "-p no:cacheprovider -n auto --cov --cov-report= -q".split()
# A session loads the plugins it needs.
PYTEST_ENV = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_PLUGINS": "xdist.plugin,pytest_cov.plugin,pytest_asyncio.plugin,pgmatrix.plugin",
}
# What is imported is compiled once, whatever the caller's shell says.
os.environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(ROOT / ".nox" / "pycache")}


def begin_run() -> Path:
    """The folder of this run. The process a person started opens it, and reports when everything has ended."""
    if "PGMATRIX_RUN" not in os.environ:
        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        parser.add_argument("-j", "--parallel", default=os.environ.get("NOX_PARALLEL"))
        parser.add_argument("-s", "-e", "--session", "--sessions", nargs="*", default=["integration"])
        asked = parser.parse_known_args(sys.argv[1:])[0]
        if asked.parallel is None and "integration" in asked.session:  # one by its name prints as it goes
            asked.parallel = nox.options.parallel = min(usable_cores(), MOST_AT_ONCE)
        jobs = os.cpu_count() if asked.parallel == "auto" else asked.parallel or 1
        run = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        os.environ["PGMATRIX_RUN"] = run
        os.environ["PGMATRIX_RUN_DIR"] = str(ROOT / ".pgmatrix" / "runs" / run)
        os.environ["PGMATRIX_PARALLEL_SESSIONS"] = str(jobs)
        os.environ["PGMATRIX_ARGV"] = json.dumps(sys.argv[1:])
        atexit.register(report)
    return Path(os.environ["PGMATRIX_RUN_DIR"])


def report() -> None:
    """Print the matrix and the merged coverage of this run, if it had any session, whatever became of them."""
    if (RUN / "plan.json").is_file():
        sys.stdout.flush()
        subprocess.run([env_python("dev", *TABLE.matrix.drivers), "-m", "pgmatrix", "report", str(RUN)], cwd=ROOT)


def env_python(*names: str) -> str:
    """The interpreter of the first of these environments that is there."""
    found = (ROOT / ".nox" / f"env-{name}" / "bin" / "python" for name in names)
    return str(next((path for path in found if path.exists()), sys.executable))


def environment(session: nox.Session, name: str) -> str:
    """The interpreter of the shared environment `name`, made again only when its pins or the project have changed."""
    pins = ROOT / "constraints" / f"{name}-{PYTHON}.txt"
    if not pins.is_file():
        session.error(f"constraints/{pins.name} is missing: use Python 3.11 to 3.13, or run nox -s lock")
    folder = ROOT / ".nox" / f"env-{name}"
    python, stamp = str(folder / "bin" / "python"), folder / "pgmatrix-stamp"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    parts = [project[table] for table in ("build-system", "project", "dependency-groups")]
    wanted = hashlib.sha256(repr([pins.read_text(), parts, sys.version, ROOT]).encode()).hexdigest()
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / f"env-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.is_file() or stamp.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            for command in (
                [sys.executable, "-m", "virtualenv", "--quiet", str(folder)],
                [python, *PIP_INSTALL, str(pins), *INSTALLS[name]],
            ):
                if subprocess.run(command, cwd=ROOT).returncode != 0:
                    session.error(f"cannot make the environment {name}: {' '.join(command)}")
            stamp.write_text(wanted)
    return python


RUN = begin_run()


@nox.session(venv_backend="none", default=False)
def plan(session: nox.Session) -> None:
    """Say what will run, on which provider and why, and prepare the environments."""
    argv = json.loads(os.environ["PGMATRIX_ARGV"])
    own = argv[: argv.index("--")] if "--" in argv else argv  # what follows is pytest's
    command = [sys.executable, "-m", "nox", *own, "--list", "--json"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    chosen = [one["call_spec"]["name"] for one in json.loads(listed.stdout) if one["name"] == "integration"]
    drivers = {Session.parse(name).cell.driver for name in chosen}
    with ThreadPoolExecutor() as pool:
        wanted = [driver for driver in TABLE.matrix.drivers if driver in drivers]
        pythons = list(pool.map(lambda driver: environment(session, driver), wanted))
    if pythons:
        session.run(pythons[0], "-m", "pgmatrix", "plan", "--write", str(RUN / "plan.json"), *chosen, external=True)


@nox.session(venv_backend="none", requires=["plan"], allow_parallel=True)
@nox.parametrize("name", SESSIONS)
def integration(session: nox.Session, name: str) -> None:
    """One layer on one cell: a server of its own, its tests under xdist, their coverage."""
    one = Session.parse(name)
    python = environment(session, one.cell.driver)
    for folder in ("coverage", "junit"):
        (RUN / folder).mkdir(parents=True, exist_ok=True)
    variables = {
        "PGMATRIX_SESSION": name,
        "PGMATRIX_CELL": str(one.cell),
        "COVERAGE_FILE": str(RUN / "coverage" / name),
        "PGMATRIX_PARALLEL_SESSIONS": str(min(int(os.environ["PGMATRIX_PARALLEL_SESSIONS"]), planned())),
    }
    files, junit = TABLE.matrix.layers[one.layer], f"--junitxml={RUN / 'junit' / name}.xml"
    command = [python, "-m", "pytest", *files, *PYTEST, junit, *session.posargs]
    session.run(*command, env=PYTEST_ENV | variables, external=True)


def planned() -> int:
    """How many sessions this run has: fewer than may run at once leave cores to each other's workers."""
    plan_file = RUN / "plan.json"
    return len(json.loads(plan_file.read_text(encoding="utf-8"))["sessions"]) if plan_file.is_file() else 1


@nox.session(venv_backend="none", default=False)
def coverage(session: nox.Session) -> None:
    """Print the matrix and the merged coverage of the last run again."""
    python = environment(session, str(TABLE.matrix.drivers[0]))
    session.run(python, "-m", "pgmatrix", "report", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def tests(session: nox.Session) -> None:
    """pgmatrix's and plant's own tests: unit, plugin, servers, architecture, acceptance."""
    folders = ["unit", "architecture", "servers", "plugin", "acceptance"]
    chosen = session.posargs or [*(f"tests/{folder}" for folder in folders), "-m", "not docker"]
    session.run(environment(session, "dev"), "-m", "pytest", "-q", *chosen, external=True)


@nox.session(venv_backend="none", default=False)
def bench(session: nox.Session) -> None:
    """Measure servers, clones, sessions and the whole matrix beside what they are compared with; `-- --help`."""
    python = environment(session, "dev")
    session.run(python, "-m", "tests.perf", "--nox", sys.executable, *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
@nox.parametrize("cell", CELLS)
def perf(session: nox.Session, cell: str) -> None:
    """Measure plant on one cell beside the bare driver, durable as in production; `-- --quick` for a look."""
    python = environment(session, Cell.parse(cell).driver)
    session.run(python, "-m", "tests.perf.plant", "--cell", cell, *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def lint(session: nox.Session) -> None:
    """Style: ruff's rules and format."""
    python = environment(session, "dev")
    session.run(python, "-m", "ruff", "check", *session.posargs, ".", external=True)
    session.run(python, "-m", "ruff", "format", "--check", ".", external=True)


@nox.session(venv_backend="none", default=False)
def types(session: nox.Session) -> None:
    """Types, strictly."""
    session.run(environment(session, "dev"), "-m", "mypy", external=True)


@nox.session(venv_backend="none", default=False)
def lock(session: nox.Session) -> None:
    """Rewrite the pins in constraints/ from pyproject.toml (needs uv)."""
    for name, install in INSTALLS.items():
        extras = install[1].removeprefix(".[").removesuffix("]").split(",")
        words = [word for extra in extras for word in ("--extra", extra)] + install[2:]
        for minor in (11, 12, 13):
            out = f"constraints/{name}-py3.{minor}.txt"
            compile_pins(session, [*words, "--python-version", f"3.{minor}"], out)
    compile_pins(session, [*words, *LOWEST], "constraints/lowest.txt")


def compile_pins(session: nox.Session, words: list[str], out: str) -> None:
    """Resolve the project's requirements into `out`, without the address of any index."""
    quiet = ["--quiet", "--upgrade", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    session.run("uv", "pip", "compile", "pyproject.toml", *quiet, *words, "--output-file", out, external=True)
