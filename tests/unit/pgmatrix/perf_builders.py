"""Owns the performance values these tests start from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pgmatrix.perf.results import CellFacts, Environment, Outcome, Role, Round, Series

CELL = "pg16-asyncpg"
OTHER = "pg16-psycopg"


def a_series(times: Sequence[float | None] = (1.0,) * 8, **changes: Any) -> Series:
    """A measured series with one round for each of these times, in seconds."""
    rounds = tuple(
        Round(number=number, operations=5, errors=0, seconds=1.0, p50=time, p25=time)
        for number, time in enumerate(times)
    )
    values: dict[str, Any] = {
        "cell": CELL,
        "workload": "read",
        "variant": "layer",
        "role": Role.SUBJECT,
        "clients": 1,
        "outcome": Outcome.MEASURED,
        "rounds": rounds,
        "operations": 5 * len(rounds),
        "throughput": 5.0,
        "p50": times[0] if times else None,
        "p95": 2.0,
        "p99": 3.0,
    }
    return Series(**{**values, **changes})


def a_bare(times: Sequence[float | None] = (0.5,) * 8, **changes: Any) -> Series:
    """The same by the bare driver."""
    return a_series(times, **{"variant": "bare", "role": Role.BARE, **changes})


def an_environment(**changes: Any) -> Environment:
    """A machine with two cores."""
    values: dict[str, Any] = {
        "machine": "m",
        "workloads": "w",
        "facts": {"processor": "one", "cores": "2"},
        "commit": "abcdef012345",
        "dirty": False,
        "started": 10.0,
        "ended": 70.0,
        "quick": False,
        "rounds": 8,
    }
    return Environment(**{**values, **changes})


def a_cell(cell: str = CELL, **changes: Any) -> CellFacts:
    """What a cell was measured on."""
    facts = {"server_version": "16.14", "driver_version": "0.31", "provider": "embedded"}
    return CellFacts(**{"cell": cell, "facts": facts, "durability": "on disk; fsync=on", **changes})
