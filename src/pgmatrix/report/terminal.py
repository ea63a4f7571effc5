"""Owns what a run looks like in a terminal: the plan before, one matrix and one coverage figure after.

Renders values; judges nothing but the colour of a cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgmatrix.coverage import Merged, PathCoverage
from pgmatrix.matrix import Cell, Session
from pgmatrix.records import Record

_BAD = ("failed", "error", "skipped", "xfailed", "xpassed")


def plan_lines(sessions: Sequence[Session], reasons: Mapping[Cell, str], jobs: int) -> list[str]:
    """What will run, and on which provider."""
    cells = sorted({session.cell for session in sessions})
    layers = list(dict.fromkeys(session.layer for session in sessions))
    counts = [_count(len(sessions), "session"), _count(len(layers), "layer"), _count(len(cells), "cell")]
    lines = [f"{counts[0]}: {counts[1]} ({', '.join(layers)}) on {counts[2]}, {jobs} at a time"]
    lines += [f"  {cell}: {reasons[cell]}" for cell in cells]
    return lines


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


def matrix_table(sessions: Sequence[Session], records: Mapping[str, Record]) -> Table:
    """Layers by cells: how many passed, in what time; what did not run is said to be missing."""
    cells = list(dict.fromkeys(session.cell for session in sessions))
    layers = list(dict.fromkeys(session.layer for session in sessions))
    planned = {str(session) for session in sessions}
    table = Table(title="", title_justify="left", show_edge=False, pad_edge=False, header_style="bold")
    table.add_column("layer")
    for cell in cells:
        table.add_column(Text(str(cell)), justify="right")
    for layer in layers:
        names = [str(Session(cell=cell, layer=layer)) for cell in cells]
        table.add_row(layer, *(cell_text(records.get(name), planned=name in planned) for name in names))
    return table


def cell_text(record: Record | None, *, planned: bool) -> Text:
    """One place of the matrix."""
    if not planned:
        return Text("·", style="dim")
    if record is None:
        return Text("missing", style="bold red")
    if record.error or not record.tests:
        return Text("no test ran", style="bold red")
    passed, bad = record.count("passed"), record.count(*_BAD)
    if record.green:
        return Text(f"{passed} ✓ {record.seconds:5.1f} s", style="green")
    if record.crashed:
        return Text(f"worker crashed, {passed} ✓", style="bold red")
    if not bad:
        return Text(f"exit code {record.exit_code}, {passed} ✓", style="bold red")
    return Text(f"{bad} ✗ {passed} ✓ {record.seconds:5.1f} s", style="bold red")


def servers_lines(records: Mapping[str, Record]) -> list[str]:
    """What each cell really ran on, as its sessions measured it."""
    lines: dict[str, str] = {}
    for record in records.values():
        facts = record.facts
        if facts:
            lines[facts["cell"]] = (
                f"{facts['cell']}: PostgreSQL {facts['server_version']},"
                f" pgvector {facts['extensions'].get('vector', '-')},"
                f" {facts['driver']} {facts['driver_version']}, {facts['provider']}"
            )
    return [lines[cell] for cell in sorted(lines)]


def failure_lines(records: Mapping[str, Record]) -> list[str]:
    """Every test that did not pass, with the sessions where it did not."""
    found: dict[str, list[str]] = {}
    for name, record in records.items():
        for test in record.tests:
            if test.outcome != "passed":
                found.setdefault(f"{test.outcome} {test.test}", []).append(name)
        if record.error:
            found.setdefault(f"error {record.error.splitlines()[0]}", []).append(name)
    return [f"{what}\n    in {', '.join(names)}" for what, names in found.items()]


def coverage_line(path: PathCoverage) -> Text:
    """One threshold of the table and whether it is met."""
    state = "✓" if path.met else ("✗ no such file" if not path.files else "✗")
    return Text(
        f"  {path.percent:6.1f} % of {path.wanted:g} %  {path.path} {state}", style="green" if path.met else "bold red"
    )


def summary_line(sessions: Sequence[Session], records: Mapping[str, Record], merged: Merged) -> Text:
    """One line to remember."""
    green = sum(records[str(one)].green for one in sessions if str(one) in records)
    tests = sum(record.count("passed") for record in records.values())
    good = green == len(sessions) > 0
    text = f"{green} of {len(sessions)} sessions green, {tests} tests passed, coverage {merged.percent:.1f} %"
    return Text(text, style="bold green" if good else "bold red")


def print_report(
    console: Console,
    sessions: Sequence[Session],
    records: Mapping[str, Record],
    merged: Merged,
    folder: Path,
    *,
    note: str = "",
) -> None:
    """The whole report of a run; `note` says what its coverage leaves out."""
    console.rule("pgmatrix")
    # As Text, since the brackets of a test's parameters are no markup; not wrapped, so that a name can be found.
    for line in servers_lines(records):
        console.print(Text(line), soft_wrap=True)
    console.print(matrix_table(sessions, records))
    for line in failure_lines(records):
        console.print(Text(line, style="red"), soft_wrap=True)
    console.print("coverage of lines and branches, merged over all sessions", style="bold")
    for path in merged.paths:
        console.print(coverage_line(path))
    if note:
        console.print(Text(f"  {note}", style="dim"))
    if merged.missing:
        line = f"  no coverage data from: {', '.join(merged.missing)}"
        console.print(Text(line, style="bold red"), soft_wrap=True)
    if merged.html is not None:
        console.print(Text(f"  {merged.html}\n  {merged.xml}"), soft_wrap=True)
    console.print(Text(f"records: {folder}"), soft_wrap=True)
    console.print(summary_line(sessions, records, merged))
