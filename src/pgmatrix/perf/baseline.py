"""Owns the comparison with an earlier run: whether it may be made at all, and what became slower since.

A subject is compared by its ratio to the bare driver in its own run, so that a machine that is busier or cooler today
is not taken for a change of the code.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from pgmatrix.errors import RecordError
from pgmatrix.perf import results
from pgmatrix.perf.judge import BLIND, FEWEST, Shelf, word
from pgmatrix.perf.results import (
    BaselineFacts,
    CellFacts,
    Comparison,
    Environment,
    Kind,
    Outcome,
    PerfRun,
    Role,
    Series,
    Word,
)
from pgmatrix.perf.statistics import LEVEL, Interval, apart

AGAIN = "measure one here: nox -s perf -- --save-baseline"


def read(path: Path, named: str, here: Environment) -> tuple[PerfRun | None, BaselineFacts]:
    """The earlier run at `path` if it can be compared with one made `here`; `named` is how a person calls it."""
    if not named:
        return None, BaselineFacts()
    try:
        earlier = results.read(path)
    except RecordError as error:
        return None, BaselineFacts(path=named, problem=f"the baseline cannot be used: {error.wanted}; {AGAIN}")
    problem = refusal(earlier.environment, here)
    facts = BaselineFacts(
        path=named,
        commit=earlier.environment.commit,
        started=earlier.environment.started,
        problem=f"the baseline {named} cannot be used: {problem}; {AGAIN}" if problem else "",
    )
    return (None if problem else earlier), facts


def refusal(before: Environment, here: Environment) -> str:
    """Why a run made there cannot be compared with one made here, or empty."""
    if before.machine != here.machine:
        differ = [
            f"{name} {before.facts.get(name, '?')}, here {value}"
            for name, value in here.facts.items()
            if before.facts.get(name) != value
        ]
        return f"it was measured on another machine ({'; '.join(differ) or 'other facts'})"
    if before.workloads != here.workloads:
        return "it measured other workloads, or other sizes of them"
    return ""


def since(shelf: Shelf, now: tuple[CellFacts, ...], earlier: PerfRun, *, strict: bool = True) -> Iterator[Comparison]:
    """Each subject beside itself in the earlier run. Where it is not `strict` too much noise is only noise."""
    old, facts = Shelf(series=earlier.series), {one.cell: one for one in earlier.cells}
    for one in shelf.subjects():
        before = old.get(one.cell, one.workload, one.variant, one.clients)
        here = next((cell for cell in now if cell.cell == one.cell), None)
        why = _unlike(here, facts.get(one.cell))
        found: Interval | None = None
        if before is None:
            why = "the baseline has no such series"
        elif not why:
            found, why = _ratio(shelf, one, old, before)
        yield _comparison(one, found, why, strict)


def _unlike(now: CellFacts | None, before: CellFacts | None) -> str:
    for name in ("server_version", "driver_version", "provider"):
        here, there = (str(one.facts.get(name, "")) if one else "" for one in (now, before))
        if here != there:
            return f"the baseline was measured with {name.replace('_', ' ')} {there or 'unknown'}, this run with {here}"
    return ""


def _ratio(shelf: Shelf, one: Series, old: Shelf, before: Series) -> tuple[Interval | None, str]:
    for each in (one, before):
        if each.outcome is not Outcome.MEASURED:
            return None, f"it is {each.outcome}: {each.why}"
    now, then = _logs(shelf, one), _logs(old, before)
    if min(len(now), len(then)) < FEWEST:
        return None, f"{len(now)} rounds now and {len(then)} in the baseline, {FEWEST} are needed in both"
    return apart(now, then), ""


def _logs(shelf: Shelf, one: Series) -> list[float]:
    """Of each round, the logarithm of the time, divided by the bare driver's where there is one."""
    bare = next((s for s in shelf.series if _is_bare_of(one, s)), None)
    beside = {round_.number: round_.p25 for round_ in bare.rounds} if bare else None
    found = []
    for round_ in one.rounds:
        by = 1.0 if beside is None else beside.get(round_.number)
        if round_.p25 and by:
            found.append(math.log(round_.p25 / by))
    return found


def _is_bare_of(one: Series, other: Series) -> bool:
    same = (one.cell, one.workload, one.clients) == (other.cell, other.workload, other.clients)
    return same and other.role is Role.BARE and other.outcome is Outcome.MEASURED


def _comparison(one: Series, found: Interval | None, why: str, strict: bool) -> Comparison:
    judged = word(found) if found else Word.INVALID
    label = f"{one.cell} {one.workload}"
    if found and strict and judged is Word.WITHIN_NOISE and found.high > BLIND:
        judged, why = Word.INVALID, "too noisy to say whether it became slower"
    if found:
        times = f"{found.ratio:.2f} times ({found.low:.2f} to {found.high:.2f}) what it took in the baseline"
        why = f"{why}: {times}" if why else f"{times}: {judged}"
    if judged is Word.SLOWER:
        why += "; look at what changed since, or save a new baseline if it is meant to be"
    return Comparison(
        kind=Kind.BASELINE,
        cell=one.cell,
        workload=one.workload,
        clients=one.clients,
        measured=one.variant,
        beside="baseline",
        word=judged,
        why=f"{label}: {why}",
        ratio=found.ratio if found and judged is not Word.INVALID else None,
        low=found.low if found else None,
        high=found.high if found else None,
        level=LEVEL,
    )
