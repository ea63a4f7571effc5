"""What is wrong with faults is told before anything runs, all of it and by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pgmatrix.errors import ConfigError
from pgmatrix.teeth.check import check, layer_by_test, layers_of, name_of, select
from pgmatrix.teeth.faults import Fault

CONTRACT = {
    "left": ("test_left.py::test_a", "test_left.py::test_b"),
    "right": ("test_right.py::test_c",),
}


def a_fault(name: str, *reds: str, **how: Any) -> Fault:
    """A fault with SQL, unless it is told otherwise."""
    return Fault(name=name, breaks="something", reds=frozenset(reds), **{"sql": ("DROP TABLE a",), **how})


GOOD = (a_fault("first", "test_a", "test_b"), a_fault("second", "test_c"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the contract's files."""
    (tmp_path / "test_left.py").write_text("def test_a(): ...\n\n\nasync def test_b(): ...\n", encoding="utf-8")
    (tmp_path / "test_right.py").write_text("class TestIt:\n    def test_d(self): ...\n\n\ndef test_c(): ...\n")
    return tmp_path


def problems(faults: Sequence[Fault], root: Path, contract: Any = CONTRACT) -> list[str]:
    """What is said to be wrong."""
    with pytest.raises(ConfigError, match="the faults and the contract do not fit together") as caught:
        check(faults, contract, root)
    assert caught.value.do_next == "correct them; nothing was run"
    return list(map(str, caught.value.tried))


def test_good_faults_pass(root: Path) -> None:
    """Every test is there and named, no name is there twice."""
    check(GOOD, CONTRACT, root)


def test_a_name_that_is_there_twice(root: Path) -> None:
    """Two faults of one name are told by it."""
    assert problems([*GOOD, a_fault("first", "test_c")], root) == ["fault first: is there 2 times"]


def test_a_test_that_does_not_exist(root: Path) -> None:
    """A fault that names a test which is none of the contract is told with that name."""
    assert problems([*GOOD, a_fault("third", "test_c", "test_z")], root) == [
        "fault third: names test_z, which is no test of the contract"
    ]


def test_a_test_in_no_fault(root: Path) -> None:
    """A test of the contract that nothing would prove is told by name."""
    assert problems(GOOD[:1], root) == ["test_c: is named by no fault"]


@pytest.mark.parametrize("node", ["test_right.py::test_d", "test_nowhere.py::test_d"])
def test_a_contract_that_promises_too_much(root: Path, node: str) -> None:
    """A test of the contract that its file does not define, or whose file is not there, is told by its node id."""
    contract = {**CONTRACT, "right": ("test_right.py::test_c", node)}

    assert problems([*GOOD, a_fault("third", "test_d")], root, contract) == [
        f"{node}: is in the contract, and no such test exists"
    ]


def test_a_test_in_two_layers(root: Path) -> None:
    """Names must tell tests apart."""
    contract = {**CONTRACT, "again": ("test_left.py::test_a",)}

    assert problems(GOOD, root, contract) == ["test_a: stands in the contract twice"]


def test_a_fault_without_effect(root: Path) -> None:
    """A fault that names no test, or breaks nothing, is told; all that is wrong is told at once."""
    assert problems([*GOOD, a_fault("third"), a_fault("fourth", "test_a", sql=())], root) == [
        "fault third: names no test",
        "fault fourth: breaks nothing",
    ]


def test_a_test_is_known_by_its_own_name() -> None:
    """File and parameters do not count."""
    assert name_of("tests/test_x.py::test_a[one::two]") == "test_a"
    assert layer_by_test(CONTRACT) == {"test_a": "left", "test_b": "left", "test_c": "right"}


def test_the_layers_of_a_fault_are_those_of_its_tests() -> None:
    """In the contract's order."""
    assert layers_of(a_fault("one", "test_c", "test_b"), CONTRACT) == ("left", "right")
    assert layers_of(GOOD[1], CONTRACT) == ("right",)


def test_faults_are_selected_by_name_and_layer() -> None:
    """Both together narrow; neither selects all."""
    both = a_fault("both", "test_a", "test_c")
    every = [*GOOD, both]

    assert select(every, CONTRACT) == every
    assert select(every, CONTRACT, names=["second", "both"]) == [GOOD[1], both]
    assert select(every, CONTRACT, layers=["left"]) == [GOOD[0], both]
    assert select(every, CONTRACT, names=["second", "both"], layers=["left"]) == [both]


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"names": ["third"]}, "there is no fault 'third'\n  do    choose from first, second"),
        ({"layers": ["up"]}, "there is no layer 'up'\n  do    choose from left, right"),
        (
            {"names": ["second"], "layers": ["left"]},
            "none of the named faults is of the named layers\n  do    name fewer of either",
        ),
    ],
)
def test_what_is_selected_must_exist(asked: dict[str, list[str]], text: str) -> None:
    """An unknown name is refused with those there are, and so is a choice that leaves nothing."""
    with pytest.raises(ConfigError) as caught:
        select(GOOD, CONTRACT, **asked)

    assert str(caught.value) == text
