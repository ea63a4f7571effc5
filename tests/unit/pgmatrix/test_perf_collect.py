"""From slices to a series, a load and a schedule: percentiles, histograms, errors, turns and time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.perf import schedule
from pgmatrix.perf.assemble import load
from pgmatrix.perf.collect import Collected, histogram, percentile, series
from pgmatrix.perf.results import Outcome, Role
from pgmatrix.perf.schedule import Block, Key, blocks, judged, sweep
from pgmatrix.perf.table import LoadGoal
from tests.unit.pgmatrix.perf_builders import CELL, OTHER

NAME = {"cell": CELL, "workload": "read", "variant": "layer", "clients": 1}
LASTED = {"wanted_seconds": 2.0, "processes": 2}
GOAL = LoadGoal(workload="request", rate=100.0, clients=10, seconds=2.0, p95=0.5, errors=0.01)


def an_answer(*latencies: int, **changes: Any) -> dict[str, Any]:
    """One slice as a worker answers; latencies in microseconds."""
    values: dict[str, Any] = {
        "latencies": list(latencies),
        "seconds": 1.0,
        "errors": {},
        "texts": {},
        "client_cpu": 0.5,
        "server_cpu": 0.25,
        "client_memory": 90.0,
        "server_memory": 150.0,
    }
    return values | changes


def collected(*answers: dict[str, Any]) -> Collected:
    """These slices, a round each."""
    found = Collected()
    for number, answer in enumerate(answers):
        found.add(number, answer)
    return found


def test_a_series_keeps_every_latency() -> None:
    """Percentiles, the worst and the histogram are of all rounds, outliers too; each round has its own median."""
    found = series(NAME, Role.SUBJECT, collected(an_answer(1000, 3000), an_answer(2000, 900_000)), told={"plan": "p"})

    assert (found.outcome, found.operations, found.throughput, found.plan) == (Outcome.MEASURED, 4, 2.0, "p")
    assert (found.p50, found.p95, found.worst) == (0.002, 0.9, 0.9)
    assert [one.p50 for one in found.rounds] == [0.002, 0.451]
    assert [one.p25 for one in found.rounds] == [0.001, 0.002]
    assert sum(number for _, number in found.histogram) == 4
    assert (found.client_cpu, found.server_cpu, found.client_memory) == (0.25, 0.125, 90.0)


def test_a_series_with_errors_is_invalid() -> None:
    """One error among many successes is no pass; the commonest is named, and all are counted."""
    slices = [
        an_answer(1000, errors={"PoolTimeout": 2}, texts={"PoolTimeout": "all in use"}),
        an_answer(1000, errors={"Other": 1}, texts={"Other": "x"}),
    ]
    found = series(NAME, Role.SUBJECT, collected(*slices), told={})

    assert (found.outcome, found.errors) == (Outcome.INVALID, {"PoolTimeout": 2, "Other": 1})
    assert found.why == "3 of 5 operations failed, most with PoolTimeout: all in use"


def test_a_series_without_samples_is_invalid() -> None:
    """Zero operations are no fast operations."""
    found = series(NAME, Role.SUBJECT, collected(an_answer()), told={})

    assert (found.outcome, found.p50, found.throughput) == (Outcome.INVALID, None, None)
    assert found.why == "no operation ended: there are no samples"


@pytest.mark.parametrize(
    ("found", "why", "expected"),
    [
        (None, "", "it was not measured"),
        (None, "its server ended", "its server ended"),
        (collected(an_answer(1000)), "its server ended", "its server ended"),
    ],
)
def test_a_series_that_was_cut_short_is_invalid(found: Collected | None, why: str, expected: str) -> None:
    """What the cell's end interrupted, or never began, says why."""
    made = series(NAME, Role.SUBJECT, found, told={}, why=why)

    assert (made.outcome, made.why) == (Outcome.INVALID, expected)


def test_what_cannot_be_seen_is_not_zero() -> None:
    """A server elsewhere has no processor time and no memory, in any round."""
    unseen = an_answer(1000, server_cpu=None, server_memory=None)
    found = series(NAME, Role.SUBJECT, collected(an_answer(1000), unseen, an_answer(1000)), told={})

    assert (found.server_cpu, found.server_memory) == (None, 150.0)
    assert series(NAME, Role.SUBJECT, collected(unseen), told={}).server_memory is None


@given(st.lists(st.integers(min_value=0, max_value=10**8), min_size=1, max_size=60))
def test_a_histogram_loses_no_operation(values: list[int]) -> None:
    """Every latency is in one bucket, whose upper edge is not below it and at most a tenth above."""
    found = histogram(values)
    edges = [edge for edge, _ in found]

    assert sum(number for _, number in found) == len(values)
    assert edges == sorted(edges)
    assert max(values) / 1e6 <= edges[-1] * 1.0001 <= max(max(values), 1) / 1e6 * 1.1001


@given(st.lists(st.integers(min_value=0, max_value=10**8), min_size=1, max_size=60))
def test_a_percentile_was_measured(values: list[int]) -> None:
    """Nearest rank: the values below it are no more than that share."""
    ordered = sorted(values)
    found = percentile(ordered, 0.95)

    assert found is not None
    assert round(found * 1e6) in ordered
    assert sum(one / 1e6 <= found for one in ordered) >= 0.95 * len(ordered)
    assert percentile([], 0.5) is None


def offered(workload: str, *variants: str, clients: tuple[int, ...] = (1, 4, 16), absent: str = "") -> list[Any]:
    """What a cell offers."""
    common = {"workload": workload, "clients": list(clients), "absent": absent}
    return [{**common, "variant": variant} for variant in variants]


def test_cells_take_turns_within_a_block() -> None:
    """What is compared is measured one right after the other: A B A B, and another order each round."""
    found = blocks({CELL: offered("read", "layer", "bare"), OTHER: offered("read", "layer", "bare")}, quick=False)
    block = found[0]

    assert [(one.workload, one.clients) for one in found] == [("read", 1), ("read", 4), ("read", 16)]
    assert [(one.variant, one.cell) for one in block.turn(0)] == [
        ("layer", CELL),
        ("layer", OTHER),
        ("bare", CELL),
        ("bare", OTHER),
    ]
    assert len({block.turn(number) for number in range(4)}) == 4
    assert all(set(block.turn(number)) == set(block.contenders) for number in range(9))


def test_what_is_absent_or_left_out_by_quick_is_in_no_block() -> None:
    """A limit that is not here has no turn, and a quick run has fewer client counts."""
    offers = {CELL: [*offered("read", "layer"), *offered("read", "pgbench", absent="none here")]}
    found = blocks(offers, quick=True)

    assert [(one.clients, [key.variant for key in one.contenders]) for one in found] == [
        (1, ["layer"]),
        (16, ["layer"]),
    ]
    assert [one.clients for one in judged(found, ())] == [1]
    assert [one.clients for one in sweep(found, (), {})] == [16]


def test_what_a_budget_names_is_judged() -> None:
    """It gets as many rounds as one client alone, and is in no sweep."""
    found = blocks({CELL: offered("read", "layer")}, quick=False)
    also = {("read", 16), ("other", 4)}

    assert [one.clients for one in judged(found, also)] == [1, 16]
    assert [one.clients for one in sweep(found, also, {})] == [4]


def test_a_sweep_begins_with_what_is_short() -> None:
    """Few clients first, and of as many the shorter operations: where time runs out, the dearest are left."""
    offers = {CELL: [*offered("slow", "layer"), *offered("fast", "layer")]}
    one = Key(cell=CELL, workload="slow", variant="layer", clients=1)
    known = {one: 2.0, replace(one, workload="fast"): 1.0}
    found = sweep(blocks(offers, quick=False), (), known)

    assert [(one.clients, one.workload) for one in found] == [(4, "fast"), (4, "slow"), (16, "fast"), (16, "slow")]


def test_a_slice_holds_some_operations() -> None:
    """Longer for slow operations, within limits; short where nothing is known yet."""
    assert schedule.length(None) == schedule.FIRST
    assert schedule.length(1e-5) == schedule.SHORTEST
    assert schedule.length(0.02) == pytest.approx(0.12)
    assert schedule.length(10.0) == schedule.LONGEST


@pytest.mark.parametrize(
    ("took", "deadline", "fewest", "expected"), [(1.0, 5.5, 2, 5), (10.0, 5.0, 2, 2), (0.1, 99.0, 2, 7)]
)
def test_rounds_end_in_time_and_are_never_too_few(took: float, deadline: float, fewest: int, expected: int) -> None:
    """None begins that would end too late, unless there are too few to say anything; and no more than asked."""
    clock = [0.0]
    found = []
    for number in schedule.rounds(deadline, lambda: clock[0], fewest=2, most=7):
        found.append(number)
        clock[0] += took

    assert found == list(range(expected))


def test_a_load_that_was_carried_is_met() -> None:
    """Rate, p95 and errors as wanted."""
    found = load(CELL, GOAL, an_answer(*[2000] * 200, seconds=2.0) | LASTED)

    assert (found.met, found.rate, found.requests, found.p95) == (True, 100.0, 200, 0.002)
    assert found.why == (
        f"{CELL}: carried 100 requests a second by 10 clients in 2 processes for 2 s, p95 2 ms;"
        " clients kept 25% of a core busy, the server 12%"
    )


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (an_answer(*[2000] * 150, seconds=2.0), "75 of 100 requests a second"),
        (an_answer(*[600_000] * 200, seconds=2.0), "p95 600 of 500 ms"),
        (
            an_answer(*[2000] * 198, seconds=2.0, errors={"E": 2}, texts={"E": "no"}),
            "1.00% errors, below 1.0% is wanted",
        ),
        (an_answer(seconds=2.0), "0 of 100 requests a second, 100.00% errors"),
    ],
)
def test_a_load_that_was_not_carried_says_what_is_short(answer: dict[str, Any], why: str) -> None:
    """Too few requests, too slow, too many errors, or none at all: never met."""
    found = load(CELL, GOAL, answer | LASTED)

    assert not found.met
    assert why in found.why
    assert "was not carried" in found.why


def test_a_block_with_one_contender_has_one_turn() -> None:
    """A workload only one cell offers is measured alone."""
    key = Key(**NAME)

    assert Block(workload="read", clients=1, contenders=(key,)).turn(5) == (key,)
