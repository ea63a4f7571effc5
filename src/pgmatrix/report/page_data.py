"""Owns what the HTML page carries for its scripts: every result of a verdict, each text once, in few bytes.

Says nothing the verdict does not say. Long texts are cut in their middle, and beyond a budget left out; both is said
in their place, since the verdict's JSON beside the page has them whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pgmatrix.records import Outcome, Record, TestResult
from pgmatrix.report.words import clean, tone
from pgmatrix.verdict import SessionView, Verdict

LETTERS: Mapping[Outcome, str] = {
    Outcome.PASSED: "p",
    Outcome.FAILED: "f",
    Outcome.ERROR: "e",
    Outcome.FLAKY: "y",
    Outcome.SKIPPED: "s",
    Outcome.XFAILED: "x",
    Outcome.XPASSED: "X",
}
ONE_TEXT = 24_000
ALL_TEXTS = 6_000_000
LEFT_OUT = "left out of this page, which would have become too large; verdict.json beside it has it"


def page_data(verdict: Verdict) -> dict[str, Any]:
    """Tests, sessions and texts by number: what page.js reads. All of it is plain JSON."""
    data = _Tables()
    sessions = [_session(data, view) for view in verdict.sessions]
    return {
        "cells": list(verdict.run.cells),
        "layers": list(verdict.run.layers),
        "letters": {letter: str(outcome) for outcome, letter in LETTERS.items()},
        "sessions": sessions,
        "facts": data.facts,
        "files": list(data.files),
        "tests": data.tests,
        "lists": data.lists,
        "texts": data.texts,
    }


def embedded(data: Mapping[str, Any]) -> str:
    """`data` as JSON that may stand inside a script element: no character there can end it, whatever a test is called.

    Escaped for HTML and for JavaScript alike; all ASCII, so lone surrogates survive as escapes.
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


class _Tables:
    """What sessions share, each thing once, named by its number."""

    def __init__(self) -> None:
        self.files: dict[str, int] = {}
        self.tests: list[list[Any]] = []
        self.lists: list[list[int]] = []
        self.texts: list[str] = []
        self.facts: list[Mapping[str, Any]] = []
        self._tests: dict[str, int] = {}
        self._lists: dict[tuple[int, ...], int] = {}
        self._texts: dict[str, int] = {}
        self._facts: dict[str, int] = {}
        self._left = ALL_TEXTS

    def test(self, node: str) -> int:
        """The number of a test."""
        found = self._tests.get(node)
        if found is None:
            found = self._tests[node] = len(self.tests)
            file, _, name = node.partition("::")
            self.tests.append([self.files.setdefault(clean(file), len(self.files)), clean(name)])
        return found

    def layer_by_test(self, record: Record) -> int:
        """The number of the list of a session's tests; most sessions of a layer share one."""
        numbers = tuple([self.test(one.test) for one in record.tests])
        if numbers not in self._lists:
            self._lists[numbers] = len(self.lists)
            self.lists.append(list(numbers))
        return self._lists[numbers]

    def text(self, text: str) -> int:
        """The number of a text, which is cut if it is long, and left out if there are too many."""
        found = self._texts.get(text)
        if found is None:
            shown = _cut(clean(text))
            self._left -= len(shown)
            if self._left < 0:
                shown = LEFT_OUT
            found = self._texts[text] = len(self.texts)
            self.texts.append(shown)
        return found

    def facts_of(self, record: Record) -> int:
        """The number of what a session measured of its server."""
        text = json.dumps(record.facts, sort_keys=True, default=str)
        if text not in self._facts:
            self._facts[text] = len(self.facts)
            self.facts.append(_cleaned(record.facts))
        return self._facts[text]


def _session(data: _Tables, view: SessionView) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": clean(view.session),
        "cell": view.cell,
        "layer": view.layer,
        "state": str(view.state),
        "tone": str(tone(view.state)),
        "note": clean(view.note),
        "preview": view.preview,
    }
    record = view.record
    if record is None:
        return found
    return found | {
        "seconds": round(record.seconds, 2),
        "ready": round(record.ready_seconds, 2),
        "exit": record.exit_code,
        "workers": record.workers,
        "why": clean(record.workers_reason),
        "error": clean(record.error),
        "crashed": [clean(one) for one in record.crashed],
        "warnings": [data.text(one) for one in record.warnings],
        "narrowed": [clean(one) for one in record.narrowed],
        "facts": data.facts_of(record),
        "list": data.layer_by_test(record),
        "outcomes": "".join([LETTERS[one.outcome] for one in record.tests]),
        "ms": [round(one.seconds * 1000) for one in record.tests],
        "more": {place: _more(data, one) for place, one in enumerate(record.tests) if _has_more(one)},
    }


def _has_more(result: TestResult) -> bool:
    return bool(result.detail or result.sections or result.tries > 1)


def _more(data: _Tables, result: TestResult) -> list[Any]:
    sections = [[clean(title), data.text(text)] for title, text in result.sections.items()]
    return [data.text(result.detail) if result.detail else -1, sections, result.tries]


def _cut(text: str) -> str:
    if len(text) <= ONE_TEXT:
        return text
    half = ONE_TEXT // 2
    return f"{text[:half]}\n\n... {len(text) - 2 * half:,} characters {LEFT_OUT} ...\n\n{text[-half:]}"


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(name)): _cleaned(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(one) for one in value]
    return value
