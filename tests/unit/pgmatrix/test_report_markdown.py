"""The Markdown of a job's summary: short, in order, and nothing in a test's name or traceback can change it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.records import Outcome, TestResult
from pgmatrix.report import markdown
from pgmatrix.verdict import Reason
from tests.unit.pgmatrix.builders import a_record, a_session_view, a_verdict
from tests.unit.pgmatrix.samples import hostile, troubled, verdict


def headings(text: str) -> list[str]:
    """The headings of a Markdown text."""
    return [line for line in text.splitlines() if line.startswith("#")]


def test_the_parts_come_in_order() -> None:
    """Verdict, reasons, matrix, differences, failures, coverage, rules that are off, and the run."""
    text = markdown.render(troubled())

    assert headings(text) == [
        "## ❌ Do not ship",
        "### Why not",
        "### What differs between cells",
        "### What did not pass",
        "### Coverage 93.9 %",
    ]
    assert "- **pg15-psycopg-transactions**: no record (`missing-session`)" in text
    assert "| rls | ✅ 12<br>4.1 s | ❌ 2 failed<br>4.4 s |" in text
    assert "- **fails on psycopg, on 15 and 16**: `tests/integration/test_rls_1.py::test_rls_holds_001`" in text
    assert "Rules switched off: `perf-budget`" in text
    assert "No coverage data from: pg15-psycopg-transactions" in text
    assert text.rstrip().endswith("started 2026-11-25 21:31 UTC, took 1 min 25 s")


def test_a_verdict_that_ships_is_short() -> None:
    """Without trouble there is the verdict, the matrix, the coverage and the run, and no heading without content."""
    assert headings(markdown.render(verdict())) == ["## ✅ Ship", "### Coverage 98.9 %"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a_b *c* <i> [x](y) | #1", r"a\_b \*c\* \<i\> \[x\](y) \| \#1"),
        ("@team :tada: https://x 1:2", r"&#64;team \:tada: https\://x 1:2"),
        ("a\n# b", "a␊\\# b"),
    ],
)
def test_prose_is_shown_letter_by_letter(text: str, shown: str) -> None:
    """No markup, mention, emoji, link or new line comes out of somebody's text."""
    assert markdown.escaped(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a[b]", "`a[b]`"), ("a`b", "`` a`b ``"), ("``", "``` `` ```"), ("", "`  `"), (" a", "`  a `"), ("a\nb", "`a␊b`")],
)
def test_a_code_span_is_longer_than_what_is_in_it(text: str, shown: str) -> None:
    """The fence of a code span occurs nowhere in its text."""
    assert markdown.code(text) == shown


def test_a_bar_does_not_end_a_cell() -> None:
    """In a table the bars of a code span are escaped."""
    assert markdown.code("a|b", table=True) == r"`a\|b`"


@given(st.text(st.characters(exclude_categories=())))
def test_a_block_holds_any_text(text: str) -> None:
    """The fence of a block occurs nowhere in it."""
    first, *inside, last = "\n".join(markdown.block(text)).split("\n")

    assert first == last + "text"
    assert not [line for line in inside if line.strip().startswith(last)]


@given(st.text(st.characters(exclude_categories=())))
def test_no_text_adds_a_heading_or_a_row(text: str) -> None:
    """Whatever tests, reasons and rules are called, headings and the rows of the matrix are those of the verdict."""
    found = markdown.render(hostile(text))
    outside = re.sub(r"^(`{3,})text\n.*?^\1$", "", found, flags=re.DOTALL | re.MULTILINE)

    assert len(headings(outside)) == 5
    assert [line for line in outside.splitlines() if line.startswith("| connection |")] != []
    assert "<script" not in outside


def test_there_is_a_limit_to_everything() -> None:
    """Many reasons and failures are counted instead of listed, and the whole is never longer than GitHub takes."""
    tests = tuple(
        TestResult(test=f"t.py::test_{number}", outcome=Outcome.FAILED, seconds=0.1, detail="x" * 9000)
        for number in range(80)
    )
    reasons = tuple(Reason(rule="r", where=f"w{number}", what="y", do_next="z") for number in range(80))
    found = a_verdict(ship=False, reasons=reasons, sessions=(a_session_view(record=a_record(tests=tests)),))
    text = markdown.render(found)

    assert "- and 30 more\n" in text
    assert "and 30 more tests; report.html has them all" in text
    assert text.count("<details>") == 10
    assert len(text) < 80_000


def test_what_is_too_long_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the text ends with a whole line and a word about it."""
    monkeypatch.setattr(markdown, "LIMIT", 500)
    text = markdown.render(troubled())

    assert len(text) < 600
    assert text.endswith("Cut here, since a summary may not be larger; report.html has it all.\n")


def test_a_file_from_elsewhere_has_a_line_instead_of_a_matrix() -> None:
    """A verdict on one JUnit file shows that file and no empty table."""
    found = a_verdict()
    run = replace(found.run, cells=(), layers=())
    text = markdown.render(replace(found, run=run, sessions=(a_session_view(session="x.xml", cell="", layer=""),)))

    assert "- `x.xml` ✅ 2<br>3.0 s" in text
    assert "| layer |" not in text
