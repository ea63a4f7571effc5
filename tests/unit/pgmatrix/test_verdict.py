"""The verdict as a value: it goes to JSON and back, and says the same in one line everywhere."""

from __future__ import annotations

import json

import pytest

from pgmatrix.errors import RecordError
from pgmatrix.records import Outcome, TestResult
from pgmatrix.verdict import SCHEMA, Reason, State, Verdict
from tests.unit.pgmatrix.builders import a_record, a_session_view, a_verdict

FAILED = TestResult(
    test="t.py::a",
    outcome=Outcome.FAILED,
    seconds=0.5,
    detail="assert 1 == 2",
    sections={"Captured stdout call": "hello"},
    tries=2,
)
REASON = Reason(rule="failed", where="pg16-asyncpg-rls", what="1 test failed", do_next="mend it", test="t.py::a")


def test_a_verdict_reads_back_as_it_was() -> None:
    """What a verdict holds, its records with their tracebacks too, survives JSON."""
    failed = a_session_view(
        state=State.FAILED, note="1 failed", record=a_record(tests=(FAILED,), facts={"superuser": True})
    )
    missing = a_session_view(session="pg15-asyncpg-rls", state=State.MISSING, record=None)
    verdict = a_verdict(ship=False, reasons=(REASON,), sessions=(failed, missing))

    assert Verdict.from_json(verdict.to_json()) == verdict


def test_a_reason_is_one_line() -> None:
    """Where, what and what to do."""
    assert REASON.text == "pg16-asyncpg-rls: 1 test failed; mend it"


def test_the_headline_counts_what_blocks_and_what_is_green() -> None:
    """A verdict's one line says ship or do not ship; remarks that do not block are not counted."""
    remark = Reason(rule="failed", where="x", what="y", do_next="z", blocking=False)

    assert a_verdict(reasons=(remark,)).headline == "ship: 1 of 1 sessions green, 2 tests passed"
    assert a_verdict(ship=False, reasons=(REASON, remark)).headline == (
        "do not ship: 1 reason; 1 of 1 sessions green, 2 tests passed"
    )
    assert a_verdict(ship=False, reasons=(REASON, REASON)).headline.startswith("do not ship: 2 reasons; ")
    assert a_verdict(reasons=(remark, REASON)).blocking == (REASON,)


def test_sessions_and_slowest_tests_are_found() -> None:
    """A session is found by its spelling, and the tests that took longest come first, with their session."""
    slow = TestResult(test="t.py::slow", outcome=Outcome.PASSED, seconds=9.0)
    verdict = a_verdict(sessions=(a_session_view(record=a_record(tests=(FAILED, slow))),))

    assert verdict.session("pg16-asyncpg-rls") is verdict.sessions[0]
    assert verdict.session("pg15-asyncpg-rls") is None
    assert verdict.slowest(1) == [("pg16-asyncpg-rls", slow)]
    assert verdict.slowest(5) == [("pg16-asyncpg-rls", slow), ("pg16-asyncpg-rls", FAILED)]


def test_a_session_without_a_record_has_no_tests() -> None:
    """Nothing is counted where there is no record."""
    view = a_session_view(record=None, state=State.MISSING)

    assert (view.tests, view.seconds, view.count(Outcome.PASSED)) == ((), 0.0, 0)
    assert (len(a_session_view().tests), a_session_view().seconds, a_session_view().count(Outcome.PASSED)) == (2, 3, 2)


def test_a_newer_verdict_is_refused() -> None:
    """A verdict whose meaning may have changed is not guessed at."""
    with pytest.raises(RecordError) as error:
        Verdict.from_json(json.dumps({"schema": SCHEMA + 1}))

    assert str(error.value) == (
        f"a verdict of schema {SCHEMA + 1}, this pgmatrix reads up to {SCHEMA}\n"
        "  do    read it with the version that wrote it, or a later one"
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", '{"ship": 1}', '{"ship": NaN}', "[" * 100_000])
def test_what_is_no_verdict_is_refused(text: str) -> None:
    """Something else is an error that says what to do."""
    with pytest.raises(RecordError) as error:
        Verdict.from_json(text)

    assert error.value.wanted.startswith("this is not a verdict: ")
    assert error.value.do_next == "judge the run again: nox -s gate"
