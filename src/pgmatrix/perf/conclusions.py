"""Owns what all places together say of two drivers, or of two majors: one word for each workload. Pure.

A place is what a pair has in common: a major where drivers are compared, a driver where majors are. Each place is a
measurement of its own, so their middle is surer than any of them, and another run finds the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pgmatrix.perf.judge import BLIND, word
from pgmatrix.perf.results import Comparison, Kind, Word
from pgmatrix.perf.statistics import Interval, together

# What is named is certain, and as large as a run promises to see, so that another run finds it too: ratios of two runs
# differ by some percent, because a disk and a server differ from themselves from one hour to the next.
CLEAR = BLIND
PLACE = {Kind.DRIVERS: 0, Kind.MAJORS: 1}  # which part of a cell's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """`measured` beside `beside` on one workload; within noise is also what is not CLEAR.

    `split` holds the ratio by place where places contradict each other: slower in one, faster in another. Then the
    middle says nothing, and the word is within noise.
    """

    measured: str
    beside: str
    workload: str
    word: Word
    ratio: float | None = None
    split: tuple[tuple[str, float], ...] = ()

    @property
    def name(self) -> str:
        """`psycopg beside asyncpg on update`."""
        return f"{self.measured} beside {self.beside} on {self.workload}"


def conclusions(comparisons: Sequence[Comparison]) -> Iterator[Conclusion]:
    """What those between drivers and between majors come to, in their order."""
    groups: dict[tuple[Kind, str, str, str], list[Comparison]] = {}
    for one in comparisons:
        if one.kind in PLACE:
            groups.setdefault((one.kind, one.measured, one.beside, one.workload), []).append(one)
    for (kind, measured, beside, workload), members in groups.items():
        judged, ratio, split = _concluded({one.cell.split("-")[PLACE[kind]]: one for one in members})
        yield Conclusion(measured=measured, beside=beside, workload=workload, word=judged, ratio=ratio, split=split)


def _concluded(places: dict[str, Comparison]) -> tuple[Word, float | None, tuple[tuple[str, float], ...]]:
    words = {one.word for one in places.values()}
    if Word.INVALID in words:
        return Word.INVALID, None, ()
    if {Word.SLOWER, Word.FASTER} <= words:
        return Word.WITHIN_NOISE, None, tuple((place, one.ratio or 0.0) for place, one in places.items())
    middle = together([_interval(one) for one in places.values()])
    clear = max(middle.ratio, 1 / middle.ratio) >= CLEAR
    return word(middle) if clear else Word.WITHIN_NOISE, middle.ratio, ()


def _interval(one: Comparison) -> Interval:
    assert one.ratio is not None
    assert one.low is not None
    assert one.high is not None
    return Interval(ratio=one.ratio, low=one.low, high=one.high)
