"""What the page carries: every result of the verdict, each text once, and nothing that could leave its element."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.records import TestResult
from pgmatrix.report import page_data
from pgmatrix.report.html import render
from pgmatrix.report.page_data import embedded
from pgmatrix.report.words import clean
from pgmatrix.verdict import Verdict
from tests.unit.pgmatrix.samples import hostile, troubled, verdict


def data_of(found: Verdict) -> dict[str, Any]:
    """The data as the page's scripts read it."""
    data: dict[str, Any] = json.loads(embedded(page_data.page_data(found)))
    return data


def results(data: dict[str, Any]) -> list[tuple[str, str, str, int]]:
    """Every result in the data: session, test, outcome and milliseconds."""
    found = []
    for session in data["sessions"]:
        for place, number in enumerate(data["lists"][session["list"]] if "list" in session else []):
            file, name = data["tests"][number]
            test = f"{data['files'][file]}::{name}"
            found.append((session["name"], test, data["letters"][session["outcomes"][place]], session["ms"][place]))
    return found


def test_no_result_is_lost() -> None:
    """Session, test, outcome and time of every result come out of the data as they are in the verdict."""
    found = troubled()

    assert results(data_of(found)) == [
        (view.session, test.test, str(test.outcome), round(test.seconds * 1000))
        for view in found.sessions
        for test in view.tests
    ]


def test_tracebacks_logs_and_tries_are_carried() -> None:
    """What a failure left is found from its place, and a text that several share is there once."""
    data = data_of(troubled())

    (session,) = [one for one in data["sessions"] if one["name"] == "pg15-psycopg-rls"]
    detail, sections, tries = session["more"]["1"]
    assert "assert found == []" in data["texts"][detail]
    assert [title for title, _ in sections] == ["Captured log call", "PostgreSQL log of this test"]
    assert "permission denied" in data["texts"][sections[0][1]]
    assert tries == 1
    assert len(set(data["texts"])) == len(data["texts"])


def test_what_sessions_share_is_there_once() -> None:
    """Sessions of a layer with the same tests share one list; those with the same server share its facts."""
    data = data_of(verdict(tests=3))

    assert (len(data["sessions"]), len(data["lists"]), len(data["tests"]), len(data["facts"])) == (28, 7, 21, 4)


def test_a_missing_session_has_no_results() -> None:
    """A session without a record says so, and carries no list that could look like one of passed tests."""
    (session,) = [one for one in data_of(troubled())["sessions"] if one["name"] == "pg15-psycopg-transactions"]

    assert session == {
        "name": "pg15-psycopg-transactions",
        "cell": "pg15-psycopg",
        "layer": "transactions",
        "state": "missing",
        "tone": "bad",
        "note": "no record",
        "preview": False,
    }


@given(st.text(st.characters(exclude_categories=())))
def test_no_text_leaves_its_element(text: str) -> None:
    """Whatever a test, a message or a setting is called, the data has no character that HTML or JavaScript takes up."""
    found = embedded(page_data.page_data(hostile(text)))

    assert found.isascii()
    assert not set("<>&\n") & set(found)
    assert json.loads(found)["sessions"][0]["note"] == clean(text)


def test_a_long_text_is_cut_in_its_middle_and_says_so() -> None:
    """Begin and end of a long traceback stay; where it was cut stands how much is missing."""
    found = data_of(with_details(["a" * 20_000 + "b" * 20_000]))["texts"][0]

    assert found.startswith("a" * 12_000 + "\n\n... 16,000 characters left out of this page")
    assert found.endswith("... \n\n".strip() + "\n\n" + "b" * 12_000)


def test_texts_beyond_the_budget_are_left_out_and_say_so() -> None:
    """The page stays small whatever failed: the first texts are whole, and each further one says where it is."""
    size = page_data.ONE_TEXT - 10
    wanted = page_data.ALL_TEXTS // size
    data = data_of(with_details([f"{number:09}".ljust(size, "x") for number in range(wanted + 3)]))

    assert [len(text) for text in data["texts"][:wanted]] == [size] * wanted
    assert data["texts"][wanted:] == [page_data.LEFT_OUT] * 3
    assert "verdict.json" in page_data.LEFT_OUT


def with_details(details: list[str]) -> Verdict:
    """A verdict of one session whose tests left these tracebacks."""
    found = verdict(cells=["pg16-asyncpg"], layers=["rls"], tests=1)
    view = found.sessions[0]
    assert view.record is not None
    one = view.record.tests[0]
    tests = tuple(
        TestResult(test=f"t.py::test_{number}", outcome=one.outcome, seconds=0.1, detail=detail)
        for number, detail in enumerate(details)
    )
    return replace(found, sessions=(replace(view, record=replace(view.record, tests=tests)),))


def test_a_page_of_many_results_is_small() -> None:
    """A result takes few bytes: the page of 20,000 in 50 sessions has below 400,000 of them."""
    cells = [f"pg{major}-{driver}" for major in range(11, 36) for driver in ("asyncpg", "psycopg")]
    found = replace(verdict(cells=cells, layers=["rls"], tests=400), perf=None)

    assert len(embedded(page_data.page_data(found))) < 200_000
    assert len(render(found)) < 400_000
