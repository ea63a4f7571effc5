"""Reads the repository as these tests see it: modules, their syntax trees, and what each imports from ours."""

from __future__ import annotations

import ast
import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A module of ours: its dotted name, its file and its syntax tree."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return str(self.path.relative_to(ROOT))


@cache
def modules(*packages: str) -> tuple[Module, ...]:
    """Every module of these packages in src/, or of all."""
    found = (_module(path) for path in sorted(SRC.rglob("*.py")))
    return tuple(one for one in found if not packages or one.name.partition(".")[0] in packages)


def _module(path: Path) -> Module:
    parts = path.relative_to(SRC).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name=name, path=path, tree=ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))


@cache
def names() -> frozenset[str]:
    """The names of all our modules."""
    return frozenset(module.name for module in modules())


@cache
def imports(module: Module, *, at_import: bool = False) -> frozenset[str]:
    """The modules that `module` imports, ours by their full name; `at_import`: leaving out those inside functions."""
    nodes = _outside_functions(module.tree) if at_import else ast.walk(module.tree)
    return frozenset(name for node in nodes for name in _imported(module, node))


def _imported(module: Module, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{module.place}:{node.lineno} imports relatively; write the full name"
        source = node.module or ""
        for alias in node.names:
            full = f"{source}.{alias.name}"
            yield full if full in names() else source


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function) or _is_for_types_alone(child):
            continue
        yield child
        yield from _outside_functions(child)


def _is_for_types_alone(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function in a tree, methods and inner ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def ignored() -> list[str]:
    """The patterns in .gitignore."""
    return [line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines() if line]


@cache
def files() -> tuple[Path, ...]:
    """Every file of the repository, without what .gitignore leaves out."""
    return tuple(sorted(_below(ROOT, [*ignored(), ".git"])))


def _below(folder: Path, left_out: list[str]) -> Iterator[Path]:
    for path in folder.iterdir():
        if any(fnmatch.fnmatch(path.name, pattern) for pattern in left_out):
            continue
        if path.is_dir():
            yield from _below(path, left_out)
        else:
            yield path
