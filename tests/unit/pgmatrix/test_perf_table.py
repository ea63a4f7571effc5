"""`[tool.pgmatrix.perf]`: what it says, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from pgmatrix.errors import ConfigError
from pgmatrix.perf.table import Budget, LoadGoal, read_table

LEAST = {"workloads": "tests.offer:contenders"}


def test_the_least_table_has_defaults() -> None:
    """Only the workloads must be named."""
    found = read_table(LEAST)

    assert (found.workloads, found.minutes, found.budgets, found.load, found.baseline) == (
        "tests.offer:contenders",
        6.0,
        (),
        None,
        "",
    )


def test_the_whole_table_is_read() -> None:
    """Budgets name workload, both sides and perhaps clients; the load has its own defaults."""
    found = read_table(
        LEAST
        | {
            "minutes": 2,
            "settings": {"shared_buffers": "1GB"},
            "baseline": "old.json",
            "budgets": {"read plant/bare": 2.5, "read psycopg/asyncpg x16": 1.5},
            "load": {"workload": "request", "rate": 50, "clients": 10},
        }
    )

    assert found.budgets == (
        Budget(workload="read", measured="plant", beside="bare", bound=2.5),
        Budget(workload="read", measured="psycopg", beside="asyncpg", bound=1.5, clients=16),
    )
    assert found.load == LoadGoal(workload="request", rate=50.0, clients=10)
    assert (found.settings, found.baseline, found.minutes) == ({"shared_buffers": "1GB"}, "old.json", 2.0)
    assert str(found.budgets[1]) == "read psycopg/asyncpg x16"


@pytest.mark.parametrize(
    ("values", "wanted", "do_next"),
    [
        (
            {},
            "[tool.pgmatrix.perf] workloads = '' names no function",
            "write module:function, one that is called with a Ground and returns contenders",
        ),
        (
            LEAST | {"wokloads": 1},
            "unknown setting in [tool.pgmatrix.perf]: wokloads",
            "choose from baseline, budgets, load, minutes, settings, workloads",
        ),
        (
            LEAST | {"budgets": {"read": 2}},
            "[tool.pgmatrix.perf.budgets] 'read' is no budget",
            "write WORKLOAD MEASURED/BESIDE or WORKLOAD MEASURED/BESIDE xCLIENTS, such as 'point-read a/b x4'",
        ),
        (
            LEAST | {"budgets": {"read a/b": 0}},
            "[tool.pgmatrix.perf] budgets.read a/b = 0 cannot be used",
            "write a number above zero",
        ),
        (LEAST | {"minutes": True}, "[tool.pgmatrix.perf] minutes = True cannot be used", "write a number above zero"),
        (
            LEAST | {"minutes": "6"},
            "[tool.pgmatrix.perf] minutes = '6' cannot be used",
            "write a number above zero",
        ),
        (
            LEAST | {"load": {"rate": 5}},
            "[tool.pgmatrix.perf.load] names no workload",
            "name the one whose requests are offered",
        ),
        (
            LEAST | {"load": {"workload": "x", "users": 5}},
            "unknown setting in [tool.pgmatrix.perf.load]: users",
            "choose from clients, errors, p95, rate, seconds, workload",
        ),
    ],
)
def test_a_table_that_cannot_be_used_says_which_entry(values: dict[str, Any], wanted: str, do_next: str) -> None:
    """What is wrong, and what to write instead."""
    with pytest.raises(ConfigError) as caught:
        read_table(values)
    assert str(caught.value) == f"{wanted}\n  do    {do_next}"
