"""The report in a terminal: the plan before; after it servers, matrix, what is wrong, coverage, verdict."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from pgmatrix.matrix import Cell, Driver, Matrix, Session
from pgmatrix.records import TestResult
from pgmatrix.report.grid import place
from pgmatrix.report.terminal import bad_texts, place_text, plan_lines, print_verdict, reason_texts, verdict_table
from pgmatrix.verdict import Reason, SessionView, State, Verdict
from tests.unit.pgmatrix.builders import a_record, a_session_view, a_verdict, results
from tests.unit.pgmatrix.samples import CELLS, troubled, verdict

MATRIX = Matrix(
    majors=(15, 16),
    drivers=(Driver.ASYNCPG, Driver.PSYCOPG),
    layers={"rls": ("tests/test_rls.py",), "audit": ("tests/audit/",)},
)


def console(width: int = 90) -> Console:
    """A console of a fixed width that keeps what is printed."""
    return Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="standard")


def lines(found: Verdict, *files: str, width: int = 90) -> list[str]:
    """What is printed of a verdict, without colours and trailing blanks."""
    screen = console(width)
    print_verdict(screen, found, files)
    return [line.rstrip() for line in screen.export_text().splitlines()]


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


def test_cells_of_the_plan_are_sorted() -> None:
    """The plan's cells are in the order of their majors and drivers, whatever the order of the sessions."""
    cells = [Cell.parse("pg16-psycopg"), Cell.parse("pg15-asyncpg")]
    sessions = [Session(cell=cell, layer="rls") for cell in cells]

    assert plan_lines(sessions, dict.fromkeys(cells, "x"), 1)[1:] == ["  pg15-asyncpg: x", "  pg16-psycopg: x"]


@pytest.mark.parametrize(
    ("view", "text", "style"),
    [
        (a_session_view(), "2 ✓   3.0 s", "green"),
        (a_session_view(state=State.NOT_RUN, record=None), "·", "dim"),
        (a_session_view(state=State.MISSING, note="no record", record=None), "✗ no record", "bold red"),
        (
            a_session_view(state=State.FAILED, note="1 failed", record=a_record(tests=results("passed", "failed"))),
            "✗ 1 failed\n1 ✓   3.0 s",
            "bold red",
        ),
        (a_session_view(state=State.FLAKY, note="1 flaky"), "! 1 flaky\n2 ✓   3.0 s", "bold yellow"),
        (a_session_view(state=State.CRASHED), "✗ crashed\n2 ✓   3.0 s", "bold red"),
    ],
)
def test_a_place_is_green_only_if_its_session_is(view: SessionView, text: str, style: str) -> None:
    """Each way not to be green has its own words and colour; what was not asked for is a dim dot."""
    found = place_text(place(view))

    assert (found.plain, found.style) == (text, style)
    assert place_text(None).plain == "·"


def test_the_matrix_has_layers_by_cells() -> None:
    """One row for each layer, one column for each cell; what the run was not asked for takes no room."""
    found = verdict(cells=CELLS[:3], layers=("rls", "audit", "pooling"), tests=2)
    part = {"pg15-asyncpg-audit", "pg15-psycopg-rls", "pg15-psycopg-audit"}
    sessions = tuple(
        one if one.session in part else replace(one, state=State.NOT_RUN, record=None) for one in found.sessions
    )
    screen = console()
    screen.print(verdict_table(replace(found, sessions=sessions)))

    assert [re.sub(r"\d\.\d s", "1.0 s", line.rstrip()) for line in screen.export_text().splitlines()] == [
        "layer ┃ pg15-asyncpg ┃ pg15-psycopg",
        "━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━━━━━",
        "rls   │            · │  2 ✓   1.0 s",
        "audit │  2 ✓   1.0 s │  2 ✓   1.0 s",
    ]


def test_the_whole_report_comes_in_order() -> None:
    """Servers, matrix, differences, failures, coverage, reasons, rules that are off, other reports, and the verdict."""
    found = lines(troubled(), "report: /run/report.html", width=140)
    wanted = [
        "pg15-asyncpg: PostgreSQL 15.5, pgvector 0.8.5, asyncpg 0.32.0, embedded",
        "what differs between cells",
        "    4.1 times as long on psycopg",
        "failed tests/integration/test_rls_1.py::test_rls_holds_004",
        "coverage of lines and branches, merged over all sessions: 93.9 %",
        "    93.9 % of 95 %  total ✗",
        "  no coverage data from: pg15-psycopg-transactions",
        "✗ pg15-psycopg-transactions: no record [missing-session]",
        "    E   AssertionError: assert [<Skill 7f3a>] == []",
        "· preview, does not block: pg18-asyncpg-migrations: 1 test failed, 1 broke [failed]",
        "rules switched off: perf-budget",
        "report: /run/report.html",
        "do not ship, with perf-budget switched off: 4 reasons; 34 of 42 sessions green, 477 tests passed",
    ]

    assert [found.index(line) for line in wanted] == sorted(found.index(line) for line in wanted)
    assert found[-1] == wanted[-1]


def test_a_verdict_that_ships_is_short() -> None:
    """Without trouble there is no line about trouble."""
    found = lines(verdict(tests=2))

    assert found[-1] == "ship: 28 of 28 sessions green, 56 tests passed"
    assert not [line for line in found if "✗" in line or "failed" in line or "differs" in line]


def test_a_failure_that_a_reason_names_is_said_once() -> None:
    """What stands among the reasons is not listed before them as well; other outcomes are, with their sessions."""
    named = troubled().reasons[1].test
    shown = "\n".join(text.plain for text in bad_texts(troubled()))

    assert named not in shown
    assert "skipped tests/integration/test_audit_2.py::test_audit_holds_002\n    in pg15-asyncpg-audit" in shown


def test_where_a_test_fails_is_said_in_few_words() -> None:
    """A difference of outcomes stands with its failure, unless a reason says it."""
    found = replace(troubled(), reasons=())

    assert (
        "failed tests/integration/test_rls_1.py::test_rls_holds_001\n"
        "    in pg15-psycopg-rls, pg16-psycopg-rls; fails on psycopg, on 15 and 16"
    ) in [text.plain for text in bad_texts(found)]


def test_an_error_that_kept_sessions_from_running_is_said_once() -> None:
    """The first line of a session's error stands with all sessions it struck."""
    record = a_record(tests=(), error="no provider can serve PostgreSQL 16\n  tried container: no")
    views = tuple(a_session_view(session=name, state=State.EMPTY, record=record) for name in ("a", "b"))

    assert [text.plain for text in bad_texts(a_verdict(sessions=views))] == [
        "error no provider can serve PostgreSQL 16\n    in a, b"
    ]


def test_many_failures_and_reasons_are_counted() -> None:
    """Beyond the first 200 the rest is a number."""
    tests = tuple(
        TestResult(test=f"t.py::test_{n}", outcome=results("failed")[0].outcome, seconds=0) for n in range(203)
    )
    reasons = tuple(Reason(rule="r", where=f"w{number}", what="y", do_next="z") for number in range(204))
    found = a_verdict(ship=False, reasons=reasons, sessions=(a_session_view(record=a_record(tests=tests)),))

    assert list(bad_texts(found))[-1].plain == "and 3 more that did not pass"
    assert list(reason_texts(found))[-1].plain == "and 4 more reasons"


def test_a_test_with_brackets_and_a_long_name_is_printed_whole() -> None:
    """The parameters of a test are no markup, nor is anything an emoji; a long name stays on one line."""
    name = f"tests/test_rls.py::Test::test_{'x' * 100}[/red-:smile:-[bold]]"
    record = a_record(tests=(replace(results("failed")[0], test=name),), exit_code=1)

    assert f"failed {name}" in lines(a_verdict(sessions=(a_session_view(record=record),)))


def test_no_text_reaches_the_terminal_as_more_than_text() -> None:
    """Escape sequences in test ids and messages are not sent to the terminal."""
    name = "t.py::test_x[\x1b[2J\x1b]0;title\x07\x9b31m\u202e]"
    reason = Reason(rule="r", where=name, what=name, do_next=name, detail=name)
    record = a_record(tests=(replace(results("failed")[0], test=name),), exit_code=1)
    stream = io.StringIO()

    print_verdict(
        Console(file=stream, width=90, force_terminal=False),
        a_verdict(ship=False, reasons=(reason,), sessions=(a_session_view(record=record),)),
    )

    assert "t.py::test_x[\\u009b31m\\u202e]" in stream.getvalue()
    assert not [one for one in stream.getvalue() if not one.isprintable() and one != "\n"]
