"""Owns what a comparison looks like: in a terminal, and as Markdown for a job's summary or a pull request.

Renders a Comparison; finds and judges nothing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgmatrix.changes import FACTOR, SECONDS, Kind
from pgmatrix.compare import Change, Comparison, Operation, Pace

TITLES = {
    Kind.SESSION: "sessions",
    Kind.TESTS: "tests there are",
    Kind.OUTCOME: "outcomes",
    Kind.WARNING: "warnings",
    Kind.PLAN: "plans",
    Kind.FACT: "what it runs on",
    Kind.SPEED: f"tests at least {FACTOR:g} times as long or as short, by {SECONDS:g} s or more, in each pair",
}
OPERATIONS = "measured operations, time after to before"
_MANY = 4
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|#~])")


def where_text(change: Change) -> str:
    """Where a change is so, nothing where it is so everywhere."""
    if change.everywhere or change.kind is Kind.SESSION:  # a session is its own place
        return ""
    some = ", ".join(change.where[:_MANY])
    more = len(change.where) - _MANY
    return f"on {some} and {more} more only" if more > 0 else f"on {some} only"


def plan_lines(change: Change) -> list[str]:
    """Both plans as one, each line marked as kept, gone or new."""
    before, after = change.before.splitlines(), change.after.splitlines()
    marked = list(difflib.unified_diff(before, after, n=len(before), lineterm=""))[3:]  # after names and place
    return [f"{line[0]} {line[1:]}" for line in marked]


def print_comparison(console: Console, found: Comparison) -> None:
    """The whole comparison in a terminal."""
    console.rule(f"{found.before} to {found.after}")
    for kind, title in TITLES.items():
        changes = found.of(kind)
        if changes:
            console.print(Text(title, style="bold"))
            for change in changes:
                for line in _lines(change):
                    console.print(line, soft_wrap=True)
    if found.paces:
        console.print(_pace_table(found))
    if found.operations:
        console.print(_operation_table(found))
    console.print(Text(found.headline, style="bold red" if found.worse else "bold green"), soft_wrap=True)


def _lines(change: Change) -> Iterator[Text]:
    style = "red" if change.worse else ""
    place = f"  ({where_text(change)})" if where_text(change) else ""
    if change.kind is Kind.PLAN:
        yield Text(f"  {change.subject}{place}")
        for line in plan_lines(change):
            yield Text(f"      {line}", style={"-": "red", "+": "green"}.get(line[:1], "dim"))
    elif change.kind is Kind.WARNING:
        yield Text(f"  {change.after}: {change.subject}{place}")
    else:
        yield Text(f"  {change.subject}: {change.before} → {change.after}{place}", style=style)


def _pace_table(found: Comparison) -> Table:
    table = Table(title="speed of tests that passed on both sides", title_justify="left", show_edge=False)
    table.add_column("layer")
    for title in ("tests", found.before, found.after, "ratio", "median test"):
        table.add_column(Text(title), justify="right")
    for row in map(_pace_row, found.paces):
        table.add_row(*row)
    return table


def _pace_row(pace: Pace) -> tuple[str, ...]:
    seconds = (f"{pace.before:.1f} s", f"{pace.after:.1f} s")
    return (pace.layer, str(pace.tests), *seconds, f"{pace.ratio:.2f}", f"{pace.typical:.2f}")


def _operation_table(found: Comparison) -> Table:
    table = Table(title=OPERATIONS, title_justify="left", show_edge=False)
    for title in ("operation", "where", "ratio", "word"):
        table.add_column(title, justify="right" if title == "ratio" else "left")
    for row in map(_operation_row, found.operations):
        table.add_row(*map(Text, row))
    return table


def _operation_row(one: Operation) -> tuple[str, ...]:
    ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
    between = "" if one.low is None or one.high is None else f" ({one.low:.2f} to {one.high:.2f})"
    return (one.name, one.where, ratio + between, one.word)


def markdown(found: Comparison) -> str:
    """The whole comparison as Markdown; what tests and servers said is escaped."""
    lines = [f"## {_plain(f'{found.before} to {found.after}')}", "", f"**{_plain(found.headline)}**"]
    for kind, title in TITLES.items():
        changes = found.of(kind)
        if changes:
            lines += ["", f"### {title[0].upper()}{title[1:]}", "", *(line for one in changes for line in _items(one))]
    if found.paces:
        lines += ["", "### Speed of tests that passed on both sides", ""]
        head = ("layer", "tests", found.before, found.after, "ratio", "median test")
        lines += [_row(head), _row(["---", *["---:"] * 5]), *(_row(_pace_row(pace)) for pace in found.paces)]
    if found.operations:
        lines += ["", f"### {OPERATIONS[0].upper()}{OPERATIONS[1:]}", ""]
        lines += [_row(("operation", "where", "ratio", "word")), _row(("---", "---", "---:", "---"))]
        lines += [_row(list(map(_plain, _operation_row(one)))) for one in found.operations]
    return "\n".join(lines) + "\n"


def _items(change: Change) -> Iterator[str]:
    place = f" ({where_text(change)})" if where_text(change) else ""
    if change.kind is Kind.PLAN:
        yield from [f"- {_plain(change.subject)}{place}", "  ```diff"]
        yield from (f"  {line}" for line in plan_lines(change))
        yield "  ```"
    elif change.kind is Kind.WARNING:
        yield f"- {change.after}: {_plain(change.subject)}{place}"
    else:
        mark = "❌ " if change.worse else ""
        yield f"- {mark}{_plain(change.subject)}: {_plain(change.before)} → {_plain(change.after)}{place}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
