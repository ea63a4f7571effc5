"""A performance run as a value: its JSON form, and why it is not a pass."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pgmatrix.errors import RecordError
from pgmatrix.perf import results
from pgmatrix.perf.results import (
    BaselineFacts,
    CellFacts,
    Comparison,
    Environment,
    Kind,
    Load,
    Outcome,
    PerfRun,
    Role,
    Round,
    Series,
    ToolkitRow,
    Word,
)

WHERE = Environment(
    machine="m",
    workloads="w",
    facts={"cores": "2"},
    commit="abc",
    dirty=False,
    started=1.0,
    ended=2.5,
    quick=True,
    rounds=3,
)
SERIES = Series(
    cell="pg16-asyncpg",
    workload="point-read",
    variant="plant",
    role=Role.SUBJECT,
    clients=4,
    outcome=Outcome.MEASURED,
    rounds=(
        Round(number=0, operations=7, errors=0, seconds=0.1, p50=0.01),
        Round(number=1, operations=0, errors=2, seconds=0.1, p50=None),
    ),
    operations=7,
    p50=0.01,
    histogram=((0.011, 6), (0.5, 1)),
    errors={"PoolTimeout": 2},
    notes={"recall": 0.97},
)
COMPARISON = Comparison(
    kind=Kind.BUDGET,
    cell="pg16-asyncpg",
    workload="point-read",
    clients=1,
    measured="plant",
    beside="bare",
    word=Word.FASTER,
    why="why",
    ratio=1.5,
    low=1.4,
    high=1.6,
    bound=2.0,
)
LOAD = Load(
    cell="pg16-asyncpg",
    clients=100,
    seconds=5.0,
    requests=5000,
    errors=0,
    rate=1000.0,
    p50=0.01,
    p95=0.02,
    p99=None,
    wanted_rate=1000.0,
    wanted_p95=0.5,
    wanted_errors=0.001,
    met=True,
    why="load",
)
RUN = PerfRun(
    run="r",
    environment=WHERE,
    cells=(CellFacts(cell="pg16-asyncpg", facts={"server_version_num": 160014}, sync=0.001),),
    series=(SERIES,),
    comparisons=(COMPARISON,),
    loads=(LOAD,),
    sentences=("one",),
    toolkit=(ToolkitRow(what="a clone", measured="2 ms", ratio=1.2, goal="<= 1.3 x", verdict="met"),),
)


def test_a_run_comes_back_from_its_file(tmp_path: Path) -> None:
    """What is written is read as the same value, enumerations and all."""
    path = results.write(tmp_path / "run", RUN)

    assert path == results.path_of(tmp_path / "run")
    assert results.read(path) == RUN
    assert isinstance(results.read(path).series[0].role, Role)


def test_what_a_later_version_added_is_left_out() -> None:
    """An unknown field anywhere does not keep a run from being read."""
    values: dict[str, Any] = json.loads(json.dumps(results.to_json(RUN)))
    values["later"] = values["series"][0]["later"] = values["environment"]["later"] = 1

    assert results.from_json(values) == RUN


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Expecting property name"),
        ("[]", "list indices must be integers"),
        ("{}", "'schema'"),
        ('{"schema": 99}', "it has schema 99, this pgmatrix reads up to 1"),
        ('{"schema": 1}', "required keyword-only arguments"),
    ],
)
def test_what_is_no_run_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """A damaged, foreign or later file is an error that says so, and what to do."""
    path = tmp_path / "perf.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(RecordError) as caught:
        results.read(path)
    assert str(caught.value).startswith(f"{path} is no performance run: ")
    assert why in str(caught.value)
    assert str(caught.value).endswith("do    measure again: nox -s perf")


def test_an_absent_run_is_refused(tmp_path: Path) -> None:
    """No file is no run."""
    with pytest.raises(RecordError, match=r"is no performance run: .*No such file"):
        results.read(tmp_path / "perf.json")


def test_a_run_whose_figures_all_keep_their_bounds_has_no_reasons() -> None:
    """Nothing wrong, nothing said."""
    assert RUN.reasons == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"series": (), "comparisons": ()}, "nothing was measured"),
        ({"series": (replace(SERIES, outcome=Outcome.ABSENT),)}, "nothing was measured"),
        (
            {"series": (SERIES, replace(SERIES, clients=1, outcome=Outcome.INVALID, why="no samples"))},
            "pg16-asyncpg point-read plant x1: no samples",
        ),
        ({"comparisons": (replace(COMPARISON, word=Word.SLOWER, why="slow"),)}, "slow"),
        ({"comparisons": (replace(COMPARISON, kind=Kind.BASELINE, word=Word.INVALID, why="odd"),)}, "odd"),
        ({"loads": (replace(LOAD, met=False, why="too slow"),)}, "too slow"),
        ({"cells": (CellFacts(cell="pg15-psycopg", problem="its server died"),)}, "pg15-psycopg: its server died"),
        ({"baseline": BaselineFacts(path="b.json", problem="another machine")}, "another machine"),
    ],
)
def test_whatever_is_wrong_is_a_reason(changes: dict[str, Any], reason: str) -> None:
    """Nothing measured, something invalid, slower or unmet, a cell or a baseline with a problem: never a pass."""
    assert replace(RUN, **changes).reasons == (reason,)


@pytest.mark.parametrize("kind", [Kind.VARIANTS, Kind.DRIVERS, Kind.MAJORS])
def test_a_difference_nobody_bounded_is_shown_and_no_reason(kind: Kind) -> None:
    """That one driver is slower than the other stops nobody."""
    assert replace(RUN, comparisons=(replace(COMPARISON, kind=kind, word=Word.SLOWER),)).reasons == ()


def test_a_series_is_found_by_what_names_it() -> None:
    """Cell, workload, variant and clients are its name."""
    assert RUN.find("pg16-asyncpg", "point-read", "plant", 4) is SERIES
    assert RUN.find("pg16-asyncpg", "point-read", "plant", 1) is None
    assert SERIES.name == "pg16-asyncpg point-read plant x4"


def test_the_toolkit_s_rows_are_those_of_the_same_commit(tmp_path: Path) -> None:
    """What `nox -s bench` measured of another commit, or of none, is not shown as this one's."""
    path = tmp_path / "bench.json"
    rows = [{"what": "a clone", "measured": "2 ms", "later": 1}]
    path.write_text(json.dumps({"commit": "abc", "toolkit": rows}), encoding="utf-8")

    assert results.toolkit(path, "abc") == (ToolkitRow(what="a clone", measured="2 ms"),)
    assert results.toolkit(path, "def") == ()
    assert results.toolkit(tmp_path / "none.json", "abc") == ()
    path.write_text(json.dumps({"commit": "", "toolkit": rows}), encoding="utf-8")
    assert results.toolkit(path, "") == ()


def test_a_damaged_bench_is_refused(tmp_path: Path) -> None:
    """It is not taken for an empty one."""
    path = tmp_path / "bench.json"
    path.write_text("{}", encoding="utf-8")

    with pytest.raises(RecordError) as caught:
        results.toolkit(path, "abc")
    assert str(caught.value) == f"{path} holds no bench: 'commit'\n  do    measure it again: nox -s bench"
