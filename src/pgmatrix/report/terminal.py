"""Owns what a run looks like in a terminal: the plan before, one matrix and one coverage figure after.

Renders values; judges nothing but the colour of a cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgmatrix.coverage import Merged, PathCoverage
from pgmatrix.matrix import Cell, Session
from pgmatrix.records import Outcome, Record
from pgmatrix.report.grid import Place, grid
from pgmatrix.report.words import MARKS, Tone, clean, one_line
from pgmatrix.verdict import DifferenceKind, Verdict

_MOST, _BAD = 12, 200
_STYLES = {Tone.GOOD: "green", Tone.WARN: "bold yellow", Tone.BAD: "bold red", Tone.IDLE: "dim"}
_NOT_PASSED = ("failed", "error", "skipped", "xfailed", "xpassed")


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
    passed, bad = record.count("passed"), record.count(*_NOT_PASSED)
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


def print_verdict(console: Console, verdict: Verdict, files: Sequence[str] = ()) -> None:
    """The whole report of a verdict, its headline last; `files` are where the other reports are."""
    console.rule("pgmatrix")
    for line in server_lines(verdict):
        _say(console, line)
    if verdict.run.cells and verdict.sessions:
        console.print(verdict_table(verdict))
    for text in [*difference_texts(verdict), *bad_texts(verdict), *coverage_texts(verdict), *reason_texts(verdict)]:
        console.print(text, soft_wrap=True)
    for path in files:
        _say(console, path)
    console.print(Text(clean(verdict.headline), style="bold green" if verdict.ship else "bold red"), soft_wrap=True)


def _say(console: Console, line: str) -> None:
    # As Text, since the brackets of a test's parameters are no markup; not wrapped, so that a name can be found.
    console.print(Text(clean(line)), soft_wrap=True)


def server_lines(verdict: Verdict) -> list[str]:
    """What each cell really ran on, as its sessions measured it."""
    return [f"{one.cell}: {one.server}" for one in grid(verdict).columns if one.server]


def verdict_table(verdict: Verdict) -> Table:
    """Layers by cells: how many tests passed, in what time, or what is wrong. What was not asked for is a dot."""
    shown = grid(verdict)
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    table.add_column("layer")
    for column in shown.columns:
        table.add_column(Text(f"{column.cell}{' preview' * column.preview}"), justify="right")
    for layer, places in shown.rows:
        table.add_row(Text(layer), *(place_text(one) for one in places))
    return table


def place_text(one: Place | None) -> Text:
    """One place of the matrix."""
    if one is None or one.tone is Tone.IDLE:
        return Text(MARKS[Tone.IDLE], style="dim")
    passed = f"{one.passed:,} ✓ {one.time:>7}" if one.time else ""
    words = passed if one.tone is Tone.GOOD else "\n".join(filter(None, (f"{one.mark} {one.short}", passed)))
    return Text(words, style=_STYLES[one.tone])


def difference_texts(verdict: Verdict) -> Iterator[Text]:
    """What differs between cells, the first of each kind; what fails stands with the failures."""
    found = [one for one in verdict.differences if one.kind is not DifferenceKind.OUTCOME]
    if found:
        yield Text("what differs between cells", style="bold")
    for one in found[:_MOST]:
        yield Text(f"  {one_line(one.subject)}\n    {one_line(one.says)}", style="yellow")
    if len(found) > _MOST:
        yield Text(f"  and {len(found) - _MOST} more", style="dim")


def bad_texts(verdict: Verdict) -> Iterator[Text]:
    """Every test that did not pass, with the sessions where it did not and, where that says more, on which cells."""
    places = {one.subject: one.says for one in verdict.differences if one.kind is DifferenceKind.OUTCOME}
    found: dict[tuple[str, str], list[str]] = {}
    for view in verdict.sessions:
        for test in view.tests:
            if test.outcome != Outcome.PASSED:
                found.setdefault((str(test.outcome), test.test), []).append(view.session)
        if view.record and view.record.error:
            found.setdefault(("error", view.record.error.partition("\n")[0]), []).append(view.session)
    for (outcome, what), names in list(found.items())[:_BAD]:
        said = f"; {places[what]}" if what in places else ""
        yield Text(f"{outcome} {one_line(what)}\n    in {one_line(', '.join(names))}{one_line(said)}", style="red")
    if len(found) > _BAD:
        yield Text(f"and {len(found) - _BAD} more that did not pass", style="red")


def coverage_texts(verdict: Verdict) -> Iterator[Text]:
    """Each threshold of the table and whether it is met, and which sessions left no data."""
    if verdict.coverage is None:
        return
    yield Text(
        f"coverage of lines and branches, merged over all sessions: {verdict.coverage.percent:.1f} %", style="bold"
    )
    for path in verdict.coverage.paths:
        state = "✓" if path.met else ("✗ no such file" if not path.files else "✗")
        words = f"  {path.percent:6.1f} % of {path.wanted:g} %  {one_line(path.path)} {state}"
        yield Text(words, style="green" if path.met else "bold red")
    if verdict.coverage.missing:
        yield Text(f"  no coverage data from: {one_line(', '.join(verdict.coverage.missing))}", style="bold red")


def reason_texts(verdict: Verdict) -> Iterator[Text]:
    """Why the verdict is what it is: what blocks, then what does not, then the rules that are switched off."""
    for one in verdict.reasons[:_BAD]:
        head = "✗" if one.blocking else "· preview, does not block:"
        text = Text(f"{head} {one_line(one.where)}: {one_line(one.what)}", style="bold red" if one.blocking else "dim")
        yield text.append(f" [{one_line(one.rule)}]\n    {one_line(one.do_next)}", style="not bold")
    if len(verdict.reasons) > _BAD:
        yield Text(f"and {len(verdict.reasons) - _BAD} more reasons", style="bold red")
    off = [one.id for one in verdict.rules if not one.on]
    if off:
        yield Text(f"rules switched off: {one_line(', '.join(off))}", style="yellow")
