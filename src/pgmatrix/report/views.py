"""Owns what the HTML page's template is given beside the verdict: rows ready to be shown, no more than one reads.

Pure. Judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pgmatrix.records import Outcome
from pgmatrix.report.charts import bar
from pgmatrix.report.words import count, duration, moment, outcome_tone
from pgmatrix.verdict import Difference, DifferenceKind, Reason, RuleState, SessionView, Verdict

REASONS = 8
DIFFERENCES = 40
SLOWEST = 12
CHIPS = 12
_KINDS = {
    DifferenceKind.OUTCOME: "Outcomes",
    DifferenceKind.TESTS: "Tests that do not run everywhere",
    DifferenceKind.DURATION: "Durations",
    DifferenceKind.WARNING: "Warnings",
}
_LOOKS = {str(outcome): str(outcome_tone(outcome)) for outcome in Outcome}


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceRow:
    """One difference: `link` is the test it is about, if any; `chips` are cell, what was found there, and its look."""

    says: str
    layer: str
    subject: str
    link: str
    chips: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowRow:
    """A slow test in one session."""

    name: str
    link: str
    session: str
    time: str
    bar: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRow:
    """What a cell ran on. Where its sessions differ, all they measured; of why this provider, the first one's words."""

    cell: str
    server: str
    driver: str
    provider: str
    reason: str
    extensions: str
    locale: str
    storage: str


def key_facts(verdict: Verdict) -> list[tuple[str, str]]:
    """The figures a reader wants first."""
    run = verdict.run
    commit = f"{run.commit[:10]}{', with changes' if run.dirty else ''}" if run.commit else "none"
    found = [
        ("commit", commit),
        ("started", moment(run.started)),
        ("took", duration(max(0.0, run.ended - run.started))),
    ]
    bad, skipped = verdict.count(Outcome.FAILED, Outcome.ERROR), verdict.count(Outcome.SKIPPED)
    found += [("tests passed", f"{verdict.count(Outcome.PASSED):,}")]
    found += [("failed or broke", f"{bad:,}")] * bool(bad) + [("skipped", f"{skipped:,}")] * bool(skipped)
    if verdict.coverage:
        found.append(("coverage", f"{verdict.coverage.percent:.1f} %"))
    return found


def rules_line(rules: Iterable[RuleState]) -> str:
    """How many rules there are, and how many of them are off."""
    states = list(rules)
    off = sum(not one.on for one in states)
    held = sum(one.on and not one.reasons for one in states)
    said = f"{count(len(states), 'rule')}: {held} held, {len(states) - off - held} objected"
    return said + (f", {off} switched off" if off else "")


def difference_groups(verdict: Verdict) -> list[tuple[str, str, list[DifferenceRow], int]]:
    """Differences by kind, with a title, the first of them, and how many were left out."""
    found = []
    for kind, title in _KINDS.items():
        of_kind = [one for one in verdict.differences if one.kind is kind]
        if of_kind:
            rows = [_difference(one) for one in of_kind[:DIFFERENCES]]
            found.append((str(kind), title, rows, len(of_kind) - len(rows)))
    return found


def _difference(one: Difference) -> DifferenceRow:
    chips = [(cell, said, _LOOKS.get(said, "")) for cell, said in one.by_cell.items()]
    if len(chips) > CHIPS:
        chips = [chip for chip in chips if chip[2] != "good"][:CHIPS]
    link = "" if one.kind is DifferenceKind.WARNING else one.subject
    return DifferenceRow(says=one.says, layer=one.layer, subject=one.subject, link=link, chips=tuple(chips))


def slowest(verdict: Verdict) -> list[SlowRow]:
    """The tests that took longest, each once: in the session where it took longest."""
    found: dict[str, tuple[str, float]] = {}
    for session, result in verdict.slowest(SLOWEST * 8):
        found.setdefault(result.test, (session, result.seconds))
    rows = list(found.items())[:SLOWEST]
    longest = max((seconds for _, (_, seconds) in rows), default=0.0) or 1.0
    return [
        SlowRow(
            name=test.rpartition("/")[2],
            link=test,
            session=session,
            time=duration(seconds),
            bar=bar(seconds / longest),
        )
        for test, (session, seconds) in rows
    ]


def servers(views: Iterable[SessionView]) -> list[ServerRow]:
    """What each cell ran on, in the order of its first session."""
    facts: dict[str, list[Mapping[str, Any]]] = {}
    for one in views:
        if one.record and one.record.facts:
            facts.setdefault(one.cell or one.session, []).append(one.record.facts)
    return [_server(cell, found) for cell, found in facts.items()]


def _server(cell: str, found: list[Mapping[str, Any]]) -> ServerRow:
    def each(say: Any) -> str:
        return " / ".join(dict.fromkeys(str(say(one)) for one in found))

    return ServerRow(
        cell=cell,
        server=each(lambda one: f"PostgreSQL {one.get('server_version', '?')}"),
        driver=each(lambda one: f"{one.get('driver', '?')} {one.get('driver_version', '')}"),
        provider=each(lambda one: one.get("provider", "?")),
        reason=str(found[0].get("reason", "")),
        extensions=each(_extensions),
        locale=each(lambda one: f"{one.get('encoding', '?')}, {one.get('collation', '?')}"),
        storage=each(lambda one: one.get("storage", "?")),
    )


def _extensions(facts: Mapping[str, Any]) -> str:
    own = facts.get("own_extensions", ())
    found = dict(facts.get("extensions", {}))
    return ", ".join(f"{name} {version}{' (pgmatrix’s own)' if name in own else ''}" for name, version in found.items())


def contents(verdict: Verdict, *, not_passed: int, results: int, history: int) -> list[tuple[str, str, str | None]]:
    """The parts of the page there are: where, title, and a figure."""
    blocking = len(verdict.blocking)
    found: list[tuple[str, str, str | None]] = [
        ("why", "Why not" if not verdict.ship else "Why", str(blocking) if blocking else None),
        ("matrix", "Matrix", None),
        ("differences", "Differences", str(len(verdict.differences)) if verdict.differences else None),
        ("failures", "Not passed", str(not_passed) if not_passed else None),
        ("tests", "Tests", f"{results:,}"),
    ]
    found += [("coverage", "Coverage", f"{verdict.coverage.percent:.1f} %")] if verdict.coverage else []
    found += [("time", "Time", None)]
    found += [("history", "History", str(history))] if history > 1 else []
    found += [("perf", "Performance", None)] if verdict.perf else []
    return [*found, ("servers", "Servers", None)]


def reasons(verdict: Verdict, *, blocking: bool) -> list[Reason]:
    """The reasons that block, or the remarks that do not."""
    return [one for one in verdict.reasons if one.blocking is blocking]
