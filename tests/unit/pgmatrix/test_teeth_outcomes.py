"""Red tests are compared with named ones, and the whole is told in a table, a record and one line."""

from __future__ import annotations

import json

from rich.console import Console

from pgmatrix.teeth.faults import Fault
from pgmatrix.teeth.outcomes import Report, Trial, contract_tests, judge
from pgmatrix.teeth.report import print_report

CONTRACT = {"left": ("test_left.py::test_a", "test_left.py::test_b"), "right": ("test_right.py::test_c",)}
FAULTS = [
    Fault(name="seen", breaks="one thing", reds=frozenset({"test_a"}), sql=("x",)),
    Fault(name="missed", breaks="another", reds=frozenset({"test_a", "test_b"}), sql=("x",)),
    Fault(name="spread", breaks="too much", reds=frozenset({"test_a"}), sql=("x",)),
    Fault(name="no-op", breaks="nothing", reds=frozenset({"test_c"}), sql=("x",)),
    Fault(name="untried", breaks="who knows", reds=frozenset({"test_c"}), sql=("x",)),
]
TRIALS = {
    "seen": Trial(fault="seen", red={"test_a": "assert 1 == 2"}, ran=2, seconds=0.5),
    "missed": Trial(fault="missed", red={"test_a": "assert 1 == 2"}, ran=2, seconds=0.5),
    "spread": Trial(fault="spread", red={"test_a": "assert [1]", "test_b": "KeyError"}, ran=2, seconds=0.5),
    "no-op": Trial(fault="no-op", problem="it changed nothing"),
}


def report(*names: str) -> Report:
    """A report on these faults."""
    chosen = [fault for fault in FAULTS if fault.name in names]
    return Report(
        cell="pg16-asyncpg",
        judged=judge(chosen, TRIALS, CONTRACT),
        contract=contract_tests(CONTRACT),
        seconds=3.21,
        workers=2,
        facts={"server_version": "16.14"},
    )


def printed(one: Report) -> list[str]:
    """What a person reads, without the blanks at the ends of lines."""
    console = Console(width=120, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        print_report(console, one, record="teeth/pg16-asyncpg.json")
    return [line.rstrip() for line in captured.get().splitlines()]


def test_named_and_red_is_proven() -> None:
    """A fault whose tests all turned red, and no others, is good and proves them."""
    found = report("seen")

    assert found.good
    assert found.with_teeth == {"test_a"}
    assert (found.judged[0].toothless, found.judged[0].collateral) == ((), ())


def test_named_and_green_is_toothless() -> None:
    """A named test that stayed green makes the report bad; the red one is proven all the same."""
    found = report("seen", "missed")

    assert not found.good
    assert found.judged[1].toothless == ("test_b",)
    assert found.with_teeth == {"test_a"}


def test_red_and_not_named_is_collateral() -> None:
    """It is told, and does not make the report bad."""
    found = report("spread")

    assert found.good
    assert found.judged[0].collateral == ("test_b",)
    assert found.with_teeth == {"test_a"}


def test_a_fault_with_a_problem_proves_nothing() -> None:
    """One that changed nothing, or was never tried, makes the report bad, and calls no test toothless."""
    found = report("no-op", "untried")

    assert not found.good
    assert [(one.trial.problem, one.toothless, one.proven) for one in found.judged] == [
        ("it changed nothing", (), frozenset()),
        ("was not tried", (), frozenset()),
    ]


def test_no_fault_is_no_proof() -> None:
    """A report on nothing is not good."""
    assert not report().good


def test_the_table_and_the_line() -> None:
    """One row a fault, one line a finding, one line to remember."""
    lines = printed(report("seen", "missed", "spread", "no-op"))

    assert [line.split() for line in lines[2:6]] == [
        ["seen", "│", "one", "thing", "│", "left", "│", "1", "│", "1", "│", "0.5", "│", "✓"],
        ["missed", "│", "another", "│", "left", "│", "1", "│", "2", "│", "0.5", "│", "toothless"],
        ["spread", "│", "too", "much", "│", "left", "│", "2", "│", "1", "│", "0.5", "│", "✓", "collateral"],
        ["no-op", "│", "nothing", "│", "right", "│", "0", "│", "1", "│", "0.0", "│", "error"],
    ]
    assert lines[6:] == [
        "toothless   missed: test_b stayed green",
        "collateral  spread: test_b turned red: KeyError",
        "error       no-op: it changed nothing",
        "unproven    test_b",
        "unproven    test_c",
        "record: teeth/pg16-asyncpg.json",
        "pg16-asyncpg: 1 of 3 tests have teeth; 4 faults, 1 toothless, 1 collateral, 1 errors, 3.2 s with 2 workers",
    ]


def test_the_record_is_json() -> None:
    """It holds for each fault what was named and what was found."""
    values = json.loads(json.dumps(report("spread").to_json()))

    assert values["faults"] == [
        {
            "fault": "spread",
            "breaks": "too much",
            "layers": ["left"],
            "named": ["test_a"],
            "red": {"test_a": "assert [1]", "test_b": "KeyError"},
            "toothless": [],
            "collateral": ["test_b"],
            "problem": "",
            "ran": 2,
            "seconds": 0.5,
        }
    ]
    assert (values["good"], values["with_teeth"], values["contract"]) == (
        True,
        ["test_a"],
        ["test_a", "test_b", "test_c"],
    )
    assert (values["cell"], values["schema"], values["workers"], values["facts"]) == (
        "pg16-asyncpg",
        1,
        2,
        {"server_version": "16.14"},
    )


def test_a_part_of_the_contract() -> None:
    """Only what some faults name, in the contract's order."""
    assert contract_tests(CONTRACT, {"test_c", "test_a"}) == ("test_a", "test_c")
