"""The files of a verdict: all of them, beside the run, and the history they leave to later runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pgmatrix.errors import ReportError
from pgmatrix.report import files, history
from pgmatrix.verdict import State, Verdict
from tests.unit.pgmatrix.samples import troubled, verdict


def a_run(name: str, started: float, **changes: object) -> Verdict:
    """A verdict of a run of that name."""
    found = verdict(tests=1)
    return replace(found, run=replace(found.run, run=name, started=started, ended=started + 60), **changes)  # type: ignore[arg-type]


def test_every_report_is_written_beside_the_run(tmp_path: Path) -> None:
    """One call leaves HTML, Markdown, JUnit and JSON, whole, and the JSON reads back as the verdict."""
    found = files.write(tmp_path / "runs" / "one", troubled())

    assert {path.name for path in (tmp_path / "runs" / "one").iterdir()} == {
        "report.html",
        "report.md",
        "junit.xml",
        "verdict.json",
        "summary.json",
    }
    assert Verdict.from_json(found.json.read_text(encoding="utf-8")) == troubled()
    assert found.html.read_text(encoding="utf-8").endswith("</html>\n")


def test_the_job_summary_is_added_to(tmp_path: Path) -> None:
    """What other steps wrote to the job's summary stays, and the Markdown follows."""
    step = tmp_path / "step.md"
    step.write_text("before\n", encoding="utf-8")

    found = files.write(tmp_path / "run", troubled(), step_summary=str(step))

    assert step.read_text(encoding="utf-8") == f"before\n{found.markdown.read_text(encoding='utf-8')}\n"


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """A folder that is a file is an error with what to do, and not a verdict."""
    (tmp_path / "run").write_text("", encoding="utf-8")

    with pytest.raises(ReportError) as error:
        files.write(tmp_path / "run", verdict(tests=1))

    assert error.value.wanted.startswith(f"the reports of {tmp_path / 'run'} cannot be written: ")
    assert error.value.do_next == "make room, or name a folder that is yours"


def test_history_is_the_last_runs_with_this_one_last(tmp_path: Path) -> None:
    """Past runs come from their summaries, oldest first; this run is there once, and last; later ones are not."""
    for number, name in enumerate(("c", "a", "b", "later")):
        history.write(tmp_path / name, a_run(name, 1000.0 + 100 * number + 10_000 * (name == "later")))
    now = a_run("a", 5000.0, ship=False)

    assert [(one.run, one.ship) for one in history.last(tmp_path, now=now)] == [("c", True), ("b", True), ("a", False)]
    assert [one.run for one in history.last(tmp_path, number=2)] == ["b", "later"]


def test_a_summary_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    """A damaged summary is not guessed at, and does not hide the others."""
    history.write(tmp_path / "good", a_run("good", 1.0))
    for name, text in {"empty": "", "list": "[]", "less": json.dumps({"run": "x"})}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "summary.json").write_text(text, encoding="utf-8")
    (tmp_path / "bytes").mkdir()
    (tmp_path / "bytes" / "summary.json").write_bytes(b"\xff\xfe")

    assert [one.run for one in history.last(tmp_path)] == ["good"]


def test_a_summary_counts_what_was_asked_for() -> None:
    """Sessions that the run was never asked for are not counted, and the run is then a part."""
    found = troubled()
    part = replace(found, sessions=tuple(replace(one, state=State.NOT_RUN, record=None) for one in found.sessions[1:]))

    whole = history.summary(found)
    assert (whole.whole, whole.sessions, whole.green, whole.bad, whole.passed) == (True, 42, 34, 6, 477)
    assert (history.summary(part).whole, history.summary(part).sessions) == (False, 0)
    assert whole.seconds == pytest.approx(found.run.ended - found.run.started)
