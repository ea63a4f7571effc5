"""Owns the table: what was measured, beside what, the goal and whether it is met. Measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pgmatrix.perf.results import ToolkitRow
from tests.perf.measure import Samples, Unit, ratio


class Of(StrEnum):
    """What a goal bounds: the measured median, or its ratio to the one beside it."""

    VALUE = "value"
    RATIO = "ratio"


class Verdict(StrEnum):
    """What became of a goal."""

    MET = "met"
    MISSED = "not met"
    SHOWN = ""
    ABSENT = "not here"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A bound on the median or on the ratio: at most `bound`, or with `at_least` no less."""

    bound: float
    of: Of = Of.VALUE
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether `value` keeps to the bound, which itself is allowed."""
        return value >= self.bound if self.at_least else value <= self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line. Without `measured` it is `absent` (not on this machine) or `failed` (its measurement did not work)."""

    what: str
    measured: Samples | None = None
    beside: Samples | None = None
    beside_what: str = ""
    goal: Goal | None = None
    absent: str = ""
    failed: str = ""

    @property
    def ratio(self) -> float | None:
        """Measured by beside, of the medians."""
        return ratio(self.measured, self.beside) if self.measured and self.beside else None

    @property
    def verdict(self) -> Verdict:
        """What became of this line's goal."""
        if self.failed:
            return Verdict.FAILED
        if self.absent:
            return Verdict.ABSENT
        if self.goal is None or self.measured is None:
            return Verdict.SHOWN
        value = self.measured.median if self.goal.of is Of.VALUE else self.ratio
        if value is None:
            raise ValueError(f"{self.what}: a goal of a ratio needs something beside it")
        return Verdict.MET if self.goal.met(value) else Verdict.MISSED

    def to_json(self) -> dict[str, object]:
        """Everything, raw samples included."""
        return {
            "what": self.what,
            "measured": self.measured.to_json() if self.measured else None,
            "beside_what": self.beside_what,
            "beside": self.beside.to_json() if self.beside else None,
            "ratio": self.ratio,
            "goal": goal_text(self.goal, self.measured.unit if self.measured else Unit.SECONDS),
            "verdict": self.verdict.value,
            "why": self.absent or self.failed,
        }


def amount(value: float, unit: Unit) -> str:
    """A value for people: `12.3 ms`, `1.25 s`, `187 MB`, `52,300 /s`, `0.98`."""
    if unit is Unit.SHARE:
        return f"{value:.3g}"
    if unit is not Unit.SECONDS:
        return f"{value:.1f} {unit}" if abs(value) < 10 else f"{value:,.0f} {unit}"
    return f"{value:.2f} s" if abs(value) >= 1 else f"{value * 1000:.3g} ms" if abs(value) < 0.1 else f"{value:.3f} s"


def samples_text(samples: Samples | None) -> str:
    """`median (least to most, n)`; a single sample is only itself."""
    if samples is None:
        return ""
    middle = amount(samples.median, samples.unit)
    if len(samples.values) == 1:
        return f"{middle} (n 1)"
    least, most = amount(samples.least, samples.unit), amount(samples.most, samples.unit)
    return f"{middle} ({least} to {most}, n {len(samples.values)})"


def goal_text(goal: Goal | None, unit: Unit) -> str:
    """`<= 0.300 s`, `<= 1.3 x`, `>= 2 x`, or nothing."""
    if goal is None:
        return ""
    sign = ">=" if goal.at_least else "<="
    return f"{sign} {goal.bound:g} x" if goal.of is Of.RATIO else f"{sign} {amount(goal.bound, unit)}"


def print_table(console: Console, title: str, rows: Sequence[Row]) -> None:
    """The one table, and below it why lines are empty."""
    table = Table(title=title, title_justify="left")
    table.add_column("what", overflow="fold")
    for name in ("measured", "beside", "ratio", "goal", ""):
        table.add_column(name, overflow="fold", justify="right" if name == "ratio" else "left")
    for row in rows:
        table.add_row(*map(escape, _cells(row)), style=_STYLES[row.verdict])
    console.print(table)
    for row in rows:
        if row.absent or row.failed:
            console.print(f"{row.what}: {row.verdict}: {row.absent or row.failed}", markup=False, highlight=False)


def toolkit_row(row: Row) -> ToolkitRow:
    """The row in words, as a performance run carries it."""
    what, measured, beside, _, goal, verdict = _cells(row)
    why = row.absent or row.failed
    return ToolkitRow(what=what, measured=measured, beside=beside, ratio=row.ratio, goal=goal, verdict=verdict, why=why)


def summary(rows: Sequence[Row]) -> str:
    """One line: how many goals are met, missed, not here, failed."""
    counts = {verdict: sum(row.verdict is verdict for row in rows) for verdict in Verdict}
    goals = counts[Verdict.MET] + counts[Verdict.MISSED]
    text = f"{counts[Verdict.MET]} of {goals} goals met"
    for verdict in (Verdict.ABSENT, Verdict.FAILED):
        text += f", {counts[verdict]} {verdict}" if counts[verdict] else ""
    return text


_STYLES = {
    Verdict.MET: "",
    Verdict.MISSED: "yellow",
    Verdict.SHOWN: "",
    Verdict.ABSENT: "dim",
    Verdict.FAILED: "red",
}


def _cells(row: Row) -> tuple[str, ...]:
    beside = f"{samples_text(row.beside)} {row.beside_what}".strip()
    unit = row.measured.unit if row.measured else Unit.SECONDS
    shown = f"{row.ratio:.2f} x" if row.ratio is not None else ""
    return (row.what, samples_text(row.measured), beside, shown, goal_text(row.goal, unit), str(row.verdict))
