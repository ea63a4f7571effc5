"""The command line measures what was asked for and goes on after what could not be measured."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tests.perf import __main__ as main
from tests.perf.bench import Bench
from tests.perf.measure import Absent, MeasurementFailed
from tests.perf.table import Row, Verdict


def _fails(_: Bench) -> list[Row]:
    raise MeasurementFailed("nox ended with exit code 1", "E  assert [1] == 2")


def _is_absent(_: Bench) -> list[Row]:
    raise Absent("no engine answers")


def _measure(monkeypatch: pytest.MonkeyPatch, measurement: object) -> tuple[Row, str]:
    stream = io.StringIO()
    monkeypatch.setattr(main, "MEASUREMENTS", {"it": measurement})
    rows = main._measured(None, "it", Console(file=stream, width=100))  # type: ignore[arg-type]
    return rows[0], stream.getvalue()


def test_a_failed_command_is_shown_with_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a measured command said is printed as it is, and its row is a failure."""
    row, said = _measure(monkeypatch, _fails)

    assert (row.verdict, row.failed) == (Verdict.FAILED, "nox ended with exit code 1")
    assert "E  assert [1] == 2" in said


def test_what_is_not_here_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without an engine has a row that says so."""
    row, _ = _measure(monkeypatch, _is_absent)

    assert (row.verdict, row.absent) == (Verdict.ABSENT, "no engine answers")


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A measurement that does not exist is refused with those that do."""
    with pytest.raises(SystemExit):
        main.main(["speed"])

    assert "speed is not measured; choose from ready, places, clones" in capsys.readouterr().err
