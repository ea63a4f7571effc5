"""Promise: `--keep-databases` keeps the clone of a failing test, says how to connect and how to end it."""

from __future__ import annotations

import subprocess

import pytest

from pgmatrix.servers.embedded import EmbeddedProvider
from pgmatrix.servers.guard import Guard
from tests.plugin.conftest import Nest
from tests.servers.ground import CELL

FAILING = """

def test_that_fails(pg_clone):
    ask(pg_clone, "insert into thing values (99, 'left for you')")

    assert False
"""


@pytest.mark.parametrize("args", [[], ["-n", "2"]], ids=["serial", "workers"])
def test_the_clone_of_a_failing_test_is_kept(nest: Nest, args: list[str]) -> None:
    """The printed psql line finds what the failing test left, and the printed end ends it all."""
    nest.write("test_layer.py", (nest.path / "test_layer.py").read_text() + FAILING)
    result = nest.run("--keep-databases", *args)
    lines = result.stdout.lines
    connect = next(line for line in lines if line.startswith("connect: psql 'postgresql://"))
    kept = next(line for line in lines if line.startswith("kept pgmx_c_"))
    left = nest.ground.leftovers()
    names = psql(nest, connect, "select datname from pg_database where datname like 'pgmx\\_c\\_%'")
    found = psql(nest, connect, "select name from thing where id = 99")
    _, _, end = kept.partition("to end it: ")
    ended = subprocess.run(["/bin/sh", "-ec", end], capture_output=True, text=True, check=False)

    result.assert_outcomes(passed=4, failed=1)
    assert found == ["left for you"]
    assert left
    assert kept.split()[1] in names
    assert (ended.returncode, ended.stderr) == (0, "")
    assert nest.has_nothing_left(), nest.ground.leftovers()


def psql(nest: Nest, line: str, sql: str) -> list[str]:
    """What psql prints for `sql` when it is called as the printed line says."""
    guard = Guard()
    programs = EmbeddedProvider(cache=nest.ground.cache, guard=guard).installation(CELL).bin
    guard.close()
    url = line.removeprefix("connect: psql ").strip("'")
    done = subprocess.run([programs / "psql", url, "-Atc", sql], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_nothing_is_kept_of_tests_that_pass(nest: Nest) -> None:
    """Where nothing fails, `--keep-databases` keeps nothing and says nothing."""
    result = nest.run("--keep-databases", "-k", "test_clone")

    result.assert_outcomes(passed=1, deselected=3)
    result.stdout.no_fnmatch_line("kept *")
    assert nest.has_nothing_left()
