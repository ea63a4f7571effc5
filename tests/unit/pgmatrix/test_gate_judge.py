"""The verdict as a whole: no false green whatever a run holds, and everything that reports show is in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.gate.evidence import Evidence
from pgmatrix.gate.judge import IDS, RULES, judge
from pgmatrix.gate.policy import Policy
from pgmatrix.junit import JUnit
from pgmatrix.records import Outcome
from pgmatrix.verdict import CoveragePath, DifferenceKind, Scope, State, Verdict
from tests.unit.pgmatrix.builders import COMMIT, a_perf_run, a_verdict
from tests.unit.pgmatrix.evidence import (
    NAMES,
    Change,
    coverage,
    green,
    green_record,
    having,
    judged,
    policy,
    result,
    with_records,
    with_tests,
    without,
)

ONE = "pg16-asyncpg-rls"
spoiled = st.fixed_dictionaries(
    {},
    optional={
        "run": st.sampled_from(["run-1", "run-0"]),
        "commit": st.sampled_from([COMMIT, "", "f" * 40]),
        "dirty": st.booleans(),
        "exit_code": st.integers(-15, 255),
        "crashed": st.sampled_from([(), ("gw0: gone",)]),
        "error": st.sampled_from(["", "no server", "\n"]),
        "finished": st.booleans(),
        "collected": st.integers(0, 4),
        "narrowed": st.sampled_from([(), ("-k x",)]),
        "drivers": st.dictionaries(st.sampled_from(["asyncpg", "psycopg"]), st.just("1.0")),
        "facts": st.fixed_dictionaries({}, optional={"server_version_num": st.integers(140000, 180009) | st.none()}),
        "tests": st.lists(
            st.builds(
                result,
                st.sampled_from(["tests/test_rls.py::test_a", "tests/test_rls.py::test_b[x-1]"]),
                st.sampled_from(list(Outcome)),
            ),
            max_size=3,
            unique_by=lambda one: one.test,
        ).map(tuple),
    },
)


def is_green(evidence: Evidence, name: str) -> bool:
    """Whether a session has nothing against it, found without the rules."""
    record = evidence.records.get(name)
    if record is None:
        return False
    major = name[2:4]
    return (
        record.green
        and (record.run, record.commit, record.dirty) == ("run-1", COMMIT, False)
        and (len(record.tests), record.collected <= 2, record.narrowed) == (2, True, ())
        and list(record.drivers) == [name.split("-")[1]]
        and str(record.facts.get("server_version_num", ""))[:2] == major
    )


@given(st.dictionaries(st.sampled_from([name for name in NAMES if name.endswith("-rls")]), spoiled, max_size=3))
def test_whatever_is_spoiled_never_ships(spoils: dict[str, dict[str, Any]]) -> None:
    """A run ships exactly if each session is green by another account than that of the rules."""
    evidence = green()
    for name, changes in spoils.items():
        evidence = with_records(name, **changes)(evidence)
    found = judge(evidence, a_verdict().run)
    builds = {name: str(evidence.records[name].facts) for name in NAMES}
    same = all(builds[f"{cell}-rls"] == builds[f"{cell}-audit"] for cell in {name.rpartition("-")[0] for name in NAMES})

    assert found.ship == (all(is_green(evidence, name) for name in NAMES) and same)
    assert found.ship == all(one.state is State.GREEN for one in found.sessions)


@given(st.sets(st.sampled_from(NAMES)))
def test_any_missing_session_is_named(names: set[str]) -> None:
    """Whatever is missing blocks, and every missing session is among the reason's sessions."""
    found = judged(without(*names))

    assert found.ship is not bool(names)
    assert {name for reason in found.reasons if reason.rule == "record" for name in reason.sessions} == names


@pytest.mark.parametrize("rule", IDS)
def test_a_rule_that_is_off_blocks_nothing_and_is_shown(rule: str) -> None:
    """Switched off, a rule gives no reason, and the verdict says that it is off and what it would have said."""
    damaged = {"pg15-asyncpg-rls": "cut off"}
    changes = (with_tests(ONE, keep=0), having(coverage=None, damaged=damaged))
    on, off = judged(*changes), judged(*changes, policy(off=(rule,)))
    (shown,) = (one for one in off.rules if one.id == rule)

    assert (shown.on, shown.reasons) == (False, sum(reason.rule == rule for reason in on.reasons))
    assert off.reasons == tuple(reason for reason in on.reasons if reason.rule != rule)
    assert [one.id for one in off.rules] == list(IDS)
    assert [one.on for one in on.rules] == [True] * len(IDS)


def test_every_rule_says_what_it_demands() -> None:
    """Each rule has an id of its own and one line."""
    assert len(set(IDS)) == len(RULES)
    assert all(rule.says and "\n" not in rule.says for rule in RULES)


def test_a_run_that_ships_only_because_a_rule_is_off_says_so() -> None:
    """The headline of such a verdict names the rules."""
    found = judged(with_tests(*NAMES, add=(result("tests/x.py::t", Outcome.SKIPPED),)), policy(off=("skips", "flaky")))

    assert found.ship
    assert found.headline == "ship, with skips and flaky switched off: 0 of 8 sessions green, 16 tests passed"


def test_sessions_are_shown_in_the_order_of_the_table() -> None:
    """Each session has its cell, layer, state, the words for it, and its record."""
    found = judged(without("pg15-asyncpg-rls"), with_records(ONE, crashed=("gw0",)), policy(preview=("pg16-asyncpg",)))
    views = {one.session: one for one in found.sessions}

    assert [one.session for one in found.sessions] == list(NAMES)
    assert (views[ONE].cell, views[ONE].layer, views[ONE].preview) == ("pg16-asyncpg", "rls", True)
    assert (views[ONE].state, views[ONE].note) == (State.CRASHED, "crashed")
    assert views[ONE].record is not None
    assert (views["pg15-asyncpg-rls"].record, views["pg15-asyncpg-rls"].preview) == (None, False)
    assert (views["pg15-asyncpg-audit"].state, views["pg15-asyncpg-audit"].note) == (State.GREEN, "")


def test_the_worst_state_counts() -> None:
    """Of several objections the worst says what became of a session."""
    worse_last = judged(with_records(ONE, narrowed=("-k a",), collected=9))
    worse_first = judged(with_records(ONE, run="run-0", crashed=("gw0",)))

    assert [one.state for one in worse_last.sessions if one.session == ONE] == [State.CRASHED]
    assert [one.state for one in worse_first.sessions if one.session == ONE] == [State.STALE]


def with_two(outcome: Outcome, other: Outcome) -> Change:
    """A session with a test more of each of these outcomes."""
    return with_tests(ONE, add=(result("tests/test_rls.py::t1", outcome), result("tests/test_rls.py::t2", other)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without(ONE), "no record"),
        (having(damaged={ONE: "cut off"}), "damaged"),
        (with_records(ONE, run="run-0"), "stale"),
        (with_records(ONE, drivers={}), "not as claimed"),
        (with_records(ONE, exit_code=3), "crashed"),
        (with_records(ONE, finished=False), "out of time"),
        (with_tests(ONE, keep=0), "no test ran"),
        (with_two(Outcome.FAILED, Outcome.ERROR), "2 failed"),
        (with_two(Outcome.FLAKY, Outcome.PASSED), "1 flaky"),
        (with_two(Outcome.SKIPPED, Outcome.XFAILED), "2 skipped"),
        (with_two(Outcome.XPASSED, Outcome.XPASSED), "2 xpassed"),
        (with_records(ONE, narrowed=("-k a",)), "unproven"),
        (with_records(ONE), ""),
    ],
)
def test_a_place_in_the_matrix_has_few_words(change: Change, words: str) -> None:
    """What became of a session is said so that it fits into the matrix."""
    found = judged(change, having(asked=frozenset(NAMES)))

    assert [one.note for one in found.sessions if one.session == ONE] == [words]


def test_what_was_not_asked_for_is_not_run() -> None:
    """It is told apart from what left no record."""
    found = judged(without(ONE), having(asked=frozenset()))

    assert [one.note for one in found.sessions if one.session == ONE] == ["not run"]


def test_coverage_and_speed_are_in_the_verdict() -> None:
    """What was merged and what was measured are there for reports, whatever the rules say of them."""
    pages = {"html": Path("html/index.html"), "xml": Path("coverage.xml")}
    found = judged(having(coverage=coverage({"total": 90.0}, missing=(ONE,), **pages), perf=a_perf_run()))

    assert found.coverage is not None
    assert (found.coverage.percent, found.coverage.missing) == (90.0, (ONE,))
    assert (found.coverage.html, found.coverage.xml) == ("html/index.html", "coverage.xml")
    assert found.coverage.paths[0] == CoveragePath(
        path="total", percent=90.0, wanted=95.0, files=3, met=False, by_cell={"pg16-asyncpg": 90.0}
    )
    assert found.perf == a_perf_run()
    assert judged(having(coverage=None)).coverage is None
    assert judged().coverage is not None
    assert (judged().coverage.html, judged().coverage.xml) == ("", "")  # type: ignore[union-attr]


def test_differences_are_in_the_verdict() -> None:
    """What is so on some cells only is there, and stands beside the reasons."""
    found = judged(with_tests(ONE, keep=1))

    assert [(one.kind, one.says) for one in found.differences] == [
        (DifferenceKind.TESTS, "absent only on pg16-asyncpg")
    ]


def test_what_blocks_stands_first() -> None:
    """A remark about a preview comes after every reason that blocks, also one of a later rule."""
    found = judged(
        with_records(ONE, run="run-0"), having(coverage=coverage({"total": 1.0})), policy(preview=("pg16-asyncpg",))
    )

    assert [(one.rule, one.blocking) for one in found.reasons] == [("coverage", True), ("same-run", False)]


def test_more_reasons_than_a_person_reads_are_cut() -> None:
    """One rule gives two hundred reasons at most; the last says how many are left out, and what blocks stays."""
    many = tuple(result(f"tests/test_rls.py::test_{number:03}", Outcome.FAILED) for number in range(201))
    names = tuple(name for name in NAMES if name.endswith("-rls"))
    cut = judged(with_tests(*names, add=many))
    whole = judged(with_tests(*names, add=many[:200]))
    preview = judged(
        with_tests(*names, add=(*many[:150],)),
        with_tests(ONE, add=many),
        policy(preview=("pg16-asyncpg",), off=("same-tests",)),
    )

    assert [one.detail for one in cut.reasons if one.detail] == ["and 1 more of this kind"]
    assert [len(cut.reasons), len(whole.reasons), len(preview.reasons)] == [200, 200, 200]
    assert cut.reasons[-1].detail == "and 1 more of this kind"
    assert [one.detail for one in whole.reasons if one.detail] == []
    assert [sum(one.blocking for one in preview.reasons), preview.reasons[-1].detail] == [
        150,
        "and 151 more of this kind",
    ]


def a_file(*outcomes: Outcome, **changes: Any) -> Verdict:
    """The verdict on a JUnit file of these outcomes."""
    tests = tuple(result(f"t::test_{number}", outcome) for number, outcome in enumerate(outcomes))
    bad = any(one.outcome in (Outcome.FAILED, Outcome.ERROR) for one in tests)
    record = green_record(ONE, session="r.xml", tests=tests, facts={}, drivers={}, exit_code=int(bad), collected=0)
    evidence = Evidence(
        scope=Scope.FILE, sessions=("r.xml",), records={"r.xml": record}, junit={"r.xml": JUnit(tests=tests)}, **changes
    )
    return judge(evidence, replace(a_verdict().run, scope=Scope.FILE))


@pytest.mark.parametrize(
    ("outcomes", "rules"),
    [
        ((Outcome.PASSED,), []),
        ((), ["tests-ran"]),
        ((Outcome.SKIPPED,), ["tests-ran", "skips"]),
        ((Outcome.PASSED, Outcome.SKIPPED), ["skips"]),
        ((Outcome.PASSED, Outcome.FAILED), ["failures"]),
        ((Outcome.ERROR,), ["failures"]),
        ((Outcome.PASSED, Outcome.XPASSED), ["xpasses"]),
        ((Outcome.PASSED, Outcome.FLAKY), ["flaky"]),
        ((Outcome.PASSED, Outcome.XFAILED), ["skips"]),
    ],
)
def test_a_file_from_elsewhere_is_judged_by_its_tests_alone(outcomes: tuple[Outcome, ...], rules: list[str]) -> None:
    """No table, no commit, no coverage: but what failed, was skipped, or never ran blocks."""
    found = a_file(*outcomes)

    assert [reason.rule for reason in found.reasons] == rules
    assert found.ship is (rules == [])
    assert {rule.id for rule in found.rules} == {
        "time-out",
        "tests-ran",
        "junit",
        "failures",
        "skips",
        "xpasses",
        "flaky",
    }
    assert [(one.cell, one.layer, one.preview) for one in found.sessions] == [("", "", False)]
    assert found.differences == ()


def test_declared_skips_count_for_a_file_too() -> None:
    """A pattern that fits makes a skip acceptable."""
    assert a_file(Outcome.PASSED, Outcome.SKIPPED, policy=Policy(skips={"t::*": "known"})).ship
