"""Promise: what cannot be meant gives one clear error, exit code 4, and starts no server."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pgmatrix.matrix import Cell
from pgmatrix.servers.cache import cache_root
from pgmatrix.servers.embedded import EmbeddedProvider
from pgmatrix.servers.guard import Guard
from tests.plugin.conftest import Nest
from tests.servers.ground import CELL, DRIVER, spec_for
from tests.servers.project import write_project

CELLS = ", ".join(f"pg{major}-{driver}" for major in (15, 16, 18) for driver in ("asyncpg", "psycopg"))
PROVIDERS = "auto, external, container, embedded"


def assert_refused(result: pytest.RunResult, lines: Sequence[str]) -> None:
    """Exit code 4, these lines as the one error, no traceback, no session."""
    errors = [line for line in result.errlines if line.strip()]
    assert result.ret == 4
    assert len(errors) == len(lines), errors
    result.stderr.fnmatch_lines([f"ERROR: {lines[0]}", *lines[1:]], consecutive=True)
    assert "passed" not in result.stdout.str()


@pytest.mark.parametrize(
    ("args", "lines"),
    [
        (["--pg-cell", "pg17-asyncpg"], ["pg17-asyncpg is not in the matrix", f"  do    choose from {CELLS}"]),
        (
            ["--pg-cell", "pg16-mysql"],
            [
                "'pg16-mysql' is not a cell",
                "  do    write pgMAJOR-DRIVER, such as pg16-asyncpg; drivers: asyncpg, psycopg",
            ],
        ),
        (
            ["--pg-provider", "cloud"],
            ["unknown provider: cloud (option --pg-provider)", f"  do    choose from {PROVIDERS}"],
        ),
    ],
    ids=["cell outside the matrix", "no cell", "provider"],
)
def test_unknown_options(nest: Nest, args: list[str], lines: list[str]) -> None:
    """An unknown cell or provider is refused with what there is to choose from."""
    assert_refused(nest.run(*args), lines)


@pytest.mark.parametrize(
    ("name", "value", "lines"),
    [
        (
            "PGMATRIX_POSTGRESS",
            "16",
            ["unknown environment variable: PGMATRIX_POSTGRESS", "  do    choose from PGMATRIX_*"],
        ),
        (
            "PGMATRIX_STOCK",
            "many",
            [
                "environment PGMATRIX_STOCK = 'many' cannot be used: *",
                "  do    correct environment PGMATRIX_STOCK, or leave it out",
            ],
        ),
        (
            "PGMATRIX_DRIVERS",
            "asyncpg,mysql",
            ["unknown driver: mysql (environment PGMATRIX_DRIVERS)", "  do    choose from asyncpg, psycopg"],
        ),
    ],
)
def test_unknown_variables(
    nest: Nest, monkeypatch: pytest.MonkeyPatch, name: str, value: str, lines: list[str]
) -> None:
    """A variable that does not exist, or whose value cannot be meant, is refused by its name."""
    monkeypatch.setenv(name, value)
    result = nest.run()

    assert result.ret == 4
    result.stderr.fnmatch_lines([f"ERROR: {lines[0]}", lines[1]])


def test_an_unknown_setting(nest: Nest) -> None:
    """A setting the table does not have is refused with those it has."""
    write_project(nest.path, lines=["postgress = [16]"])
    result = nest.run()

    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["ERROR: unknown setting in [[]tool.pgmatrix[]]: postgress", "  do    choose from postgres, *"]
    )


def test_a_major_nobody_has(nest: Nest) -> None:
    """A major no provider can serve is refused with what each of them said."""
    text = (nest.path / "pyproject.toml").read_text()
    nest.write("pyproject.toml", text.replace("[15, 16, 18]", "[15, 16, 99]"))
    result = nest.run("--pg-cell", f"pg99-{DRIVER}")

    assert_refused(
        result,
        [
            "no provider can serve PostgreSQL 99",
            "  tried embedded: wheels: none is known to hold PostgreSQL 99 (known: 15, 16, 18)",
            "  do    set PGMATRIX_DSN_99, start Docker, or choose a major the embedded provider has",
        ],
    )


def test_the_wrong_server_fails_before_collection(nest: Nest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PostgreSQL 15 behind PGMATRIX_DSN_16 is found out before any test is collected."""
    guard = Guard()
    older = EmbeddedProvider(cache=cache_root(), guard=guard, extensions=("vector", "uuid-ossp"))
    lease = older.start(spec_for(Cell(major=15, driver=DRIVER)), key=None, reason="a test")
    monkeypatch.setenv("PGMATRIX_DSN_16", lease.server.url())
    nest.write("test_layer.py", "raise LookupError('collected')\n")
    result = nest.run("--pg-provider", "auto")
    lease.stop()
    guard.close()

    assert_refused(
        result,
        [
            f"the external server is not what {CELL} claims",
            "  tried asked for PostgreSQL 16: it is 15.*",
            "  do    point PGMATRIX_DSN_16 at a PostgreSQL 16 with these extensions",
        ],
    )
    assert "collected" not in result.stdout.str()
