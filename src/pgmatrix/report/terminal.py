"""Owns what a run looks like in a terminal: the plan before; after it the matrix, what is wrong, and the verdict.

Renders values; judges nothing but the colour of a cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgmatrix.matrix import Cell, Session
from pgmatrix.records import Outcome
from pgmatrix.report.grid import Place, grid, without_coverage
from pgmatrix.report.words import MARKS, Tone, clean, count, one_line
from pgmatrix.verdict import DifferenceKind, SessionView, State, Verdict

_MOST, _BAD, _DETAIL = 12, 200, 3
_STYLES = {Tone.GOOD: "green", Tone.WARN: "bold yellow", Tone.BAD: "bold red", Tone.IDLE: "dim"}


def plan_lines(sessions: Sequence[Session], reasons: Mapping[Cell, str], jobs: int) -> list[str]:
    """What will run, and on which provider."""
    cells = sorted({session.cell for session in sessions})
    layers = list(dict.fromkeys(session.layer for session in sessions))
    counts = [count(len(sessions), "session"), count(len(layers), "layer"), count(len(cells), "cell")]
    lines = [f"{counts[0]}: {counts[1]} ({', '.join(layers)}) on {counts[2]}, {jobs} at a time"]
    lines += [f"  {cell}: {reasons[cell]}" for cell in cells]
    return lines


def print_verdict(console: Console, verdict: Verdict, files: Sequence[str] = ()) -> None:
    """The whole report of a verdict, its headline last; `files` are where the other reports are."""
    headline = Text(one_line(verdict.headline), style="bold green" if verdict.ship else "bold red")
    _print(console, verdict, [*coverage_texts(verdict), *reason_texts(verdict)], files, headline)


def print_run(console: Console, verdict: Verdict, files: Sequence[str] = ()) -> None:
    """The report at the end of a run. Of a part of the matrix, which never ships, only what concerns that part."""
    asked = [one for one in verdict.sessions if one.state is not State.NOT_RUN]
    if len(asked) == len(verdict.sessions):
        print_verdict(console, verdict, files)
        return
    names = {one.session for one in asked}
    about = [one for one in verdict.reasons if one.sessions and names.issuperset(one.sessions)]
    part = replace(verdict, reasons=tuple(about), rules=())
    _print(console, part, reason_texts(part), files, part_text(verdict, asked))


def part_text(verdict: Verdict, asked: Sequence[SessionView]) -> Text:
    """How a part of the matrix went, in one line."""
    green = sum(one.record.green for one in asked if one.record)
    percent = f", coverage {verdict.coverage.percent:.1f} %" if verdict.coverage else ""
    said = f"{green} of {count(len(asked), 'session')} green, {verdict.count(Outcome.PASSED)} tests passed{percent}"
    style = "bold green" if green == len(asked) > 0 else "bold red"
    return Text(f"{said}; a part of the {count(len(verdict.sessions), 'session')}, so not judged", style=style)


def _print(console: Console, verdict: Verdict, texts: Iterable[Text], files: Sequence[str], headline: Text) -> None:
    console.rule("pgmatrix")
    for line in server_lines(verdict):
        _say(console, line)
    if verdict.run.cells and verdict.sessions:
        console.print(verdict_table(verdict))
    for text in [*difference_texts(verdict), *bad_texts(verdict), *texts]:
        console.print(text, soft_wrap=True)
    for path in files:
        _say(console, path)
    console.print(headline, soft_wrap=True)


def _say(console: Console, line: str) -> None:
    # As Text, since the brackets of a test's parameters are no markup; not wrapped, so that a name can be found.
    console.print(Text(clean(line)), soft_wrap=True)


def server_lines(verdict: Verdict) -> list[str]:
    """What each cell really ran on, as its sessions measured it."""
    return [f"{one.cell}: {one.server}" for one in grid(verdict).columns if one.server]


def verdict_table(verdict: Verdict) -> Table:
    """Layers by cells: how many tests passed, in what time, or what is wrong. Rows and columns that the run was not
    asked for are left out, single sessions are a dot."""
    shown = grid(verdict)
    asked = {one.session for one in verdict.sessions if one.state is not State.NOT_RUN}
    wanted = [
        index
        for index in range(len(shown.columns))
        if any(one and one.session in asked for one in (places[index] for _, places in shown.rows))
    ]
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    table.add_column("layer")
    for column in (shown.columns[index] for index in wanted):
        table.add_column(Text(f"{column.cell}{' preview' * column.preview}"), justify="right")
    for layer, places in shown.rows:
        if any(one and one.session in asked for one in places):
            table.add_row(Text(layer), *(place_text(places[index]) for index in wanted))
    return table


def place_text(one: Place | None) -> Text:
    """One place of the matrix."""
    if one is None or one.tone is Tone.IDLE:
        return Text(MARKS[Tone.IDLE], style="dim")
    if one.counted:
        return Text(f"{one.passed:,} {one.mark} {one.time:>7}", style=_STYLES[one.tone])
    passed = f"{one.passed:,} ✓ {one.time:>7}" if one.time else ""
    words = "\n".join(filter(None, (f"{one.mark} {one.short}", passed)))
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
    """Every test that did not pass and that no reason names, with the sessions and, where that says more, the cells."""
    named = {one.test for one in verdict.reasons}
    places = {one.subject: one.says for one in verdict.differences if one.kind is DifferenceKind.OUTCOME}
    found: dict[tuple[str, str], list[str]] = {}
    for view in verdict.sessions:
        for test in view.tests:
            if test.outcome != Outcome.PASSED and test.test not in named:
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
        yield Text(f"  no coverage data from: {without_coverage(verdict)}", style="bold red")


def reason_texts(verdict: Verdict) -> Iterator[Text]:
    """Why the verdict is what it is: what blocks, then what does not, then the rules that are switched off."""
    for one in verdict.reasons[:_BAD]:
        head = "✗" if one.blocking else "· preview, does not block:"
        text = Text(f"{head} {one_line(one.where)}: {one_line(one.what)}", style="bold red" if one.blocking else "dim")
        text.append(f" [{one_line(one.rule)}]", style="not bold")
        for line in clean(one.detail).splitlines()[:_DETAIL]:
            text.append(f"\n    {line}", style="not bold")
        yield text.append(f"\n    {one_line(one.do_next)}", style="not bold")
    if len(verdict.reasons) > _BAD:
        yield Text(f"and {len(verdict.reasons) - _BAD} more reasons", style="bold red")
    off = [one.id for one in verdict.rules if not one.on]
    if off:
        yield Text(f"rules switched off: {one_line(', '.join(off))}", style="yellow")
