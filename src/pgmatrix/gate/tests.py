"""Owns the rules about tests: what became of each, and that every cell of a layer ran the same, whole and enough."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from pgmatrix.gate.evidence import Evidence
from pgmatrix.gate.rule import Finding, Rule
from pgmatrix.gate.where import listed
from pgmatrix.records import Outcome, Record, TestResult
from pgmatrix.verdict import State

_SKIPS = "[tool.pgmatrix.gate.skips]"


def _with(evidence: Evidence, *outcomes: Outcome) -> Iterator[tuple[str, TestResult]]:
    for name, record in evidence.found():
        for test in record.tests:
            if test.outcome in outcomes:
                yield name, test


def failures(evidence: Evidence) -> Iterator[Finding]:
    """One failure is enough."""
    words = {Outcome.FAILED: "failed", Outcome.ERROR: "broke outside its call"}
    for name, test in _with(evidence, *words):
        lines = test.detail.strip().splitlines()
        yield Finding(
            session=name,
            test=test.test,
            what=words[test.outcome],
            do_next="see its traceback and mend it",
            detail=lines[-1] if lines else "",
        )


def skips(evidence: Evidence) -> Iterator[Finding]:
    """What does not run proves nothing; what is known to be so is declared with its reason."""
    words = {Outcome.SKIPPED: "skipped", Outcome.XFAILED: "failed, as its mark expects"}
    for name, test in _with(evidence, *words):
        if not any(_fits(test.test, pattern) for pattern in evidence.policy.skips):
            yield Finding(
                session=name,
                test=test.test,
                what=words[test.outcome],
                do_next=f"let it run, or declare it in {_SKIPS}",
                detail=test.detail,
            )


def _fits(test: str, pattern: str) -> bool:
    """A node id's own brackets are no pattern."""
    return test == pattern or fnmatchcase(test, pattern.replace("[", "[[]"))


def unused_skips(evidence: Evidence) -> Iterator[Finding]:
    """A declaration that fits nothing any more would hide the next skip."""
    happened = [test.test for _, test in _with(evidence, Outcome.SKIPPED, Outcome.XFAILED)]
    for pattern in evidence.policy.skips:
        if not any(_fits(test, pattern) for test in happened):
            yield Finding(where=f"{_SKIPS} {pattern!r}", what="fits no skipped test", do_next="remove it")


def xpasses(evidence: Evidence) -> Iterator[Finding]:
    """A mark that is no longer true hides the next failure."""
    for name, test in _with(evidence, Outcome.XPASSED):
        yield Finding(
            session=name, test=test.test, what="passed, though its mark expects a failure", do_next="remove the mark"
        )


def flaky(evidence: Evidence) -> Iterator[Finding]:
    """Flaky is a state of its own, and not a pass."""
    for name, test in _with(evidence, Outcome.FLAKY):
        lines = test.detail.strip().splitlines()
        yield Finding(
            session=name,
            test=test.test,
            what="failed, and passed when it was run again",
            do_next="make it hold every time",
            detail=lines[-1] if lines else "",
        )


def whole(evidence: Evidence) -> Iterator[Finding]:
    """What was left out on every cell alike would be missed by nobody."""
    for name, record in evidence.found():
        if record.narrowed:
            what = f"only a part of it ran: {', '.join(record.narrowed)}"
            yield Finding(session=name, what=what, do_next="run it without what selects tests")


def files(evidence: Evidence) -> Iterator[Finding]:
    """A file that is not collected is silent."""
    for layer, records in evidence.layers().items():
        wanted = evidence.files.get(layer, ())
        for name, record in records.items():
            if evidence.is_told(record):
                continue
            seen = {test.test.partition("::")[0] for test in record.tests}
            for path in wanted:
                if not any(one == path or one.startswith(path.rstrip("/") + "/") for one in seen):
                    do_next = "see why nothing was collected, or take it out of the layer"
                    yield Finding(session=name, what=f"no test of {path} ran", do_next=do_next)


def minimum_tests(evidence: Evidence) -> Iterator[Finding]:
    """A committed number holds what the cells' agreement cannot: that all of them lost the same tests."""
    for layer, records in evidence.layers().items():
        wanted = evidence.policy.minimum_tests.get(layer, 0)
        for name, record in records.items():
            passed = record.count(Outcome.PASSED)
            if passed < wanted:
                do_next = "see what is gone, or lower minimum-tests"
                yield Finding(session=name, what=f"{passed} tests passed, {wanted} are demanded", do_next=do_next)


def same_tests(evidence: Evidence) -> Iterator[Finding]:
    """The matrix compares cells; what only some of them ran is compared with nothing."""
    do_next = "make what is collected the same in every cell"
    for records in evidence.layers().values():
        tests = {
            name: _names(record)
            for name, record in records.items()
            if not (evidence.is_told(record) or record.narrowed)
        }
        firm = [found for name, found in tests.items() if not evidence.is_preview(name)]
        expected = set().union(*(firm or tests.values()))
        for name, found in tests.items():
            for words, some in (
                ("did not run {} of the other cells", expected - found),
                ("ran {} that no other cell has", found - expected),
            ):
                if some:
                    what = words.format(f"{len(some)} test{'s' * (len(some) != 1)}")
                    yield Finding(session=name, what=what, do_next=do_next, detail=listed(sorted(some)))


def _names(record: Record) -> set[str]:
    return {test.test for test in record.tests}


RULES: tuple[Rule, ...] = (
    Rule(
        check=failures,
        id="failures",
        says="no test failed or broke, in set-up and teardown too",
        state=State.FAILED,
        of_files=True,
    ),
    Rule(
        check=skips,
        id="skips",
        says="no test was skipped, or failed as expected, that is not declared",
        state=State.SKIPPED,
        of_files=True,
    ),
    Rule(check=unused_skips, id="unused-skips", says="every declared skip is one that happened"),
    Rule(
        check=xpasses, id="xpasses", says="no test passed that was expected to fail", state=State.XPASSED, of_files=True
    ),
    Rule(check=flaky, id="flaky", says="no test passed only when it was run again", state=State.FLAKY, of_files=True),
    Rule(check=whole, id="whole", says="no session was cut to a part of its tests"),
    Rule(check=files, id="files", says="every file of a layer had a test in every session"),
    Rule(
        check=minimum_tests,
        id="minimum-tests",
        says="as many tests of a layer passed in each cell as the table demands",
    ),
    Rule(check=same_tests, id="same-tests", says="all cells of a layer ran the same tests"),
)
