"""Imports go one way. The order stands here as data; the modules are read, not imported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.architecture.sources import ROOT, Module, imports, modules, names

# From the ground up. A module may import what stands on an earlier line, and its own package; those on one line do
# not know each other. A package's own `__init__` is meant where the name is in ROOTS, else all that is below the name.
ORDER: tuple[tuple[str, ...], ...] = (
    ("pgmatrix",),
    ("pgmatrix.errors", "pgmatrix.children", "pgmatrix.plans", "pgmatrix.revision"),
    ("pgmatrix.matrix",),
    ("pgmatrix.config",),
    ("pgmatrix.servers.protocol",),
    ("pgmatrix.clients",),
    ("pgmatrix.servers",),
    ("pgmatrix.databases", "pgmatrix.runs"),
    ("pgmatrix.provision",),
    ("pgmatrix.plain",),
    ("pgmatrix.records",),
    ("pgmatrix.junit",),
    ("pgmatrix.coverage", "pgmatrix.perf", "pgmatrix.progress"),
    ("pgmatrix.verdict",),
    ("pgmatrix.changes",),
    ("pgmatrix.compare",),
    ("pgmatrix.gate", "pgmatrix.fanout"),
    ("pgmatrix.report",),
    ("pgmatrix.measure",),
    ("pgmatrix.plugin",),
    ("pgmatrix.stress", "pgmatrix.teeth"),
    ("pgmatrix.__main__",),
    ("plant", "plant.core"),
    ("plant.core.errors",),
    ("plant.core.checks",),
    ("plant.core.config",),
    ("plant.core.drivers",),
    ("plant.core.agents", "plant.core.bulk", "plant.core.pool", "plant.core.retry"),
    ("plant.core.reading", "plant.core.values"),
    ("plant.core.database",),
    ("plant.core.connector",),
    ("plant.models",),
    ("plant.security",),
    ("plant.ml", "plant.validators"),
    ("plant.database",),
    ("plant.__main__",),
)
ROOTS = {"pgmatrix", "plant", "plant.core"}
LEVEL = {name: level for level, line in enumerate(ORDER) for name in line}
DRIVERS = {"asyncpg", "psycopg"}
# What may import whom from outside: the name, and the only modules that may.
HELD: dict[str, tuple[str, ...]] = {
    "sqlalchemy": ("plant",),
    "alembic": ("plant.database",),
    "asyncpg": ("plant.core.drivers",),
    "psycopg": ("plant.core.drivers",),
    "pydantic": ("plant.core.config",),
    "pydantic_settings": ("plant.core.config",),
    "typer": ("plant.__main__",),
    "docker": ("pgmatrix.servers.container",),
    "testcontainers": ("pgmatrix.servers.container",),
    "pytest": (
        "pgmatrix.plugin",
        "pgmatrix.stress.order",
        "pgmatrix.stress.warm",
        "pgmatrix.teeth.child",
        "pgmatrix.teeth.worker",
    ),
    "coverage": ("pgmatrix.coverage",),
    "jinja2": ("pgmatrix.report.html",),
    "markupsafe": ("pgmatrix.report",),
    "numpy": ("plant", "pgmatrix.perf.statistics"),
    "rich": (
        "pgmatrix.report",
        "pgmatrix.measure",
        "pgmatrix.stress.table",
        "pgmatrix.stress.__main__",
        "pgmatrix.teeth.report",
        "pgmatrix.teeth.command",
        "pgmatrix.__main__",
    ),
}


def group(name: str) -> str | None:
    """The entry of ORDER that a module belongs to."""
    if name in ROOTS:
        return name
    fitting = [one for one in LEVEL if one not in ROOTS and _is_in(name, one)]
    return max(fitting, key=len, default=None)


def _is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def _ours(module: Module) -> list[str]:
    return sorted(name for name in imports(module) if name.partition(".")[0] in ("pgmatrix", "plant"))


def test_every_module_has_its_place() -> None:
    """No module is outside the order, and each name in it is there once."""
    assert [module.place for module in modules() if group(module.name) is None] == []
    assert len(LEVEL) == sum(len(line) for line in ORDER)


def test_imports_go_one_way() -> None:
    """A module imports its own package and what stands before it, inside functions too, and nothing else of ours."""
    wrong = []
    for module in modules():
        own = group(module.name)
        for name in _ours(module):
            other = group(name)
            if own is not None and (other is None or (other != own and LEVEL[other] >= LEVEL[own])):
                wrong.append(f"{module.place} imports {name}")

    assert wrong == []


def test_neither_package_knows_the_other() -> None:
    """pgmatrix imports nothing of plant, and plant nothing of pgmatrix."""
    assert [m.place for m in modules("pgmatrix") if any(_is_in(name, "plant") for name in imports(m))] == []
    assert [m.place for m in modules("plant") if any(_is_in(name, "pgmatrix") for name in imports(m))] == []


def test_no_two_modules_import_each_other() -> None:
    """The modules that are imported with one another form no circle."""
    graph = {module.name: {name for name in imports(module, at_import=True) if name in names()} for module in modules()}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, f"a circle: {' -> '.join((*way[way.index(name) :], name))}"
        if name not in done:
            for other in sorted(graph[name] - {name}):
                visit(other, (*way, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


@pytest.mark.parametrize("library", sorted(HELD))
def test_a_library_is_known_only_where_it_belongs(library: str) -> None:
    """What is somebody else's is imported in its own place alone, so that it can be replaced there."""
    wrong = [
        module.place
        for module in modules()
        if any(_is_in(name, library) for name in imports(module))
        and not any(_is_in(module.name, place) for place in HELD[library])
    ]

    assert wrong == []


@pytest.mark.parametrize("name", ["errors", "matrix", "config", "runs", "progress", "records", "plain"])
def test_what_a_noxfile_imports_needs_no_library(name: str) -> None:
    """What a noxfile imports needs the standard library and other such modules alone."""
    (module,) = (one for one in modules("pgmatrix") if one.name == f"pgmatrix.{name}")
    allowed = {f"pgmatrix.{one}" for one in ("errors", "matrix", "config", "servers.tuning", "plain", "records")}

    assert {one for one in imports(module) - allowed if one.partition(".")[0] not in sys.stdlib_module_names} == set()


def loaded_by(statement: str) -> set[str]:
    """The modules a new interpreter has after that statement, and not before it."""
    program = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": os.environ["PATH"]}
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    return set(found.stdout.split())


def test_importing_pgmatrix_imports_nothing_else() -> None:
    """`import pgmatrix` loads that one module."""
    assert loaded_by("import pgmatrix") == {"pgmatrix"}


def test_importing_the_configuration_imports_no_library() -> None:
    """`import pgmatrix.config`, which a noxfile does at every start, loads no driver, and nothing that is installed."""
    found = {name.partition(".")[0] for name in loaded_by("import pgmatrix.config")}

    assert found - set(sys.stdlib_module_names) == {"pgmatrix"}


def test_loading_the_plugin_imports_no_driver() -> None:
    """pytest pays for no driver, no container library and no server in a project that uses none."""
    found = {name.partition(".")[0] for name in loaded_by("import pytest, pgmatrix.plugin")}

    assert found & {*DRIVERS, "sqlalchemy", "docker", "testcontainers", "rich", "coverage"} == set()
