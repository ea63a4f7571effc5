"""Owns made-up verdicts for property tests: any states, outcomes and reasons, and texts nobody would write."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from pgmatrix.records import Outcome, Record, TestResult
from pgmatrix.verdict import (
    CoveragePath,
    CoverageView,
    Difference,
    DifferenceKind,
    Reason,
    RuleState,
    SessionView,
    State,
    Verdict,
)
from tests.unit.pgmatrix.builders import a_perf_run, a_verdict, some_facts

NASTY = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "]]>&amp;<!--",
    "\x1b[2J\x1b]0;x\x07",
    "\u202egnp.exe",
    "\ud800",
    "`|`` *a* [x](javascript:alert(1)) @all #1 :tada:",
    "a\r\nb\x00c\x85",
    "\u2028'\"\\",
    "{{ 7 * 7 }}{% raw %}",
    "",
)
TEXT = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=()), max_size=20)
CELLS = ("pg15-asyncpg", "pg16-psycopg")
LAYERS = ("rls", "audit")
UNREAD = (State.MISSING, State.NOT_RUN, State.DAMAGED)
SECONDS = st.floats(0, 1e5)
PERCENT = st.floats(0, 100)


@st.composite
def results(draw: st.DrawFn) -> tuple[TestResult, ...]:
    """A few results of different tests."""
    names = draw(st.lists(TEXT, max_size=4, unique=True))
    return tuple(
        TestResult(
            test=f"tests/test_{number}.py::test_it[{name}]",
            outcome=draw(st.sampled_from(Outcome)),
            seconds=draw(SECONDS),
            detail=draw(TEXT),
            sections=draw(st.dictionaries(TEXT, TEXT, max_size=2)),
            tries=draw(st.integers(1, 3)),
        )
        for number, name in enumerate(names)
    )


@st.composite
def sessions(draw: st.DrawFn, cell: str, layer: str) -> SessionView:
    """A session of any state; those that left no record have none."""
    state, name = draw(st.sampled_from(State)), f"{cell}-{layer}"
    record = Record(
        run="r", session=name, started=1000.0, ended=1000.0 + draw(SECONDS), exit_code=0, workers=0,
        workers_reason=draw(TEXT), ready_seconds=0.1, tests=draw(results()),
        warnings=tuple(draw(st.lists(TEXT, max_size=1))),
        crashed=tuple(draw(st.lists(TEXT, max_size=1))), error=draw(TEXT),
        facts=some_facts(reason=draw(TEXT), cell=cell).values() | {"own_extensions": []},
    )  # fmt: skip
    note = draw(TEXT) if state is not State.GREEN else ""
    view = SessionView(session=name, cell=cell, layer=layer, state=state, note=note, preview=draw(st.booleans()))
    return replace(view, record=None if state in UNREAD else record)


@st.composite
def reasons(draw: st.DrawFn) -> Reason:
    """A reason of any text."""
    return Reason(
        rule=draw(TEXT), where=draw(TEXT), what=draw(TEXT), do_next=draw(TEXT), blocking=draw(st.booleans()),
        sessions=tuple(draw(st.lists(st.sampled_from(CELLS), max_size=2))), test=draw(TEXT), detail=draw(TEXT),
    )  # fmt: skip


@st.composite
def coverages(draw: st.DrawFn) -> CoverageView:
    """Coverage of up to two paths."""
    paths = [
        CoveragePath(
            path=draw(TEXT), percent=draw(PERCENT), wanted=draw(PERCENT), files=draw(st.integers(0, 3)),
            met=draw(st.booleans()), by_cell=draw(st.dictionaries(st.sampled_from(CELLS), PERCENT)),
        )
        for _ in range(draw(st.integers(0, 2)))
    ]  # fmt: skip
    missing = tuple(draw(st.lists(TEXT, max_size=1)))
    return CoverageView(percent=draw(PERCENT), paths=tuple(paths), missing=missing, html="html/index.html", xml="")


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    """A verdict that ships exactly when no reason blocks."""
    said = sorted(draw(st.lists(reasons(), max_size=3)), key=lambda one: not one.blocking)
    views = tuple(draw(sessions(cell, layer)) for cell in CELLS for layer in LAYERS)
    differences = tuple(
        Difference(kind=kind, layer="rls", subject=draw(TEXT), says=draw(TEXT), by_cell={CELLS[0]: draw(TEXT)})
        for kind in draw(st.lists(st.sampled_from(DifferenceKind), max_size=2))
    )
    found = a_verdict()
    return replace(
        found,
        ship=not any(one.blocking for one in said),
        run=replace(found.run, run=draw(TEXT), folder=draw(TEXT), commit=draw(TEXT), cells=CELLS, layers=LAYERS),
        reasons=tuple(said),
        rules=tuple(RuleState(id=draw(TEXT), says=draw(TEXT), on=on, reasons=0) for on in (True, False)),
        sessions=views,
        differences=differences,
        coverage=draw(st.none() | coverages()),
        perf=draw(st.none() | st.just(a_perf_run())),
    )
