"""Promise: a test that does not pass every time is found and named, with what it takes to see it fail again."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.plugin.conftest import Nest
from tests.servers.ground import CELL

STEADY = """\
import os
from pathlib import Path


def count(name):
    path = Path(name)
    number = int(path.read_text()) if path.exists() else 0
    path.write_text(str(number + 1))
    return number


def test_steady(pg_clone):
    count("steady")
"""
UNSTEADY = """

SEEN = []


def test_every_third_time():
    assert count("third") % 3 != 2


def test_first():
    SEEN.append(1)


def test_after_the_first():
    assert SEEN


def test_never():
    assert not STEADY


STEADY = True
"""
WRONG = """

def test_ends_the_process():
    if "PYTEST_XDIST_WORKER" not in os.environ and count("ends") > 0:
        os._exit(0)


def test_hangs():
    if count("hangs") > 0:
        import time
        time.sleep(600)
"""


@pytest.fixture
def stressed(nest: Nest, monkeypatch: pytest.MonkeyPatch) -> Nest:
    """A project whose pytest loads what it needs."""
    monkeypatch.setenv("PYTEST_PLUGINS", "pgmatrix.plugin,xdist.plugin")
    monkeypatch.delenv("PGMATRIX_CELL")
    return nest


def stress(nest: Nest, *args: str) -> tuple[int, str]:
    """The exit code and all that was printed."""
    found = nest.pytester.run(sys.executable, "-m", "pgmatrix.stress", str(CELL), *args, timeout=120)
    return int(found.ret), "\n".join([*found.outlines, *found.errlines])


def kept(nest: Nest) -> dict[str, Any]:
    """What the run kept of its one cell."""
    (path,) = (nest.path / ".pgmatrix" / "stress").glob("*/stress.json")
    (cell,) = json.loads(path.read_text(encoding="utf-8"))["cells"]
    found: dict[str, Any] = cell
    return found


def test_a_steady_project_passes(stressed: Nest) -> None:
    """In three orders, by each number of workers and alone, the test ran as often as was counted; exit code 0."""
    stressed.write("test_layer.py", STEADY)
    code, text = stress(stressed, "--rounds", "2", "--quick", "--seed", "0")

    assert code == 0, text
    assert kept(stressed)["steady"] is True
    assert kept(stressed)["runs"] == int((stressed.path / "steady").read_text()) == 8
    assert "8 runs of a test on 1 cell: 0 flaky, 0 never passed, trials gone wrong: 0" in text


def test_flaky_tests_are_found_and_named(stressed: Nest) -> None:
    """One that fails now and then, one that needs another before it, and one that never passes; exit code 1."""
    stressed.write("test_layer.py", STEADY + UNSTEADY)
    options = ("--rounds", "4", "--seed", "7", "--jobs", "1", "--only", "order", "--only", "alone")
    code, text = stress(stressed, *options)
    found = {one["test"].partition("::")[2]: one for one in kept(stressed)["suspects"]}

    assert code == 1, text
    assert {name: (one["passed"], one["runs"], one["flaky"]) for name, one in found.items()} == {
        "test_every_third_time": (4, 6, True),
        "test_after_the_first": (found["test_after_the_first"]["passed"], 6, True),
        "test_never": (0, 6, False),
    }
    assert "failed, alone" in found["test_after_the_first"]["where"]
    assert found["test_every_third_time"]["where"][0] == "failed, seed 8"
    assert "flaky: test_layer.py::test_every_third_time: passed 4 of 6 times" in text
    assert "never passes: test_layer.py::test_never" in text


def test_the_seed_brings_the_failure_back(stressed: Nest) -> None:
    """An order in which a test failed is the same order again, and another seed's is another."""
    names = "abcdefgh"
    lines = [f"def test_{name}():\n    open('order', 'a').write('{name}')\n\n" for name in names]
    stressed.write("test_layer.py", "\n".join(lines))
    orders = []
    for seed in ("5", "5", "6"):
        stressed.run("-p", "pgmatrix.stress.order", "--stress-seed", seed, "test_layer.py", xdist=False)
        orders.append((stressed.path / "order").read_text())
        (stressed.path / "order").unlink()

    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) == list(names)


def test_a_trial_without_an_end_is_named(stressed: Nest) -> None:
    """A test that ends its process and one that never ends are missing where they should have passed; exit code 1."""
    stressed.write("test_layer.py", STEADY + WRONG)
    code, text = stress(stressed, "--only", "alone", "--limit", "4", "--jobs", "1")
    found = {one["test"].partition("::")[2]: one["where"] for one in kept(stressed)["suspects"]}

    assert code == 1, text
    assert found == {"test_ends_the_process": ["missing, alone"], "test_hangs": ["missing, alone"]}
    assert any("ended in the middle, exit code 0; see " in problem for problem in kept(stressed)["problems"])
    assert any("not over after 4 s; see " in problem for problem in kept(stressed)["problems"])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["pg99-asyncpg"], "pg99-asyncpg is not in the matrix"),
        (["--layer", "nothing"], "unknown layer: nothing"),
    ],
)
def test_what_does_not_exist_is_refused(stressed: Nest, args: list[str], words: str) -> None:
    """A cell or a layer of no matrix ends with exit code 2 before anything runs."""
    code, text = stress(stressed, *args)

    assert code == 2
    assert words in text
    assert not (stressed.path / ".pgmatrix").exists()
