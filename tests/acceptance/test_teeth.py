"""What a person sees of `nox -s teeth`: faults of plant, injected on a cell of choice."""

from __future__ import annotations

import json

from tests.acceptance.conftest import Nox
from tests.faults.catalogue import FAULTS

CHOSEN = ("foreign-key-dropped", "isolation-not-sent", "foreign-key-of-002-missing")


def test_faults_turn_red_what_they_name(nox: Nox) -> None:
    """SQL on the template, another text of plant and another migration are seen by the tests they name, by no other."""
    ran = nox("-s", "teeth", "--", "--cell", "pg15-psycopg", "-j", "2", *CHOSEN)

    assert ran.code == 0, ran.output
    assert ran.folder is not None
    record = json.loads((ran.folder / "teeth" / "pg15-psycopg.json").read_text(encoding="utf-8"))
    named = {fault.name: sorted(fault.reds) for fault in FAULTS if fault.name in CHOSEN}
    assert {one["fault"]: sorted(one["red"]) for one in record["faults"]} == named
    assert (record["facts"]["server_version_num"] // 10000, record["facts"]["driver"]) == (15, "psycopg")
    lines = ran.output.splitlines()
    assert any("10 of 10 tests have teeth; 3 faults, 0 toothless, 0 collateral, 0 errors" in line for line in lines)


def test_what_there_is_can_be_listed(nox: Nox) -> None:
    """`--list` names every fault with its layers, what it breaks and its tests, and runs nothing."""
    ran = nox("-s", "teeth", "--", "--list")

    lines = ran.output.splitlines()
    assert ran.code == 0
    assert "foreign-key-dropped (connection, migrations, rls): an agent's team need not exist" in lines
    assert sum(line.startswith("    test_") for line in lines) == sum(len(fault.reds) for fault in FAULTS)
    assert ran.folder is None
