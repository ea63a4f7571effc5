"""Owns the HTML report: one file that holds everything it shows and asks the network for nothing.

Every text is escaped by the template and cleaned before. The page's own policy lets no script run but the one written
here, whatever a test is called. Renders a verdict and the history of runs; judges nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import partial
from importlib import resources
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from pgmatrix.records import Outcome
from pgmatrix.report import charts, views
from pgmatrix.report.grid import grid, place, without_coverage
from pgmatrix.report.history import Summary
from pgmatrix.report.page_data import embedded, page_data
from pgmatrix.report.plots import plots
from pgmatrix.report.words import clean, duration, moment, one_line
from pgmatrix.verdict import Verdict

_SCRIPTS = ("model.js", "elements.js", "lists.js", "sheet.js")


def render(verdict: Verdict, history: Sequence[Summary] = ()) -> str:
    """The page, as text that UTF-8 can carry. `history` are the last runs, oldest first."""
    css, script = _part("page.css"), "".join(_part(name) for name in _SCRIPTS)
    results = sum(len(one.tests) for one in verdict.sessions)
    not_passed = len({test.test for one in verdict.sessions for test in one.tests if test.outcome != Outcome.PASSED})
    page = _environment(history).from_string(_part("template.html"))
    return page.render(
        verdict=verdict,
        run=verdict.run,
        headline=one_line(verdict.headline),
        policy=_policy(css, script),
        icon=_icon(ship=verdict.ship),
        css=Markup(css),  # noqa: S704 - this package's own file
        script=Markup(script),  # noqa: S704 - this package's own files
        data=Markup(embedded(page_data(verdict))),  # noqa: S704 - escaped there
        grid=grid(verdict),
        elsewhere=[place(one) for one in verdict.sessions if not one.cell],
        blocking=views.reasons(verdict, blocking=True),
        remarks=views.reasons(verdict, blocking=False),
        reasons_shown=views.REASONS,
        rules_line=views.rules_line(verdict.rules),
        key_facts=views.key_facts(verdict),
        contents=views.contents(verdict, not_passed=not_passed, results=results, history=len(history)),
        differences=views.difference_groups(verdict),
        not_passed=f"{not_passed:,}",
        results=results,
        coverage_cells=_coverage_cells(verdict),
        without_coverage=without_coverage(verdict),
        timeline=charts.timeline(verdict.sessions),
        slowest=views.slowest(verdict),
        history=history[::-1],
        perf=verdict.perf,
        plots=plots(verdict.perf) if verdict.perf else [],
        servers=views.servers(verdict.sessions),
    )


def _environment(history: Sequence[Summary]) -> Environment:
    environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=_safe, keep_trailing_newline=True)
    environment.filters |= {
        "link": lambda name: quote(clean(name), safe=""),
        "duration": duration,
        "moment": moment,
        "coverage_bar": charts.coverage_bar,
        "history_bar": partial(charts.history_bar, runs=history),
    }
    return environment


def _safe(value: object) -> object:
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _coverage_cells(verdict: Verdict) -> list[str]:
    found = {cell for path in (verdict.coverage.paths if verdict.coverage else ()) for cell in path.by_cell}
    return [cell for cell in verdict.run.cells if cell in found]


def _part(name: str) -> str:
    return resources.files("pgmatrix.report").joinpath("page", name).read_text(encoding="utf-8")


def _policy(css: str, script: str) -> str:
    """What the browser may do for this page: run that script, apply that style, show the icon, and nothing else."""
    allowed = f"script-src '{_digest(script)}'; style-src '{_digest(css)}'; img-src data:"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _icon(*, ship: bool) -> Markup:
    colour, path = ("17693a", "M8 17l5 5 11-12") if ship else ("b3221c", "M10 10l12 12M22 10L10 22")
    svg = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>"
        f"<circle cx='16' cy='16' r='16' fill='%23{colour}'/>"
        f"<path d='{path}' stroke='white' stroke-width='4' fill='none' stroke-linecap='round'/></svg>"
    )
    return Markup("data:image/svg+xml,{}").format(svg)
