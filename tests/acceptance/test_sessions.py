"""What a person sees of the nox sessions: names, plan, matrix, coverage, exit codes."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from pgmatrix.servers.tuning import usable_cores
from tests.acceptance.conftest import ROOT, Nox, Ran, clean_environment

PAIR = ("integration(pg16-asyncpg-transactions)", "integration(pg15-psycopg-transactions)")
NAMES = ("pg16-asyncpg-transactions", "pg15-psycopg-transactions")


@pytest.fixture(scope="module")
def serial(nox: Nox) -> Ran:
    """Two sessions, one after the other."""
    return nox("-s", *PAIR, "-j", "1")


@pytest.fixture(scope="module")
def parallel(nox: Nox) -> Ran:
    """The same two sessions, chosen by words: side by side where there are cores."""
    return nox("-k", "transactions and ((pg16 and asyncpg) or (pg15 and psycopg))")


def outcomes(ran: Ran) -> dict[str, list[tuple[str, str]]]:
    """Every test's outcome, by session."""
    return {name: [(one["test"], one["outcome"]) for one in ran.record(name)["tests"]] for name in NAMES}


def covered(ran: Ran) -> dict[str, list[int]]:
    """The executed lines of every file, merged."""
    assert ran.folder is not None
    report = json.loads((ran.folder / "coverage.json").read_text(encoding="utf-8"))
    return {path: values["executed_lines"] for path, values in report["files"].items()}


def test_the_matrix_is_28_sessions_with_one_spelling_and_four_tags(nox: Nox) -> None:
    """`nox --list` names seven layers on four cells, each tagged by major, driver, cell and layer."""
    listed = nox("--list", "--json", "-s", "integration")

    found = {one["session"]: one["tags"] for one in json.loads(listed.output) if one["name"] == "integration"}
    assert len(found) == 28
    assert found["integration(pg16-asyncpg-rls)"] == ["pg16", "asyncpg", "pg16-asyncpg", "rls"]


def test_another_major_is_data(nox: Nox) -> None:
    """PGMATRIX_POSTGRES adds a major to the sessions without a change to any file."""
    listed = nox("--list", "--json", "-s", "integration", PGMATRIX_POSTGRES="15,16,18")

    names = [one["session"] for one in json.loads(listed.output) if one["name"] == "integration"]
    assert len(names) == 42
    assert "integration(pg18-psycopg-audit)" in names


def test_a_run_ends_with_one_matrix_one_coverage_and_one_line(serial: Ran) -> None:
    """A green run says first what it will do, then which session ended how, and last where its page is."""
    lines = serial.output.splitlines()

    assert serial.code == 0, serial.output
    assert any(line.startswith("2 sessions: 1 layer (transactions) on 2 cells, 1 at a time") for line in lines)
    assert any("pg15-psycopg: embedded (asked for)" in line for line in lines)
    assert any(line.startswith("layer") and "pg15-psycopg" in line and "pg16-asyncpg" in line for line in lines)
    ended = [line for line in lines if re.match(r"\d of 2  pg1[56]-\w+-transactions  ✓ \d+ passed, [\d.]+ s$", line)]
    assert [line[:6] for line in ended] == ["1 of 2", "2 of 2"]
    assert serial.folder is not None
    assert lines[-2] == f"report: {serial.folder / 'report.html'}"
    assert (serial.folder / "report.html").is_file()
    assert lines[-1].startswith("2 of 2 sessions green, ")
    assert lines[-1].endswith("; a part of the 28 sessions, so not judged")


def test_the_gate_never_ships_a_part_of_the_matrix(nox: Nox, serial: Ran) -> None:
    """What was not part of the run is counted, the two sessions that were are judged, and the exit code is not zero."""
    ran = nox("-s", "gate", "--", str(serial.folder))

    assert ran.code != 0
    assert "✗ 26 of 28 sessions (" in ran.output
    assert "not part of this run [record]" in ran.output
    assert not any(f"[{rule}]" in ran.output for rule in ("failures", "version", "driver", "junit", "whole", "files"))
    assert re.search(r"^do not ship: \d+ reasons?; \d of 28 sessions green", ran.output, re.MULTILINE)


def test_records_say_what_really_ran(serial: Ran) -> None:
    """A record holds the major and the driver as measured, the provider, and every test."""
    record = serial.record("pg15-psycopg-transactions")

    assert record["facts"]["server_version_num"] // 10000 == 15
    assert record["facts"]["driver"] == "psycopg"
    assert record["facts"]["provider"] == "embedded"
    assert record["exit_code"] == 0
    assert sum("test_transactions.py::test_" in one["test"] for one in record["tests"]) == 10


def test_as_many_sessions_as_cores_run_at_once(parallel: Ran) -> None:
    """Unless `-j` says otherwise, a session a core, and no more than are chosen."""
    assert f"on 2 cells, {min(usable_cores(), 2)} at a time" in parallel.output


def test_side_by_side_gives_the_same_results_and_coverage(serial: Ran, parallel: Ran) -> None:
    """Side by side changes neither an outcome nor a covered line."""
    assert parallel.code == 0, parallel.output
    assert outcomes(parallel) == outcomes(serial)
    assert covered(parallel) == covered(serial)


def test_contexts_name_the_session(serial: Ran) -> None:
    """The merged coverage knows which session ran a line, and the HTML report shows it."""
    assert serial.folder is not None
    pages = [page.read_text(encoding="utf-8") for page in (serial.folder / "html").glob("*database_py.html")]
    (page,) = [text for text in pages if "src/plant/core/database.py" in text]

    assert all(name in page for name in NAMES)


@pytest.mark.parametrize(("driver", "other"), [("asyncpg", "psycopg"), ("psycopg", "asyncpg")])
def test_the_other_driver_is_absent(serial: Ran, driver: str, other: str) -> None:
    """A driver's environment holds that driver and not the other."""
    python = ROOT / ".nox" / f"env-{driver}" / "bin" / "python"
    code = f"import importlib.util as u; print(u.find_spec({driver!r}) is not None, u.find_spec({other!r}) is None)"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, env=clean_environment())

    assert found.stdout.split() == ["True", "True"]


def test_a_session_without_tests_is_red_and_the_matrix_is_printed(nox: Nox) -> None:
    """When no test ran the exit code is not zero, and the matrix says so."""
    ran = nox("-s", PAIR[0], "--", "-k", "no_such_test")

    assert ran.code != 0
    assert "no test ran" in ran.output
    assert ran.output.splitlines()[-1].startswith("0 of 1 session green")


def test_what_follows_two_dashes_goes_to_pytest(nox: Nox) -> None:
    """Arguments after `--` choose the tests of the session, once, and the plan before it is made as always."""
    ran = nox("-s", PAIR[0], "--", "-k", "savepoint")

    assert ran.code == 0, ran.output
    assert ran.output.count("Running session plan") == 1
    assert "1 of 1 session green, " in ran.output.splitlines()[-1]


def test_a_failing_session_does_not_hide_the_others(nox: Nox) -> None:
    """A provider that cannot serve fails its session with the reason, and the report comes last all the same."""
    ran = nox("-s", PAIR[0], PGMATRIX_PROVIDER="external")

    assert ran.code != 0
    assert "no provider can serve PostgreSQL 16" in ran.output
    assert "PGMATRIX_DSN_16 is not set" in ran.output


def test_an_unknown_setting_stops_before_anything_runs(nox: Nox) -> None:
    """A misspelled variable is named, with those that exist."""
    ran = nox("-s", PAIR[0], PGMATRIX_PROVIDR="embedded")

    assert ran.code != 0
    assert "unknown environment variable: PGMATRIX_PROVIDR" in ran.output
