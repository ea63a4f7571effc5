"""The faults of plant fit the contract, and the words they are written in do what they say."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pgmatrix.errors import FaultError
from pgmatrix.teeth.check import check, layer_by_test
from plant.core.drivers.backend import Pooled
from tests.faults.catalogue import FAULTS
from tests.faults.contract import CONTRACT
from tests.faults.parts import Revision, function_sql, rewritten

ROOT = Path(__file__).parents[3]


def test_the_faults_of_plant_are_sound() -> None:
    """Each of the 74 is named by a fault, each fault names tests that exist, and no two have one name."""
    check(FAULTS, CONTRACT, ROOT)

    assert len(layer_by_test(CONTRACT)) == 74


def test_every_fault_fits_plant_as_it_is() -> None:
    """What is to be patched or rewritten is there, so that a change of plant shows here and not as a lost proof."""
    migrations = ROOT / "src" / "plant" / "database" / "migrations"
    misfits = {}
    for fault in FAULTS:
        for change in fault.changes:
            try:
                assert change.text(migrations) if isinstance(change, Revision) else change.prepared()  # type: ignore[attr-defined]
            except FaultError as error:
                misfits[fault.name] = str(error)

    assert misfits == {}


def test_no_fault_raises_an_error_of_its_own() -> None:
    """What breaks plant is something else in its place, neither a `raise` nor SQL's RAISE."""
    modules = [path for path in (ROOT / "tests" / "faults").glob("*.py") if path.name != "parts.py"]
    trees = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in modules}

    assert [name for name, tree in trees.items() if any(isinstance(node, ast.Raise) for node in ast.walk(tree))] == []
    assert [fault.name for fault in FAULTS if any("raise " in statement.lower() for statement in fault.sql)] == []


def test_a_function_is_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same function with another text, in its own module's names and its own class."""
    monkeypatch.setattr(Pooled, "ride", Pooled.ride)
    rewritten(
        "plant.core.drivers.backend:Pooled.ride", ('command.startswith("BEGIN")', 'command.startswith("START")')
    ).apply()
    pooled = Pooled()
    pooled.opening = "SELECT 1"

    assert (pooled.ride("BEGIN"), pooled.ride("START")) == ("", "SELECT 1")


def test_a_text_that_is_not_there_is_refused() -> None:
    """When the function has changed, the fault says so and does not stay silent."""
    with pytest.raises(FaultError) as caught:
        rewritten("plant.core.drivers.backend:Pooled.ride", ("no such text", "another")).apply()

    assert str(caught.value) == (
        "plant.core.drivers.backend:Pooled.ride has 'no such text' 0 times\n"
        "  do    name a text that is there once, and another"
    )


def test_sql_of_a_function_made_anew() -> None:
    """The definition is read from the catalog and each text in it swapped."""
    assert function_sql("f(text)", ("a", "b")) == (
        "DO $fault$ BEGIN EXECUTE replace(pg_get_functiondef('plant.f(text)'::regprocedure),"
        " $old$a$old$, $new$b$new$); END $fault$"
    )
