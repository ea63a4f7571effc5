"""Owns the report as Markdown, for the summary of a CI job: verdict, reasons, matrix, differences, failures, coverage.

Whatever comes from a test stands in a code span or block that it cannot leave. Kept below what GitHub takes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from pgmatrix.records import Outcome
from pgmatrix.report.grid import Place, grid, place, without_coverage
from pgmatrix.report.words import MARKS, Tone, clean, count, duration, moment, one_line
from pgmatrix.verdict import Reason, SessionView, Verdict

LIMIT = 900_000  # GitHub takes 1 MiB a step
_MOST = 50
_TRACEBACKS = 10
_SIGNS = {Tone.GOOD: "✅", Tone.WARN: "⚠️", Tone.BAD: "❌", Tone.IDLE: "·"}
_MARKUP = re.compile(r"([\\`*_{}\[\]#|<>~&])")
_EMOJI = re.compile(r":(?=[\w+-]+:|//)")


def render(verdict: Verdict) -> str:
    """The verdict as Markdown that GitHub renders, at most LIMIT characters long."""
    lines: list[str] = []
    for part in (_head, _reasons, _matrix, _differences, _failures, _coverage, _rules, _foot):
        found = list(part(verdict))
        lines += [*found, ""] if found else []
    text = "\n".join(lines)
    if len(text) > LIMIT:
        kept = text[:LIMIT].rpartition("\n")[0]
        return f"{kept}\n\nCut here, since a summary may not be larger; report.html has it all.\n"
    return text


def escaped(text: str) -> str:
    """`text` as Markdown shows it letter by letter, on one line, with nobody mentioned and nothing linked."""
    return _EMOJI.sub(r"\\:", _MARKUP.sub(r"\\\1", one_line(text)).replace("@", "&#64;"))


def code(text: str, *, table: bool = False) -> str:
    """`text` in a code span that nothing in it can end; in a `table` its bars do not end the cell either."""
    shown = one_line(text).replace("|", "\\|") if table else one_line(text)
    fence = "`" * (_longest_run(shown) + 1)
    return f"{fence} {shown} {fence}" if fence != "`" or shown.strip() != shown or not shown else f"`{shown}`"


def block(text: str) -> list[str]:
    """`text` in a block that nothing in it can end."""
    shown = clean(text)
    fence = "`" * max(3, _longest_run(shown) + 1)
    return [f"{fence}text", shown, fence]


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _head(verdict: Verdict) -> Iterator[str]:
    yield f"## {'✅ Ship' if verdict.ship else '❌ Do not ship'}"
    yield ""
    yield escaped(verdict.headline)


def _reasons(verdict: Verdict) -> Iterator[str]:
    if verdict.blocking:
        yield "### Why not"
        yield ""
        yield from _listed(verdict.blocking)
    remarks = [one for one in verdict.reasons if not one.blocking]
    if remarks:
        yield ""
        yield "Shown, never blocking:"
        yield ""
        yield from _listed(remarks)


def _listed(reasons: Sequence[Reason]) -> Iterator[str]:
    for one in reasons[:_MOST]:
        yield f"- **{escaped(one.where)}**: {escaped(one.what)} ({code(one.rule)})  "
        yield f"  → {escaped(one.do_next)}"
    if len(reasons) > _MOST:
        yield f"- and {len(reasons) - _MOST} more"


def _matrix(verdict: Verdict) -> Iterator[str]:
    shown = grid(verdict)
    if shown.rows:
        yield _row(["layer", *(f"{one.cell}{' (preview)' * one.preview}" for one in shown.columns)])
        yield _row(["---", *("---:" for _ in shown.columns)])
        for layer, places in shown.rows:
            yield _row([escaped(layer), *(_place(one) for one in places)])
        for one in shown.columns:
            if one.server:
                yield ""
                yield f"{one.cell}: {escaped(one.server)}"
    for view in (one for one in verdict.sessions if not one.cell):
        yield f"- {code(view.session)} {_place(place(view))}"


def _place(one: Place | None) -> str:
    if one is None or one.tone is Tone.IDLE:
        return MARKS[Tone.IDLE]
    return f"{_SIGNS[one.tone]} {escaped(one.short)}{f'<br>{one.time}' if one.time else ''}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _differences(verdict: Verdict) -> Iterator[str]:
    if not verdict.differences:
        return
    yield "### What differs between cells"
    yield ""
    for one in verdict.differences[:_MOST]:
        yield f"- **{escaped(one.says)}**: {code(one.subject)}"
    if len(verdict.differences) > _MOST:
        yield f"- and {len(verdict.differences) - _MOST} more"


def _failures(verdict: Verdict) -> Iterator[str]:
    found: dict[str, list[tuple[SessionView, str, str]]] = {}
    for view in verdict.sessions:
        for test in view.tests:
            if test.outcome in (Outcome.FAILED, Outcome.ERROR, Outcome.FLAKY):
                found.setdefault(test.test, []).append((view, str(test.outcome), test.detail))
    if not found:
        return
    yield "### What did not pass"
    for number, (name, members) in enumerate(list(found.items())[:_MOST]):
        yield ""
        where = ", ".join(f"{outcome} in {view.session}" for view, outcome, _ in members[:12])
        more = f" and {len(members) - 12} more" if len(members) > 12 else ""
        detail = next((text for _, _, text in members if text), "")
        if not detail or number >= _TRACEBACKS:
            yield f"- {code(name)}: {escaped(where)}{more}"
            continue
        said = f"<code>{html.escape(one_line(name))}</code>: {html.escape(one_line(where))}{more}"
        yield f"<details><summary>{said}</summary>"
        yield ""
        yield from block(detail[-6000:])
        yield ""
        yield "</details>"
    if len(found) > _MOST:
        yield ""
        yield f"and {count(len(found) - _MOST, 'more test')}; report.html has them all"


def _coverage(verdict: Verdict) -> Iterator[str]:
    if verdict.coverage is None:
        return
    yield f"### Coverage {verdict.coverage.percent:.1f} %"
    yield ""
    if verdict.coverage.missing:
        yield f"No coverage data from: {escaped(without_coverage(verdict))}"
        yield ""
    if verdict.coverage.paths:
        yield _row(["path", "percent", "wanted", ""])
        yield _row(["---", "---:", "---:", "---"])
    for one in verdict.coverage.paths:
        sign = _SIGNS[Tone.GOOD if one.met else Tone.BAD] + ("" if one.files else " no such file")
        yield _row([code(one.path, table=True), f"{one.percent:.1f}", f"{one.wanted:g}", sign])


def _rules(verdict: Verdict) -> Iterator[str]:
    off = [one for one in verdict.rules if not one.on]
    if off:
        yield f"Rules switched off: {', '.join(code(one.id) for one in off)}"


def _foot(verdict: Verdict) -> Iterator[str]:
    run = verdict.run
    commit = f"commit {code(run.commit[:10])}{' with changes' if run.dirty else ''}, " if run.commit else ""
    took = duration(max(0.0, run.ended - run.started))
    yield f"Run {code(run.run)}, {commit}started {moment(run.started)}, took {took}"
