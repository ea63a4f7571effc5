"""What changes if we move: every difference is found, placed and said to be for the worse or not; noise is not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix import records
from pgmatrix.__main__ import main
from pgmatrix.changes import Kind
from pgmatrix.compare import Axis, Change, Comparison, Operation, axis_of, compare, operations, sides
from pgmatrix.errors import RecordError, UnknownName
from pgmatrix.perf import results as perf
from pgmatrix.records import Outcome, Plan, Record, TestResult
from pgmatrix.report.comparison import markdown
from tests.unit.pgmatrix.builders import a_project, a_record, some_facts

NAMES = ("15", "16")


def results_of(**outcomes: str) -> tuple[TestResult, ...]:
    """Results of half a second by test name."""
    return tuple(TestResult(test=f"t.py::{name}", outcome=Outcome(one), seconds=0.5) for name, one in outcomes.items())


def a_side(**pairs: Record) -> dict[str, Record]:
    """A side's records by pair, written with _ for -."""
    return {name.replace("_", "-"): record for name, record in pairs.items()}


def compared(before: Mapping[str, Record], after: Mapping[str, Record]) -> Comparison:
    """The comparison of two majors."""
    return compare(Axis.MAJOR, NAMES, before, after)


def the_change(before: Record, after: Record) -> Change:
    """The one change between two records."""
    (change,) = compared({"asyncpg-rls": before}, {"asyncpg-rls": after}).changes
    return change


def test_equal_sides_have_no_change() -> None:
    """Nothing is reported where nothing differs, and the headline says so."""
    one = a_side(asyncpg_rls=a_record(), psycopg_rls=a_record())

    found = compared(one, one)

    assert found.changes == ()
    assert found.headline == "15 to 16: nothing breaks; 4 tests in 2 pairs of sessions"
    assert [(pace.layer, pace.tests, pace.ratio, pace.typical) for pace in found.paces] == [("rls", 4, 1.0, 1.0)]


@pytest.mark.parametrize(
    ("before", "after", "kind", "worse"),
    [
        ("passed", "failed", Kind.OUTCOME, True),
        ("passed", "error", Kind.OUTCOME, True),
        ("passed", "skipped", Kind.OUTCOME, True),
        ("passed", "flaky", Kind.OUTCOME, True),
        ("passed", "xfailed", Kind.OUTCOME, True),
        ("skipped", "failed", Kind.OUTCOME, True),
        ("failed", "passed", Kind.OUTCOME, False),
        ("skipped", "passed", Kind.OUTCOME, False),
        ("skipped", "xfailed", Kind.OUTCOME, False),
        ("passed", "", Kind.TESTS, True),
        ("failed", "", Kind.TESTS, False),
        ("", "passed", Kind.TESTS, False),
        ("", "failed", Kind.TESTS, True),
    ],
)
def test_a_test_that_becomes_something_else(before: str, after: str, kind: Kind, worse: bool) -> None:
    """What passed and no longer does, or is gone, is for the worse; so is whatever fails after the move."""
    first, second = (
        a_record(tests=results_of(same="passed", **({"it": one} if one else {}))) for one in (before, after)
    )

    change = the_change(first, second)

    assert (change.kind, change.subject, change.worse) == (kind, "t.py::it", worse)
    assert (change.before, change.after) == (before or "absent", after or "absent")


def test_a_change_in_some_pairs_is_placed() -> None:
    """One change is said once, with the pairs where it is so, and whether these are all of its layer."""
    good, bad = a_record(tests=results_of(it="passed")), a_record(tests=results_of(it="failed"))
    before = a_side(asyncpg_rls=good, psycopg_rls=good, psycopg_audit=a_record())

    some = compared(before, a_side(asyncpg_rls=good, psycopg_rls=bad, psycopg_audit=a_record()))
    all_ = compared(before, a_side(asyncpg_rls=bad, psycopg_rls=bad, psycopg_audit=a_record()))

    assert [(one.where, one.everywhere) for one in some.changes] == [(("psycopg-rls",), False)]
    assert [(one.where, one.everywhere) for one in all_.changes] == [(("asyncpg-rls", "psycopg-rls"), True)]
    assert some.headline == "15 to 16: 1 for the worse, 1 outcome change; 3 tests in 3 pairs of sessions"


def test_a_session_that_is_missing_after_the_move_is_for_the_worse() -> None:
    """A session without a record shows nothing; one that only the other side has is named too."""
    found = compared(
        a_side(asyncpg_rls=a_record(), psycopg_rls=a_record()), a_side(asyncpg_rls=a_record(), new_rls=a_record())
    )

    assert [(one.kind, one.subject, one.before, one.after, one.worse) for one in found.changes] == [
        (Kind.SESSION, "psycopg-rls", "ran", "no record", True),
        (Kind.SESSION, "new-rls", "no record", "ran", False),
    ]


@pytest.mark.parametrize(
    ("change", "after"),
    [
        ({"error": "no server\nmore", "tests": ()}, "error: no server"),
        ({"crashed": ("gw0: gone",)}, "a worker crashed"),
        ({"finished": False}, "did not end"),
    ],
)
def test_a_session_that_does_not_end_is_for_the_worse(change: dict[str, Any], after: str) -> None:
    """A server that does not start, a crash and a kill are changes of their own, whatever the tests say."""
    found = compared({"asyncpg-rls": a_record()}, {"asyncpg-rls": a_record(**change)})

    (ended,) = found.of(Kind.SESSION)
    assert (ended.before, ended.after, ended.worse) == ("ended", after, True)


def test_warnings_are_compared_without_their_numbers() -> None:
    """A warning that names another process or database is the same one; a new one is said."""
    before = a_record(warnings=("t.py: UserWarning: database pgmx_71 of 0x7f3a",))
    same = a_record(warnings=("t.py: UserWarning: database pgmx_9 of 0x11",) * 2)
    other = a_record(warnings=(*same.warnings, "t.py: DeprecationWarning: md5"))

    assert compared({"a-rls": before}, {"a-rls": same}).changes == ()
    change = the_change(before, other)
    assert (change.kind, change.subject, change.before, change.after) == (
        Kind.WARNING,
        "t.py: DeprecationWarning: md5",
        "silent",
        "warns",
    )
    assert the_change(other, before).after == "silent"


def test_a_plan_of_another_shape_is_a_change() -> None:
    """Plans are compared by test and name; one that only a side noted is no change of plan."""

    def with_plans(*plans: tuple[str, str]) -> Record:
        return a_record(plans=tuple(Plan(test="t.py::it", name=name, shape=shape) for name, shape in plans))

    before = with_plans(("near", "Sort\n  Seq Scan on note"), ("same", "Result"), ("old", "Result"))
    after = with_plans(("near", "Index Scan using ix on note"), ("same", "Result"), ("new", "Result"))

    change = the_change(before, after)
    assert (change.kind, change.subject, change.worse) == (Kind.PLAN, "near", False)
    assert (change.before, change.after) == ("Sort\n  Seq Scan on note", "Index Scan using ix on note")


def test_what_it_runs_on_is_compared_as_measured() -> None:
    """Versions, extensions and settings that differ are facts, and never for the worse."""
    facts = some_facts(
        server_version="18.4", extensions={"vector": "0.8.1", "pg_x": "1"}, settings={"fsync": "off", "jit": "on"}
    )

    found = compared({"a-rls": a_record()}, {"a-rls": a_record(facts=facts.values())})

    assert {(one.subject, one.before, one.after) for one in found.of(Kind.FACT)} == {
        ("PostgreSQL", "16.14", "18.4"),
        ("extension pg_x", "absent", "1"),
        ("extension plpgsql", "1.0", "absent"),
        ("extension vector", "0.8.5", "0.8.1"),
        ("setting jit", "absent", "on"),
    }
    assert found.worse == ()


@pytest.mark.parametrize("facts", [{}, {"x": 1}, {"extensions": [], "settings": None, "driver": 7}])
def test_facts_that_are_not_there_are_no_error(facts: dict[str, Any]) -> None:
    """A record from elsewhere may lack any fact; it is compared by what it has."""
    found = compared({"a-rls": a_record(facts=facts)}, {"a-rls": a_record()})

    assert ("PostgreSQL", "absent", "16.14") in {(one.subject, one.before, one.after) for one in found.changes}


def test_a_move_to_another_driver_says_both_versions() -> None:
    """What changes first between two drivers is the driver, with the versions that ran."""
    facts = some_facts(driver="psycopg", driver_version="3.3.9").values()

    change = the_change(a_record(), a_record(facts=facts))

    assert (change.subject, change.before, change.after) == ("driver", "asyncpg 0.32.0", "psycopg 3.3.9")


def paced(seconds: float) -> Record:
    """A record of one test of that many seconds."""
    return a_record(tests=(TestResult(test="t.py::it", outcome=Outcome.PASSED, seconds=seconds),))


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ((0.2, 0.2), (0.5, 0.6), ("0.20 s", "0.55 s")),
        ((0.5, 0.6), (0.2, 0.2), ("0.55 s", "0.20 s")),
        ((0.2, 0.2), (0.5, 0.3), None),
        ((0.2, 0.2), (0.5, 0.05), None),
        ((0.01, 0.01), (0.09, 0.09), None),
    ],
)
def test_a_test_s_speed_changes_only_where_it_does_in_every_pair(
    before: tuple[float, float], after: tuple[float, float], changed: tuple[str, str] | None
) -> None:
    """One pair alone may have been disturbed, and milliseconds are noise."""
    first, second = (a_side(a_rls=paced(one), b_rls=paced(two)) for one, two in (before, after))

    found = compared(first, second).of(Kind.SPEED)

    assert [(one.before, one.after, one.everywhere) for one in found] == ([(*changed, True)] if changed else [])


def test_a_layer_s_pace_counts_what_passed_on_both_sides() -> None:
    """Seconds are summed over pairs; the median is of the tests' own ratios."""

    def side(first: float, second: float, outcome: str = "passed") -> Record:
        times = {"a": first, "b": second, "c": 0.1}
        outcomes = {"a": "passed", "b": "passed", "c": outcome}
        return a_record(
            tests=tuple(
                TestResult(test=name, outcome=Outcome(outcomes[name]), seconds=one) for name, one in times.items()
            )
        )

    (pace,) = compared({"a-rls": side(1.0, 2.0)}, {"a-rls": side(1.5, 2.0, "failed")}).paces

    assert (pace.layer, pace.tests, pace.before, pace.after) == ("rls", 2, 3.0, 3.5)
    assert (round(pace.ratio, 3), pace.typical) == (1.167, 1.25)


def a_perf_run(*comparisons: perf.Comparison) -> perf.PerfRun:
    """A performance run that found these."""
    environment = perf.Environment(
        machine="m", workloads="w", facts={}, commit="c", dirty=False, started=0.0, ended=1.0, quick=False, rounds=3
    )
    return perf.PerfRun(run="run-1", environment=environment, comparisons=comparisons)


def beside(kind: str, measured: str, other: str, **changes: Any) -> perf.Comparison:
    """One operation beside another: a quarter more time, with certainty."""
    values = {"workload": "point-read", "clients": 4, "ratio": 1.25, "low": 1.2, "high": 1.6, "why": "so"} | changes
    return perf.Comparison(
        kind=perf.Kind(kind), cell="pg16-asyncpg", measured=measured, beside=other, word=perf.Word.SLOWER, **values
    )


def test_measured_operations_are_said_in_the_direction_of_the_move() -> None:
    """A ratio is after to before, whichever way it was measured; what is of other sides is left out."""
    run = a_perf_run(
        beside("majors", "pg16", "pg15"),
        beside("majors", "pg16", "pg14"),
        beside("drivers", "asyncpg", "psycopg"),
        beside("variants", "pg16", "pg15"),
    )

    there, back = operations(Axis.MAJOR, "15", "16", run), operations(Axis.MAJOR, "16", "15", run)
    drivers = operations(Axis.DRIVER, "asyncpg", "psycopg", run)

    assert there == (Operation(name="point-read x4", where="asyncpg", word="slower", ratio=1.25, low=1.2, high=1.6),)
    assert [(one.word, one.ratio, one.low, one.high) for one in back] == [("faster", 0.8, 0.625, 1 / 1.2)]
    assert [(one.where, one.word, one.ratio) for one in drivers] == [("pg16", "faster", 0.8)]
    assert operations(Axis.RUN, "pg15", "pg16", run) == ()


def test_an_operation_that_could_not_be_measured_has_no_ratio() -> None:
    """What is invalid stays invalid, turned around or not."""
    one = replace(beside("majors", "pg16", "pg15", ratio=None, low=None, high=None), word=perf.Word.INVALID)

    for words in (("15", "16"), ("16", "15")):
        (found,) = operations(Axis.MAJOR, *words, a_perf_run(one))
        assert (found.word, found.ratio, found.low, found.high) == ("invalid", None, None, None)


OUTCOMES = st.dictionaries(st.sampled_from("abcd"), st.sampled_from([str(one) for one in Outcome]))


@given(OUTCOMES, OUTCOMES)
def test_turned_around_it_finds_the_same_tests(first: dict[str, str], second: dict[str, str]) -> None:
    """Whatever differs one way differs the other way, with before and after exchanged."""
    one, other = {"a-rls": a_record(tests=results_of(**first))}, {"a-rls": a_record(tests=results_of(**second))}

    there, back = compared(one, other), compared(other, one)

    assert sorted((c.kind, c.subject, c.before, c.after) for c in there.changes) == sorted(
        (c.kind, c.subject, c.after, c.before) for c in back.changes
    )


@given(OUTCOMES, OUTCOMES)
def test_nothing_breaks_means_that_what_passed_still_passes(first: dict[str, str], second: dict[str, str]) -> None:
    """Without a change for the worse each test that passed passes, and nothing new fails."""
    one, other = a_record(tests=results_of(**first)), a_record(tests=results_of(**second))

    if not compared({"a-rls": one}, {"a-rls": other}).worse:
        assert {name for name, was in first.items() if was == "passed"} <= {
            name for name, is_ in second.items() if is_ == "passed"
        }
        assert not any(is_ in ("failed", "error") and first.get(name) != is_ for name, is_ in second.items())


@pytest.mark.parametrize(
    ("before", "after", "axis"),
    [("15", "16", Axis.MAJOR), ("asyncpg", "psycopg", Axis.DRIVER), ("runs/1", "runs/2", Axis.RUN)],
)
def test_two_words_say_what_is_compared(before: str, after: str, axis: Axis) -> None:
    """Numbers are majors, drivers' names are drivers, anything else is the folder of a run."""
    assert axis_of(before, after) is axis


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (
            "15",
            "psycopg",
            "15 and psycopg are not of one kind\n  do    name two majors, two drivers, or the folders of two runs",
        ),
        ("15", "15", "15 twice: nothing to compare\n  do    name two that differ"),
    ],
)
def test_words_that_cannot_be_compared_are_refused(before: str, after: str, text: str) -> None:
    """A major and a driver, or one thing twice, is no move."""
    with pytest.raises(UnknownName) as caught:
        axis_of(before, after)

    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("axis", "words", "text"),
    [
        (
            Axis.MAJOR,
            ("16", "18"),
            "the run has no record of PostgreSQL 18\n  do    run both: PGMATRIX_POSTGRES=16,18 nox -s integration",
        ),
        (Axis.DRIVER, ("psycopg", "asyncpg"), "the run has no record of psycopg\n  do    run both: nox -s integration"),
    ],
)
def test_a_side_that_did_not_run_is_refused(axis: Axis, words: tuple[str, str], text: str) -> None:
    """A run without one of the sides is an error that says how to get it, never an empty comparison."""
    with pytest.raises(RecordError) as caught:
        sides(axis, *words, [a_record()])

    assert str(caught.value) == text


def test_sides_are_paired_by_what_they_share() -> None:
    """Two majors are compared driver by driver, two drivers major by major, layer by layer."""
    found = [a_record(session=f"pg{major}-{driver}-rls") for major in (15, 16) for driver in ("asyncpg", "psycopg")]

    assert [sorted(side) for side in sides(Axis.MAJOR, "15", "16", found)] == [["asyncpg-rls", "psycopg-rls"]] * 2
    assert [sorted(side) for side in sides(Axis.DRIVER, "asyncpg", "psycopg", found)] == [["pg15-rls", "pg16-rls"]] * 2


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, the current folder, with a run on two majors; a test fails and a plan changes on the later one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name, major, outcome, shape in (("one", 15, "passed", "Sort\n  Seq Scan"), ("one", 16, "failed", "Index Scan")):
        folder = tmp_path / ".pgmatrix" / "runs" / name
        plans = (Plan(test="t.py::it", name="near [5]", shape=shape),)
        found = a_record(session=f"pg{major}-psycopg-rls", tests=results_of(it="passed", p_x=outcome), plans=plans)
        records.write(folder, found)
        (folder / "plan.json").write_text('{"sessions": ["pg16-psycopg-rls"]}', encoding="utf-8")
    return a_project(tmp_path)


def test_the_command_shows_what_breaks(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`compare 15 16` reads the last run, shows each change, and is exit code 1 where something breaks."""
    assert main(["compare", "15", "16"]) == 1

    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert "  t.py::p_x: passed → failed" in lines
    assert lines[lines.index("plans") :][:5] == [
        "plans",
        "  near [5]",
        "      - Sort",
        "      -   Seq Scan",
        "      + Index Scan",
    ]
    assert lines[-1] == (
        "PostgreSQL 15 to PostgreSQL 16: 1 for the worse, 1 outcome change, 1 plan change; 1 test in 1 pair of sessions"
    )


def test_back_again_nothing_breaks(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A move that mends and breaks nothing is exit code 0."""
    assert main(["compare", "16", "15", "--run", str(project / ".pgmatrix" / "runs" / "one")]) == 0
    assert "nothing breaks" in capsys.readouterr().out


def test_speed_is_shown_where_it_was_measured(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A performance run in the folder adds its operations to the terminal and to Markdown."""
    perf.write(project / ".pgmatrix" / "runs" / "one", a_perf_run(beside("majors", "pg16", "pg15")))

    main(["compare", "15", "16"])
    shown = capsys.readouterr().out
    main(["compare", "15", "16", "--markdown"])

    assert "1.25 (1.20 to 1.60)" in shown
    assert "| point-read x4 | asyncpg | 1.25 (1.20 to 1.60) | slower |\n" in capsys.readouterr().out


def test_json_is_the_comparison(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints the whole value, and nothing else."""
    assert main(["compare", "15", "16", "--json"]) == 1

    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["axis"], found["before"], found["after"]) == (
        1,
        "major",
        "PostgreSQL 15",
        "PostgreSQL 16",
    )
    assert [(one["kind"], one["worse"]) for one in found["changes"]] == [("outcome", True), ("plan", False)]


def test_markdown_escapes_what_tests_say(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--markdown` prints names as they are, whatever they hold."""
    assert main(["compare", "15", "16", "--markdown"]) == 1

    out = capsys.readouterr().out
    assert "- ❌ t.py::p\\_x: passed → failed\n" in out
    assert "- near \\[5\\]\n  ```diff\n  - Sort\n  -   Seq Scan\n  + Index Scan\n  ```\n" in out
    assert "| rls | 1 | 0.5 s | 0.5 s | 1.00 | 1.00 |" in out


def test_two_runs_are_compared_session_by_session(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Folders of runs are compared as they are named."""
    other = project / ".pgmatrix" / "runs" / "two"
    records.write(other, a_record(session="pg15-psycopg-rls", tests=results_of(it="passed", p_x="passed")))
    (other / "plan.json").write_text('{"sessions": ["pg15-psycopg-rls"]}', encoding="utf-8")

    code = main(["compare", ".pgmatrix/runs/one", ".pgmatrix/runs/two"])

    assert code == 1
    assert "pg16-psycopg-rls: ran → no record" in capsys.readouterr().out
    assert main(["compare", ".pgmatrix/runs/one", ".pgmatrix/runs/three"]) == 2
    assert "is not the folder of a run" in capsys.readouterr().err


def test_a_run_without_records_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that left nothing shows nothing, and is not taken for a run in which nothing changed."""
    empty = project / ".pgmatrix" / "runs" / "empty"
    empty.mkdir()
    (empty / "plan.json").write_text('{"sessions": []}', encoding="utf-8")

    assert main(["compare", str(empty), ".pgmatrix/runs/one"]) == 2
    assert capsys.readouterr().err == (
        f"pgmatrix: {empty} has no record\n  do    run its sessions again, or name another run\n"
    )


def test_many_places_are_cut_short() -> None:
    """A change in many pairs but not all names the first four."""
    before = a_side(**{f"p{number}_rls": a_record(tests=results_of(it="passed")) for number in range(7)})
    after = dict(before) | {f"p{number}-rls": a_record(tests=results_of(it="failed")) for number in range(6)}

    text = markdown(compared(before, after))

    assert "(on p0-rls, p1-rls, p2-rls, p3-rls and 2 more only)" in text
