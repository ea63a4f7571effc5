"""Owns the pictures of a performance run: throughput by clients, latency, and one thing beside another with intervals.

Draws what `perf.results` holds; judges nothing, and says nothing its comparisons do not say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pgmatrix.perf.results import Comparison, Kind, Outcome, PerfRun, Role, Series, Word
from pgmatrix.report.svg import Scale, drawing, element, line, log_ticks, text, ticks
from pgmatrix.report.words import count

_WIDTH, _HEIGHT = 560.0, 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 548.0, 14.0, 214.0
_COLOURS, _NAME, _ROOM = 6, 44, 24.0
_STROKES = ("", "dashed", "dotted")
_TITLES = {
    Kind.BUDGET: "Budgets: times as long, with the bound",
    Kind.BASELINE: "Beside the baseline: times as long",
    Kind.VARIANTS: "The data layer beside the bare driver: times as long",
    Kind.DRIVERS: "One driver beside the other: times as long",
    Kind.MAJORS: "One PostgreSQL beside another: times as long",
}
_LOOKS = {Word.SLOWER: "bad", Word.FASTER: "good", Word.WITHIN_NOISE: "idle", Word.INVALID: "warn"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A picture, its title, and its lines' names with the class of their colours."""

    title: str
    svg: Markup
    legend: tuple[tuple[str, str], ...] = ()


def plots(run: PerfRun) -> list[Plot]:
    """Everything there is to draw of a run: comparisons first, then each workload."""
    found = [plot for kind in Kind if (plot := _forest(kind, [one for one in run.comparisons if one.kind is kind]))]
    for workload in dict.fromkeys(one.workload for one in run.series):
        series = [one for one in run.series if one.workload == workload and one.outcome is Outcome.MEASURED]
        series = [one for one in series if one.role is not Role.LIMIT]
        found += [plot for plot in (_throughput(workload, series), _latency(workload, series)) if plot]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """The series of one cell and variant: a colour for each cell, dashes for what is not the data layer itself."""

    name: str
    look: str
    members: tuple[Series, ...]


def _lines(series: Sequence[Series]) -> list[_Line]:
    cells = list(dict.fromkeys(one.cell for one in series))
    variants = sorted({(one.role is not Role.SUBJECT, one.variant) for one in series})
    names = [variant for _, variant in variants]
    found: dict[tuple[str, str], list[Series]] = {}
    for one in series:
        found.setdefault((one.cell, one.variant), []).append(one)
    return [
        _Line(
            name=f"{cell} {variant}",
            look=f"c{cells.index(cell) % _COLOURS} {_STROKES[min(names.index(variant), 2)]}".strip(),
            members=tuple(members),
        )
        for (cell, variant), members in found.items()
    ]


def _legend(lines: Sequence[_Line]) -> tuple[tuple[str, str], ...]:
    return tuple((one.name, one.look) for one in lines)


def _throughput(workload: str, series: Sequence[Series]) -> Plot | None:
    """Operations a second by clients, a line for each cell and variant; None with fewer than two counts of them."""
    measured = [one for one in series if one.throughput is not None]
    clients = sorted({one.clients for one in measured})
    if len(clients) < 2:
        return None
    across = Scale(low=0, high=len(clients) - 1, start=_LEFT + 16, end=_RIGHT - 16)
    up = Scale(low=0, high=max(one.throughput or 0.0 for one in measured) * 1.05, start=_BOTTOM, end=_TOP)
    parts = _rows(up, lambda at: f"{at:,.0f}")
    parts += [text(across(n), _BOTTOM + 16, f"{one}", text_anchor="middle") for n, one in enumerate(clients)]
    parts.append(text(_RIGHT, _HEIGHT - 4, "clients", text_anchor="end"))
    lines = _lines(measured)
    for one in lines:
        points = [(across(clients.index(each.clients)), up(each.throughput or 0.0)) for each in one.members]
        parts.append(_path(sorted(points), one.look, dots=True))
    title = f"{workload}: operations a second by clients"
    return Plot(title=title, svg=drawing(_WIDTH, _HEIGHT, f"{title}; {_best(measured)}", parts), legend=_legend(lines))


def _best(measured: Sequence[Series]) -> str:
    best = max(measured, key=lambda one: one.throughput or 0.0)
    return f"most: {best.throughput:,.0f} by {best.cell} {best.variant} at {best.clients} clients"


def _latency(workload: str, series: Sequence[Series]) -> Plot | None:
    """The share of operations done within a time, at the most clients; None where no operation was kept."""
    most = max((one.clients for one in series), default=0)
    shown = [one for one in series if one.clients == most and one.histogram]
    edges = [edge for one in shown for edge, _ in one.histogram if edge > 0]
    if not edges:
        return None
    across = Scale(low=min(edges) * 0.9, high=max(max(edges), min(edges) * 2), start=_LEFT, end=_RIGHT, log=True)
    up = Scale(low=0, high=100, start=_BOTTOM, end=_TOP)
    parts = _rows(up, lambda at: f"{at:.0f} %")
    for at in log_ticks(across.low, across.high):
        parts += [
            line(across(at), _TOP, across(at), _BOTTOM),
            text(across(at), _BOTTOM + 16, duration_of(at), text_anchor="middle"),
        ]
    lines = _lines(shown)
    parts += [_path(_shares(one.members[0], across, up), one.look) for one in lines]
    title = f"{workload}: operations done within a time, at {count(most, 'client')}"
    half = "; ".join(f"half by {duration_of(one.p50)} on {one.cell} {one.variant}" for one in shown if one.p50)
    return Plot(title=title, svg=drawing(_WIDTH, _HEIGHT, f"{title}; {half}", parts), legend=_legend(lines))


def duration_of(seconds: float) -> str:
    """A latency: `50 µs`, `2.4 ms`, `1 s`."""
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.3g} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 0.9995 else f"{seconds:.3g} s"


def _shares(one: Series, across: Scale, up: Scale) -> list[tuple[float, float]]:
    total = sum(number for _, number in one.histogram) or 1
    done, points = 0, []
    for edge, number in sorted(one.histogram):
        points.append((across(edge), up(100 * done / total)))
        done += number
        points.append((across(edge), up(100 * done / total)))
    return points


def _rows(up: Scale, words: Callable[[float], str]) -> list[Markup]:
    parts = []
    for at in ticks(up.low, up.high, 4):
        parts += [line(_LEFT, up(at), _RIGHT, up(at)), text(_LEFT - 6, up(at) + 4, words(at), text_anchor="end")]
    return parts


def _path(points: Sequence[tuple[float, float]], look: str, *, dots: bool = False) -> Markup:
    drawn = element("polyline", class_=f"line {look}", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points))
    marks = [element("circle", class_=f"dot {look}", cx=x, cy=y, r=3.2) for x, y in points] if dots else []
    return Markup("").join([drawn, *marks])


def _forest(kind: Kind, comparisons: Sequence[Comparison]) -> Plot | None:
    """Each comparison's ratio with its interval, on one axis around 1; what is invalid says so in its row."""
    if not comparisons:
        return None
    valid = [one for one in comparisons if one.ratio is not None]
    figures = [f for one in valid for f in (one.low, one.high, one.ratio, one.bound) if f is not None and f > 0]
    low, high = min([0.8, *figures]) * 0.95, max([1.25, *figures]) * 1.05
    across = Scale(low=low, high=high, start=250, end=436, log=True)
    height = 24.0 * len(comparisons) + 30
    parts = [line(across(1.0), 4, across(1.0), height - 24, class_="one")]
    parts += [text(across(at), height - 8, f"{at:g}", text_anchor="middle") for at in _ratio_ticks(across)]
    for number, one in enumerate(comparisons):
        parts += _comparison(one, across, 18 + 24.0 * number)
    label = f"{_TITLES[kind]}: " + "; ".join(one.why for one in comparisons[:20])
    return Plot(title=_TITLES[kind], svg=drawing(_WIDTH, height, label, parts))


def _ratio_ticks(across: Scale) -> list[float]:
    """Round ratios that have room beside each other, 1 before all others."""
    found: list[float] = []
    for one in (1, 2, 0.5, 5, 10, 0.2, 0.1, 20, 50, 100, 1.5, 0.8, 1.25, 3):
        room = all(abs(across(one) - across(other)) >= _ROOM for other in found)
        if across.low <= one <= across.high and room:
            found.append(one)
    return found


def _comparison(one: Comparison, across: Scale, y: float) -> list[Markup]:
    look = _LOOKS[one.word]
    name = _row_name(one)
    parts = [text(0, y + 4, name if len(name) <= _NAME else name[: _NAME - 1] + "…", class_="ink")]
    title = element("title", f"{one.measured} beside {one.beside}: {one.why}")
    if one.ratio is None:
        return [*parts, text(_RIGHT + 10, y + 4, str(one.word), text_anchor="end")]
    if one.low is not None and one.high is not None:
        parts.append(line(across(one.low), y, across(one.high), y, class_=f"span {look}"))
    if one.bound is not None:
        parts.append(line(across(one.bound), y - 8, across(one.bound), y + 8, class_="bound"))
    parts.append(element("circle", title, class_=f"dot {look}", cx=across(one.ratio), cy=y, r=4.5))
    return [*parts, text(_RIGHT + 10, y + 4, f"{one.ratio:.2f} {one.word}", text_anchor="end")]


def _row_name(one: Comparison) -> str:
    """What is compared, and where: of the cell only what the two do not differ in."""
    major, _, driver = one.cell.partition("-")
    where = {Kind.DRIVERS: major, Kind.MAJORS: driver}.get(one.kind, one.cell)
    clients = f" x{one.clients}" if one.clients != 1 else ""
    return f"{where} {one.workload}{clients}: {one.measured} / {one.beside}"
