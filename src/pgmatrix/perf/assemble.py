"""Owns how a conductor's slices become the value of a run: series, comparisons, loads, sentences. Pure but for
earlier runs, which are files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgmatrix.matrix import Cell
from pgmatrix.perf import again, baseline, judge
from pgmatrix.perf.collect import histogram, percentile, series
from pgmatrix.perf.conductor import Conductor
from pgmatrix.perf.results import CellFacts, Environment, Load, Outcome, PerfRun, Role, Series
from pgmatrix.perf.schedule import QUICK_SWEEP, Key
from pgmatrix.perf.sentences import sentences
from pgmatrix.perf.table import LoadGoal, PerfTable

SHORT = 0.98  # of the wanted rate: the last requests end after the time is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a run was asked for: which cells, the table, the baseline as it is called and where it is, and where runs
    are kept.
    """

    run: str
    cells: Sequence[Cell]
    table: PerfTable
    baseline: str
    path: Path
    runs: Path


def assemble(wanted: Wanted, conductor: Conductor, here: Environment) -> PerfRun:
    """The whole run. What was asked for and has no figures is in it as invalid, so that nothing is missed unseen."""
    cells = tuple(_cells(conductor))
    found = tuple(_series(conductor))
    shelf = judge.Shelf(series=found)
    earlier, facts = baseline.read(wanted.path, wanted.baseline, here)
    budgets = [one for one in wanted.table.budgets if _is_asked(conductor, one.workload, one.clients)]
    compared = (
        *judge.budgets(shelf, budgets, wanted.cells, strict=not conductor.quick),
        *(baseline.since(shelf, cells, earlier, strict=not conductor.quick) if earlier else ()),
        *judge.informing(shelf),
    )
    loads = tuple(_loads(conductor))
    last = again.before(wanted.runs, here, [one.cell for one in cells])
    return PerfRun(
        run=wanted.run,
        environment=here,
        cells=cells,
        series=found,
        comparisons=compared,
        loads=loads,
        baseline=facts,
        sentences=sentences(compared, loads, facts, again.agreement(compared, last) if last else ""),
    )


def _is_asked(conductor: Conductor, workload: str, clients: int) -> bool:
    """Whether this run was to measure it: a quick one leaves some numbers of clients out, and a person may choose."""
    left_out = conductor.quick and clients > 1 and clients not in QUICK_SWEEP
    return not left_out and (not conductor.only or workload in conductor.only)


def _cells(conductor: Conductor) -> Iterator[CellFacts]:
    for one in conductor.cells:
        yield CellFacts(
            cell=str(one.cell),
            facts=dict(one.ready.get("facts", {})),
            durability=one.ready.get("durability", ""),
            sync=one.ready.get("sync"),
            problem=one.problem,
        )


def _series(conductor: Conductor) -> Iterator[Series]:
    for cell, offered in conductor.offers().items():
        for one in offered:
            for clients in one["clients"]:
                name = {"cell": cell, "workload": one["workload"], "variant": one["variant"], "clients": clients}
                yield _one(conductor, name, one)


def _one(conductor: Conductor, name: Mapping[str, Any], offer: Mapping[str, Any]) -> Series:
    key, role = Key(**name), Role(offer["role"])
    if offer["absent"]:
        return Series(**name, role=role, outcome=Outcome.ABSENT, why=offer["absent"])
    if conductor.quick and key.clients > 1 and key.clients not in QUICK_SWEEP:
        return Series(**name, role=role, outcome=Outcome.ABSENT, why="a quick run leaves it out")
    if key in conductor.late:
        return Series(**name, role=role, outcome=Outcome.ABSENT, why="the time was up before its turn")
    told = conductor.told.get(Key(**{**name, "clients": 1}), {})
    return series(name, role, conductor.found.get(key), told=told, why=conductor.broken.get(key, ""))


def _loads(conductor: Conductor) -> Iterator[Load]:
    goal = conductor.goal
    for cell, answer in conductor.loads.items() if goal else ():
        assert goal is not None
        yield load(cell, goal, answer)


def load(cell: str, goal: LoadGoal, answer: Mapping[str, Any]) -> Load:
    """What became of a load: met where rate, p95 and errors all are."""
    values, failed = sorted(answer["latencies"]), sum(answer["errors"].values())
    requests = len(values) + failed
    rate = len(values) / answer["seconds"] if answer["seconds"] else 0.0
    p50, p95, p99 = (percentile(values, share) for share in (0.5, 0.95, 0.99))
    share = failed / requests if requests else 1.0
    short = [
        f"{rate:.0f} of {goal.rate:.0f} requests a second" if rate < goal.rate * SHORT else "",
        f"p95 {p95 * 1000:.0f} of {goal.p95 * 1000:.0f} ms" if p95 is not None and p95 >= goal.p95 else "",
        f"{share:.2%} errors, below {goal.errors:.1%} is wanted" if share >= goal.errors else "",
    ]
    missed = ", ".join(text for text in short if text)
    return Load(
        cell=cell,
        clients=goal.clients,
        seconds=answer["wanted_seconds"],
        requests=requests,
        errors=failed,
        rate=rate,
        p50=p50,
        p95=p95,
        p99=p99,
        wanted_rate=goal.rate,
        wanted_p95=goal.p95,
        wanted_errors=goal.errors,
        met=not missed,
        why=_load_text(cell, goal, answer, missed, p95),
        histogram=histogram(values),
    )


def _load_text(cell: str, goal: LoadGoal, answer: Mapping[str, Any], missed: str, p95: float | None) -> str:
    by = f"{goal.clients} clients in {answer['processes']} processes"
    what = f"{goal.rate:.0f} requests a second by {by} for {answer['wanted_seconds']:g} s"
    cores = answer["client_cpu"] / answer["seconds"] if answer["seconds"] else 0.0
    busy = f"; clients kept {cores:.0%} of a core busy"
    if answer.get("server_cpu") is not None and answer["seconds"]:
        busy += f", the server {answer['server_cpu'] / answer['seconds']:.0%}"
    error = next((f"; {name}: {text}" for name, text in answer["texts"].items()), "")
    if missed:
        return f"{cell}: the load of {what} was not carried: {missed}{busy}{error}"
    return f"{cell}: carried {what}, p95 {(p95 or 0.0) * 1000:.0f} ms{busy}"
