"""Owns the rules about a session as it went: that there is one record of it, of this run, and how pytest ended."""

from __future__ import annotations

from collections.abc import Iterator

from pgmatrix.gate.evidence import Evidence
from pgmatrix.gate.rule import Finding, Rule
from pgmatrix.gate.where import listed
from pgmatrix.records import Outcome
from pgmatrix.verdict import State

_AGAIN = "run it again"
_EXITS = {
    1: ("no test failed", State.CRASHED),
    2: ("was interrupted, or a file could not be collected", State.CRASHED),
    3: ("pytest broke", State.CRASHED),
    4: ("pytest was called wrongly", State.CRASHED),
    5: ("no test was collected", State.EMPTY),
}
_KILLED = (124, 137, 143, -9, -15)
_TIMED_OUT = ("from pytest-timeout", "Timeout >")


def table(evidence: Evidence) -> Iterator[Finding]:
    """Nothing expected is nothing proved."""
    if not evidence.sessions:
        yield Finding(where="the table", what="no session is expected", do_next="name layers in [tool.pgmatrix.layers]")
    elif all(evidence.is_preview(name) for name in evidence.sessions):
        do_next = "leave one out of preview in [tool.pgmatrix.gate]"
        yield Finding(where="the table", what="every cell is a preview", do_next=do_next)


def record(evidence: Evidence) -> Iterator[Finding]:
    """Expected sessions come from the table, not from what ran."""
    for name in evidence.sessions:
        if name in evidence.damaged:
            why = evidence.damaged[name]
            yield Finding(session=name, what=f"no record: {why}", do_next=_AGAIN, state=State.DAMAGED)
        elif name not in evidence.records and name in evidence.asked:
            yield Finding(session=name, what="no record, though it was to run", do_next=f"see its output, {_AGAIN}")
        elif name not in evidence.records:
            do_next = "run the whole matrix: nox -s integration"
            yield Finding(session=name, what="not part of this run", do_next=do_next, state=State.NOT_RUN)


def one_record(evidence: Evidence) -> Iterator[Finding]:
    """Of two records nobody knows which counts."""
    for name, files in evidence.twice.items():
        yield Finding(
            session=name, what=f"{len(files)} records: {listed(files)}", do_next="remove the one that does not count"
        )


def strangers(evidence: Evidence) -> Iterator[Finding]:
    """What the table does not know was not asked for."""
    for name in evidence.strangers:
        yield Finding(
            where=name,
            what="is of no session of the table",
            do_next="judge with the table it was run with (PGMATRIX_POSTGRES too), or remove it",
        )


def same_run(evidence: Evidence) -> Iterator[Finding]:
    """A record that lay there before proves nothing."""
    for name, one in evidence.found():
        if one.run != evidence.run:
            what = f"its record is of the run {one.run or '(none)'}, not of {evidence.run or '(none)'}"
            yield Finding(session=name, what=what, do_next=_AGAIN)


def same_commit(evidence: Evidence) -> Iterator[Finding]:
    """What ran is what ships."""
    for name, one in evidence.found():
        if one.commit != evidence.commit:
            what = f"it ran on commit {one.commit[:12] or '(none)'}, judged is {evidence.commit[:12] or '(none)'}"
            yield Finding(session=name, what=what, do_next="run it on the commit that is to ship")


def committed(evidence: Evidence) -> Iterator[Finding]:
    """What is not committed does not ship."""
    for name, one in evidence.found():
        if one.dirty:
            yield Finding(session=name, what="the sources were not committed", do_next="commit, and run it again")


def finished(evidence: Evidence) -> Iterator[Finding]:
    """A session that was killed leaves what it wrote when it began."""
    for name, one in evidence.found():
        if not one.finished:
            what = "began and did not end: it runs still, ran out of time, or was killed"
            yield Finding(session=name, what=what, do_next="wait for it, or find out what ended it")


def started(evidence: Evidence) -> Iterator[Finding]:
    """Without a server no test runs."""
    for name, one in evidence.found():
        if one.error:
            first, *rest = one.error.splitlines()
            yield Finding(
                session=name,
                what=f"it could not start: {first}",
                do_next="do as the error says",
                detail="\n".join(rest),
            )


def exit_code(evidence: Evidence) -> Iterator[Finding]:
    """pytest's own word counts even where every test passed."""
    for name, one in evidence.found():
        code = one.exit_code
        if evidence.is_told(one) or code == 0 or (code == 1 and one.count(Outcome.FAILED, Outcome.ERROR)):
            continue
        if code in _KILLED:
            said, state = "it was killed", State.TIMED_OUT
        else:
            said, state = _EXITS.get(code, ("pytest itself never gives that", State.CRASHED))
        yield Finding(
            session=name, what=f"pytest ended with exit code {code}: {said}", do_next="see its output", state=state
        )


def workers(evidence: Evidence) -> Iterator[Finding]:
    """What a worker that died would have found is not known."""
    for name, one in evidence.found():
        if one.crashed:
            what = f"{len(one.crashed)} of {one.workers} workers crashed"
            do_next = "run it with -n 0 to see where it dies"
            yield Finding(session=name, what=what, do_next=do_next, detail="\n".join(one.crashed))


def time_out(evidence: Evidence) -> Iterator[Finding]:
    """A test that hangs is told apart from one that is wrong."""
    for name, one in evidence.found():
        for test in one.tests:
            if test.outcome in (Outcome.FAILED, Outcome.ERROR) and any(words in test.detail for words in _TIMED_OUT):
                do_next = "find out what it waits for"
                yield Finding(session=name, what="ran out of time", do_next=do_next, test=test.test)


def tests_ran(evidence: Evidence) -> Iterator[Finding]:
    """A session of skips alone, or of nothing, is no proof."""
    for name, one in evidence.found():
        if not evidence.is_told(one) and len(one.tests) == one.count(Outcome.SKIPPED):
            what = f"all {len(one.tests)} tests were skipped" if one.tests else "no test ran"
            yield Finding(session=name, what=what, do_next="see what selects its tests")


def all_results(evidence: Evidence) -> Iterator[Finding]:
    """A session that stopped in the middle is not a session that passed."""
    for name, one in evidence.found():
        if not evidence.is_told(one) and len(one.tests) < one.collected:
            what = f"{one.collected} tests were collected and {len(one.tests)} have a result"
            yield Finding(session=name, what=what, do_next="run it without -x or --maxfail")


RULES: tuple[Rule, ...] = (
    Rule(check=table, id="table", says="the table has a session, of a cell that counts"),
    Rule(
        check=record, id="record", says="every session of the table left a record that can be read", state=State.MISSING
    ),
    Rule(check=one_record, id="one-record", says="no session left two records", state=State.DAMAGED),
    Rule(check=strangers, id="strangers", says="the folder holds nothing of another table"),
    Rule(check=same_run, id="same-run", says="every record is of this run", state=State.STALE),
    Rule(check=same_commit, id="same-commit", says="every record is of the commit that is judged", state=State.STALE),
    Rule(check=committed, id="committed", says="the sources were those of the commit"),
    Rule(check=finished, id="finished", says="every session came to its end", state=State.TIMED_OUT),
    Rule(check=started, id="started", says="every session could start", state=State.EMPTY),
    Rule(
        check=exit_code,
        id="exit-code",
        says="pytest ended with exit code 0, or with 1 for the tests that failed",
        state=State.CRASHED,
    ),
    Rule(check=workers, id="workers", says="no worker crashed", state=State.CRASHED),
    Rule(check=time_out, id="time-out", says="no test ended by a time limit", state=State.TIMED_OUT, of_files=True),
    Rule(check=tests_ran, id="tests-ran", says="a test ran in every session", state=State.EMPTY, of_files=True),
    Rule(check=all_results, id="all-results", says="every test that was collected has a result", state=State.CRASHED),
)
