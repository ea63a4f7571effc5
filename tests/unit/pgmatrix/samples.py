"""Owns verdicts to look at and to measure: one that ships, one with all kinds of trouble, and one of any size."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pgmatrix.perf import results as perf
from pgmatrix.perf.results import PerfRun
from pgmatrix.records import Outcome, Record, TestResult
from pgmatrix.verdict import (
    CoveragePath,
    CoverageView,
    Difference,
    DifferenceKind,
    Reason,
    RuleState,
    RunView,
    Scope,
    SessionView,
    State,
    Verdict,
)
from tests.unit.pgmatrix.builders import a_perf_run, some_facts

LAYERS = ("connection", "migrations", "rls", "pgvector", "audit", "pooling", "transactions")
CELLS = ("pg15-asyncpg", "pg15-psycopg", "pg16-asyncpg", "pg16-psycopg")
START = 1_795_642_300.0
VERSIONS = {15: ("15.5", 150005), 16: ("16.14", 160014), 18: ("18.4", 180004)}
RULES = {
    "missing-session": "every session of the table left a record",
    "failed": "no test failed or broke, in its teardown either",
    "skipped": "no test was skipped that is not declared",
    "coverage-path": "each path of the table reaches its threshold",
    "perf-budget": "no operation takes more than its budget beside the bare driver",
}
TRACEBACK = '''\
async def test_insert_valid_skill(session: AsyncSession) -> None:
    """A row of one agent is seen by that agent alone."""
    await session.execute(insert(Skill).values(agent_id=A, name="<b>weld</b> & \\"cut\\""))

    found = (await session.scalars(select(Skill).where(Skill.agent_id == B))).all()
>   assert found == []
E   AssertionError: assert [<Skill 7f3a>] == []
E     Left contains one more item: <Skill 7f3a>

tests/integration/test_rls_policies.py:118: AssertionError'''
LOG = """\
DEBUG  plant.core.database: begin isolation=read committed agent=7f3a
INFO   plant.security.rls: set_config('app.current_agent_id', '7f3a', true)
ERROR:  permission denied for table skill (42501)"""
Changes = Mapping[tuple[str, str], TestResult]


def verdict(
    *,
    cells: Sequence[str] = CELLS,
    layers: Sequence[str] = LAYERS,
    tests: int = 12,
    seed: int = 5,
    changes: Mapping[str, Mapping[int, dict[str, Any]]] | None = None,
) -> Verdict:
    """A verdict that ships: `tests` in each session. `changes` replaces fields of results, by session and position."""
    chance = random.Random(seed)
    names = [(cell, layer) for cell in cells for layer in layers]
    views = []
    for number, (cell, layer) in enumerate(names):
        record = _record(cell, layer, tests, START + 4.1 * (number // 2), chance)
        record = _changed(record, (changes or {}).get(record.session, {}))
        views.append(SessionView(session=record.session, cell=cell, layer=layer, state=State.GREEN, record=record))
    return Verdict(
        ship=True,
        run=_run(cells, layers, views),
        reasons=(),
        rules=tuple(RuleState(id=one, says=says, on=True) for one, says in RULES.items()),
        sessions=tuple(views),
        coverage=_coverage(cells),
        perf=_perf(cells, seed),
    )


def troubled() -> Verdict:
    """A verdict that does not ship: failures on one driver, a missing session, a flaky test, a preview cell in red."""
    bad: dict[str, Any] = {
        "outcome": Outcome.FAILED,
        "detail": TRACEBACK,
        "sections": {"Captured log call": LOG, "PostgreSQL log of this test": LOG.splitlines()[-1]},
    }
    skip: dict[str, Any] = {"outcome": Outcome.SKIPPED, "detail": "Skipped: needs a second server"}
    broken: dict[str, Any] = {"outcome": Outcome.ERROR, "detail": "E   OperationalError: server closed the connection"}
    good = verdict(
        cells=(*CELLS, "pg18-asyncpg", "pg18-psycopg"),
        changes={
            "pg15-psycopg-rls": {1: bad, 4: bad},
            "pg16-psycopg-rls": {1: bad, 4: {**bad, "detail": "E   assert 2 == 1"}},
            "pg16-asyncpg-pooling": {3: {"outcome": Outcome.FLAKY, "tries": 2, "detail": "E   PoolTimeout: 5.0 s"}},
            "pg15-asyncpg-audit": {2: skip},
            "pg18-asyncpg-migrations": {0: broken, 7: {**bad, "detail": "E   UndefinedColumn: stxkind"}},
        },
    )
    states = {
        "pg15-psycopg-rls": (State.FAILED, "2 failed"),
        "pg16-psycopg-rls": (State.FAILED, "2 failed"),
        "pg16-asyncpg-pooling": (State.FLAKY, "1 flaky"),
        "pg15-asyncpg-audit": (State.SKIPPED, "1 skipped"),
        "pg18-asyncpg-migrations": (State.FAILED, "1 failed, 1 error"),
        "pg15-psycopg-transactions": (State.MISSING, "no record"),
        "pg16-psycopg-audit": (State.CRASHED, "worker gw1 crashed"),
        "pg16-asyncpg-connection": (State.UNPROVEN, "other tests than in pg15-asyncpg"),
    }
    sessions = tuple(_judged(one, *states.get(one.session, (State.GREEN, ""))) for one in good.sessions)
    reasons, coverage = _reasons(), good.coverage
    assert coverage is not None
    return replace(
        good,
        ship=False,
        reasons=reasons,
        rules=tuple(_rule_state(one, reasons) for one in good.rules),
        sessions=sessions,
        differences=_differences(),
        coverage=replace(
            coverage,
            percent=93.9,
            paths=(replace(coverage.paths[0], percent=93.9, met=False), *coverage.paths[1:]),
            missing=("pg15-psycopg-transactions",),
        ),
        run=replace(good.run, dirty=True),
    )


def hostile(text: str) -> Verdict:
    """A verdict with `text` wherever people's input can be: test ids, tracebacks, logs, warnings, reasons, facts."""
    name = f"tests/test_rls.py::test_x[{text}]"
    one = TestResult(
        test=name, outcome=Outcome.FAILED, seconds=0.1, detail=text, sections={text or "-": text, "log": text}
    )
    good = verdict(cells=CELLS[:1], layers=LAYERS[:1], tests=1)
    view = good.sessions[0]
    assert view.record is not None
    facts = {**view.record.facts, "reason": text, "server_version": text, "extensions": {text or "-": text}}
    record = replace(view.record, tests=(one,), facts=facts, warnings=(text,), crashed=(text,), error=text)
    reason = Reason(rule="failed", where=text, what=text, do_next=text, sessions=(view.session,), test=name)
    differs = Difference(kind=DifferenceKind.WARNING, layer="rls", subject=text, says=text, by_cell={CELLS[0]: text})
    return replace(
        good,
        ship=False,
        run=replace(good.run, run=text, folder=text, commit=text),
        reasons=(reason, replace(reason, detail=text)),
        rules=(RuleState(id=text, says=text, on=False),),
        sessions=(replace(view, state=State.CRASHED, note=text, record=record),),
        differences=(differs,),
        perf=_perf([text], 1),
    )


def _record(cell: str, layer: str, tests: int, started: float, chance: random.Random) -> Record:
    major, driver = int(cell[2:4]), cell.partition("-")[2]
    version, number = VERSIONS.get(major, (f"{major}.1", major * 10000 + 1))
    results = tuple(_result(layer, position, chance) for position in range(tests))
    return Record(
        run="20261125-213151-2260",
        session=f"{cell}-{layer}",
        started=started,
        ended=started + 1.2 + min(40.0, sum(one.seconds for one in results)),
        exit_code=0,
        workers=0,
        workers_reason="auto: few tests",
        ready_seconds=0.2 + 0.1 * chance.random(),
        tests=results,
        facts=some_facts(
            cell=cell, server_version=version, server_version_num=number, driver=driver, provider="embedded"
        ).values()
        | {"own_extensions": ["uuid-ossp"]},
        collected=tests,
        commit="147f0e5a1f2c3d4e5f60718293a4b5c6d7e8f901",
        python="3.12.3",
        pgmatrix="0.1.0",
        drivers={driver: "3.3.9" if driver == "psycopg" else "0.32.0"},
    )


def _result(layer: str, position: int, chance: random.Random) -> TestResult:
    name = f"tests/integration/test_{layer}_{position % 3}.py::test_{layer}_holds_{position:03}"
    return TestResult(test=name, outcome=Outcome.PASSED, seconds=round(chance.expovariate(6), 4))


def _changed(record: Record, changes: Mapping[int, dict[str, Any]]) -> Record:
    tests = tuple(replace(one, **changes.get(position, {})) for position, one in enumerate(record.tests))
    return replace(record, tests=tests, exit_code=int(bool(changes)))


def _judged(view: SessionView, state: State, note: str) -> SessionView:
    record = None if state is State.MISSING else view.record
    if record is not None and state is State.CRASHED:
        record = replace(record, crashed=("gw1: Not properly terminated",), tests=record.tests[:5], exit_code=1)
    if record is not None and record.session == "pg16-psycopg-pgvector":
        record = replace(record, warnings=("tests/test_pgvector_0.py: UserWarning: index built without statistics",))
    return replace(view, state=state, note=note, record=record, preview=view.cell.startswith("pg18"))


def _rule_state(rule: RuleState, reasons: Sequence[Reason]) -> RuleState:
    blocking = sum(one.rule == rule.id and one.blocking for one in reasons)
    return replace(rule, on=rule.id != "perf-budget", reasons=blocking)


def _run(cells: Sequence[str], layers: Sequence[str], views: Sequence[SessionView]) -> RunView:
    records = [one.record for one in views if one.record]
    return RunView(
        run="20261125-213151-2260",
        scope=Scope.MATRIX,
        folder=".pgmatrix/runs/20261125-213151-2260",
        commit="147f0e5a1f2c3d4e5f60718293a4b5c6d7e8f901",
        dirty=False,
        started=min(one.started for one in records),
        ended=max(one.ended for one in records),
        judged=max(one.ended for one in records) + 3,
        pgmatrix="0.1.0",
        cells=tuple(cells),
        layers=tuple(layers),
    )


def _coverage(cells: Sequence[str]) -> CoverageView:
    figures = {
        "total": (98.9, 95.0, 52),
        "src/plant/core/database.py": (100.0, 100.0, 1),
        "src/plant/models/": (100.0, 100.0, 14),
        "src/plant/security/audit.py": (97.4, 95.0, 1),
        "src/plant/validators/": (96.2, 95.0, 6),
    }
    by_cell = {cell: 94.1 if cell.endswith("asyncpg") else 96.6 for cell in cells}
    paths = tuple(
        CoveragePath(path=path, percent=percent, wanted=wanted, files=files, met=percent >= wanted, by_cell=by_cell)
        for path, (percent, wanted, files) in figures.items()
    )
    return CoverageView(percent=98.9, paths=paths, missing=(), html="html/index.html", xml="coverage.xml")


def _perf(cells: Sequence[str], seed: int) -> PerfRun:
    """Two workloads on four cells at three counts of clients, beside the bare driver."""
    chance, cells = random.Random(seed), cells[:4]
    series = tuple(
        _series(cell, workload, variant, clients, chance)
        for workload in ("point-read", "bulk-insert")
        for cell in cells
        for variant in ("plant", "bare")
        for clients in (1, 4, 16)
    )
    return a_perf_run(
        series=series,
        comparisons=tuple(_comparisons(cells, chance)),
        sentences=("psycopg reads 1.4 to 1.5 times as fast as asyncpg at 16 clients on PostgreSQL 16.",),
    )


def _series(cell: str, workload: str, variant: str, clients: int, chance: random.Random) -> perf.Series:
    each = 0.0004 * (1.6 if variant == "plant" else 1) * (1.3 if "asyncpg" in cell else 1) * chance.uniform(0.95, 1.05)
    times = sorted(each * clients**0.6 * chance.lognormvariate(0, 0.35) for _ in range(400))
    buckets = tuple((round(times[end - 1], 7), 20) for end in range(20, 401, 20))
    role = perf.Role.SUBJECT if variant == "plant" else perf.Role.BARE
    return perf.Series(
        cell=cell, workload=workload, variant=variant, role=role, clients=clients, outcome=perf.Outcome.MEASURED,
        operations=400, throughput=clients / (each * clients**0.6), p50=times[200], p95=times[380], p99=times[396],
        worst=times[-1], histogram=buckets,
    )  # fmt: skip


def _comparisons(cells: Sequence[str], chance: random.Random) -> Iterator[perf.Comparison]:
    for workload in ("point-read", "bulk-insert"):
        for number, cell in enumerate(cells):
            ratio = chance.uniform(1.2, 2.1)
            yield perf.Comparison(
                kind=perf.Kind.BUDGET, cell=cell, workload=workload, clients=4, measured="plant", beside="bare",
                word=perf.Word.SLOWER if ratio > 1.9 else perf.Word.WITHIN_NOISE, ratio=ratio, low=ratio * 0.95,
                high=ratio * 1.06, bound=1.9, why=f"{ratio:.2f} times as long as the bare driver",
            )  # fmt: skip
            if number % 2:
                yield perf.Comparison(
                    kind=perf.Kind.DRIVERS, cell=cell, workload=workload, clients=16, measured="psycopg",
                    beside="asyncpg", word=perf.Word.FASTER, ratio=0.7, low=0.66, high=0.74, why="psycopg is faster",
                )  # fmt: skip


def _reasons() -> tuple[Reason, ...]:
    rls = "tests/integration/test_rls_1.py::test_rls_holds_001"
    pair = ("pg15-psycopg-rls", "pg16-psycopg-rls")
    mend = "open the test below, mend it, and run nox -t rls"
    return (
        Reason(
            rule="missing-session",
            where="pg15-psycopg-transactions",
            what="no record",
            do_next='run nox -s "integration(pg15-psycopg-transactions)"',
            sessions=("pg15-psycopg-transactions",),
        ),
        Reason(rule="failed", where="pg15-psycopg, pg16-psycopg", what="2 tests of rls failed", do_next=mend,
               sessions=pair, test=rls, detail="E   AssertionError: assert [<Skill 7f3a>] == []"),
        Reason(rule="skipped", where="pg15-asyncpg-audit", what="1 test was skipped", do_next="declare it, or run it",
               sessions=("pg15-asyncpg-audit",)),
        Reason(rule="coverage-path", where="total", what="93.9 % covered, 95 % wanted", do_next="cover the rest"),
        Reason(rule="failed", where="pg18-asyncpg-migrations", what="1 test failed, 1 broke", do_next="mend it before"
               " pg18 leaves preview", blocking=False, sessions=("pg18-asyncpg-migrations",)),
    )  # fmt: skip


def _differences() -> tuple[Difference, ...]:
    def row(kind: DifferenceKind, layer: str, subject: str, says: str, *found: str) -> Difference:
        return Difference(
            kind=kind, layer=layer, subject=subject, says=says, by_cell=dict(zip(CELLS, found, strict=True))
        )

    return (
        row(DifferenceKind.OUTCOME, "rls", "tests/integration/test_rls_1.py::test_rls_holds_001",
            "fails on psycopg, on 15 and 16", "passed", "failed", "passed", "failed"),
        row(DifferenceKind.TESTS, "connection", "tests/integration/test_connection_2.py::test_connection_holds_011",
            "only on 15", "passed", "passed", "absent", "absent"),
        row(DifferenceKind.DURATION, "pgvector", "tests/integration/test_pgvector_0.py::test_pgvector_holds_003",
            "4.1 times as long on psycopg", "0.10 s", "0.41 s", "0.10 s", "0.43 s"),
        row(DifferenceKind.WARNING, "pgvector", "UserWarning: index built without statistics",
            "only on pg16-psycopg", "-", "-", "-", "3 times"),
    )  # fmt: skip
