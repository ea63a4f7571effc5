"""What a run says in words, and how it looks in a terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from pgmatrix.perf.results import BaselineFacts, Comparison, Kind, Load, Outcome, PerfRun, Role, Word
from pgmatrix.perf.sentences import sentences
from pgmatrix.report.perf import print_cell, print_run
from tests.unit.pgmatrix.perf_builders import CELL, OTHER, a_bare, a_cell, a_series, an_environment

NONE = BaselineFacts()
USED = BaselineFacts(path="old.json", commit="abc")


def a_comparison(kind: Kind, workload: str, word: Word, ratio: float | None = 1.4, **changes: Any) -> Comparison:
    """psycopg beside asyncpg on PostgreSQL 16."""
    values: dict[str, Any] = {
        "kind": kind,
        "cell": OTHER,
        "workload": workload,
        "clients": 1,
        "measured": "psycopg",
        "beside": "asyncpg",
        "word": word,
        "why": f"{workload}: why",
        "ratio": ratio,
        "low": ratio and ratio / 1.01,
        "high": ratio and ratio * 1.01,
    }
    return Comparison(**{**values, **changes})


def test_drivers_are_compared_in_one_sentence() -> None:
    """The largest difference first, then what is within noise and what cannot be judged."""
    found = sentences(
        [
            a_comparison(Kind.DRIVERS, "update", Word.SLOWER, 1.31),
            a_comparison(Kind.DRIVERS, "point-read", Word.SLOWER, 1.4),
            a_comparison(Kind.DRIVERS, "copy", Word.FASTER, 0.5),
            a_comparison(Kind.DRIVERS, "search", Word.WITHIN_NOISE, 1.02),
            a_comparison(Kind.DRIVERS, "cancel", Word.INVALID, None),
        ],
        [],
        NONE,
    )

    assert found[2] == (
        "psycopg beside asyncpg is 1.4 times slower on point-read, 1.3 on update, 2.0 times faster on copy;"
        " within 30% or noise on 1: 1.02 (search) times the time; not to be judged on cancel"
    )


def test_majors_share_a_sentence_between_drivers() -> None:
    """The middle of both; where one contradicts the other, each is said."""
    older = {"measured": "pg16", "beside": "pg15"}
    found = sentences(
        [
            a_comparison(Kind.MAJORS, "update", Word.SLOWER, 1.2, cell=CELL, **older),
            a_comparison(Kind.MAJORS, "update", Word.SLOWER, 1.8, cell=OTHER, **older),
            a_comparison(Kind.MAJORS, "copy", Word.SLOWER, 1.3, cell=CELL, **older),
            a_comparison(Kind.MAJORS, "copy", Word.FASTER, 0.8, cell=OTHER, **older),
        ],
        [],
        NONE,
    )

    assert found[2] == (
        "pg16 beside pg15 is 1.5 times slower on update;"
        " on copy it depends: 1.3 times the time on asyncpg, 0.8 on psycopg"
    )


def test_no_difference_beyond_noise_is_called_that() -> None:
    """Workloads are counted, with the least and the most of them."""
    noise = [
        a_comparison(Kind.MAJORS, f"w{n}", Word.WITHIN_NOISE, 1 + n / 100, measured="pg16", beside="pg15")
        for n in range(7)
    ]
    found = sentences(noise, [], NONE)

    assert found[2] == (
        "pg16 beside pg15 is nowhere clearly slower or faster;"
        " within 30% or noise on 7: 1.00 (w0) to 1.06 (w6) times the time"
    )


def test_the_run_before_is_the_last_sentence() -> None:
    """After the loads."""
    assert sentences([], [A_LOAD], NONE, "the same")[-2:] == ("the load was not carried", "the same")


def test_nothing_to_judge_by_is_said() -> None:
    """No budget and no baseline are no pass of either."""
    assert sentences([], [], NONE) == (
        "no budget is set: nothing says how slow is too slow",
        "no baseline is named: nothing says whether it became slower since an earlier commit",
    )


def test_budgets_and_baseline_come_first_and_name_what_is_wrong() -> None:
    """How many are kept, and each that is not, in its own words."""
    found = sentences(
        [
            a_comparison(Kind.BUDGET, "a", Word.FASTER),
            a_comparison(Kind.BUDGET, "b", Word.WITHIN_NOISE),
            a_comparison(Kind.BUDGET, "c", Word.SLOWER),
            a_comparison(Kind.BASELINE, "d", Word.SLOWER),
            a_comparison(Kind.BASELINE, "e", Word.FASTER),
        ],
        [],
        USED,
    )

    assert found == (
        "2 of 3 budgets kept, 1 of them within noise",
        "c: why",
        "since the baseline of abc: 1 slower or not to be judged, 1 faster, 0 within noise",
        "d: why",
    )


def test_a_baseline_that_cannot_be_used_is_a_sentence() -> None:
    """Its problem, in full."""
    assert sentences([], [], replace(USED, problem="another machine"))[1] == "another machine"


def test_the_cost_of_the_data_layer_is_one_sentence() -> None:
    """The least and the most, over all cells."""
    found = sentences(
        [
            a_comparison(Kind.VARIANTS, name, Word.SLOWER, ratio, measured="layer", beside="bare")
            for name, ratio in (("read", 2.0), ("read", 2.2), ("copy", 1.1), ("update", 1.5))
        ],
        [],
        NONE,
    )

    assert found[2] == ("layer takes 1.1 (copy) to 2.1 (read) times the time of bare, half of all workloads up to 1.5")


A_LOAD = Load(
    cell=CELL,
    clients=100,
    seconds=5.0,
    requests=500,
    errors=0,
    rate=100.0,
    p50=0.01,
    p95=0.02,
    p99=0.03,
    wanted_rate=1000.0,
    wanted_p95=0.5,
    wanted_errors=0.001,
    met=False,
    why="the load was not carried",
)
RUN = PerfRun(
    run="r",
    environment=an_environment(),
    cells=(a_cell(),),
    series=(
        a_series((0.002,) * 8, client_cpu=0.001, server_cpu=None, client_memory=90.0),
        a_bare((0.001,) * 8),
        a_series((0.01,) * 8, clients=16, throughput=1234.0),
        a_series(variant="pgbench", role=Role.LIMIT, outcome=Outcome.ABSENT, why="no pgbench here"),
    ),
    comparisons=(
        a_comparison(Kind.VARIANTS, "read", Word.SLOWER, 2.0, cell=CELL, measured="layer", beside="bare", why="twice"),
    ),
    sentences=("one [sentence]",),
)


def printed(run: PerfRun) -> str:
    """What a person sees."""
    console = Console(width=150, record=True, file=io.StringIO())
    print_run(console, run)
    return console.export_text()


def test_a_run_is_printed_whole() -> None:
    """Machine, durability, times with their ratio, throughput, cost, what is not here, sentences and the outcome."""
    text = printed(RUN)

    assert "processor one, cores 2" in text
    assert "commit abcdef012345, 8 rounds in 60 s" in text
    assert "durable as in production: on disk; fsync=on" in text
    assert "2 ms (2.00)" in text
    assert "x1 5  x16 1,234; 2.00 s, 3.00 s" in text
    assert "1 ms + -; 90 MB" in text
    assert "not here: read pgbench: no pgbench here" in text
    assert "- one [sentence]" in text
    assert "nothing stands against this run: 3 series" in text


def test_what_is_invalid_is_printed_as_such() -> None:
    """No figure is shown for it, and the reasons stand below."""
    broken = a_series(outcome=Outcome.INVALID, why="2 of 3 operations failed")
    text = printed(replace(RUN, series=(broken,), loads=(A_LOAD,)))

    assert "invalid" in text
    assert "not a pass, for 3 reasons:" in text
    assert f"  {CELL} read layer x1: 2 of 3 operations failed" in text
    assert "  the load was not carried" in text
    assert "  nothing was measured" in text


@pytest.mark.parametrize(
    ("run", "code", "text"),
    [
        (RUN, 0, f"{CELL}: 3 series measured, 8 rounds"),
        (replace(RUN, loads=(A_LOAD,)), 1, "  the load was not carried"),
        (replace(RUN, series=()), 1, f"  {CELL}: nothing was measured"),
        (replace(RUN, baseline=replace(USED, problem="another machine")), 1, "  another machine"),
        (replace(RUN, cells=(a_cell(OTHER, problem="its server ended"),)), 0, "3 series"),
    ],
)
def test_a_cell_is_red_for_its_own_reasons(run: PerfRun, code: int, text: str) -> None:
    """Its invalid series, its load, its server, and the baseline; not what is wrong in another cell."""
    console = Console(width=150, record=True, file=io.StringIO())

    assert print_cell(console, run, CELL) == code
    assert text in console.export_text()
