"""Fan-out holds: each cell in an empty clone and a process of its own is, merged, what one local run of all is.

The steps are those of the workflow that `ci` writes, its shell commands included. The project is small, and no cell
covers all of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pgmatrix.fanout.starters import starter
from pgmatrix.fanout.workflow import workflow
from tests.acceptance.conftest import clean_environment

RUN = "ci-42"
JOBS: dict[str, Any] = YAML(typ="safe").load(workflow())["jobs"]
TABLE = """\
[tool.pgmatrix]
postgres = [15, 16]
drivers = ["asyncpg", "psycopg"]
template = "template:build"
template-sources = ["template.py"]

[tool.pgmatrix.layers]
notes = ["test_notes.py"]
shop = ["test_shop.py"]

[tool.pgmatrix.coverage]
total = 100

[tool.coverage.run]
include = ["shop.py"]
branch = true
relative_files = true
context = "${PGMATRIX_SESSION-local}"
"""
SHOP = """\
def placeholder(driver):
    if driver == "asyncpg":
        return "$1"
    return "%s"


def has_any_value(major):
    if major >= 16:
        return True
    return False
"""
TESTS = {
    "test_shop.py": """\
import shop


def test_placeholder(pg_cell):
    assert shop.placeholder(pg_cell.driver) == {"asyncpg": "$1", "psycopg": "%s"}[pg_cell.driver]
""",
    "test_notes.py": """\
import shop
from pgmatrix.clients import connect


def test_any_value(pg_clone, pg_cell):
    client = connect(pg_clone.server, database=pg_clone.name)
    try:
        found = client.execute("select count(*) from pg_proc where proname = 'any_value'")
    finally:
        client.close()

    assert found == [(int(shop.has_any_value(pg_cell.major)),)]


def test_nothing_is_there(pg_clone):
    client = connect(pg_clone.server, database=pg_clone.name)
    try:
        assert client.execute("select count(*) from note") == [(0,)]
    finally:
        client.close()
""",
}
ENVIRONMENT = "runs.environment(ROOT, driver, INSTALLS[driver])"


def run(folder: Path, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does: `bash -e`, in its own checkout."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=folder,
        env=clean_environment() | {"PATH": path, "PGMATRIX_RUN": RUN} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def step(job: str, name: str) -> str:
    """The shell command of a step of the workflow."""
    (text,) = (one["run"] for one in JOBS[job]["steps"] if one.get("name") == name)
    return str(text)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes an empty clone of the project's one commit, under that name."""
    source = tmp_path_factory.mktemp("fanout") / "source"
    source.mkdir()
    noxfile = starter("noxfile.py")
    assert ENVIRONMENT in noxfile
    files = {
        "pyproject.toml": TABLE,
        "shop.py": SHOP,
        "template.py": starter("template.py"),
        "noxfile.py": noxfile.replace(ENVIRONMENT, "sys.executable"),  # this environment holds both drivers
        ".gitignore": "__pycache__/\n.nox/\n.pgmatrix/\n.pytest_cache/\n",
        **TESTS,
    }
    for name, text in files.items():
        (source / name).write_text(text, encoding="utf-8")
    who = "-c user.name=pgmatrix -c user.email=pgmatrix@example.org"
    made = run(source, f"git init -q && git add . && git {who} commit -q -m 'The project'")
    assert made.returncode == 0, made.stderr

    def make(name: str) -> Path:
        cloned = run(source, f"git clone -q . ../{name}")
        assert cloned.returncode == 0, cloned.stderr
        return source.parent / name

    return make


@pytest.fixture(scope="module")
def artifacts(clone: Callable[[str], Path]) -> dict[str, Path]:
    """What the job of each cell keeps: planned in one clone, run in another."""
    planned = json.loads(run(clone("plan"), "python -m pgmatrix plan --json").stdout)["include"]
    kept = {}
    for job in planned:
        place = clone(job["cell"])
        ran = run(place, step("cell", "Run the sessions of this cell"), CELL=job["cell"])
        assert ran.returncode == 0, ran.stdout + ran.stderr
        kept[job["cell"]] = place / ".pgmatrix" / "runs" / RUN
    return kept


def judged(place: Path) -> tuple[int, dict[str, Any]]:
    """The gate's exit code and verdict on the run in that clone."""
    ran = run(place, f"{step('verdict', 'Gate')} --json")
    assert ran.stderr == ""
    return ran.returncode, json.loads(ran.stdout)


def collected(place: Path, artifacts: dict[str, Path]) -> subprocess.CompletedProcess[str]:
    """Unpack artifacts as the last job does, and merge them."""
    for cell, folder in artifacts.items():
        shutil.copytree(folder, place / ".pgmatrix" / "jobs" / f"records-{cell}")
    return run(place, step("verdict", "Merge"))


def essence(verdict: dict[str, Any]) -> dict[str, Any]:
    """A verdict without what cannot be equal: times, places, and what took how long."""
    return {
        "ship": verdict["ship"],
        "reasons": verdict["reasons"],
        "rules": verdict["rules"],
        "commit": verdict["run"]["commit"],
        "dirty": verdict["run"]["dirty"],
        "coverage": {name: verdict["coverage"][name] for name in ("percent", "paths", "missing")},
        "sessions": [
            (
                one["session"],
                one["state"],
                [(test["test"], test["outcome"]) for test in one["record"]["tests"]],
                one["record"]["facts"]["server_version"],
                one["record"]["drivers"],
            )
            for one in verdict["sessions"]
        ],
    }


@pytest.mark.slow
def test_merged_it_is_one_local_run(clone: Callable[[str], Path], artifacts: dict[str, Path]) -> None:
    """Verdict, outcomes, measured facts and merged coverage equal those of one run of all cells in one clone."""
    apart, local = clone("verdict"), clone("local")
    merged = collected(apart, artifacts)
    assert merged.returncode == 0, merged.stderr
    ran = run(local, "nox")
    assert ran.returncode == 0, ran.stdout + ran.stderr

    (first, found), (second, expected) = judged(apart), judged(local)

    assert (first, second) == (0, 0), found["reasons"]
    assert essence(found) == essence(expected)
    assert found["coverage"]["percent"] == 100.0
    assert len(found["sessions"]) == 8


@pytest.mark.slow
@pytest.mark.parametrize("withheld", ["pg15-psycopg", "pg16-asyncpg"])
def test_a_cell_that_is_withheld_is_named(
    clone: Callable[[str], Path], artifacts: dict[str, Path], withheld: str
) -> None:
    """Without one cell's records the verdict is not to ship, and says whose are missing."""
    place = clone(f"without-{withheld}")
    merged = collected(place, {cell: folder for cell, folder in artifacts.items() if cell != withheld})

    code, verdict = judged(place)

    names = {f"{withheld}-notes", f"{withheld}-shop"}
    assert merged.returncode == 0, merged.stderr
    assert merged.stdout.splitlines()[-1] == f"no record of {withheld}-notes, {withheld}-shop"
    assert (code, verdict["ship"]) == (1, False)
    assert {one["session"] for one in verdict["sessions"] if one["state"] == "missing"} == names
    missing = {name for one in verdict["reasons"] if one["blocking"] for name in one["sessions"]}
    assert names <= missing
    assert any(withheld in one["where"] for one in verdict["reasons"])


@pytest.mark.slow
def test_a_cell_of_another_commit_is_refused(clone: Callable[[str], Path], artifacts: dict[str, Path]) -> None:
    """Records of a later commit are not merged with the others; the commits are named."""
    other = clone("other")
    who = "-c user.name=pgmatrix -c user.email=pgmatrix@example.org"
    changed = run(other, f"echo >> shop.py && git {who} commit -q -a -m 'A change'")
    assert changed.returncode == 0, changed.stderr
    ran = run(other, step("cell", "Run the sessions of this cell"), CELL="pg16-psycopg")
    assert ran.returncode == 0, ran.stdout + ran.stderr

    merged = collected(clone("mixed"), artifacts | {"pg16-psycopg": other / ".pgmatrix" / "runs" / RUN})

    assert merged.returncode == 2
    assert "the records are of more than one commit" in merged.stderr
    assert run(other, "git rev-parse HEAD").stdout.strip() in merged.stderr
