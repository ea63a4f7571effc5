"""Measures the whole matrix under `nox -j 2`, beside the floor and beside the same sessions done by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pgmatrix.matrix import Session
from pgmatrix.records import read_all
from tests.perf.bench import Bench
from tests.perf.beside import JOBS, by_hand, floor, ground, ours_on_ten, ours_on_the_contract
from tests.perf.commands import Finished
from tests.perf.measure import Absent, MeasurementFailed, Samples
from tests.perf.sessions import observe
from tests.perf.table import Goal, Of, Row

TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """One `nox -s integration`: the command, and of each of its sessions pytest's and the server's seconds."""

    finished: Finished
    pytest: tuple[float, ...]
    ready: tuple[float, ...]
    tests: int


def measure_matrix(bench: Bench) -> list[Row]:
    """The floor and ours in turn, then once by hand, all with two sessions at a time."""
    for driver in bench.table.matrix.drivers:
        observe(bench, next(one for one in bench.sessions if one.cell.driver is driver))
    stamps = bench.stamps()
    for cell in bench.cells:  # whatever is not warm becomes so
        _ours(bench, [one for one in bench.sessions if one.cell == cell][:1])
    floors: list[Finished] = []
    ours: list[Whole] = []
    tens: list[Finished] = []
    contract: list[Finished] = []
    with ground(bench) as servers:
        for _ in range(bench.rounds(2, 1)):
            floors.append(floor(bench, servers))
            tens.append(ours_on_ten(bench))
            contract.append(ours_on_the_contract(bench))
            ours.append(_warm(bench, stamps))
            stamps = bench.stamps()
        floors.append(floor(bench, servers))
    return [
        _beside_floor(bench, "the floor's ten tests: what pgmatrix itself costs", tens, floors),
        _beside_floor(bench, "the contract's tests alone", contract, floors),
        *_whole_rows(bench, ours, floors),
        _by_hand_row(bench, tens),
        *_inside(ours),
    ]


def _beside_floor(bench: Bench, what: str, ours: Sequence[Finished], floors: Sequence[Finished]) -> Row:
    return Row(
        what=f"{len(bench.sessions)} sessions of ours on {what}, -j {JOBS}",
        measured=_seconds(ours),
        beside=_seconds(floors),
        beside_what="the floor",
        goal=Goal(bound=1.5, of=Of.RATIO),
    )


def _whole_rows(bench: Bench, ours: Sequence[Whole], floors: Sequence[Finished]) -> list[Row]:
    count = f"{len(bench.sessions)} of {len(bench.table.matrix.sessions)} sessions"
    return [
        Row(
            what=f"nox -s integration -j {JOBS}, warm, {count}, {ours[0].tests} tests",
            measured=_seconds([whole.finished for whole in ours]),
            beside=_seconds(floors),
            beside_what="the floor: ten `select 1` tests each",
            goal=Goal(bound=1.5, of=Of.RATIO),
        ),
        Row(
            what="the same in processor seconds, which a busy machine changes less",
            measured=Samples(values=tuple(whole.finished.processor for whole in ours)),
            beside=Samples(values=tuple(one.processor for one in floors)),
            beside_what="the floor",
        ),
    ]


def _seconds(runs: Sequence[Finished]) -> Samples:
    return Samples(values=tuple(one.seconds for one in runs))


def _by_hand_row(bench: Bench, tens: Sequence[Finished]) -> Row:
    what = f"the same sessions by hand: testcontainers, plant's migrations, ten `select 1` tests, -j {JOBS}"
    try:
        taken = _seconds([by_hand(bench)])
    except Absent as error:
        return Row(what=what, absent=str(error))
    goal = Goal(bound=2.0, of=Of.RATIO, at_least=True)
    return Row(what=what, measured=taken, beside=_seconds(tens), beside_what="ours on the same tests", goal=goal)


def _inside(ours: Sequence[Whole]) -> list[Row]:
    pytest = Samples(values=tuple(seconds for whole in ours for seconds in whole.pytest))
    ready = Samples(values=tuple(seconds for whole in ours for seconds in whole.ready))
    return [
        Row(what="of it, one session's pytest once its plugins are loaded", measured=pytest),
        Row(what="of it, one session's server with its template", measured=ready),
    ]


def _warm(bench: Bench, stamps: dict[Path, int]) -> Whole:
    """One whole run before which and in which nothing changed since `stamps`. Raises MeasurementFailed."""
    for _ in range(TRIES):
        before, whole, after = stamps, _ours(bench, bench.sessions), bench.stamps()
        if after == before:
            return whole
        stamps = after
    raise MeasurementFailed(f"no warm run in {TRIES} tries: pins or the template's sources changed each time")


def _ours(bench: Bench, sessions: Sequence[Session]) -> Whole:
    everything = set(sessions) == set(bench.table.matrix.sessions)
    names = ["integration"] if everything else [f"integration({one})" for one in sessions]
    finished = bench.run_nox(["-s", *names, "-j", JOBS], bench.environ())
    records = [record for folder in bench.runs(finished.pid) for record in read_all(folder)]
    bench.forget(finished.pid)
    if {record.session for record in records} != {str(one) for one in sessions} or not all(r.green for r in records):
        raise MeasurementFailed("the sessions' records are not all there and green", finished.output)
    return Whole(
        finished=finished,
        pytest=tuple(record.seconds for record in records),
        ready=tuple(record.ready_seconds for record in records),
        tests=sum(len(record.tests) for record in records),
    )
