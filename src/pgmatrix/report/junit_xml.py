"""Owns the merged JUnit file: one suite for each session, and a class name that keeps the cell and the layer.

A session that has no record, or proves nothing although its tests passed, is an error of its own, so that a reader of
JUnit alone cannot take it for green. Every character is one that XML 1.0 allows.
"""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from pgmatrix.records import Outcome, TestResult
from pgmatrix.report.words import clean
from pgmatrix.verdict import SessionView, State, Verdict

_SESSION = "the session itself"
_TEXT = 20_000


def render(verdict: Verdict) -> str:
    """The verdict's results as JUnit XML."""
    root = ET.Element("testsuites", name="pgmatrix")
    for view in verdict.sessions:
        if view.state is not State.NOT_RUN:
            root.append(_suite(view))
    totals = {
        name: sum(int(suite.get(name, "0")) for suite in root) for name in ("tests", "failures", "errors", "skipped")
    }
    seconds = sum(one.seconds for one in verdict.sessions)
    root.attrib |= {name: str(number) for name, number in totals.items()} | {"time": f"{seconds:.3f}"}
    ET.indent(root, " ")
    return f"<?xml version='1.0' encoding='utf-8'?>\n{ET.tostring(root, encoding='unicode')}\n"


def _suite(view: SessionView) -> ET.Element:
    suite = ET.Element("testsuite", name=clean(view.session), time=f"{view.seconds:.3f}")
    if view.record:
        suite.set("timestamp", datetime.fromtimestamp(view.record.started, UTC).isoformat(timespec="seconds"))
    properties = {
        "cell": view.cell,
        "layer": view.layer,
        "state": str(view.state),
        "preview": str(view.preview).lower(),
    }
    facts = view.record.facts if view.record else {}
    properties |= {name: str(facts[name]) for name in ("server_version", "driver_version", "provider") if name in facts}
    holder = ET.SubElement(suite, "properties")
    for name, value in properties.items():
        ET.SubElement(holder, "property", name=name, value=_attribute(value))
    cases = [_case(view, test) for test in view.tests]
    if view.state is not State.GREEN and not any(len(case) and case[0].tag in ("failure", "error") for case in cases):
        cases.append(_unproven(view))
    suite.extend(cases)
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("tests", str(len(cases)))
    return suite


def _case(view: SessionView, test: TestResult) -> ET.Element:
    file, _, name = test.test.partition("::")
    module = file.removesuffix(".py").replace("/", ".")
    classes = name.partition("[")[0].rpartition("::")[0]
    own = name[len(classes) + 2 :] if classes else name
    classname = ".".join(part for part in (view.session, module, classes.replace("::", ".")) if part)
    case = ET.Element(
        "testcase", classname=_attribute(classname), name=_attribute(own or file), time=f"{test.seconds:.3f}"
    )
    tag = {Outcome.FAILED: "failure", Outcome.XPASSED: "failure", Outcome.ERROR: "error", Outcome.FLAKY: "flakyFailure"}
    if test.outcome in tag:
        _add(case, tag[test.outcome], str(test.outcome), test.detail)
    elif test.outcome in (Outcome.SKIPPED, Outcome.XFAILED):
        _add(case, "skipped", f"{test.outcome}", test.detail)
    if test.sections:
        text = "\n".join(f"--- {title} ---\n{section}" for title, section in test.sections.items())
        ET.SubElement(case, "system-out").text = clean(text[-_TEXT:])
    return case


def _add(case: ET.Element, tag: str, kind: str, detail: str) -> None:
    last = next((line for line in reversed(detail.splitlines()) if line.strip()), kind)
    element = ET.SubElement(case, tag, message=_attribute(last[:500]), type=kind)
    element.text = clean(detail[-_TEXT:])


def _unproven(view: SessionView) -> ET.Element:
    case = ET.Element("testcase", classname=_attribute(view.session), name=_SESSION, time="0.000")
    said = f"{view.state}{f': {view.note}' if view.note and view.note != view.state else ''}"
    ET.SubElement(case, "error", message=_attribute(said), type=str(view.state)).text = clean(said)
    return case


def _attribute(text: str) -> str:
    return clean(text).replace("\n", "␊").replace("\t", "␉")
