"""Owns the drawing of SVG: elements whose every attribute and word is escaped, scales, and ticks.

Knows nothing of what is drawn. Colours and fonts are the page's style sheet's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from pgmatrix.report.words import one_line


def element(tag: str, *children: Markup | str, **attributes: object) -> Markup:
    """An element; `class_` is written as class, `stroke_width` as stroke-width. None is left out."""
    words = [
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _shown(value))
        for name, value in attributes.items()
        if value is not None
    ]
    inner = Markup("").join(escape(child if isinstance(child, Markup) else one_line(child)) for child in children)
    return Markup("<{}{}>{}</{}>").format(tag, Markup("").join(words), inner, tag)


def drawing(width: float, height: float, label: str, parts: Iterable[Markup], *, hidden: bool = False) -> Markup:
    """An SVG that scales with its place and says `label` to a screen reader; `hidden` where the words are beside it."""
    said = {"aria_hidden": "true"} if hidden else {"role": "img", "aria_label": one_line(label)}
    inner = Markup("").join(parts)
    return element("svg", inner, viewBox=f"0 0 {_shown(width)} {_shown(height)}", width="100%", **said)


def text(x: float, y: float, words: str, **attributes: object) -> Markup:
    """Words at a point, their base line there."""
    return element("text", words, x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: object) -> Markup:
    """A straight line, a grid's unless `class_` says otherwise."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, **{"class_": "grid-line", **attributes})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """From figures to places on one axis; `log` for figures above zero whose ratios count."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Where `value` is; beyond the ends it stays at the nearer one."""
        low, high, at = (math.log(max(one, 1e-12)) if self.log else one for one in (self.low, self.high, value))
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


def ticks(low: float, high: float, number: int = 5) -> list[float]:
    """Round figures from `low` to `high`, about `number` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / number
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * one for one in (1, 2, 5, 10) if power * one >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten from `low` to `high`; powers alone where that would be too many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps: Sequence[int] = (1, 2, 5) if len(powers) <= 3 else (1,)
    return [one * 10.0**power for power in powers for one in steps if low <= one * 10.0**power <= high]


def _shown(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return one_line(value) if isinstance(value, str) else value
