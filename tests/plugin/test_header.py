"""Promise: the header says on what the tests run and why; nothing but the cell's driver is imported for it."""

from __future__ import annotations

import pytest

from pgmatrix.matrix import Cell
from tests.plugin.conftest import Nest

ONLY_ITS_DRIVER = """
import sys


def test_driver(pg_clone, pg_cell):
    from pgmatrix.clients import connect

    connect(pg_clone.server).close()

    assert {"asyncpg", "psycopg"} & set(sys.modules) == {str(pg_cell.driver)}
"""


@pytest.mark.parametrize(
    ("text", "version", "pgvector"), [("pg15-psycopg", "15.5", "0.5.1"), ("pg18-asyncpg", "18.4", "0.8.5")]
)
def test_header(nest: Nest, text: str, version: str, pgvector: str) -> None:
    """The header shows cell, versions of server, pgvector and driver, provider and why; only that driver loads."""
    cell = Cell.parse(text)
    nest.write("test_layer.py", ONLY_ITS_DRIVER)
    result = nest.run("--pg-cell", text, "--pg-provider", "embedded")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            f"pgmatrix: {cell}: PostgreSQL {version}*, pgvector {pgvector}, {cell.driver} [0-9]*",
            "provider: embedded (asked for; *); data on disk (*): memory is switched off",
            "ready in *.* s; workers: 0 (as asked)",
        ]
    )


def test_auto_says_why(nest: Nest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where providers before it cannot serve, the header says why not."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    result = nest.run("--pg-provider", "auto", "-k", "test_empty")

    result.assert_outcomes(passed=1, deselected=3)
    result.stdout.fnmatch_lines(["provider: embedded (no external: PGMATRIX_DSN_16 is not set; no container: *); *"])
