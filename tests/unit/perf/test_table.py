"""The table says what was measured, judges it by its goal, and never judges what was not measured."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tests.perf.measure import Samples, Unit
from tests.perf.table import Goal, Of, Row, Verdict, amount, goal_text, print_table, samples_text, summary


def _samples(*values: float, unit: Unit = Unit.SECONDS) -> Samples:
    return Samples(values=values, unit=unit)


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [
        (Goal(bound=2.0), Verdict.MET),
        (Goal(bound=1.9), Verdict.MISSED),
        (Goal(bound=4.0, of=Of.RATIO), Verdict.MET),
        (Goal(bound=3.9, of=Of.RATIO), Verdict.MISSED),
        (Goal(bound=4.0, of=Of.RATIO, at_least=True), Verdict.MET),
        (Goal(bound=4.1, of=Of.RATIO, at_least=True), Verdict.MISSED),
        (None, Verdict.SHOWN),
    ],
)
def test_a_goal_is_judged_by_the_median_or_the_ratio(goal: Goal | None, verdict: Verdict) -> None:
    """A median of 2 s at 4 times its neighbour keeps exactly the bounds that allow it, the bound included."""
    row = Row(what="it", measured=_samples(1.0, 2.0, 9.0), beside=_samples(0.5), goal=goal)

    assert row.verdict is verdict


def test_what_is_absent_or_failed_is_not_judged() -> None:
    """Without a measurement no goal is met or missed."""
    rows = [Row(what="it", absent="no engine", goal=Goal(bound=1)), Row(what="it", failed="exit 1", goal=Goal(bound=1))]

    assert [row.verdict for row in rows] == [Verdict.ABSENT, Verdict.FAILED]


def test_a_ratio_without_a_neighbour_is_refused() -> None:
    """A goal of a ratio with nothing beside it is an error of the measurement, and says which."""
    row = Row(what="it", measured=_samples(1.0), goal=Goal(bound=1.3, of=Of.RATIO))

    with pytest.raises(ValueError, match="it: a goal of a ratio needs something beside it"):
        _ = row.verdict


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12.345, Unit.SECONDS, "12.35 s"),
        (1.0, Unit.SECONDS, "1.00 s"),
        (0.3, Unit.SECONDS, "0.300 s"),
        (0.0123, Unit.SECONDS, "12.3 ms"),
        (-0.0008, Unit.SECONDS, "-0.8 ms"),
        (187.4, Unit.MEGABYTES, "187 MB"),
        (4.56, Unit.MEGABYTES, "4.6 MB"),
        (52_300.0, Unit.PER_SECOND, "52,300 /s"),
        (0.976, Unit.SHARE, "0.976"),
    ],
)
def test_amounts_are_for_people(value: float, unit: Unit, text: str) -> None:
    """Three digits and the unit that fits."""
    assert amount(value, unit) == text


def test_samples_show_median_range_and_number() -> None:
    """A single sample is shown as one, with no range that it does not have."""
    several, single = samples_text(_samples(1.0, 2.0, 4.0)), samples_text(_samples(2.0))

    assert several == "2.00 s (1.00 s to 4.00 s, n 3)"
    assert single == "2.00 s (n 1)"
    assert samples_text(None) == ""


def test_goals_show_their_bound() -> None:
    """Bounds of values have a unit, those of ratios an x."""
    shown = [
        goal_text(Goal(bound=0.3), Unit.SECONDS),
        goal_text(Goal(bound=256), Unit.MEGABYTES),
        goal_text(Goal(bound=1.3, of=Of.RATIO), Unit.SECONDS),
        goal_text(Goal(bound=2, of=Of.RATIO, at_least=True), Unit.SECONDS),
        goal_text(None, Unit.SECONDS),
    ]

    assert shown == ["<= 0.300 s", "<= 256 MB", "<= 1.3 x", ">= 2 x", ""]


def test_json_holds_what_the_table_shows() -> None:
    """One row written down has samples, ratio, goal and verdict."""
    row = Row(what="it", measured=_samples(2.0), beside=_samples(1.0), beside_what="that", goal=Goal(bound=3))

    found = row.to_json()

    assert (found["what"], found["ratio"], found["goal"], found["verdict"]) == ("it", 2.0, "<= 3.00 s", "met")
    assert found["measured"] == _samples(2.0).to_json()


def test_the_printed_table_names_reasons() -> None:
    """Every row is there, brackets in names survive, and below stands why a row is empty."""
    stream = io.StringIO()
    rows = [
        Row(what="server [pg16]", measured=_samples(0.25), goal=Goal(bound=0.3)),
        Row(what="container", absent="no engine answers"),
    ]

    print_table(Console(file=stream, width=140), "title", rows)

    text = stream.getvalue()
    assert "server [pg16]" in text
    assert "0.250 s (n 1)" in text
    assert "container: not here: no engine answers" in text


def test_the_summary_counts() -> None:
    """One line says how many goals are met, and what was not measured."""
    rows = [
        Row(what="a", measured=_samples(1.0), goal=Goal(bound=2)),
        Row(what="b", measured=_samples(3.0), goal=Goal(bound=2)),
        Row(what="c", measured=_samples(3.0)),
        Row(what="d", absent="no engine"),
        Row(what="e", failed="exit 1"),
    ]

    assert summary(rows) == "1 of 2 goals met, 1 not here, 1 failed"
