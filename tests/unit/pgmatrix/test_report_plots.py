"""The pictures: every figure is where its axis says, every word is escaped, and nothing is drawn of nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from pgmatrix.perf import results as perf
from pgmatrix.report.charts import bar, coverage_bar, time_ticks, timeline
from pgmatrix.report.plots import duration_of, plots
from pgmatrix.report.svg import Scale, element, log_ticks, ticks
from pgmatrix.verdict import CoveragePath
from tests.unit.pgmatrix.builders import a_perf_run, a_record, a_session_view
from tests.unit.pgmatrix.samples import verdict


def parsed(svg: Markup | None) -> ET.Element:
    """A picture, read as XML, which it has to be."""
    assert svg is not None
    return ET.fromstring(svg)  # noqa: S314 - drawn here


def sample() -> perf.PerfRun:
    """The performance run of the sample verdict."""
    found = verdict(tests=1).perf
    assert found is not None
    return found


@given(st.text(st.characters(exclude_categories=())))
def test_words_and_attributes_are_escaped(words: str) -> None:
    """An element of any words is well-formed and holds them as text."""
    found = parsed(element("text", words, class_=words.replace("\n", " "), stroke_width=1.0, fill=None))

    assert set(found.attrib) == {"class", "stroke-width"}
    assert len(found) == 0


def test_a_scale_puts_figures_in_their_place() -> None:
    """Ends and middle are where they belong, by difference or by ratio; what is beyond stays at the end."""
    plain, ratio = Scale(low=0, high=10, start=100, end=200), Scale(low=1, high=100, start=0, end=2, log=True)

    assert [plain(value) for value in (0, 5, 10, 11, -1)] == [100, 150, 200, 200, 100]
    assert [ratio(value) for value in (1, 10, 100, 0)] == pytest.approx([0, 1, 2, 0])
    assert Scale(low=3, high=3, start=0, end=8)(3) == 4


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (0, 7.3, [0, 2, 4, 6]), (0, 0, [0]), (0, 0.05, [0, 0.01, 0.02, 0.03, 0.04, 0.05])],
)
def test_ticks_are_round(low: float, high: float, found: list[float]) -> None:
    """An axis is marked at figures that people use."""
    assert ticks(low, high) == pytest.approx(found)


def test_ticks_of_ratios_are_round() -> None:
    """A short axis has 1, 2 and 5; a long one powers of ten alone."""
    assert log_ticks(0.001, 0.01) == pytest.approx([0.001, 0.002, 0.005, 0.01])
    assert log_ticks(0.0001, 1.0) == pytest.approx([0.0001, 0.001, 0.01, 0.1, 1.0])


@pytest.mark.parametrize(("seconds", "said"), [(0.00005, "50 µs"), (0.0024, "2.4 ms"), (0.5, "500 ms"), (1.5, "1.5 s")])
def test_a_latency_has_its_unit(seconds: float, said: str) -> None:
    """Microseconds to seconds, in three digits at most."""
    assert duration_of(seconds) == said


def test_a_run_has_its_plots() -> None:
    """Comparisons by kind first, then throughput and latency of each workload, a line for each cell and variant."""
    found = plots(sample())

    assert [one.title for one in found] == [
        "Budgets: times as long, with the bound",
        "One driver beside the other: times as long",
        "point-read: operations a second by clients",
        "point-read: operations done within a time, at 16 clients",
        "bulk-insert: operations a second by clients",
        "bulk-insert: operations done within a time, at 16 clients",
    ]
    for one in found:
        assert parsed(one.svg).get("role") == "img"
        assert str(parsed(one.svg).get("aria-label")).startswith(one.title)
    assert [name for name, _ in found[2].legend][:2] == ["pg15-asyncpg plant", "pg15-asyncpg bare"]
    looks = [look for _, look in found[2].legend]
    assert looks[:4] == ["c0", "c0 dashed", "c1", "c1 dashed"]


def test_faster_is_higher_and_more_is_to_the_right() -> None:
    """A line of throughput rises where the figures do, from fewer to more clients."""
    plot = plots(sample())[2]
    (points,) = re.findall(r'<polyline class="line c0" points="([^"]+)"', plot.svg)
    places = [tuple(map(float, one.split(","))) for one in points.split()]

    assert [x for x, _ in places] == sorted({x for x, _ in places})
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)


def test_an_interval_is_drawn_from_low_to_high() -> None:
    """A comparison's dot is inside its interval, left of its bound where it keeps within it."""
    (plot,) = plots(a_perf_run(series=()))
    circle, *_ = parsed(plot.svg).iter("circle")
    spans = {one.get("class"): one for one in parsed(plot.svg).iter("line")}

    def x(one: ET.Element, name: str = "x1") -> float:
        return float(str(one.get(name)))

    assert x(spans["span idle"]) < float(str(circle.get("cx"))) < x(spans["span idle"], "x2") < x(spans["bound"])
    assert x(spans["one"]) < x(spans["span idle"])
    assert "2.00 within noise" in plot.svg
    assert plot.svg.count("point-read takes 1.9 to 2.1 times") == 2


@pytest.mark.parametrize(
    ("kind", "clients", "said"),
    [
        (perf.Kind.BUDGET, 1, "pg16-asyncpg point-read: a / b"),
        (perf.Kind.VARIANTS, 16, "pg16-asyncpg point-read x16: a / b"),
        (perf.Kind.DRIVERS, 1, "pg16 point-read: a / b"),
        (perf.Kind.MAJORS, 1, "asyncpg point-read: a / b"),
    ],
)
def test_a_comparison_says_what_is_compared_where(kind: perf.Kind, clients: int, said: str) -> None:
    """A row names the two, and of the cell what they have in common."""
    one = replace(a_perf_run().comparisons[0], kind=kind, clients=clients, measured="a", beside="b")
    (plot,) = plots(a_perf_run(series=(), comparisons=(one,)))

    assert f">{said}</text>" in plot.svg


def test_what_is_invalid_has_no_dot() -> None:
    """A comparison without a ratio is a row that says so."""
    bad = replace(a_perf_run().comparisons[0], ratio=None, low=None, high=None, word=perf.Word.INVALID)
    (plot,) = plots(a_perf_run(series=(), comparisons=(bad,)))

    assert list(parsed(plot.svg).iter("circle")) == []
    assert ">invalid</text>" in plot.svg


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": perf.Outcome.INVALID, "why": "no"},
        {"role": perf.Role.LIMIT},
        {"throughput": None, "histogram": ()},
    ],
)
def test_what_was_not_measured_is_not_drawn(changes: dict[str, Any]) -> None:
    """A limit of the machine, an invalid series, or one without figures gives no line."""
    series = tuple(replace(one, **changes) for one in sample().series)

    assert plots(replace(sample(), series=series, comparisons=())) == []


def test_a_timeline_has_a_lane_for_each_session_at_a_time() -> None:
    """Sessions that overlap are below each other, those that follow are in one lane; each says what it is."""
    views = [
        a_session_view(session=f"pg16-asyncpg-{name}", layer=name, record=a_record(started=start, ended=end))
        for name, start, end in (("a", 0.0, 10.0), ("b", 1.0, 5.0), ("c", 5.1, 9.0), ("d", 10.0, 12.0))
    ]
    found = parsed(timeline(views))
    boxes = list(found.iter("rect"))

    assert found.get("aria-label") == "4 sessions in 12.0 s, at most 2 at a time"
    assert [one.get("y") for one in boxes] == ["4", "30", "30", "4"]
    assert str(boxes[1].findtext("title")) == "pg16-asyncpg-b: green, 4.0 s"


@pytest.mark.parametrize(
    ("seconds", "found"),
    [
        (0.0, [0]),
        (3.9, [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]),
        (85, [0, 20, 40, 60, 80]),
        (620, [0, 120, 240, 360, 480, 600]),
    ],
)
def test_time_is_marked_at_round_figures(seconds: float, found: list[float]) -> None:
    """Seconds for a short run, minutes for a long one, and never more than nine."""
    assert time_ticks(seconds) == found
    assert len(time_ticks(seconds)) <= 9


def test_minutes_are_said_as_minutes() -> None:
    """The axis of a run of ten minutes is in minutes."""
    svg = timeline([a_session_view(record=a_record(started=0.0, ended=620.0))])

    assert re.findall(r">([\d.]+ (?:s|min))</text>", str(svg)) == ["0 s", "2 min", "4 min", "6 min", "8 min", "10 min"]


def test_nothing_ran_is_no_timeline() -> None:
    """Without a record there is nothing to draw."""
    assert timeline([a_session_view(record=None)]) is None


@pytest.mark.parametrize(("share", "width"), [(0.5, "50"), (-1, "0"), (2, "100")])
def test_a_bar_stays_in_its_place(share: float, width: str) -> None:
    """A bar is as long as its share, and never longer than its place."""
    assert list(parsed(bar(share)))[1].get("width") == width


def test_a_coverage_bar_marks_its_threshold() -> None:
    """The mark is where the threshold is, and the colour says whether it is met."""
    path = CoveragePath(path="a", percent=90.0, wanted=95.0, files=1, met=False, by_cell={})
    found = list(parsed(coverage_bar(path)))

    assert (found[1].get("class"), found[1].get("width"), found[2].get("x")) == ("bar bad", "90", "95")
