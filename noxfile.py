"""Sessions of pgmatrix: prove the data layer on every PostgreSQL version and driver of the table in pyproject.toml.

nox -s integration          every layer on every cell, a session a core, then one matrix and a verdict
nox -s integration -j 1     the same, one session at a time
nox -k "pg16 and rls"       a part of it
nox -s gate                 may we ship? judges the last run
nox -s tests                pgmatrix's own tests
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "src"))
from pgmatrix import config as pgmatrix_config  # noqa: E402 - the table is read by the checkout's own code
from pgmatrix import progress, runs  # noqa: E402
from pgmatrix.errors import PgMatrixError  # noqa: E402
from pgmatrix.matrix import Cell, Session  # noqa: E402

nox.needs_version = ">=2026.10.20"
nox.options.sessions = ["integration"]
# Environments are made by pip or uv, whichever is there: that uv is not is no news, yet each session would tell it.
logging.getLogger("nox").addFilter(lambda record: record.getMessage() != "uv binary not found.")
TABLE = pgmatrix_config.load(ROOT)
SESSIONS = [nox.param(str(one), id=str(one), tags=list(one.tags)) for one in TABLE.matrix.sessions]
# Tags of their own, so that `-t pg16` means integration sessions.
CELLS = [nox.param(str(one), id=str(one), tags=["perf", f"perf-{one}"]) for one in TABLE.matrix.cells]
PYTHON = f"py{sys.version_info.major}.{sys.version_info.minor}"
EXTRAS = "container,embedded,perf,plant"
INSTALLS = {str(driver): ["-e", f".[{driver},{EXTRAS}]", "--group", "test"] for driver in TABLE.matrix.drivers} | {
    "dev": ["-e", f".[asyncpg,psycopg,{EXTRAS}]", *"--group dev --group lint --group types".split()],
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LOWEST = "--resolution lowest-direct --python-version 3.11".split()
PYTEST = "-p no:cacheprovider -n auto --cov --cov-report= -q".split()
# A session loads the plugins it needs.
PYTEST_ENV = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_PLUGINS": "xdist.plugin,pytest_cov.plugin,pytest_asyncio.plugin,pgmatrix.plugin",
}
# What is imported is compiled once, whatever the caller's shell says.
os.environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(ROOT / ".nox" / "pycache")}


def environment(session: nox.Session, name: str) -> str:
    """The interpreter of the shared environment `name`, made again only when its pins or the project have changed."""
    pins = ROOT / "constraints" / f"{name}-{PYTHON}.txt"
    if not pins.is_file():
        session.error(f"constraints/{pins.name} is missing: use Python 3.11 to 3.13, or run nox -s lock")
    try:
        return runs.environment(ROOT, name, INSTALLS[name], pins=pins)
    except PgMatrixError as error:
        session.error(str(error))


def environments(session: nox.Session, drivers: Collection[str]) -> dict[str, str]:
    """The interpreters of these drivers' environments, made side by side."""
    wanted = [str(driver) for driver in TABLE.matrix.drivers if driver in drivers]
    with ThreadPoolExecutor() as pool:
        return dict(zip(wanted, pool.map(lambda driver: environment(session, driver), wanted), strict=True))


RUN = runs.begin(ROOT, sys.argv[1:], nox.options)


@nox.session(venv_backend="none", default=False)
def plan(session: nox.Session) -> None:
    """Say what will run, on which provider and why, and prepare the environments."""
    chosen = runs.chosen(ROOT)
    pythons = list(environments(session, {Session.parse(name).cell.driver for name in chosen}).values())
    if pythons:
        session.run(pythons[0], "-m", "pgmatrix", "plan", "--write", str(RUN / "plan.json"), *chosen, external=True)


@nox.session(venv_backend="none", requires=["plan"], allow_parallel=True)
@nox.parametrize("name", SESSIONS)
def integration(session: nox.Session, name: str) -> None:
    """One layer on one cell: a server of its own, its tests under xdist, their coverage."""
    one = Session.parse(name)
    python = environment(session, one.cell.driver)
    variables = runs.variables(RUN, name)
    files, junit = TABLE.matrix.layers[one.layer], f"--junitxml={RUN / 'junit' / name}.xml"
    command = [python, "-m", "pytest", *files, *PYTEST, junit, *session.posargs]
    try:
        session.run(*command, env=PYTEST_ENV | variables, external=True)
    finally:
        print(progress.line(RUN, name), flush=True)


@nox.session(venv_backend="none", default=False)
def coverage(session: nox.Session) -> None:
    """Print the matrix and the merged coverage of the last run again."""
    python = environment(session, str(TABLE.matrix.drivers[0]))
    session.run(python, "-m", "pgmatrix", "report", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def gate(session: nox.Session) -> None:
    """May we ship? Judge the last run, or `-- DIR`, or a JUnit file, and leave the reports beside it."""
    python = environment(session, str(TABLE.matrix.drivers[0]))
    session.run(python, "-m", "pgmatrix", "gate", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def tests(session: nox.Session) -> None:
    """pgmatrix's and plant's own tests: unit, plugin, servers, browser, architecture, acceptance."""
    folders = ["unit", "architecture", "servers", "plugin", "acceptance"]
    if any(map(shutil.which, BROWSERS)) or session.posargs:
        folders.append("browser")
    else:
        session.log(f"no Chromium is on the path ({', '.join(BROWSERS)}): the tests of the report in a browser wait")
    chosen = session.posargs or [*(f"tests/{folder}" for folder in folders), "-m", "not docker and not slow"]
    session.run(environment(session, "dev"), "-m", "pytest", "-q", *chosen, external=True)


@nox.session(venv_backend="none", default=False)
def bench(session: nox.Session) -> None:
    """Measure servers, clones, sessions and the whole matrix beside what they are compared with; `-- --help`."""
    python = environment(session, "dev")
    session.run(python, "-m", "tests.perf", "--nox", sys.executable, *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def measure(session: nox.Session) -> None:
    """Measure the chosen cells side by side: a server and a process each, durable as in production."""
    cells = runs.chosen(ROOT, "perf", "cell")
    if not cells:
        session.error("no cell is chosen: nox -s perf, or one such as nox -s 'perf(pg16-asyncpg)'")
    pythons = environments(session, {Cell.parse(cell).driver for cell in cells})
    words = [f"--cell={cell}" for cell in cells] + [f"--python={name}={path}" for name, path in pythons.items()]
    command = [next(iter(pythons.values())), "-m", "pgmatrix", "perf", "--folder", str(RUN), *words]
    session.run(*command, *session.posargs, external=True)


@nox.session(venv_backend="none", default=False, requires=["measure"])
@nox.parametrize("cell", CELLS)
def perf(session: nox.Session, cell: str) -> None:
    """What the run says of one cell, red if anything stands against it; `-- --quick` for a look."""
    python = environment(session, Cell.parse(cell).driver)
    session.run(python, "-m", "pgmatrix", "perf", "--folder", str(RUN), "--show", cell, external=True)


@nox.session(venv_backend="none", default=False)
def goals(session: nox.Session) -> None:
    """plant's own goals on one cell at full size, 100,000 vectors, 50,000 entries; `-- --cell pg16-asyncpg`."""
    session.run(environment(session, "dev"), "-m", "tests.perf.plant", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def stress(session: nox.Session) -> None:
    """Every layer in random orders, by 1 to 8 workers and each test alone; counts what does not always pass."""
    command = [environment(session, "dev"), "-m", "pgmatrix.stress", *session.posargs]
    session.run(*command, env=PYTEST_ENV, external=True)


@nox.session(venv_backend="none", default=False)
def mutants(session: nox.Session) -> None:
    """Change the pure parts by one operator or value at a time, and count which changes no unit test notices."""
    session.run(environment(session, "dev"), "-m", "tests.mutants", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def teeth(session: nox.Session) -> None:
    """The proof that each test of the contract can fail: inject every fault, compare red tests with named ones."""
    session.run(environment(session, "dev"), "-m", "tests.faults", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def lint(session: nox.Session) -> None:
    """Style: ruff's rules and format, and the schema of workflows."""
    python = environment(session, "dev")
    session.run(python, "-m", "ruff", "check", *session.posargs, ".", external=True)
    session.run(python, "-m", "ruff", "format", "--check", ".", external=True)
    check = [python, *"-m check_jsonschema --builtin-schema vendor.github-workflows".split()]
    session.run(*check, *map(str, (ROOT / ".github" / "workflows").glob("*.yml")), external=True)


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
