"""Owns ratios of paired rounds and how certain they are. Seeded and pure: the same rounds give the same interval.

A round's two halves were measured side by side, so each round gives one ratio and what disturbed both cancels. The
middle of the rounds is the mean of their logarithms without the outer fifth at each end (Tukey's trimmed mean): a
burst of another program moves it little, though every round stays in the record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
RESAMPLES = 2000
TRIM = 0.2
SEED = 20_260

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A ratio and between which two it lies with LEVEL certainty."""

    ratio: float
    low: float
    high: float


def paired(measured: Sequence[float], beside: Sequence[float]) -> Interval:
    """Of rounds measured side by side; all times above zero. Raises ValueError for unequal or too few numbers."""
    logs = np.log(np.asarray(measured)) - np.log(np.asarray(beside))
    return _interval(*_drawn(logs))


def apart(now: Sequence[float], before: Sequence[float]) -> Interval:
    """The ratio of two runs, each by the logarithms of its own rounds: their doubts add up. Raises ValueError."""
    middle, drawn = _drawn(np.asarray(now))
    other, others = _drawn(np.asarray(before), seed=SEED + 1)
    return _interval(middle - other, drawn - others)


def together(found: Sequence[Interval]) -> Interval:
    """The middle of ratios that were measured apart from each other: each doubt counts with its share."""
    number = len(found)
    logs = [math.log(one.ratio) for one in found]
    middle = sum(logs) / number
    below = math.hypot(*(log - math.log(one.low) for log, one in zip(logs, found, strict=True))) / number
    above = math.hypot(*(math.log(one.high) - log for log, one in zip(logs, found, strict=True))) / number
    return Interval(ratio=math.exp(middle), low=math.exp(middle - below), high=math.exp(middle + above))


def _drawn(logs: Floats, seed: int = SEED) -> tuple[float, Floats]:
    """The middle of the logarithms, and that of each resample, moved out by what few rounds hide."""
    number = len(logs)
    if number < 2:
        raise ValueError("an interval needs two rounds")
    middle = _middle(logs)
    return float(middle), middle + (_middle(logs[_draws(number, seed)]) - middle) * _stretch(number)


def _middle(logs: Floats) -> Floats:
    cut = int(TRIM * logs.shape[-1])
    found: Floats = np.sort(logs, axis=-1)[..., cut : logs.shape[-1] - cut].mean(axis=-1)
    return found


@cache
def _draws(number: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(number, size=(RESAMPLES, number))


def _stretch(number: int) -> float:
    """How much too narrow a percentile bootstrap (Efron, 1979) of so few is: Hesterberg's expanded interval (2015).

    sqrt(n / (n - 1)) t / z, with Student's t by the Cornish-Fisher expansion (Abramowitz and Stegun, 26.7.5).
    """
    freedom = number - 1
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return math.sqrt(number / freedom) * t / z


def _interval(middle: float, drawn: Floats) -> Interval:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(ratio=math.exp(middle), low=math.exp(low), high=math.exp(high))
