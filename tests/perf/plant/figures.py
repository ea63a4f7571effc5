"""Owns a figure of the report: what was measured, beside what, its ratio with an interval, its bound; and a table."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.perf.measure import Samples, Unit, ratio
from tests.perf.table import Goal, Of, Verdict, amount, goal_text

RESAMPLES = 2000
STYLES = {Verdict.MISSED: "yellow", Verdict.FAILED: "red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line. Samples of one index were taken in the same round. Without `measured` it `failed`, and says how."""

    what: str
    measured: Samples | None = None
    baseline: Samples | None = None
    baseline_what: str = ""
    goal: Goal | None = None
    failed: str = ""

    @property
    def ratio(self) -> float | None:
        """Measured by baseline, of the medians."""
        return ratio(self.measured, self.baseline) if self.measured and self.baseline else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where 95 % of the ratios lie when the rounds are drawn again."""
        return interval(self.measured.values, self.baseline.values) if self.measured and self.baseline else None

    @property
    def verdict(self) -> Verdict:
        """Met or not; a figure without a goal is only shown."""
        if self.measured is None:
            return Verdict.FAILED
        if self.goal is None:
            return Verdict.SHOWN
        value = self.measured.median if self.goal.of is Of.VALUE else self.ratio
        if value is None:
            raise ValueError(f"{self.what}: a goal of a ratio needs a baseline")
        return Verdict.MET if self.goal.met(value) else Verdict.MISSED

    @property
    def cells(self) -> tuple[str, ...]:
        """What the table shows."""
        ends = self.interval
        shown = f"{self.ratio:.2f} ({ends[0]:.2f} to {ends[1]:.2f})" if ends else ""
        beside = f"{spread(self.baseline)} {self.baseline_what}".strip()
        unit = self.measured.unit if self.measured else Unit.SECONDS
        return self.what, spread(self.measured), beside, shown, goal_text(self.goal, unit), str(self.verdict)

    def to_json(self) -> dict[str, object]:
        """Everything, raw samples included."""
        return {
            "what": self.what,
            "measured": self.measured.to_json() if self.measured else None,
            "baseline": self.baseline.to_json() if self.baseline else None,
            "baseline_what": self.baseline_what,
            "ratio": self.ratio,
            "interval": self.interval,
            "bound": goal_text(self.goal, self.measured.unit if self.measured else Unit.SECONDS),
            "verdict": self.verdict.value,
            "failed": self.failed,
        }


def interval(measured: Sequence[float], baseline: Sequence[float]) -> tuple[float, float]:
    """Percentile bootstrap (Efron, 1979) of the ratio of medians; rounds are drawn whole, with the noise they share.

    Raises ValueError for unequal numbers.
    """
    rounds = list(zip(measured, baseline, strict=True))
    dice = random.Random(0)
    found = []
    for _ in range(RESAMPLES):
        drawn = dice.choices(rounds, k=len(rounds))
        found.append(statistics.median(one for one, _ in drawn) / statistics.median(other for _, other in drawn))
    found.sort()
    return found[RESAMPLES // 40], found[-1 - RESAMPLES // 40]


def spread(samples: Samples | None) -> str:
    """`median (least to most)`; a single sample is only itself."""
    if samples is None:
        return ""
    middle = amount(samples.median, samples.unit)
    if len(samples.values) == 1:
        return middle
    return f"{middle} ({amount(samples.least, samples.unit)} to {amount(samples.most, samples.unit)})"


def print_figures(console: Console, title: str, figures: Sequence[Figure]) -> None:
    """The table, and below it why lines are empty."""
    table = Table(title=title, title_justify="left")
    for name in ("what", "measured", "baseline", "ratio (95 %)", "bound", "verdict"):
        table.add_column(name, overflow="fold")
    for figure in figures:
        table.add_row(*map(escape, figure.cells), style=STYLES.get(figure.verdict, ""))
    console.print(table)
    for figure in figures:
        if figure.failed:
            console.print(f"{figure.what}: {figure.failed}", markup=False, highlight=False, style="red")
