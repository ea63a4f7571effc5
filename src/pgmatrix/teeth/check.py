"""Owns what must hold of faults before anything runs, and which of them were asked for. Pure but for reading files.

A contract is the tests that must have teeth: node ids `path/to/test_file.py::test_name`, by layer.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pgmatrix.errors import Attempt, ConfigError, UnknownName
from pgmatrix.teeth.faults import Fault

Contract = Mapping[str, tuple[str, ...]]


def name_of(node: str) -> str:
    """The test's own name, without its file and parameters."""
    return node.partition("[")[0].rpartition("::")[2]


def layer_by_test(contract: Contract) -> dict[str, str]:
    """The layer of every test of the contract, by the test's own name."""
    return {name_of(node): layer for layer, nodes in contract.items() for node in nodes}


def layers_of(fault: Fault, contract: Contract) -> tuple[str, ...]:
    """The layers in which a fault must turn tests red, in the contract's order."""
    layer = layer_by_test(contract)
    touched = {layer[name] for name in fault.reds}
    return tuple(one for one in contract if one in touched)


def check(faults: Sequence[Fault], contract: Contract, root: Path) -> None:
    """Raises ConfigError that lists everything wrong with the faults, or with the contract itself."""
    found = [*_of_contract(contract, root), *_of_faults(faults, contract)]
    if found:
        raise ConfigError(
            "the faults and the contract do not fit together",
            tried=found,
            do_next="correct them; nothing was run",
        )


def _of_contract(contract: Contract, root: Path) -> list[Attempt]:
    nodes = [node for tests in contract.values() for node in tests]
    found = [
        Attempt(what=node, why="is in the contract, and no such test exists")
        for node in nodes
        if name_of(node) not in _functions(root / node.partition("::")[0])
    ]
    twice = Counter(map(name_of, nodes))
    return found + [Attempt(what=name, why="stands in the contract twice") for name, n in twice.items() if n > 1]


def _functions(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    body = ast.parse(path.read_text(encoding="utf-8"), filename=str(path)).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def _of_faults(faults: Sequence[Fault], contract: Contract) -> list[Attempt]:
    known = layer_by_test(contract)
    names = Counter(fault.name for fault in faults)
    found = [Attempt(what=f"fault {name}", why=f"is there {n} times") for name, n in names.items() if n > 1]
    for fault in faults:
        what = f"fault {fault.name}"
        found += [
            Attempt(what=what, why=f"names {test}, which is no test of the contract")
            for test in sorted(fault.reds - known.keys())
        ]
        if not fault.reds:
            found.append(Attempt(what=what, why="names no test"))
        if not fault.sql and not fault.changes:
            found.append(Attempt(what=what, why="breaks nothing"))
    named = {test for fault in faults for test in fault.reds}
    return found + [Attempt(what=test, why="is named by no fault") for test in known if test not in named]


def select(
    faults: Sequence[Fault], contract: Contract, *, names: Iterable[str] = (), layers: Iterable[str] = ()
) -> list[Fault]:
    """The faults of these names and, where layers are given, those that turn tests of these layers red; else all.

    Raises UnknownName, and ConfigError where none is left.
    """
    wanted, within = set(names), set(layers)
    _known("fault", wanted, {fault.name for fault in faults})
    _known("layer", within, set(contract))
    found = [
        fault
        for fault in faults
        if (not wanted or fault.name in wanted) and (not within or within & set(layers_of(fault, contract)))
    ]
    if not found:
        raise ConfigError("none of the named faults is of the named layers", do_next="name fewer of either")
    return found


def _known(kind: str, asked: set[str], known: set[str]) -> None:
    for name in sorted(asked - known):
        raise UnknownName(f"there is no {kind} {name!r}", do_next=f"choose from {', '.join(sorted(known))}")
