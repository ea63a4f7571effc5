"""Prepared situations: for each the verdict, every reason word for word, and what becomes of each session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from pgmatrix.coverage import PathCoverage
from pgmatrix.gate.judge import IDS
from pgmatrix.junit import JUnit
from pgmatrix.perf import results as perf
from pgmatrix.records import Outcome
from pgmatrix.verdict import State
from tests.unit.pgmatrix.builders import a_perf_run, some_facts
from tests.unit.pgmatrix.evidence import (
    FILES,
    NAMES,
    THRESHOLDS,
    Change,
    coverage,
    having,
    judged,
    policy,
    result,
    with_records,
    with_tests,
    without,
)

ONE = "pg16-asyncpg-rls"
PSYCOPG = ("pg15-psycopg-rls", "pg16-psycopg-rls")
A = "tests/test_rls.py::test_a"
NEW = "tests/test_rls.py::test_new"
GREEN: Mapping[str, State] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What happened, whether it may ship, `[rule] reason` (or `(rule) reason` where it does not block), the details
    that come with the reasons, and the sessions that are not green."""

    name: str
    changes: tuple[Change, ...]
    reasons: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    states: Mapping[str, State] = field(default_factory=dict)

    @property
    def ships(self) -> bool:
        """Whether nothing blocks."""
        return not any(reason.startswith("[") for reason in self.reasons)


def bad(name: str, outcome: Outcome, **changes: object) -> Change:
    """One more test on one session, and on the others of its layer as it should be."""
    others = tuple(other for other in NAMES if other.endswith("-rls") and other != name)

    def change(evidence):  # type: ignore[no-untyped-def]
        evidence = with_tests(*others, add=(result(NEW),))(evidence)
        return with_tests(name, add=(result(NEW, outcome, **changes),))(evidence)

    return change


def on_all(outcome: Outcome, **changes: object) -> Change:
    """One more test in every session of a layer."""
    names = tuple(name for name in NAMES if name.endswith("-rls"))
    return with_tests(*names, add=(result(NEW, outcome, **changes),))


RLS = tuple(name for name in NAMES if name.endswith("-rls"))
PERF_HURT = a_perf_run().comparisons[0]
TOO_SLOW = replace(
    PERF_HURT, word=perf.Word.SLOWER, why="point-read takes 3 times as long as the bare driver; 2.5 allowed"
)
INVALID = replace(a_perf_run().series[0], outcome=perf.Outcome.INVALID, why="no index was used")
MISSED = perf.Load(
    cell="pg16-asyncpg",
    clients=8,
    seconds=60.0,
    requests=10,
    errors=1,
    rate=1.0,
    p50=None,
    p95=None,
    p99=None,
    wanted_rate=10.0,
    wanted_p95=0.1,
    wanted_errors=0.0,
    met=False,
    why="1 of 10 requests failed",
)

SITUATIONS = (
    Situation(name="all is green", changes=()),
    Situation(
        name="the table is empty",
        changes=(having(sessions=(), records={}, thresholds={}),),
        reasons=("[table] the table: no session is expected; name layers in [tool.pgmatrix.layers]",),
    ),
    Situation(
        name="one session is missing",
        changes=(without(ONE),),
        reasons=("[record] pg16-asyncpg-rls: no record, though it was to run; see its output, run it again",),
        states={ONE: State.MISSING},
    ),
    Situation(
        name="a major was not run",
        changes=(
            without(*(name for name in NAMES if name.startswith("pg15"))),
            having(asked=frozenset(name for name in NAMES if name.startswith("pg16"))),
        ),
        reasons=("[record] all of pg15: not part of this run; run the whole matrix: nox -s integration",),
        states={name: State.NOT_RUN for name in NAMES if name.startswith("pg15")},
    ),
    Situation(
        name="nothing ran at all",
        changes=(without(*NAMES), having(asked=frozenset())),
        reasons=("[record] all 8 sessions: not part of this run; run the whole matrix: nox -s integration",),
        states=dict.fromkeys(NAMES, State.NOT_RUN),
    ),
    Situation(
        name="a record is damaged",
        changes=(without(ONE), having(damaged={ONE: "x.json is not a record: cut off"})),
        reasons=("[record] pg16-asyncpg-rls: no record: x.json is not a record: cut off; run it again",),
        states={ONE: State.DAMAGED},
    ),
    Situation(
        name="a damaged record beside a good one of the same name",
        changes=(having(damaged={ONE: "x.json holds the record of pg15-asyncpg-rls"}),),
        reasons=("[record] pg16-asyncpg-rls: no record: x.json holds the record of pg15-asyncpg-rls; run it again",),
        states={ONE: State.DAMAGED},
    ),
    Situation(
        name="two records of one session",
        changes=(having(twice={ONE: ("records/a.json", "records/b.json")}),),
        reasons=(
            "[one-record] pg16-asyncpg-rls: 2 records: records/a.json and records/b.json;"
            " remove the one that does not count",
        ),
        states={ONE: State.DAMAGED},
    ),
    Situation(
        name="a record of another table",
        changes=(having(strangers=("records/pg18-asyncpg-rls.json",)),),
        reasons=(
            "[strangers] records/pg18-asyncpg-rls.json: is of no session of the table;"
            " judge with the table it was run with (PGMATRIX_POSTGRES too), or remove it",
        ),
    ),
    Situation(
        name="a record of an earlier run",
        changes=(with_records(ONE, run="run-0"),),
        reasons=("[same-run] pg16-asyncpg-rls: its record is of the run run-0, not of run-1; run it again",),
        states={ONE: State.STALE},
    ),
    Situation(
        name="records of no run, judged as one",
        changes=(with_records(ONE, run=""), having(run="")),
        reasons=(
            "[same-run] 7 of 8 sessions (all of pg15, all of pg16-psycopg and pg16-asyncpg-audit):"
            " its record is of the run run-1, not of (none); run it again",
        ),
        states={name: State.STALE for name in NAMES if name != ONE},
    ),
    Situation(
        name="a record without a run",
        changes=(with_records(ONE, run=""),),
        reasons=("[same-run] pg16-asyncpg-rls: its record is of the run (none), not of run-1; run it again",),
        states={ONE: State.STALE},
    ),
    Situation(
        name="a record of another commit",
        changes=(with_records(ONE, commit="f" * 40),),
        reasons=(
            "[same-commit] pg16-asyncpg-rls: it ran on commit ffffffffffff, judged is 0123456789ab;"
            " run it on the commit that is to ship",
        ),
        states={ONE: State.STALE},
    ),
    Situation(
        name="the checkout has no commit, the records have",
        changes=(having(commit=""),),
        reasons=(
            "[same-commit] all 8 sessions: it ran on commit 0123456789ab, judged is (none);"
            " run it on the commit that is to ship",
        ),
        states=dict.fromkeys(NAMES, State.STALE),
    ),
    Situation(
        name="a record without a commit",
        changes=(with_records(ONE, commit=""),),
        reasons=(
            "[same-commit] pg16-asyncpg-rls: it ran on commit (none), judged is 0123456789ab;"
            " run it on the commit that is to ship",
        ),
        states={ONE: State.STALE},
    ),
    Situation(
        name="no git anywhere",
        changes=(with_records(*NAMES, commit=""), having(commit="")),
    ),
    Situation(
        name="the sources were not committed",
        changes=(with_records(*NAMES, dirty=True),),
        reasons=("[committed] all 8 sessions: the sources were not committed; commit, and run it again",),
        states=dict.fromkeys(NAMES, State.UNPROVEN),
    ),
    Situation(
        name="a session was killed",
        changes=(with_records(ONE, finished=False, exit_code=-1, tests=(), collected=0, facts={}, drivers={}),),
        reasons=(
            "[finished] pg16-asyncpg-rls: began and did not end: it runs still, ran out of time, or was killed;"
            " wait for it, or find out what ended it",
        ),
        states={ONE: State.TIMED_OUT},
    ),
    *(
        Situation(
            name=f"a session did not {word}, and that rule is off",
            changes=(
                with_records(ONE, **values, tests=(), collected=1, facts={}, drivers={}),
                policy(off=(off,)),
            ),
            reasons=(
                f"[exit-code] pg16-asyncpg-rls: pytest ended with exit code {code}: {said}; see its output",
                "[tests-ran] pg16-asyncpg-rls: no test ran; see what selects its tests",
                "[all-results] pg16-asyncpg-rls: 1 tests were collected and 0 have a result;"
                " run it without -x or --maxfail",
                "[version] pg16-asyncpg-rls: PostgreSQL 16 is claimed, and no server was measured;"
                " see why it ran without a server",
                "[driver] pg16-asyncpg-rls: asyncpg is claimed, imported was none;"
                " run it in an environment that holds that driver alone",
                "[files] pg16-asyncpg-rls: no test of tests/test_rls.py ran;"
                " see why nothing was collected, or take it out of the layer",
                "[same-tests] pg16-asyncpg-rls: did not run 2 tests of the other cells;"
                " make what is collected the same in every cell",
            ),
            details=("tests/test_rls.py::test_a and tests/test_rls.py::test_b[x-1]",),
            states={ONE: state},
        )
        for word, off, code, said, state, values in (
            ("start", "started", 4, "pytest was called wrongly", State.MISMATCH, {"error": "no", "exit_code": 4}),
            (
                "end",
                "finished",
                -1,
                "pytest itself never gives that",
                State.MISMATCH,
                {"finished": False, "exit_code": -1},
            ),
        )
    ),
    Situation(
        name="no server could be had",
        changes=(
            with_records(
                *PSYCOPG, error="no provider\n  tried a: b\n  do    c", exit_code=4, tests=(), facts={}, drivers={}
            ),
        ),
        reasons=("[started] rls on psycopg, on 15 and 16: it could not start: no provider; do as the error says",),
        details=("  tried a: b\n  do    c",),
        states=dict.fromkeys(PSYCOPG, State.EMPTY),
    ),
    *(
        Situation(
            name=f"pytest ended with exit code {code}",
            changes=(with_records(ONE, exit_code=code),),
            reasons=(f"[exit-code] pg16-asyncpg-rls: pytest ended with exit code {code}: {said}; see its output",),
            states={ONE: state},
        )
        for code, said, state in (
            (1, "no test failed", State.CRASHED),
            (2, "was interrupted, or a file could not be collected", State.CRASHED),
            (3, "pytest broke", State.CRASHED),
            (4, "pytest was called wrongly", State.CRASHED),
            (5, "no test was collected", State.EMPTY),
            (6, "pytest itself never gives that", State.CRASHED),
            (124, "it was killed", State.TIMED_OUT),
            (137, "it was killed", State.TIMED_OUT),
            (143, "it was killed", State.TIMED_OUT),
            (-9, "it was killed", State.TIMED_OUT),
            (-15, "it was killed", State.TIMED_OUT),
        )
    ),
    Situation(
        name="a test failed and pytest said 0",
        changes=(bad(ONE, Outcome.FAILED), with_records(ONE, exit_code=0)),
        reasons=(f"[failures] {NEW} in pg16-asyncpg-rls: failed; see its traceback and mend it",),
        states={ONE: State.FAILED},
    ),
    Situation(
        name="a test failed and pytest was interrupted",
        changes=(bad(ONE, Outcome.FAILED), with_records(ONE, exit_code=2)),
        reasons=(
            "[exit-code] pg16-asyncpg-rls: pytest ended with exit code 2: was interrupted,"
            " or a file could not be collected; see its output",
            f"[failures] {NEW} in pg16-asyncpg-rls: failed; see its traceback and mend it",
        ),
        states={ONE: State.CRASHED},
    ),
    Situation(
        name="a worker crashed",
        changes=(with_records(ONE, crashed=("gw0: Not properly terminated", "gw1: gone"), exit_code=0, workers=2),),
        reasons=("[workers] pg16-asyncpg-rls: 2 of 2 workers crashed; run it with -n 0 to see where it dies",),
        details=("gw0: Not properly terminated\ngw1: gone",),
        states={ONE: State.CRASHED},
    ),
    Situation(
        name="a test hung",
        changes=(bad(ONE, Outcome.FAILED, detail="x\nE   Failed: Timeout (>1.0s) from pytest-timeout."),),
        reasons=(
            f"[time-out] {NEW} in pg16-asyncpg-rls: ran out of time; find out what it waits for",
            f"[failures] {NEW} in pg16-asyncpg-rls: failed; see its traceback and mend it",
        ),
        details=("E   Failed: Timeout (>1.0s) from pytest-timeout.",),
        states={ONE: State.TIMED_OUT},
    ),
    Situation(
        name="a set-up hung, in an older plugin's words",
        changes=(bad(ONE, Outcome.ERROR, detail="Failed: Timeout >1.0s"),),
        reasons=(
            f"[time-out] {NEW} in pg16-asyncpg-rls: ran out of time; find out what it waits for",
            f"[failures] {NEW} in pg16-asyncpg-rls: broke outside its call; see its traceback and mend it",
        ),
        details=("Failed: Timeout >1.0s",),
        states={ONE: State.TIMED_OUT},
    ),
    Situation(
        name="a flaky test had once hung",
        changes=(bad(ONE, Outcome.FLAKY, detail="Failed: Timeout >1.0s\n"),),
        reasons=(
            f"[flaky] {NEW} in pg16-asyncpg-rls: failed, and passed when it was run again; make it hold every time",
        ),
        details=("Failed: Timeout >1.0s",),
        states={ONE: State.FLAKY},
    ),
    Situation(
        name="no test ran in a session",
        changes=(with_tests(ONE, keep=0),),
        reasons=(
            "[tests-ran] pg16-asyncpg-rls: no test ran; see what selects its tests",
            "[files] pg16-asyncpg-rls: no test of tests/test_rls.py ran;"
            " see why nothing was collected, or take it out of the layer",
            "[same-tests] pg16-asyncpg-rls: did not run 2 tests of the other cells;"
            " make what is collected the same in every cell",
        ),
        details=("tests/test_rls.py::test_a and tests/test_rls.py::test_b[x-1]",),
        states={ONE: State.EMPTY},
    ),
    Situation(
        name="all tests of a session are skipped, and all skips declared",
        changes=(
            with_records(ONE, tests=(result(A, Outcome.SKIPPED), result(f"{A[:-1]}b[x-1]", Outcome.SKIPPED))),
            policy(skips={"tests/test_rls.py::*": "no time"}),
        ),
        reasons=("[tests-ran] pg16-asyncpg-rls: all 2 tests were skipped; see what selects its tests",),
        states={ONE: State.EMPTY},
    ),
    Situation(
        name="a session stopped in the middle",
        changes=(with_records(ONE, collected=3),),
        reasons=(
            "[all-results] pg16-asyncpg-rls: 3 tests were collected and 2 have a result;"
            " run it without -x or --maxfail",
        ),
        states={ONE: State.CRASHED},
    ),
    Situation(
        name="the server is of another major",
        changes=(with_records(ONE, facts=some_facts(server_version="15.5", server_version_num=150005).values()),),
        reasons=(
            "[version] pg16-asyncpg-rls: PostgreSQL 16 is claimed, the server was 15.5; give it a PostgreSQL 16",
            "[one-build] all of pg16-asyncpg: its sessions ran on PostgreSQL 15.5 with asyncpg 1.0 and PostgreSQL 16.9"
            " with asyncpg 1.0; run all sessions of a cell on one server build",
        ),
        states={ONE: State.MISMATCH, "pg16-asyncpg-audit": State.UNPROVEN},
    ),
    Situation(
        name="no server was measured",
        changes=(with_records(ONE, facts={}),),
        reasons=(
            "[version] pg16-asyncpg-rls: PostgreSQL 16 is claimed, and no server was measured;"
            " see why it ran without a server",
        ),
        states={ONE: State.MISMATCH},
    ),
    Situation(
        name="the server's number is no number",
        changes=(
            with_records(*(n for n in NAMES if n.startswith("pg16-asyncpg")), facts={"server_version_num": "160009"}),
        ),
        reasons=(
            "[version] all of pg16-asyncpg: PostgreSQL 16 is claimed, and no server was measured;"
            " see why it ran without a server",
        ),
        states={n: State.MISMATCH for n in NAMES if n.startswith("pg16-asyncpg")},
    ),
    Situation(
        name="a server without a version in words",
        changes=(
            with_records(*(n for n in NAMES if n.startswith("pg16-asyncpg")), facts={"server_version_num": 170002}),
        ),
        reasons=(
            "[version] all of pg16-asyncpg: PostgreSQL 16 is claimed, the server was 170002; give it a PostgreSQL 16",
        ),
        states={n: State.MISMATCH for n in NAMES if n.startswith("pg16-asyncpg")},
    ),
    Situation(
        name="the other driver was imported",
        changes=(with_records(*(n for n in NAMES if n.startswith("pg16-asyncpg")), drivers={"psycopg": "3.2"}),),
        reasons=(
            "[driver] all of pg16-asyncpg: asyncpg is claimed, imported was psycopg;"
            " run it in an environment that holds that driver alone",
        ),
        states={n: State.MISMATCH for n in NAMES if n.startswith("pg16-asyncpg")},
    ),
    Situation(
        name="both drivers were imported",
        changes=(with_records(*PSYCOPG[1:], "pg16-psycopg-audit", drivers={"psycopg": "3.2", "asyncpg": "1"}),),
        reasons=(
            "[driver] all of pg16-psycopg: psycopg is claimed, imported was asyncpg and psycopg;"
            " run it in an environment that holds that driver alone",
        ),
        states={n: State.MISMATCH for n in NAMES if n.startswith("pg16-psycopg")},
    ),
    Situation(
        name="no driver was imported",
        changes=(with_records("pg16-psycopg-rls", "pg16-psycopg-audit", drivers={}),),
        reasons=(
            "[driver] all of pg16-psycopg: psycopg is claimed, imported was none;"
            " run it in an environment that holds that driver alone",
        ),
        states={n: State.MISMATCH for n in NAMES if n.startswith("pg16-psycopg")},
    ),
    Situation(
        name="the driver changed within a cell",
        changes=(with_records(ONE, drivers={"asyncpg": "2.0"}),),
        reasons=(
            "[one-build] all of pg16-asyncpg: its sessions ran on PostgreSQL 16.9 with asyncpg 1.0 and PostgreSQL 16.9"
            " with asyncpg 2.0; run all sessions of a cell on one server build",
        ),
        states={n: State.UNPROVEN for n in NAMES if n.startswith("pg16-asyncpg")},
    ),
    Situation(
        name="a minor is too old",
        changes=(policy(minimum_minor={15: 9, 16: 10, 18: 1}),),
        reasons=(
            "[minimum-minor] all of pg16: the server was 16.9, 16.10 is demanded; give it a PostgreSQL 16.10 or newer",
        ),
        states={n: State.UNPROVEN for n in NAMES if n.startswith("pg16")},
    ),
    Situation(
        name="a session left no JUnit file",
        changes=(lambda e: replace(e, junit={n: one for n, one in e.junit.items() if n != ONE}),),
        reasons=("[junit] pg16-asyncpg-rls: its JUnit file cannot be used: there is none; run it again",),
        states={ONE: State.DAMAGED},
    ),
    Situation(
        name="a JUnit file is cut off",
        changes=(lambda e: replace(e, junit={**e.junit, ONE: "no element found"}),),
        reasons=("[junit] pg16-asyncpg-rls: its JUnit file cannot be used: no element found; run it again",),
        states={ONE: State.DAMAGED},
    ),
    Situation(
        name="a JUnit file has fewer tests than the record",
        changes=(lambda e: replace(e, junit={**e.junit, ONE: JUnit(tests=e.records[ONE].tests[:1])}),),
        reasons=(
            "[junit] pg16-asyncpg-rls: its JUnit file has 1 tests, 0 of them bad, its record 2 and 0; run it again",
        ),
        states={ONE: State.DAMAGED},
    ),
    Situation(
        name="a JUnit file has a failure that the record has not",
        changes=(
            lambda e: replace(
                e,
                junit={**e.junit, ONE: JUnit(tests=(result(A, Outcome.FAILED), e.records[ONE].tests[1]))},
            ),
        ),
        reasons=(
            "[junit] pg16-asyncpg-rls: its JUnit file has 2 tests, 1 of them bad, its record 2 and 0; run it again",
        ),
        states={ONE: State.DAMAGED},
    ),
    Situation(
        name="a record has an error that the JUnit file has not",
        changes=(
            bad(ONE, Outcome.ERROR),
            lambda e: replace(e, junit={**e.junit, ONE: JUnit(tests=(*e.records[ONE].tests[:2], result(NEW)))}),
        ),
        reasons=(
            "[junit] pg16-asyncpg-rls: its JUnit file has 3 tests, 0 of them bad, its record 3 and 1; run it again",
            f"[failures] {NEW} in pg16-asyncpg-rls: broke outside its call; see its traceback and mend it",
        ),
        details=(),
        states={ONE: State.DAMAGED},
    ),
    Situation(
        name="a test failed on one cell",
        changes=(bad(ONE, Outcome.FAILED, detail="line\nE   assert 1 == 2\n"),),
        reasons=(f"[failures] {NEW} in pg16-asyncpg-rls: failed; see its traceback and mend it",),
        details=("E   assert 1 == 2",),
        states={ONE: State.FAILED},
    ),
    Situation(
        name="a test failed on one driver",
        changes=(on_all(Outcome.PASSED), with_tests(*PSYCOPG, add=(result(NEW, Outcome.FAILED),))),
        reasons=(f"[failures] {NEW} in rls on psycopg, on 15 and 16: failed; see its traceback and mend it",),
        states=dict.fromkeys(PSYCOPG, State.FAILED),
    ),
    Situation(
        name="a test failed everywhere",
        changes=(on_all(Outcome.FAILED),),
        reasons=(f"[failures] {NEW} in rls on every cell: failed; see its traceback and mend it",),
        states=dict.fromkeys(RLS, State.FAILED),
    ),
    Situation(
        name="a teardown broke",
        changes=(bad(ONE, Outcome.ERROR),),
        reasons=(f"[failures] {NEW} in pg16-asyncpg-rls: broke outside its call; see its traceback and mend it",),
        states={ONE: State.FAILED},
    ),
    Situation(
        name="a skip nobody declared",
        changes=(on_all(Outcome.SKIPPED, detail="not today"),),
        reasons=(
            f"[skips] {NEW} in rls on every cell: skipped; let it run, or declare it in [tool.pgmatrix.gate.skips]",
        ),
        details=("not today",),
        states=dict.fromkeys(RLS, State.SKIPPED),
    ),
    Situation(
        name="an expected failure nobody declared",
        changes=(on_all(Outcome.XFAILED, detail="known"),),
        reasons=(
            f"[skips] {NEW} in rls on every cell: failed, as its mark expects;"
            " let it run, or declare it in [tool.pgmatrix.gate.skips]",
        ),
        details=("known",),
        states=dict.fromkeys(RLS, State.SKIPPED),
    ),
    Situation(
        name="a declared skip and a declared expected failure",
        changes=(
            on_all(Outcome.SKIPPED),
            with_tests(*RLS, keep=3, add=(result(f"{NEW}_x[1-a]", Outcome.XFAILED),)),
            policy(skips={NEW: "no time", "tests/test_rls.py::test_new_x[1-*]": "issue 12"}),
        ),
    ),
    Situation(
        name="a skip beside the declared ones",
        changes=(on_all(Outcome.SKIPPED), policy(skips={f"{NEW}er": "no time"})),
        reasons=(
            f"[skips] {NEW} in rls on every cell: skipped; let it run, or declare it in [tool.pgmatrix.gate.skips]",
            f"[unused-skips] [tool.pgmatrix.gate.skips] '{NEW}er': fits no skipped test; remove it",
        ),
        states=dict.fromkeys(RLS, State.SKIPPED),
    ),
    Situation(
        name="a declared skip that passes now",
        changes=(policy(skips={A: "no time"}),),
        reasons=(f"[unused-skips] [tool.pgmatrix.gate.skips] '{A}': fits no skipped test; remove it",),
    ),
    Situation(
        name="a test passed that was expected to fail",
        changes=(on_all(Outcome.XPASSED),),
        reasons=(f"[xpasses] {NEW} in rls on every cell: passed, though its mark expects a failure; remove the mark",),
        states=dict.fromkeys(RLS, State.XPASSED),
    ),
    Situation(
        name="a flaky test",
        changes=(bad(ONE, Outcome.FLAKY),),
        reasons=(
            f"[flaky] {NEW} in pg16-asyncpg-rls: failed, and passed when it was run again; make it hold every time",
        ),
        states={ONE: State.FLAKY},
    ),
    Situation(
        name="only a part was run, on every cell alike",
        changes=(with_records(*NAMES, narrowed=("-k savepoint", "3 tests deselected")),),
        reasons=(
            "[whole] all 8 sessions: only a part of it ran: -k savepoint, 3 tests deselected;"
            " run it without what selects tests",
        ),
        states=dict.fromkeys(NAMES, State.UNPROVEN),
    ),
    Situation(
        name="only a part was run on one cell",
        changes=(with_tests(ONE, keep=1, narrowed=("--lf",)),),
        reasons=("[whole] pg16-asyncpg-rls: only a part of it ran: --lf; run it without what selects tests",),
        states={ONE: State.UNPROVEN},
    ),
    Situation(
        name="a file of a layer was never collected",
        changes=(having(files={**FILES, "rls": ("tests/test_rls.py", "tests/test_rls.pyx", "tests/test_r")}),),
        reasons=(
            "[files] rls on every cell: no test of tests/test_rls.pyx ran;"
            " see why nothing was collected, or take it out of the layer",
            "[files] rls on every cell: no test of tests/test_r ran;"
            " see why nothing was collected, or take it out of the layer",
        ),
        states=dict.fromkeys(RLS, State.UNPROVEN),
    ),
    Situation(
        name="a layer's files are nobody's",
        changes=(having(files={}),),
    ),
    Situation(
        name="fewer tests than the table demands",
        changes=(policy(minimum_tests={"rls": 3, "audit": 2}),),
        reasons=(
            "[minimum-tests] rls on every cell: 2 tests passed, 3 are demanded;"
            " see what is gone, or lower minimum-tests",
        ),
        states=dict.fromkeys(RLS, State.UNPROVEN),
    ),
    Situation(
        name="a test is absent on one cell",
        changes=(with_tests(ONE, keep=1),),
        reasons=(
            "[same-tests] pg16-asyncpg-rls: did not run 1 test of the other cells;"
            " make what is collected the same in every cell",
        ),
        details=("tests/test_rls.py::test_b[x-1]",),
        states={ONE: State.UNPROVEN},
    ),
    Situation(
        name="a test is on one cell alone",
        changes=(with_tests(ONE, add=(result(NEW),)),),
        reasons=(
            "[same-tests] rls on pg15-asyncpg, pg15-psycopg and pg16-psycopg: did not run 1 test of the other cells;"
            " make what is collected the same in every cell",
        ),
        details=(NEW,),
        states={name: State.UNPROVEN for name in RLS if name != ONE},
    ),
    Situation(
        name="a session left no coverage data",
        changes=(having(coverage=coverage(missing=(ONE, PSYCOPG[0]))),),
        reasons=("[coverage-data] rls on pg15-psycopg and pg16-asyncpg: it left no coverage data; run it with --cov",),
        states={ONE: State.UNPROVEN, PSYCOPG[0]: State.UNPROVEN},
    ),
    Situation(
        name="sessions are missing, that rule is off, and the coverage lacks one of them",
        changes=(
            without(ONE, PSYCOPG[0]),
            having(coverage=coverage({"total": 90.0}, missing=(ONE,))),
            policy(off=("record",)),
        ),
        reasons=(
            "[coverage-data] pg16-asyncpg-rls: it left no coverage data; run it with --cov",
            "[coverage] coverage in total: 90.0 % covered, 95 % are wanted; test what the coverage report shows in red",
        ),
        states={ONE: State.MISSING, PSYCOPG[0]: State.MISSING},
    ),
    Situation(
        name="a session is missing, and one that is there left no coverage data",
        changes=(without(ONE), having(coverage=coverage({"total": 90.0}, missing=(ONE, PSYCOPG[0])))),
        reasons=(
            "[record] pg16-asyncpg-rls: no record, though it was to run; see its output, run it again",
            "[coverage-data] pg15-psycopg-rls: it left no coverage data; run it with --cov",
        ),
        states={ONE: State.MISSING, PSYCOPG[0]: State.UNPROVEN},
    ),
    Situation(
        name="a preview is missing, and the coverage of the others is too low",
        changes=(
            without(ONE, "pg16-asyncpg-audit"),
            policy(preview=("pg16-asyncpg",)),
            having(coverage=coverage({"total": 90.0})),
        ),
        reasons=(
            "[coverage] coverage in total: 90.0 % covered, 95 % are wanted; test what the coverage report shows in red",
            "(record) all of pg16-asyncpg: no record, though it was to run; see its output, run it again",
        ),
        states={ONE: State.MISSING, "pg16-asyncpg-audit": State.MISSING},
    ),
    Situation(
        name="no coverage at all",
        changes=(having(coverage=None),),
        reasons=(
            "[coverage-data] coverage: there is no coverage; run the sessions again, on the sources that are judged",
            "[coverage] coverage of total and src/core/: not measured; run the sessions with --cov",
        ),
    ),
    Situation(
        name="coverage that cannot be merged",
        changes=(having(coverage=None, coverage_problem="no source for x.py"),),
        reasons=(
            "[coverage-data] coverage: no source for x.py; run the sessions again, on the sources that are judged",
            "[coverage] coverage of total and src/core/: not measured; run the sessions with --cov",
        ),
    ),
    Situation(name="no thresholds and no coverage", changes=(having(coverage=None, thresholds={}),)),
    Situation(
        name="no thresholds and coverage without a session",
        changes=(having(coverage=coverage(missing=(ONE,), paths=()), thresholds={}),),
    ),
    Situation(
        name="coverage below the total",
        changes=(having(coverage=coverage({"total": 94.94})),),
        reasons=(
            "[coverage] coverage in total: 94.9 % covered, 95 % are wanted; test what the coverage report shows in red",
        ),
    ),
    Situation(
        name="coverage a hair below the total",
        changes=(having(coverage=coverage({"total": 94.996})),),
        reasons=(
            "[coverage] coverage in total: 94.9960 % covered, 95 % are wanted;"
            " test what the coverage report shows in red",
        ),
    ),
    Situation(
        name="coverage below a path's threshold",
        changes=(having(coverage=coverage({"src/core/": 99.0})),),
        reasons=(
            "[coverage] coverage of src/core/: 99.0 % covered, 100 % are wanted;"
            " test what the coverage report shows in red",
        ),
    ),
    Situation(name="coverage that just reaches its total", changes=(having(coverage=coverage({"total": 95.0})),)),
    Situation(
        name="a threshold for a path that matches no file",
        changes=(
            having(
                coverage=coverage(
                    paths=(
                        PathCoverage(path="total", percent=98.0, wanted=95.0, files=3),
                        PathCoverage(path="src/core/", percent=100.0, wanted=100.0, files=0),
                    )
                )
            ),
        ),
        reasons=(
            "[coverage-paths] [tool.pgmatrix.coverage] 'src/core/': fits no file that was measured;"
            " correct the path, a folder's with a slash at its end",
        ),
    ),
    Situation(name="speed within its budgets", changes=(having(perf=a_perf_run()),)),
    Situation(
        name="a speed outside its budget",
        changes=(having(perf=a_perf_run(comparisons=(TOO_SLOW,))),),
        reasons=(
            "[perf] perf: pg16-asyncpg: point-read takes 3 times as long as the bare driver; 2.5 allowed;"
            " see the perf report, mend it or measure again",
        ),
    ),
    Situation(
        name="a speed that is invalid, a load that is missed, a cell with a problem, a baseline that cannot be used",
        changes=(
            having(
                perf=a_perf_run(
                    cells=(perf.CellFacts(cell="pg15-asyncpg", problem="no server"),),
                    series=(INVALID, a_perf_run().series[1]),
                    loads=(MISSED,),
                    baseline=perf.BaselineFacts(path="b.json", problem="of another machine"),
                )
            ),
        ),
        reasons=(
            "[perf] perf: pg15-asyncpg: no server; see the perf report, mend it or measure again",
            "[perf] perf: pg16-asyncpg point-read plant x1: no index was used;"
            " see the perf report, mend it or measure again",
            "[perf] perf: pg16-asyncpg: 1 of 10 requests failed; see the perf report, mend it or measure again",
            "[perf] perf: of another machine; see the perf report, mend it or measure again",
        ),
    ),
    Situation(
        name="a performance run that measured nothing",
        changes=(having(perf=a_perf_run(series=())),),
        reasons=("[perf] perf: nothing was measured; see the perf report, mend it or measure again",),
    ),
    Situation(
        name="a performance run that cannot be read",
        changes=(having(perf_problem="perf.json is no performance run"),),
        reasons=("[perf] perf: perf.json is no performance run; measure again: nox -s perf",),
    ),
    Situation(
        name="speed is required and missing",
        changes=(policy(require_perf=("pg15-asyncpg", "pg16-asyncpg")),),
        reasons=(
            "[perf-measured] perf of pg15-asyncpg: was not measured, and is required; measure it: nox -s perf",
            "[perf-measured] perf of pg16-asyncpg: was not measured, and is required; measure it: nox -s perf",
        ),
    ),
    Situation(
        name="speed is required and was measured",
        changes=(having(perf=a_perf_run()), policy(require_perf=("pg16-asyncpg",))),
    ),
    Situation(
        name="speed is required on another cell too",
        changes=(having(perf=a_perf_run()), policy(require_perf=("pg16-asyncpg", "pg16-psycopg"))),
        reasons=("[perf-measured] perf of pg16-psycopg: was not measured, and is required; measure it: nox -s perf",),
    ),
    Situation(
        name="speed is required, and what there is was measured invalidly, in a hurry, of other sources",
        changes=(
            having(
                perf=a_perf_run(
                    series=(INVALID,),
                    environment=replace(a_perf_run().environment, commit="", dirty=True, quick=True),
                )
            ),
            policy(require_perf=("pg16-asyncpg",)),
        ),
        reasons=(
            "[perf] perf: pg16-asyncpg point-read plant x1: no index was used;"
            " see the perf report, mend it or measure again",
            "[perf] perf: nothing was measured; see the perf report, mend it or measure again",
            "[perf-measured] perf of pg16-asyncpg: was not measured, and is required; measure it: nox -s perf",
            "[perf-measured] perf: was measured on commit (none); measure it: nox -s perf",
            "[perf-measured] perf: the sources were not committed; commit, and measure it: nox -s perf",
            "[perf-measured] perf: was measured with --quick, for a look; measure it: nox -s perf",
        ),
    ),
    Situation(
        name="speed is required and is of another commit",
        changes=(
            having(perf=a_perf_run(environment=replace(a_perf_run().environment, commit="a" * 40))),
            policy(require_perf=("pg16-asyncpg",)),
        ),
        reasons=("[perf-measured] perf: was measured on commit aaaaaaaaaaaa; measure it: nox -s perf",),
    ),
    Situation(
        name="a preview cell fails",
        changes=(bad(ONE, Outcome.FAILED), policy(preview=("pg16-asyncpg",))),
        reasons=(f"(failures) {NEW} in pg16-asyncpg-rls: failed; see its traceback and mend it",),
        states={ONE: State.FAILED},
    ),
    Situation(
        name="a preview cell was not run",
        changes=(
            without("pg16-asyncpg-rls", "pg16-asyncpg-audit"),
            having(asked=frozenset()),
            policy(preview=("pg16-asyncpg",)),
        ),
        reasons=("(record) all of pg16-asyncpg: not part of this run; run the whole matrix: nox -s integration",),
        states={n: State.NOT_RUN for n in NAMES if n.startswith("pg16-asyncpg")},
    ),
    Situation(
        name="a preview cell and another fail alike",
        changes=(on_all(Outcome.FAILED), policy(preview=("pg16-asyncpg",))),
        reasons=(
            f"[failures] {NEW} in rls on pg15-asyncpg, pg15-psycopg and pg16-psycopg: failed;"
            " see its traceback and mend it",
            f"(failures) {NEW} in pg16-asyncpg-rls: failed; see its traceback and mend it",
        ),
        states=dict.fromkeys(RLS, State.FAILED),
    ),
    Situation(
        name="a preview cell has a test that the others have not, and lacks another",
        changes=(with_tests(ONE, keep=1, add=(result(NEW),)), policy(preview=("pg16-asyncpg",))),
        reasons=(
            "(same-tests) pg16-asyncpg-rls: did not run 1 test of the other cells;"
            " make what is collected the same in every cell",
            "(same-tests) pg16-asyncpg-rls: ran 1 test that no other cell has;"
            " make what is collected the same in every cell",
        ),
        details=("tests/test_rls.py::test_b[x-1]", NEW),
        states={ONE: State.UNPROVEN},
    ),
    Situation(
        name="every cell is a preview",
        changes=(
            with_tests(ONE, keep=1),
            policy(preview=("pg15-asyncpg", "pg15-psycopg", "pg16-asyncpg", "pg16-psycopg")),
        ),
        reasons=(
            "[table] the table: every cell is a preview; leave one out of preview in [tool.pgmatrix.gate]",
            "(same-tests) pg16-asyncpg-rls: did not run 1 test of the other cells;"
            " make what is collected the same in every cell",
        ),
        details=("tests/test_rls.py::test_b[x-1]",),
        states={ONE: State.UNPROVEN},
    ),
    Situation(
        name="a preview cell is slow",
        changes=(
            having(perf=a_perf_run(comparisons=(TOO_SLOW,))),
            policy(preview=("pg16-asyncpg",), require_perf=("pg16-asyncpg",)),
        ),
        reasons=(
            "(perf) perf: pg16-asyncpg: point-read takes 3 times as long as the bare driver; 2.5 allowed;"
            " see the perf report, mend it or measure again",
        ),
    ),
    Situation(
        name="a rule is switched off",
        changes=(on_all(Outcome.SKIPPED), policy(off=("skips",))),
        states=dict.fromkeys(RLS, State.SKIPPED),
    ),
    Situation(
        name="several things at once, in the order of their importance",
        changes=(
            with_records("pg15-asyncpg-audit", run="run-0"),
            bad(ONE, Outcome.FAILED),
            without("pg16-psycopg-audit"),
            having(coverage=coverage({"total": 90.0})),
        ),
        reasons=(
            "[record] pg16-psycopg-audit: no record, though it was to run; see its output, run it again",
            "[same-run] pg15-asyncpg-audit: its record is of the run run-0, not of run-1; run it again",
            f"[failures] {NEW} in pg16-asyncpg-rls: failed; see its traceback and mend it",
        ),
        states={
            "pg16-psycopg-audit": State.MISSING,
            "pg15-asyncpg-audit": State.STALE,
            ONE: State.FAILED,
        },
    ),
)


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda one: one.name)
def test_a_situation_has_its_verdict_and_its_reasons(situation: Situation) -> None:
    """The verdict, each reason in one line, what blocks, the details and the state of every session are as prepared."""
    found = judged(*situation.changes)

    said = tuple(f"{'[{}]' if one.blocking else '({})'} {{}}".format(one.rule, one.text) for one in found.reasons)
    assert said == situation.reasons
    assert tuple(one.detail for one in found.reasons if one.detail) == situation.details
    assert {one.session: one.state for one in found.sessions if one.state is not State.GREEN} == situation.states
    assert found.ship is situation.ships


def test_the_situations_are_many_and_touch_every_rule() -> None:
    """There are at least forty situations, each has its own name, and every rule objects in one of them."""
    told = {reason[1:].partition("]")[0] for one in SITUATIONS for reason in one.reasons if reason.startswith("[")}

    assert len({one.name for one in SITUATIONS}) == len(SITUATIONS) >= 40
    assert set(IDS) == told
    assert set(THRESHOLDS) == {"total", "src/core/"}
