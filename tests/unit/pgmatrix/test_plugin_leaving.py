"""What processes that ran tests leave: the drivers they imported, and by what their tests were cut to a part."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pgmatrix.plugin.leaving import Leaving, all_drivers, imported_drivers, narrowed


def test_drivers_are_those_really_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver counts when its module is loaded, with the version that module says, and not when it is installed."""
    fake = ModuleType("psycopg")
    monkeypatch.delitem(sys.modules, "asyncpg", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", fake)

    assert imported_drivers() == {"psycopg": "unknown"}
    fake.__version__ = "3.2.1"  # type: ignore[attr-defined]
    assert imported_drivers() == {"psycopg": "3.2.1"}


def test_drivers_of_all_processes_count() -> None:
    """What any process imported is in the record; a process that crashed left nothing."""
    assert all_drivers([{}, {"drivers": {"psycopg": "3"}}, {"drivers": {"asyncpg": "1"}}]) == {
        "asyncpg": "1",
        "psycopg": "3",
    }
    assert all_drivers([]) == {}


@pytest.mark.parametrize(
    ("option", "arguments", "left", "found"),
    [
        ({}, ["tests/test_a.py"], [{}], ()),
        ({"keyword": "", "markexpr": "", "lf": False, "ignore": None}, [], [{"deselected": 0}], ()),
        ({"keyword": "a and b"}, [], [], ("-k a and b",)),
        ({"markexpr": "slow"}, [], [], ("-m slow",)),
        ({"lf": True, "stepwise": True}, [], [], ("--lf", "--stepwise")),
        ({"ignore": ["a", "b"], "deselect": ["c"]}, [], [], ("--ignore a b", "--deselect c")),
        ({"collectonly": True}, [], [], ("--collect-only",)),
        ({}, ["t.py::test_a", "t.py"], [], ("t.py::test_a",)),
        ({}, [], [{"deselected": 2}, {"deselected": 2}, {}], ("2 tests deselected",)),
        ({"keyword": "a"}, [], [{"deselected": 1}], ("-k a", "1 test deselected")),
    ],
)
def test_what_cuts_a_session_to_a_part_is_named(
    option: dict[str, Any], arguments: list[str], left: list[dict[str, Any]], found: tuple[str, ...]
) -> None:
    """Each choice on the command line that leaves tests out is named, and so is how many a plugin deselected."""
    assert narrowed(SimpleNamespace(**option), arguments, left) == found


def test_a_worker_hands_over_at_its_end() -> None:
    """In an xdist worker the values go into what the controller is sent; elsewhere nothing is."""
    output: dict[str, Any] = {}
    worker = Leaving(SimpleNamespace(workeroutput=output))  # type: ignore[arg-type]
    alone = Leaving(SimpleNamespace())  # type: ignore[arg-type]
    worker.pytest_deselected([object(), object()])  # type: ignore[list-item]

    worker.pytest_sessionfinish()
    alone.pytest_sessionfinish()

    assert output["pgmatrix"] == {"drivers": imported_drivers(), "deselected": 2}
    assert alone.values()["deselected"] == 0
