"""Owns how slices become a series: every latency kept for the percentiles, one p25 a round for ratios. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pgmatrix.perf.results import Outcome, Role, Round, Series

STEP = 1.1  # histogram buckets: each edge a tenth above the last
BASE = 1e-6


@dataclass(slots=True, kw_only=True)
class Collected:
    """The slices of one series so far. Latencies in microseconds, as workers send them."""

    rounds: list[Round] = field(default_factory=list)
    latencies: list[int] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    client_cpu: float = 0.0
    server_cpu: float | None = 0.0
    client_memory: float | None = None
    server_memory: float | None = None

    def add(self, number: int, answer: Mapping[str, Any]) -> None:
        """One slice, as a worker answers."""
        found: list[int] = answer["latencies"]
        failed = sum(answer["errors"].values())
        p50, p25 = statistics.median(found) / 1e6 if found else None, percentile(sorted(found), 0.25)
        one = Round(number=number, operations=len(found), errors=failed, seconds=answer["seconds"], p50=p50, p25=p25)
        self.rounds.append(one)
        self.latencies += found
        self.seconds += answer["seconds"]
        for name, times in answer["errors"].items():
            self.errors[name] = self.errors.get(name, 0) + times
            self.texts.setdefault(name, answer["texts"].get(name, ""))
        self.client_cpu += answer["client_cpu"]
        gone = self.server_cpu is None or answer["server_cpu"] is None
        self.server_cpu = None if gone else (self.server_cpu or 0.0) + answer["server_cpu"]
        self.client_memory = _larger(self.client_memory, answer["client_memory"])
        self.server_memory = _larger(self.server_memory, answer["server_memory"])

    @property
    def p50(self) -> float | None:
        """The median of all latencies so far, in seconds."""
        return statistics.median(self.latencies) / 1e6 if self.latencies else None


def _larger(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else max(one, other)


def series(
    name: Mapping[str, Any], role: Role, found: Collected | None, *, told: Mapping[str, Any], why: str = ""
) -> Series:
    """The series `name` (cell, workload, variant, clients) from its slices; invalid with errors or no samples.

    `told` holds plan and notes. `why` says what ended it early, if anything did.
    """
    if found is None or not found.rounds:
        return Series(**name, role=role, outcome=Outcome.INVALID, why=why or "it was not measured")
    problem = why or _problem(found)
    values = sorted(found.latencies)
    number = len(values)
    return Series(
        **name,
        role=role,
        outcome=Outcome.INVALID if problem else Outcome.MEASURED,
        why=problem,
        rounds=tuple(found.rounds),
        operations=number,
        throughput=number / found.seconds if number and found.seconds else None,
        p50=percentile(values, 0.50),
        p95=percentile(values, 0.95),
        p99=percentile(values, 0.99),
        worst=values[-1] / 1e6 if values else None,
        histogram=histogram(values),
        errors=dict(found.errors),
        client_cpu=found.client_cpu / number if number else None,
        server_cpu=found.server_cpu / number if number and found.server_cpu is not None else None,
        client_memory=found.client_memory,
        server_memory=found.server_memory,
        plan=told.get("plan", ""),
        notes=dict(told.get("notes", {})),
    )


def _problem(found: Collected) -> str:
    if found.errors:
        name = max(found.errors, key=lambda one: found.errors[one])
        total = sum(found.errors.values())
        return f"{total} of {total + len(found.latencies)} operations failed, most with {name}: {found.texts[name]}"
    return "" if found.latencies else "no operation ended: there are no samples"


def percentile(values: Sequence[int], share: float) -> float | None:
    """Nearest rank: a latency that was measured. `values` ascending, in microseconds; the result in seconds."""
    return values[max(0, math.ceil(share * len(values)) - 1)] / 1e6 if values else None


def histogram(values: Sequence[int]) -> tuple[tuple[float, int], ...]:
    """(Upper edge in seconds, count) of each bucket that is not empty; edges grow by a tenth from one microsecond."""
    counts: dict[int, int] = {}
    for value in values:
        place = max(0, math.ceil(math.log(max(value, 1) / 1e6 / BASE, STEP) - 1e-9))
        counts[place] = counts.get(place, 0) + 1
    return tuple((BASE * STEP**place, counts[place]) for place in sorted(counts))
