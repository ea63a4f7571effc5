"""The report in a terminal: one place for each session, every failure, the coverage, and one line to remember."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pgmatrix.coverage import Merged, PathCoverage
from pgmatrix.matrix import Cell, Driver, Matrix, Session
from pgmatrix.records import Record
from pgmatrix.report.terminal import (
    cell_text,
    coverage_line,
    failure_lines,
    matrix_table,
    plan_lines,
    print_report,
    servers_lines,
    summary_line,
)
from tests.unit.pgmatrix.builders import a_record, results, some_facts

MATRIX = Matrix(
    majors=(15, 16),
    drivers=(Driver.ASYNCPG, Driver.PSYCOPG),
    layers={"rls": ("tests/test_rls.py",), "audit": ("tests/audit/",)},
)
NOTHING = Merged(percent=91.25, paths=(), missing=(), html=None, xml=None)
CRASHED = {"tests": results("passed"), "crashed": ("gw0: gone",), "exit_code": 1}


def console() -> Console:
    """A console of a fixed width that keeps what is printed."""
    return Console(record=True, width=90, file=io.StringIO(), force_terminal=True, color_system="standard")


def printed(thing: object) -> str:
    """How it looks, without colours and trailing blanks."""
    screen = console()
    screen.print(thing)
    return "\n".join(line.rstrip() for line in screen.export_text().splitlines())


def records(**changes: Any) -> dict[str, Record]:
    """The record of the session pg16-asyncpg-rls."""
    return {"pg16-asyncpg-rls": a_record(**changes)}


def test_the_plan_says_what_will_run_and_where() -> None:
    """Before work: how many sessions, layers and cells, how many at a time, and each cell's provider and why."""
    reasons = {cell: f"embedded ({cell.major})" for cell in MATRIX.cells}

    assert plan_lines(MATRIX.sessions, reasons, 2) == [
        "8 sessions: 2 layers (rls, audit) on 4 cells, 2 at a time",
        "  pg15-asyncpg: embedded (15)",
        "  pg15-psycopg: embedded (15)",
        "  pg16-asyncpg: embedded (16)",
        "  pg16-psycopg: embedded (16)",
    ]


@pytest.mark.parametrize(
    ("record", "planned", "text", "style"),
    [
        (a_record(), True, "2 ✓   3.0 s", "green"),
        (a_record(), False, "·", "dim"),
        (None, False, "·", "dim"),
        (None, True, "missing", "bold red"),
        (a_record(tests=()), True, "no test ran", "bold red"),
        (a_record(error="no server", tests=()), True, "no test ran", "bold red"),
        (a_record(**CRASHED), True, "worker crashed, 1 ✓", "bold red"),
        (a_record(exit_code=3), True, "exit code 3, 2 ✓", "bold red"),
        (a_record(tests=results("passed", "failed", "error"), exit_code=1), True, "2 ✗ 1 ✓   3.0 s", "bold red"),
        (a_record(tests=results("passed", "skipped")), True, "1 ✗ 1 ✓   3.0 s", "bold red"),
        (a_record(tests=results("xfailed", "xpassed")), True, "2 ✗ 0 ✓   3.0 s", "bold red"),
    ],
)
def test_a_place_of_the_matrix_is_green_only_if_its_session_is(
    record: Record | None, planned: bool, text: str, style: str
) -> None:
    """Each way not to be green has its own words, in red; what was not planned is a dim dot."""
    found = cell_text(record, planned=planned)

    assert (found.plain, found.style) == (text, style)


def test_the_matrix_has_layers_by_cells() -> None:
    """One row for each layer, one column for each cell, in the order of the sessions."""
    sessions = [session for session in MATRIX.sessions if session.cell.major == 16][:-1]
    found = {
        "pg16-asyncpg-rls": a_record(),
        "pg16-asyncpg-audit": a_record(tests=results("failed"), exit_code=1),
    }

    assert printed(matrix_table(sessions, found)) == "\n".join(
        [
            "layer ┃    pg16-asyncpg ┃ pg16-psycopg",
            "━━━━━━╇━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━",
            "rls   │     2 ✓   3.0 s │      missing",
            "audit │ 1 ✗ 0 ✓   3.0 s │            ·",
        ]
    )


def test_servers_are_said_once_as_they_were_measured() -> None:
    """Each cell has one line with what it really ran on; a session that got no server adds none."""
    found = {
        "pg16-asyncpg-rls": a_record(),
        "pg16-asyncpg-audit": a_record(session="pg16-asyncpg-audit"),
        "pg15-psycopg-rls": a_record(
            facts=some_facts(cell="pg15-psycopg", server_version="15.5", driver="psycopg", extensions={}).values()
        ),
        "pg16-psycopg-rls": a_record(facts={}),
    }

    assert servers_lines(found) == [
        "pg15-psycopg: PostgreSQL 15.5, pgvector -, psycopg 0.32.0, container",
        "pg16-asyncpg: PostgreSQL 16.14, pgvector 0.8.5, asyncpg 0.32.0, container",
    ]


def test_failures_are_said_once_with_all_their_sessions() -> None:
    """A test that failed on several cells is one entry; so is an error that kept sessions from running."""
    found = {
        "pg15-asyncpg-rls": a_record(tests=results("passed", "failed")),
        "pg16-asyncpg-rls": a_record(tests=results("skipped", "failed")),
        "pg16-psycopg-rls": a_record(tests=(), error="no provider can serve PostgreSQL 16\n  tried container: no"),
    }

    assert failure_lines(found) == [
        "failed tests/test_rls.py::test_1[a-1]\n    in pg15-asyncpg-rls, pg16-asyncpg-rls",
        "skipped tests/test_rls.py::test_0[a-0]\n    in pg16-asyncpg-rls",
        "error no provider can serve PostgreSQL 16\n    in pg16-psycopg-rls",
    ]


@pytest.mark.parametrize(
    ("reached", "wanted", "files", "text", "style"),
    [
        (100.0, 100, 1, "   100.0 % of 100 %  src/a.py ✓", "green"),
        (94.94, 95, 2, "    94.9 % of 95 %  src/a.py ✗", "bold red"),
        (100.0, 99.5, 0, "   100.0 % of 99.5 %  src/a.py ✗ no such file", "bold red"),
    ],
)
def test_a_threshold_says_whether_it_is_met(reached: float, wanted: float, files: int, text: str, style: str) -> None:
    """Each path has its percentage, its threshold, and a mark; a path without a file says so."""
    found = coverage_line(PathCoverage(path="src/a.py", percent=reached, wanted=wanted, files=files))

    assert (found.plain, found.style) == (text, style)


@pytest.mark.parametrize(
    ("sessions", "found", "text", "style"),
    [
        (["pg16-asyncpg-rls"], records(), "1 of 1 sessions green, 2 tests passed, coverage 91.2 %", "bold green"),
        (
            ["pg16-asyncpg-rls", "pg16-psycopg-rls"],
            records(),
            "1 of 2 sessions green, 2 tests passed, coverage 91.2 %",
            "bold red",
        ),
        (
            ["pg16-asyncpg-rls"],
            records(exit_code=1),
            "0 of 1 sessions green, 2 tests passed, coverage 91.2 %",
            "bold red",
        ),
        ([], {}, "0 of 0 sessions green, 0 tests passed, coverage 91.2 %", "bold red"),
    ],
)
def test_the_last_line_is_green_only_if_every_session_is(
    sessions: list[str], found: Mapping[str, Record], text: str, style: str
) -> None:
    """The summary counts planned sessions; one that is missing or red, or a run of none, makes it red."""
    line = summary_line([Session.parse(name) for name in sessions], found, NOTHING)

    assert (line.plain, line.style) == (text, style)


def test_the_whole_report(tmp_path: Path) -> None:
    """Servers, matrix, failures, coverage, what is missing, where the reports are, and the summary, in this order."""
    sessions = MATRIX.select(majors=[16], layers=["rls"])
    merged = Merged(
        percent=90.0,
        paths=(PathCoverage(path="total", percent=90.0, wanted=95, files=3),),
        missing=("pg16-psycopg-rls",),
        html=Path("/run/html/index.html"),
        xml=Path("/run/coverage.xml"),
    )
    screen = console()

    print_report(screen, sessions, records(tests=results("failed"), exit_code=1), merged, Path("/run"))

    lines = [line.rstrip() for line in screen.export_text().splitlines()]
    assert lines[1:] == [
        "pg16-asyncpg: PostgreSQL 16.14, pgvector 0.8.5, asyncpg 0.32.0, container",
        "layer ┃    pg16-asyncpg ┃ pg16-psycopg",
        "━━━━━━╇━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━",
        "rls   │ 1 ✗ 0 ✓   3.0 s │      missing",
        "failed tests/test_rls.py::test_0[a-0]",
        "    in pg16-asyncpg-rls",
        "coverage of lines and branches, merged over all sessions",
        "    90.0 % of 95 %  total ✗",
        "  no coverage data from: pg16-psycopg-rls",
        "  /run/html/index.html",
        "  /run/coverage.xml",
        "records: /run",
        "0 of 2 sessions green, 0 tests passed, coverage 90.0 %",
    ]


def test_a_test_with_brackets_and_a_long_name_is_printed_whole() -> None:
    """The parameters of a test are no markup, nor is anything an emoji; a long name stays on one line."""
    name = f"tests/test_rls.py::Test::test_{'x' * 100}[/red-:smile:-[bold]]"
    record = a_record(tests=(results("failed")[0].__class__(test=name, outcome="failed", seconds=0.1),), exit_code=1)
    screen = console()

    print_report(screen, [Session.parse("pg16-asyncpg-rls")], {"pg16-asyncpg-rls": record}, NOTHING, Path("/run"))

    assert f"failed {name}" in screen.export_text().splitlines()


def test_a_note_about_the_coverage_stands_below_it() -> None:
    """A run of a part of the matrix says that thresholds are not judged."""
    screen = Console(record=True, width=100)

    print_report(screen, [], {}, NOTHING, Path("/run"), note="thresholds by path are for the whole matrix")

    assert "  thresholds by path are for the whole matrix\n" in screen.export_text()


def test_a_report_without_coverage_has_no_paths_to_it() -> None:
    """Where nothing was measured no report is pointed to."""
    screen = console()

    print_report(screen, [], {}, NOTHING, Path("/run"))

    assert "html" not in screen.export_text()


def test_cells_of_the_plan_are_sorted() -> None:
    """The plan's cells are in the order of their majors and drivers, whatever the order of the sessions."""
    cells = [Cell.parse("pg16-psycopg"), Cell.parse("pg15-asyncpg")]
    sessions = [Session(cell=cell, layer="rls") for cell in cells]

    assert plan_lines(sessions, dict.fromkeys(cells, "x"), 1)[1:] == ["  pg15-asyncpg: x", "  pg16-psycopg: x"]
