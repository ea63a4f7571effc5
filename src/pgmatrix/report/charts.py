"""Owns the small pictures of a run: bars beside figures, and when each session ran. Renders values, judges nothing."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from pgmatrix.report.history import Summary
from pgmatrix.report.svg import Scale, drawing, element, line, text
from pgmatrix.report.words import clean, duration, tone
from pgmatrix.verdict import CoveragePath, SessionView

_WIDTH = 1000.0
_LANE = 26.0
_LETTER = 6.4
_STEPS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


def bar(share: float, *, look: str = "", mark: float | None = None) -> Markup:
    """A bar filled to `share` of its width, with a mark at another share; the figure stands beside it."""
    full = min(1.0, max(0.0, share)) * 100
    parts = [
        element("rect", class_="bar-back", x=0, y=1, width=100, height=8),
        element("rect", class_=f"bar {look}".strip(), x=0, y=1, width=full, height=8),
    ]
    if mark is not None:
        parts.append(element("rect", class_="tick", x=min(99.4, max(0.0, mark * 100)), y=0, width=0.6, height=10))
    inner = Markup("").join(parts)
    return element(
        "svg", inner, viewBox="0 0 100 10", preserveAspectRatio="none", height=14, width="100%", aria_hidden="true"
    )


def coverage_bar(path: CoveragePath) -> Markup:
    """How far a path's coverage reaches, and where its threshold is."""
    return bar(path.percent / 100, look="good" if path.met else "bad", mark=path.wanted / 100)


def history_bar(run: Summary, runs: Sequence[Summary]) -> Markup:
    """A run's wall time beside the longest one's."""
    longest = max((one.seconds for one in runs), default=0.0) or 1.0
    return bar(run.seconds / longest, look="good" if run.ship else "bad")


def timeline(views: Sequence[SessionView]) -> Markup | None:
    """When each session ran, one lane for each that ran at a time; None where nothing ran."""
    ran = sorted((one for one in views if one.record), key=lambda one: one.record.started if one.record else 0.0)
    spans = [(one, one.record.started, max(one.record.started, one.record.ended)) for one in ran if one.record]
    if not spans:
        return None
    first, last = min(start for _, start, _ in spans), max(end for _, _, end in spans)
    scale = Scale(low=0.0, high=max(last - first, 0.001), start=4.0, end=_WIDTH - 4)
    lanes: list[float] = []
    parts = []
    for view, start, end in spans:
        lane = next((n for n, free in enumerate(lanes) if free <= start + 0.05), len(lanes))
        lanes[lane : lane + 1] = [end]
        parts.append(_span(view, scale(start - first), scale(end - first), 4 + lane * _LANE))
    height = len(lanes) * _LANE + 30
    grid = [part for at in time_ticks(last - first) for part in _second(scale(at), height, at)]
    words = f"{len(spans)} sessions in {duration(last - first)}, at most {len(lanes)} at a time"
    return drawing(_WIDTH, height, words, [*grid, *parts])


def time_ticks(seconds: float) -> list[float]:
    """From 0 to that time, at most nine round marks: by seconds, or by minutes where there are many."""
    step = next((one for one in _STEPS if seconds / one <= 8), _STEPS[-1])
    return [float(index * step) for index in range(int(seconds / step) + 1)]


def _second(x: float, height: float, at: float) -> tuple[Markup, Markup]:
    words = f"{at / 60:g} min" if at >= 60 and at % 60 == 0 else f"{at:g} s"
    anchor = "start" if x < 20 else "end" if x > _WIDTH - 30 else "middle"
    return line(x, 0, x, height - 22), text(x, height - 8, words, text_anchor=anchor)


def _span(view: SessionView, start: float, end: float, y: float) -> Markup:
    width = max(1.5, end - start - 1.5)
    name = clean(view.session)
    title = element("title", f"{name}: {view.state}, {duration(view.seconds)}")
    box = element("rect", title, class_=f"bar {tone(view.state)}", x=start, y=y, width=width, height=_LANE - 6, rx=3)
    fitting = next((one for one in (name, view.layer) if one and len(one) * _LETTER + 8 < width), "")
    label = text(start + 6, y + 14, fitting, class_="in", pointer_events="none") if fitting else Markup("")
    return Markup("").join((box, label))
