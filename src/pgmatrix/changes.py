"""Owns finding what differs between the records of two sessions that share all but one thing. Pure.

Names each difference and whether it is for the worse; groups and counts none (see `compare`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pgmatrix.records import Outcome, Record, TestResult

# A single test's time is only a change where it is so in every pair, by this factor and by that many seconds.
FACTOR = 2.0
SECONDS = 0.1
# What differs from run to run without meaning: addresses, and numbers in names of databases, processes, ports.
_VOLATILE = re.compile(r"0x[0-9a-f]+|\d+")

_FACTS = {"PostgreSQL": "server_version", "provider": "provider", "encoding": "encoding", "collation": "collation"}


class Kind(StrEnum):
    """What changes: sessions that ran, tests there are, a test's outcome, warnings, plans, what it runs on, speed."""

    SESSION = "session"
    TESTS = "tests"
    OUTCOME = "outcome"
    WARNING = "warning"
    PLAN = "plan"
    FACT = "fact"
    SPEED = "speed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A difference in one pair of sessions: its subject, what it was and what it becomes."""

    kind: Kind
    subject: str
    before: str
    after: str
    pair: str
    worse: bool = False


def absent(before: Mapping[str, Record], after: Mapping[str, Record]) -> Iterator[Found]:
    """Sessions that only one side has."""
    for name in before:
        if name not in after:
            yield Found(kind=Kind.SESSION, subject=name, before="ran", after="no record", pair=name, worse=True)
    for name in after:
        if name not in before:
            yield Found(kind=Kind.SESSION, subject=name, before="no record", after="ran", pair=name)


def changes(pair: str, before: Record, after: Record) -> Iterator[Found]:
    """Everything that differs in one pair of sessions, but for its speed."""
    yield from _ended(pair, before, after)
    yield from _outcomes(pair, before, after)
    yield from _warnings(pair, before, after)
    yield from _plans(pair, before, after)
    yield from _facts(pair, before, after)


def _ended(pair: str, before: Record, after: Record) -> Iterator[Found]:
    """A session that ended otherwise than by its tests' outcomes."""
    first, second = _end(before), _end(after)
    if first != second:
        yield Found(kind=Kind.SESSION, subject=pair, before=first, after=second, pair=pair, worse=first == "ended")


def _end(record: Record) -> str:
    if record.error:
        return f"error: {record.error.splitlines()[0]}"
    if record.crashed:
        return "a worker crashed"
    return "ended" if record.finished else "did not end"


def _outcomes(pair: str, before: Record, after: Record) -> Iterator[Found]:
    """Tests that only one side has, and tests that became something else."""
    first, second = _by_test(before), _by_test(after)
    for test in sorted({*first, *second}):
        was = str(first[test].outcome) if test in first else "absent"
        is_ = str(second[test].outcome) if test in second else "absent"
        if was != is_:
            kind = Kind.TESTS if "absent" in (was, is_) else Kind.OUTCOME
            worse = was == Outcome.PASSED or is_ in (Outcome.FAILED, Outcome.ERROR)
            yield Found(kind=kind, subject=test, before=was, after=is_, pair=pair, worse=worse)


def _by_test(record: Record) -> dict[str, TestResult]:
    return {test.test: test for test in record.tests}


def _warnings(pair: str, before: Record, after: Record) -> Iterator[Found]:
    """Warnings by text, whatever numbers it holds; how often they come says little and is left out."""
    first, second = ({_steady(text): text for text in record.warnings} for record in (before, after))
    for text in first.keys() - second.keys():
        yield Found(kind=Kind.WARNING, subject=first[text], before="warns", after="silent", pair=pair)
    for text in second.keys() - first.keys():
        yield Found(kind=Kind.WARNING, subject=second[text], before="silent", after="warns", pair=pair)


def _steady(text: str) -> str:
    return _VOLATILE.sub("#", text)


def _plans(pair: str, before: Record, after: Record) -> Iterator[Found]:
    """Statements whose plan was noted on both sides and has another shape."""
    first, second = ({(one.test, one.name): one.shape for one in record.plans} for record in (before, after))
    for key in sorted(first.keys() & second.keys()):
        if first[key] != second[key]:
            yield Found(kind=Kind.PLAN, subject=key[1], before=first[key], after=second[key], pair=pair)


def _facts(pair: str, before: Record, after: Record) -> Iterator[Found]:
    """What the two sides ran on: server, driver, provider, extensions and settings, where they differ."""
    first, second = _flat(before), _flat(after)
    for name in sorted(first.keys() | second.keys()):
        was, is_ = first.get(name, "absent"), second.get(name, "absent")
        if was != is_:
            yield Found(kind=Kind.FACT, subject=name, before=was, after=is_, pair=pair)


def _flat(record: Record) -> dict[str, str]:
    """The facts by name, as far as they are there: a record may come from anywhere."""
    facts = record.facts
    found = {"driver": f"{facts['driver']} {facts.get('driver_version', '')}"} if "driver" in facts else {}
    found |= {shown: str(facts[name]) for shown, name in _FACTS.items() if name in facts}
    for kind in ("extension", "setting"):
        several = facts.get(f"{kind}s")
        if isinstance(several, Mapping):
            found |= {f"{kind} {name}": str(value) for name, value in several.items()}
    return found | ({"Python": record.python} if record.python else {})


def common(before: Record, after: Record) -> dict[str, tuple[float, float]]:
    """Seconds on either side of the tests that passed on both."""
    first, second = _by_test(before), _by_test(after)
    passed = (Outcome.PASSED, Outcome.PASSED)
    return {
        test: (first[test].seconds, second[test].seconds)
        for test in first.keys() & second.keys()
        if (first[test].outcome, second[test].outcome) == passed
    }


def speeds(before: Mapping[str, Record], after: Mapping[str, Record]) -> Iterator[Found]:
    """Tests that are slower, or faster, in every pair that ran them: one pair alone may have been disturbed."""
    times: dict[str, dict[str, tuple[float, float]]] = {}
    for pair in before.keys() & after.keys():
        for test, seconds in common(before[pair], after[pair]).items():
            times.setdefault(test, {})[pair] = seconds
    for test, by_pair in sorted(times.items()):
        signs = {_sign(*seconds) for seconds in by_pair.values()}
        if len(signs) == 1 and 0 not in signs:
            first, second = (sum(one[side] for one in by_pair.values()) / len(by_pair) for side in (0, 1))
            for pair in sorted(by_pair):
                yield Found(kind=Kind.SPEED, subject=test, before=f"{first:.2f} s", after=f"{second:.2f} s", pair=pair)


def _sign(before: float, after: float) -> int:
    if after > FACTOR * before and after - before > SECONDS:
        return 1
    return -1 if before > FACTOR * after and before - after > SECONDS else 0
