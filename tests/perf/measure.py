"""Owns samples and how they are taken: side by side, A B A B, in one run; all of them kept. Pure but for the clock."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

Action = Callable[[], float]


class MeasurementFailed(Exception):
    """Something that was to be measured did not work. `output` is what it said."""

    def __init__(self, wanted: str, output: str = "") -> None:
        self.wanted = wanted
        self.output = output
        super().__init__(wanted)


class Absent(Exception):
    """Something that was to be measured is not on this machine, which is no failure."""


class Unit(StrEnum):
    """What a sample counts."""

    SECONDS = "s"
    MEGABYTES = "MB"
    PER_SECOND = "/s"
    SHARE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Every value that was measured, in the order it was, in `unit`."""

    values: tuple[float, ...]
    unit: Unit = Unit.SECONDS

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("no samples were taken")

    @property
    def median(self) -> float:
        """The middle value; outliers of a busy machine do not move it."""
        return statistics.median(self.values)

    @property
    def least(self) -> float:
        """The smallest value."""
        return min(self.values)

    @property
    def most(self) -> float:
        """The largest value."""
        return max(self.values)

    def minus(self, other: Samples) -> Samples:
        """The differences of pairs that were measured one after the other. Raises ValueError for unequal numbers."""
        pairs = zip(self.values, other.values, strict=True)
        return Samples(values=tuple(mine - its for mine, its in pairs), unit=self.unit)

    def to_json(self) -> dict[str, object]:
        """Summary and raw values."""
        summary = {"median": self.median, "min": self.least, "max": self.most, "n": len(self.values)}
        return asdict(self) | summary


def ratio(measured: Samples, beside: Samples) -> float:
    """The ratio of the medians; infinite beside zero."""
    return measured.median / beside.median if beside.median else float("inf")


def interleave(rounds: int, actions: Mapping[str, Action]) -> dict[str, Samples]:
    """Run the actions in turn, `rounds` times. Each returns its own seconds, so that its clean-up need not count.

    Every second round goes backwards, so that none of them always runs in the wake of the same other.
    """
    values: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(rounds):
        names = list(actions) if number % 2 == 0 else list(actions)[::-1]
        for name in names:
            values[name].append(actions[name]())
    return {name: Samples(values=tuple(found)) for name, found in values.items()}


def timed(action: Callable[[], object]) -> float:
    """The seconds `action` takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
