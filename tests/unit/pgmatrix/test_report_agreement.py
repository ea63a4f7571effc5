"""Terminal, Markdown, HTML, JUnit and JSON say the same of any verdict, whatever its texts are."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast
from unittest import mock
from xml.etree import ElementTree as ET

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from pgmatrix import __main__ as command
from pgmatrix.config import Config
from pgmatrix.report import html, junit_xml, markdown, schema
from pgmatrix.report.terminal import print_verdict
from pgmatrix.report.words import clean, one_line
from pgmatrix.verdict import State, Verdict
from tests.unit.pgmatrix.verdicts import verdicts

SCHEMA = jsonschema.Draft202012Validator(schema.published())


class Page(HTMLParser):
    """A page as a browser's parser sees it: elements with attributes, and their text."""

    VOID = frozenset({"meta", "link", "br", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[int] = []
        self.feed(text)
        self.close()
        assert self._open == [], "elements were left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.elements.append((tag, dict(attrs), []))
        if tag not in self.VOID:
            self._open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element without content."""
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        """The innermost open element ends."""
        assert self.elements[self._open[-1]][0] == tag, f"{tag} ends {self.elements[self._open[-1]]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        """Text belongs to all open elements."""
        for index in self._open:
            self.elements[index][2].append(data)

    def find(self, tag: str, name: str = "") -> Iterator[tuple[dict[str, str | None], str]]:
        """Attributes and text of elements of that tag and class."""
        for found, attributes, texts in self.elements:
            if found == tag and (not name or name in (attributes.get("class") or "").split()):
                yield attributes, "".join(texts)


def printed(verdict: Verdict) -> list[str]:
    """What the terminal shows."""
    console = Console(file=io.StringIO(), width=200, record=True)
    print_verdict(console, verdict)
    return console.export_text().splitlines()


def embedded(page: Page) -> dict[str, Any]:
    """The data in the page."""
    (text,) = (text for attributes, text in page.find("script") if attributes.get("id") == "data")
    data: dict[str, Any] = json.loads(text)
    return data


@given(verdicts())
@settings(max_examples=30)
def test_all_reports_say_the_same(verdict: Verdict) -> None:
    """One headline, one decision, and each session's one state are in every report, whatever the texts are."""
    page, mark, lines = Page(html.render(verdict)), markdown.render(verdict), printed(verdict)
    tree = ET.fromstring(junit_xml.render(verdict))  # noqa: S314 - written here
    value = json.loads(verdict.to_json())
    word = "Ship" if verdict.ship else "Do not ship"

    headline = one_line(verdict.headline)
    assert lines[-1].rstrip() == headline.rstrip()
    assert ("description", headline) in [(one.get("name"), one.get("content")) for one, _ in page.find("meta")]
    assert [text.strip("✓✗") for _, text in page.find("h1")] == [word]
    assert mark.splitlines()[0] in (f"## ✅ {word}", f"## ❌ {word}")
    assert mark.splitlines()[2] == markdown.escaped(verdict.headline)
    assert value["ship"] is verdict.ship

    states = {one.session: str(one.state) for one in verdict.sessions}
    labels = [str(one.get("aria-label")) for one, _ in page.find("a", "place")]
    assert {one.split(": ")[0]: re.split(r": |,", one)[1].strip() for one in labels} == states
    assert {one["name"]: one["state"] for one in embedded(page)["sessions"]} == states
    assert {one["session"]: one["state"] for one in value["sessions"]} == states
    suites = {suite.get("name"): suite for suite in tree}
    assert set(suites) == {name for name, state in states.items() if state != State.NOT_RUN}
    for name, suite in suites.items():
        bad = int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
        assert bad > 0 or states[str(name)] == State.GREEN


@given(verdicts(), st.booleans())
@settings(max_examples=30)
def test_the_exit_code_is_the_verdict(verdict: Verdict, as_json: bool) -> None:
    """`pgmatrix gate` ends with 0 if and only if the verdict is to ship, and prints that verdict as text or JSON."""
    options = argparse.Namespace(rules=False, place=Path("run"), json=as_json)
    printed = io.StringIO()

    with mock.patch.object(command, "_judged", return_value=(verdict, None)), contextlib.redirect_stdout(printed):
        code = command._gate(options, cast("Config", None))

    assert code == (0 if verdict.ship else 1)
    if as_json:
        assert json.loads(printed.getvalue()) == json.loads(verdict.to_json())
    else:
        assert printed.getvalue().splitlines()[-1].rstrip() == one_line(verdict.headline).rstrip()


@given(verdicts())
@settings(max_examples=30)
def test_every_blocking_reason_is_in_every_report(verdict: Verdict) -> None:
    """What stops the ship is counted and worded alike in terminal, Markdown and HTML; remarks are apart."""
    page, lines, mark = Page(html.render(verdict)), printed(verdict), markdown.render(verdict).splitlines()
    blocking, remarks = len(verdict.blocking), len(verdict.reasons) - len(verdict.blocking)

    assert sum(line.startswith("✗ ") for line in lines) == blocking
    assert sum(line.startswith("· preview, does not block: ") for line in lines) == remarks
    assert sum(line.startswith("  → ") for line in mark) == blocking + remarks
    assert len(list(page.find("p", "do"))) == blocking + remarks
    shown = [text for _, text in page.find("p", "what")]
    assert all(clean(one.what) in text for one, text in zip(verdict.reasons, shown, strict=True))


@given(verdicts())
@settings(max_examples=30)
def test_the_json_follows_the_published_schema(verdict: Verdict) -> None:
    """The JSON report is what the schema in this package describes, and reads back as the verdict."""
    SCHEMA.validate(json.loads(verdict.to_json()))


@given(verdicts())
@settings(max_examples=30)
def test_no_text_becomes_anything_else(verdict: Verdict) -> None:
    """Hostile texts add no element to the page, no link out of it, and no character XML or UTF-8 refuses."""
    text = html.render(verdict)
    page = Page(text)

    assert text.encode()
    assert markdown.render(verdict).encode()
    assert [tag for tag, _, _ in page.elements if tag in ("img", "iframe", "object", "embed")] == []
    assert len(list(page.find("script"))) == 2
    assert {name for _, attributes, _ in page.elements for name in attributes if name.startswith("on")} == set()
    links = [str(one.get("href")) for one, _ in page.find("a")]
    assert [one for one in links if not one.startswith("#") and one != "html/index.html"] == []
