"""The page: its policy allows its own script alone, and its parts are those the verdict has something for."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from typing import Any

import pytest

from pgmatrix.perf import results as perf
from pgmatrix.report import views
from pgmatrix.report.grid import grid, place, server_line
from pgmatrix.report.history import summary
from pgmatrix.report.html import render
from pgmatrix.report.words import Tone
from pgmatrix.verdict import Reason, State
from tests.unit.pgmatrix.builders import a_perf_run, a_record, a_session_view, a_verdict, results
from tests.unit.pgmatrix.samples import troubled, verdict


def parts(page: str) -> list[str]:
    """The page's sections, by their ids."""
    return re.findall(r'<section id="(\w+)"', page)


def test_the_policy_allows_this_script_and_this_style_alone() -> None:
    """The digests in the page's policy are those of the one script and the one style in it; nothing else may load."""
    page = render(troubled())
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    rules = dict(rule.split(" ", 1) for rule in policy.replace("&#39;", "'").split("; "))
    assert rules == {
        "default-src": "'none'",
        "script-src": digest(script),
        "style-src": digest(style),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_page_names_no_address() -> None:
    """No link, font, picture or script is at an address; the icon is in the page itself."""
    page = render(troubled())
    found = re.findall(r"(?:src|href|url|action)\s*[=(]\s*[\"']?([a-z]+:[^\"')> ]*)", page)

    assert {one.partition(",")[0] for one in found} == {"data:image/svg+xml"}
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)\S+", page) == []


def test_no_element_has_a_style_or_a_handler_of_its_own() -> None:
    """The policy would refuse them, so there are none."""
    page = re.sub(r"<script.*?</script>|<style.*?</style>", "", render(troubled()), flags=re.DOTALL)

    assert re.findall(r"<[^>]* (?:style|on\w+)=", page) == []


def test_parts_without_anything_to_show_are_left_out() -> None:
    """Coverage, history and performance appear where there is some; the contents list what is there."""
    full = render(troubled(), [replace(summary(troubled()), run="before"), summary(troubled())])
    bare = render(replace(verdict(tests=1), coverage=None, perf=None))

    assert parts(full) == [
        *"why matrix differences failures tests coverage time history perf servers".split(),
    ]
    assert parts(bare) == [*"why matrix differences failures tests time servers".split()]
    for page in (full, bare):
        assert re.findall(r'<li><a href="#(\w+)">', page) == parts(page)


def test_many_reasons_and_differences_are_cut_and_counted() -> None:
    """The first reasons stand open and the others one click away; differences beyond the first are counted."""
    reasons = tuple(Reason(rule="r", where=f"w{number}", what="y", do_next="z") for number in range(views.REASONS + 3))
    one = troubled().differences[0]
    found = a_verdict(ship=False, reasons=reasons, differences=(one,) * (views.DIFFERENCES + 2))
    page = render(found)

    assert "<summary>3 more</summary>" in page
    assert "and 2 more, all of them in verdict.json" in page
    assert page.count('class="subject"') == views.DIFFERENCES


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (Tone.GOOD, "✓", "2", "3.0 s", "pg16-asyncpg-rls: green, 2 tests passed, 3.0 s")),
        (
            {"state": State.FAILED, "note": "1 failed", "record": a_record(tests=results("failed"))},
            (Tone.BAD, "✗", "1 failed", "3.0 s", "pg16-asyncpg-rls: failed, 1 failed, 0 tests passed, 3.0 s"),
        ),
        (
            {"state": State.MISSING, "record": None, "preview": True},
            (Tone.BAD, "✗", "missing", "", "pg16-asyncpg-rls: missing, preview, never blocks"),
        ),
        ({"state": State.FLAKY, "note": "a\nb"}, (Tone.WARN, "!", "a␊b", "3.0 s", None)),
        (
            {"state": State.STALE, "note": "it ran on commit aaaaaaaaaaaa, judged is b"},
            (
                Tone.BAD,
                "✗",
                "stale",
                "3.0 s",
                "pg16-asyncpg-rls: stale, it ran on commit aaaaaaaaaaaa, judged is b, 2 tests passed, 3.0 s",
            ),
        ),
        ({"state": State.UNPROVEN, "note": "not committed"}, (Tone.WARN, "!", "2", "3.0 s", None)),
        ({"state": State.NOT_RUN, "record": None}, (Tone.IDLE, "·", "not-run", "", "pg16-asyncpg-rls: not-run")),
    ],
)
def test_a_place_says_its_state(changes: dict[str, Any], expected: tuple[Any, ...]) -> None:
    """Colour, mark, words and the label for a screen reader come from the session's state."""
    found = place(a_session_view(**changes))

    assert (found.tone, found.mark, found.short, found.time) == expected[:4]
    assert expected[4] is None or found.label == expected[4]


def test_the_grid_follows_the_table() -> None:
    """Rows and columns are the table's, in its order; a session the run does not have is an empty place."""
    found = troubled()
    shown = grid(replace(found, sessions=found.sessions[1:]))

    assert [one.cell for one in shown.columns] == list(found.run.cells)
    assert [layer for layer, _ in shown.rows] == list(found.run.layers)
    assert shown.rows[0][1][0] is None
    assert [one.preview for one in shown.columns] == [False] * 4 + [True] * 2


def test_a_server_is_said_in_one_line() -> None:
    """Server, pgvector, driver and provider as measured; nothing where nothing was."""
    assert server_line({}) == ""
    assert server_line({"server_version": "16.14", "driver": "psycopg"}) == "PostgreSQL 16.14, pgvector -, psycopg, ?"


def test_a_cell_whose_sessions_differ_shows_all_they_measured() -> None:
    """Two server versions in one cell are both there."""
    facts = [a_record().facts, {**a_record().facts, "server_version": "16.1", "own_extensions": ["vector"]}]
    (row,) = views.servers([a_session_view(record=a_record(facts=one)) for one in facts])

    assert row.server == "PostgreSQL 16.14 / PostgreSQL 16.1"
    assert row.extensions.endswith("vector 0.8.5 (pgmatrix’s own), plpgsql 1.0")


def test_rules_are_counted() -> None:
    """How many rules held, objected and are off."""
    assert views.rules_line(troubled().rules) == "5 rules: 0 held, 4 objected, 1 switched off"
    assert views.rules_line(verdict(tests=1).rules) == "5 rules: 5 held, 0 objected"


def test_the_slowest_tests_are_there_once() -> None:
    """Each slow test is shown in the session where it took longest, the slowest first."""
    rows = views.slowest(troubled())

    assert len(rows) == len({one.link for one in rows}) == views.SLOWEST
    assert rows[0].link == troubled().slowest(1)[0][1].test


def test_a_failing_measurement_says_why() -> None:
    """The performance part shows the reasons of a run that is no pass."""
    bad = replace(a_perf_run().comparisons[0], word=perf.Word.SLOWER, why="point-read is too slow")
    page = render(a_verdict(perf=a_perf_run(comparisons=(bad,))))

    assert "<li>point-read is too slow</li>" in page
