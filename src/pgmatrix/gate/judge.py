"""Owns the verdict: all rules over the evidence, what they find gathered into reasons, and a state for each session.

Pure: a function of values. A run ships if no rule that is on has a blocking reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pgmatrix.gate import claims, figures, sessions, tests
from pgmatrix.gate.differences import differences
from pgmatrix.gate.evidence import Evidence
from pgmatrix.gate.rule import Finding, Rule
from pgmatrix.gate.where import sessions as compact
from pgmatrix.matrix import Session
from pgmatrix.records import Outcome, Record
from pgmatrix.verdict import (
    CoveragePath,
    CoverageView,
    Reason,
    RuleState,
    RunView,
    Scope,
    SessionView,
    State,
    Verdict,
)

RULES: tuple[Rule, ...] = (*sessions.RULES, *claims.RULES, *tests.RULES, *figures.RULES)
IDS: tuple[str, ...] = tuple(rule.id for rule in RULES)
_MOST = 200  # reasons of one rule: who has more has one problem, not many
_SAID = {
    State.GREEN: "",
    State.MISSING: "no record",
    State.NOT_RUN: "not run",
    State.MISMATCH: "not as claimed",
    State.TIMED_OUT: "out of time",
    State.EMPTY: "no test ran",
}
_WORST = {state: rank for rank, state in enumerate(State)}


@dataclass(slots=True)
class _Said:
    """One reason in the making: the finding, and the sessions it was made of."""

    finding: Finding
    sessions: list[str]


def judge(evidence: Evidence, run: RunView) -> Verdict:
    """The verdict on `evidence`; `run` is shown with it and judged by nobody."""
    rules = [rule for rule in RULES if rule.of_files or evidence.scope is Scope.MATRIX]
    states: dict[str, State] = {}
    reasons, told = [], []
    for rule in rules:
        findings = list(rule.check(evidence))
        _note(states, rule, findings)
        found = _reasons(rule, findings, evidence)
        on = rule.id not in evidence.policy.off
        told.append(RuleState(id=rule.id, says=rule.says, on=on, reasons=len(found)))
        reasons += found if on else []
    reasons.sort(key=lambda reason: not reason.blocking)
    return Verdict(
        ship=not any(reason.blocking for reason in reasons),
        run=run,
        reasons=tuple(reasons),
        rules=tuple(told),
        sessions=tuple(_view(name, evidence, states) for name in evidence.sessions),
        differences=differences(evidence) if evidence.scope is Scope.MATRIX else (),
        coverage=_coverage(evidence),
        perf=evidence.perf,
    )


def _note(states: dict[str, State], rule: Rule, findings: Iterable[Finding]) -> None:
    """Keep the worst state of each session."""
    for one in findings:
        if one.session:
            state = one.state or rule.state
            states[one.session] = min(states.get(one.session, state), state, key=_WORST.__getitem__)


def _reasons(rule: Rule, findings: Iterable[Finding], evidence: Evidence) -> list[Reason]:
    """One reason for all sessions of which a rule says the same; what previews cause stands apart."""
    said: dict[tuple[object, ...], _Said] = {}
    for one in findings:
        key = (_blocks(one, evidence), one.where, one.test, one.what, one.do_next)
        said.setdefault(key, _Said(one, [])).sessions.append(one.session)
    reasons = [_reason(rule, one, key[0] is True, evidence) for key, one in said.items()]
    return _cut(reasons)


def _blocks(finding: Finding, evidence: Evidence) -> bool:
    if finding.session:
        return not evidence.is_preview(finding.session)
    return not finding.cell or finding.cell not in evidence.policy.preview


def _reason(rule: Rule, said: _Said, blocking: bool, evidence: Evidence) -> Reason:
    one = said.finding
    names = tuple(name for name in said.sessions if name)
    where = one.where or compact(names, evidence.sessions)
    if one.test:
        where = f"{one.test} in {where}"
    return Reason(
        rule=rule.id,
        where=where,
        what=one.what,
        do_next=one.do_next,
        blocking=blocking,
        sessions=names,
        test=one.test,
        detail=one.detail,
    )


def _cut(reasons: Sequence[Reason]) -> list[Reason]:
    """The first so many, blocking ones before the others; the last of them says how many are left out."""
    kept, left = sorted(reasons, key=lambda one: not one.blocking)[:_MOST], len(reasons) - _MOST
    return [*kept[:-1], replace(kept[-1], detail=f"and {left} more of this kind")] if left > 0 else kept


def _view(name: str, evidence: Evidence, states: Mapping[str, State]) -> SessionView:
    state, record = states.get(name, State.GREEN), evidence.records.get(name)
    is_file = evidence.scope is Scope.FILE
    session = None if is_file else Session.parse(name)
    return SessionView(
        session=name,
        cell=str(session.cell) if session else "",
        layer=session.layer if session else "",
        state=state,
        note=_words(state, record),
        preview=not is_file and evidence.is_preview(name),
        record=record,
    )


def _words(state: State, record: Record | None) -> str:
    """What became of a session, in a few words for a place in the matrix; the reasons say it in full."""
    counted = {
        State.FAILED: (Outcome.FAILED, Outcome.ERROR),
        State.FLAKY: (Outcome.FLAKY,),
        State.SKIPPED: (Outcome.SKIPPED, Outcome.XFAILED),
        State.XPASSED: (Outcome.XPASSED,),
    }
    if record is not None and state in counted:
        return f"{record.count(*counted[state])} {state}"
    return _SAID.get(state, str(state))


def _coverage(evidence: Evidence) -> CoverageView | None:
    merged = evidence.coverage
    if merged is None:
        return None
    return CoverageView(
        percent=merged.percent,
        paths=tuple(
            CoveragePath(
                path=one.path,
                percent=one.percent,
                wanted=one.wanted,
                files=one.files,
                met=one.met,
                by_cell=one.by_cell,
            )
            for one in merged.paths
        ),
        missing=merged.missing,
        html=str(merged.html or ""),
        xml=str(merged.xml or ""),
    )
