"""The shape of modules, functions and errors: documented, short, and never silent about a failure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.sources import ROOT, Function, Module, functions, modules

MODULE_LINES = 400
FUNCTION_LINES = 60


def test_every_module_says_what_it_owns() -> None:
    """Each module of src/ begins with a docstring."""
    assert [module.place for module in modules() if not ast.get_docstring(module.tree)] == []


def test_no_module_is_too_long() -> None:
    """No module has more than 400 lines."""
    lengths = {module.place: len(module.path.read_text(encoding="utf-8").splitlines()) for module in modules()}

    assert {place: length for place, length in lengths.items() if length > MODULE_LINES} == {}


def test_no_function_is_too_long() -> None:
    """No function has more than 60 lines, its decorators and docstring included."""
    wrong = {
        f"{module.place}:{function.lineno} {function.name}": _length(function)
        for module in modules()
        for function in functions(module.tree)
        if _length(function) > FUNCTION_LINES
    }

    assert wrong == {}


def _length(function: Function) -> int:
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    return (function.end_lineno or function.lineno) - first + 1


def test_what_is_public_is_documented() -> None:
    """Each public class, function and method of a public class has a docstring."""
    wrong = [
        f"{module.place}:{node.lineno} {node.name}"
        for module in modules()
        for node in _public(module.tree)
        if not ast.get_docstring(node)
    ]

    assert wrong == []


def _public(tree: ast.Module | ast.ClassDef) -> Iterator[Function | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            if _is_overload(node):
                continue
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)


def _is_overload(node: Function | ast.ClassDef) -> bool:
    return any(ast.unparse(decorator).endswith(("overload", ".setter")) for decorator in node.decorator_list)


def test_pgmatrix_catches_no_exception_it_does_not_name() -> None:
    """No handler of pgmatrix takes every exception, unless it tidies up and lets it go on."""
    assert [place for module in modules("pgmatrix") for place in _greedy(module)] == []


def test_no_handler_is_silent() -> None:
    """No handler of either package takes every exception and passes."""
    wrong = [
        f"{module.place}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and _takes_all(node) and isinstance(node.body[-1], ast.Pass)
    ]

    assert wrong == []


def _greedy(module: Module) -> list[str]:
    handlers = (node for node in ast.walk(module.tree) if isinstance(node, ast.ExceptHandler))
    return [f"{module.place}:{one.lineno}" for one in handlers if _takes_all(one) and not _goes_on(one)]


def _takes_all(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or ast.unparse(kind) in ("Exception", "BaseException") for kind in kinds)


def _goes_on(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


@pytest.mark.parametrize("name", ["pgmatrix.errors", "plant.core.errors"])
def test_a_packages_errors_are_in_one_tree(name: str) -> None:
    """Each error class of the module is in the tree of its docstring."""
    (module,) = (one for one in modules() if one.name == name)
    tree = ast.get_docstring(module.tree) or ""
    words = tuple(re.findall(r"\w+-?", tree))  # "Unique-, CheckViolation" names both
    classes = [node for node in module.tree.body if isinstance(node, ast.ClassDef) and node.bases]

    missing = [one.name for one in classes if not any(_names(word, one.name) for word in words)]
    assert [name for name in missing if not name.startswith("_")] == []


def _names(word: str, name: str) -> bool:
    return word == name or (word.endswith("-") and name.startswith(word[:-1]))


def test_every_test_says_what_is_true() -> None:
    """Each test has a docstring."""
    wrong = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for function in functions(ast.parse(path.read_text(encoding="utf-8")))
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]

    assert wrong == []
