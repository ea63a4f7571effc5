"""The merged JUnit file: cell and layer are kept, and no reader of it alone can take a bad session for green."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pgmatrix.records import Outcome, TestResult
from pgmatrix.report import junit_xml
from pgmatrix.verdict import State, Verdict
from tests.unit.pgmatrix.builders import a_record, a_session_view, a_verdict
from tests.unit.pgmatrix.samples import troubled


def tree(verdict: Verdict) -> ET.Element:
    """The file, parsed."""
    return ET.fromstring(junit_xml.render(verdict))  # noqa: S314 - written here


def case(test: str, outcome: Outcome = Outcome.PASSED, detail: str = "") -> ET.Element:
    """The test case of one result."""
    result = TestResult(test=test, outcome=outcome, seconds=0.5, detail=detail, sections={"log": "said"})
    found = tree(a_verdict(sessions=(a_session_view(record=a_record(tests=(result,))),)))
    return found[0].findall("testcase")[0]


@pytest.mark.parametrize(
    ("test", "classname", "name"),
    [
        ("tests/a/test_x.py::test_y", "pg16-asyncpg-rls.tests.a.test_x", "test_y"),
        ("tests/test_x.py::TestZ::test_y[a::b-1]", "pg16-asyncpg-rls.tests.test_x.TestZ", "test_y[a::b-1]"),
        ("tests/test_x.py", "pg16-asyncpg-rls.tests.test_x", "tests/test_x.py"),
    ],
)
def test_a_test_keeps_its_cell_and_layer(test: str, classname: str, name: str) -> None:
    """The class name begins with the session, then follow module and class; parameters stay with the name."""
    assert (case(test).get("classname"), case(test).get("name")) == (classname, name)


@pytest.mark.parametrize(
    ("outcome", "tag"),
    [
        (Outcome.PASSED, None),
        (Outcome.FAILED, "failure"),
        (Outcome.XPASSED, "failure"),
        (Outcome.ERROR, "error"),
        (Outcome.SKIPPED, "skipped"),
        (Outcome.XFAILED, "skipped"),
        (Outcome.FLAKY, "flakyFailure"),
    ],
)
def test_every_outcome_has_its_element(outcome: Outcome, tag: str | None) -> None:
    """What did not simply pass has an element with the last line of its traceback, and the log goes along."""
    found = case("t.py::a", outcome, "line\nE  assert 1\n\n")

    elements = [one for one in found if one.tag != "system-out"]
    assert [one.tag for one in elements] == ([tag] if tag else [])
    assert [(one.get("message"), one.get("type")) for one in elements] == (
        [("E  assert 1", str(outcome))] if tag else []
    )
    assert found.findtext("system-out") == "--- log ---\nsaid"


def test_sums_are_right() -> None:
    """Each suite and the whole count what they hold."""
    found = tree(troubled())

    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert [int(suite.get(name, "-1")) for suite in found] == [
            len(suite.findall(f"testcase/{tag}")) for suite in found
        ]
        assert int(found.get(name, "-1")) == len(found.findall(f"testsuite/testcase/{tag}"))
    assert int(found.get("tests", "-1")) == len(found.findall("testsuite/testcase"))
    assert {one.get("name"): one.get("value") for one in found[0].iter("property")} == {
        "cell": "pg15-asyncpg",
        "layer": "connection",
        "state": "green",
        "preview": "false",
        "server_version": "15.5",
        "driver_version": "0.32.0",
        "provider": "embedded",
    }


@pytest.mark.parametrize("state", [one for one in State if one not in (State.GREEN, State.NOT_RUN)])
def test_a_session_that_proves_nothing_is_an_error(state: State) -> None:
    """Where all tests passed, or none is known, and the session is not green, an error of its own says why."""
    for record in (a_record(), None):
        (suite,) = tree(a_verdict(sessions=(a_session_view(state=state, note="why it is so", record=record),)))
        last = suite.findall("testcase")[-1]
        assert (last.get("name"), last.get("classname")) == ("the session itself", "pg16-asyncpg-rls")
        assert [one.get("message") for one in last] == [f"{state}: why it is so"]
        assert suite.get("errors") == "1"


def test_what_was_not_asked_for_is_no_suite() -> None:
    """A session outside the chosen part of the matrix does not appear."""
    assert len(tree(a_verdict(sessions=(a_session_view(state=State.NOT_RUN, record=None),)))) == 0


def test_pgmatrix_reads_what_it_writes(tmp_path: Path) -> None:
    """The gate's own reader of JUnit finds as many results and as many bad ones as the verdict has."""
    junit = pytest.importorskip("pgmatrix.junit", reason="the gate's reader of JUnit is not here yet")
    found = replace(troubled(), sessions=tuple(one for one in troubled().sessions if one.state is State.FAILED))
    path = tmp_path / "junit.xml"
    path.write_text(junit_xml.render(found), encoding="utf-8")

    read = junit.read(path)

    assert len(read.tests) == sum(len(one.tests) for one in found.sessions)
    assert read.bad == found.count(Outcome.FAILED, Outcome.ERROR)
