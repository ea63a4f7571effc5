"""pytest without nox, in an environment that holds both drivers."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.acceptance.conftest import ROOT, clean_environment

FILE = "tests/integration/test_transactions.py"


@pytest.mark.parametrize(
    "arguments",
    [("-v",), ("-n", "4"), ("-p", "no:xdist"), ("-k", "savepoint"), ("-x", "--lf")],
    ids=" ".join,
)
def test_plain_pytest_passes(arguments: tuple[str, ...]) -> None:
    """A layer passes serial, with four workers, without xdist, and in part."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", FILE, *arguments],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"\b[1-9][0-9]* passed", ran.stdout)


def test_a_single_test_says_what_it_ran_on() -> None:
    """One test by its node id runs alone, and the header shows cell, versions, provider and why."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", f"{FILE}::test_transaction_savepoint_support", "--pg-cell", "pg15-psycopg"],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr
    assert "pgmatrix: pg15-psycopg: PostgreSQL 15." in ran.stdout
    assert "provider: embedded (asked for" in ran.stdout
