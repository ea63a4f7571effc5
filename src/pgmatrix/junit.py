"""Owns reading JUnit XML, of pytest or of anybody else, from a file that nobody vouches for.

Streams it, and refuses what a JUnit file never has: a document type (and so every entity), nesting without end, huge
attributes. What is cut off, or holds less than it says, is not read as if it were whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers import expat

from pgmatrix.errors import RecordError
from pgmatrix.records import Outcome, TestResult

_FILE, _ATTRIBUTE, _TEXT, _DEPTH = 256_000_000, 1_000_000, 20_000, 64
_CHUNK = 4_000_000
_SUITES = ("testsuites", "testsuite")
_OUTCOMES: Mapping[str, Outcome] = {
    "failure": Outcome.FAILED,
    "error": Outcome.ERROR,
    "skipped": Outcome.SKIPPED,
    "flakyFailure": Outcome.FLAKY,
    "flakyError": Outcome.FLAKY,
    "rerunFailure": Outcome.FLAKY,
    "rerunError": Outcome.FLAKY,
}
_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}


@dataclass(frozen=True, slots=True, kw_only=True)
class JUnit:
    """The results of a JUnit file. A test is spelled `classname::name`; the worst that was said of it counts."""

    tests: tuple[TestResult, ...]

    @property
    def bad(self) -> int:
        """How many tests failed or broke."""
        return sum(test.outcome in (Outcome.FAILED, Outcome.ERROR) for test in self.tests)


def read(path: Path) -> JUnit:
    """The results at `path`. Raises RecordError."""
    reading = _Reading()
    try:
        if path.stat().st_size > _FILE:
            raise _Refused(f"it is larger than {_FILE // 1_000_000} MB")
        with path.open("rb") as file:
            return reading.whole(file)
    except (OSError, expat.ExpatError, LookupError, ValueError) as error:
        raise RecordError(
            f"{path} is not a JUnit file: {error}", do_next="run the tests again, with --junitxml"
        ) from error


class _Refused(ValueError):
    """What this reader does not take."""


@dataclass(slots=True, kw_only=True)
class _Suite:
    """A test suite that is open: how many tests and failures it says it has, and how many it had so far."""

    cases_said: int
    bad_said: int
    cases: int = 0
    bad: int = 0

    def close(self) -> None:
        if self.cases_said > self.cases or self.bad_said > self.bad:
            raise _Refused(
                f"it says {self.cases_said} tests and {self.bad_said} failures, and holds {self.cases} and {self.bad}:"
                " a part of it is missing"
            )


class _Reading:
    """One pass over one file."""

    def __init__(self) -> None:
        self._tests: dict[str, TestResult] = {}
        self._way: list[tuple[str, Mapping[str, str]]] = []
        self._suites: list[_Suite] = []
        self._said: list[tuple[Outcome, list[str]]] = []
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse_type
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def whole(self, file: Any) -> JUnit:
        while chunk := file.read(_CHUNK):
            self._parser.Parse(chunk, False)
        self._parser.Parse(b"", True)
        return JUnit(tests=tuple(self._tests.values()))

    def _refuse_type(self, *_: object) -> None:
        raise _Refused("it declares a document type, which could hold entities without end")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._way and name not in _SUITES:
            raise _Refused(f"it begins with <{name[:40]}>")
        if len(self._way) >= _DEPTH:
            raise _Refused("it is nested too deeply")
        if any(len(value) > _ATTRIBUTE for value in attributes.values()):
            raise _Refused(f"an attribute of <{name[:40]}> is longer than {_ATTRIBUTE} characters")
        if name in _SUITES:
            said = _whole(attributes, "tests"), _whole(attributes, "failures", "errors")
            self._suites.append(_Suite(cases_said=said[0], bad_said=said[1]))
        elif name in _OUTCOMES:
            self._said.append((_outcome(name, attributes), [attributes.get("message", "")[:_TEXT]]))
        self._way.append((name, attributes))

    def _text(self, text: str) -> None:
        if self._way[-1][0] in _OUTCOMES:
            self._said[-1][1].append(text[:_TEXT])

    def _end(self, name: str) -> None:
        _, attributes = self._way.pop()
        if name == "testcase" or (name in _OUTCOMES and self._way[-1][0] in _SUITES):
            self._take(attributes if name == "testcase" else {"name": f"<{name}> of the whole suite"})
        elif name in _SUITES:
            self._suites.pop().close()

    def _take(self, attributes: Mapping[str, str]) -> None:
        said, self._said = self._said, []
        worst, texts = max(said, key=lambda one: _RANK[one[0]], default=(Outcome.PASSED, []))
        for suite in self._suites:
            suite.cases += 1
            suite.bad += worst in (Outcome.FAILED, Outcome.ERROR)
        self._keep(attributes, worst, "\n".join(dict.fromkeys(text for text in texts if text))[:_TEXT])

    def _keep(self, attributes: Mapping[str, str], outcome: Outcome, detail: str) -> None:
        name = attributes.get("name", "")
        test = f"{attributes['classname']}::{name}" if attributes.get("classname") else name
        seconds = _seconds(attributes)
        before = self._tests.get(test)
        if before is not None:
            seconds += before.seconds
            if _RANK[before.outcome] >= _RANK[outcome]:
                outcome, detail = before.outcome, before.detail
        self._tests[test] = TestResult(test=test, outcome=outcome, seconds=seconds, detail=detail)


def _outcome(name: str, attributes: Mapping[str, str]) -> Outcome:
    """pytest writes an expected failure as a skip of a type of its own."""
    return Outcome.XFAILED if attributes.get("type") == "pytest.xfail" else _OUTCOMES[name]


def _whole(attributes: Mapping[str, str], *names: str) -> int:
    """The sum of these counts; one that is missing or no number promises nothing."""
    values = [attributes.get(name, "") for name in names]
    return sum(int(value) for value in values if value.isdecimal() and len(value) < 10)


def _seconds(attributes: Mapping[str, str]) -> float:
    try:
        seconds = float(attributes.get("time", "0").replace(",", ""))
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
