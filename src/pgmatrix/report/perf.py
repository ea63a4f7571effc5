"""Owns what a performance run looks like in a terminal: one table of times, what it costs, and sentences.

Renders values; judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgmatrix.perf.results import Kind, Outcome, PerfRun, Role, Series


def seconds(value: float | None) -> str:
    """`0.12 ms`, `12.3 ms`, `1.23 s`, three digits that count."""
    if value is None:
        return "-"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.3g} ms"


def print_run(console: Console, run: PerfRun) -> None:
    """Everything: times by cell, throughput by clients, sentences, and why it is not a pass."""
    console.rule("pgmatrix perf")
    for line in _where(run):
        _line(console, line)
    cells = [one.cell for one in run.cells]
    console.print(_times(run, cells))
    console.print(_throughput(run, cells))
    console.print(_costs(run, cells))
    if run.toolkit:
        console.print(_toolkit(run))
    for text in _absences(run):
        _line(console, text, "dim")
    for sentence in run.sentences:
        _line(console, f"- {sentence}")
    _verdict(console, run.reasons, run)


def print_cell(console: Console, run: PerfRun, cell: str) -> int:
    """What keeps one cell from a pass; 1 where anything does."""
    reasons = list(run.reasons_of(cell))
    if all(one.cell != cell or one.outcome is not Outcome.MEASURED for one in run.series):
        reasons.append(f"{cell}: nothing was measured")
    if run.baseline.problem:
        reasons.append(run.baseline.problem)
    measured = sum(one.cell == cell and one.outcome is Outcome.MEASURED for one in run.series)
    _line(console, f"{cell}: {measured} series measured, {run.environment.rounds} rounds")
    for reason in reasons:
        _line(console, f"  {reason}", "red")
    return int(bool(reasons))


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)


def _where(run: PerfRun) -> Iterator[str]:
    env = run.environment
    yield ", ".join(f"{name} {value}" for name, value in env.facts.items())
    took, quick = f"{env.ended - env.started:.0f} s", ", quick" if env.quick else ""
    dirty = " with changes" if env.dirty else ""
    yield f"commit {env.commit[:12] or 'unknown'}{dirty}, {env.rounds} rounds in {took}{quick}"
    if run.cells:
        yield f"durable as in production: {run.cells[0].durability}"


def _times(run: PerfRun, cells: Sequence[str]) -> Table:
    """One client: the median time of an operation in each cell, and beside the bare driver."""
    table = Table(title="median time of an operation, one client (times of the bare driver)", title_justify="left")
    table.add_column("workload")
    table.add_column("by")
    for cell in cells:
        table.add_column(cell, justify="right")
    last = ""
    for workload, variant in _rows(run, clients=1):
        row = [_time(run, cell, workload, variant) for cell in cells]
        table.add_row(workload if workload != last else "", variant, *row)
        last = workload
    return table


def _rows(run: PerfRun, *, clients: int) -> list[tuple[str, str]]:
    wanted = (one for one in run.series if one.clients == clients and one.outcome is not Outcome.ABSENT)
    return list(dict.fromkeys((one.workload, one.variant) for one in wanted))


def _time(run: PerfRun, cell: str, workload: str, variant: str) -> Text:
    one = run.find(cell, workload, variant, 1)
    if one is None or one.outcome is Outcome.ABSENT:
        return Text("-", style="dim")
    if one.outcome is Outcome.INVALID:
        return Text("invalid", style="bold red")
    text = seconds(one.p50)
    beside = next(
        (
            c
            for c in run.comparisons
            if (c.kind, c.cell, c.workload, c.measured, c.beside) == (Kind.VARIANTS, cell, workload, variant, "bare")
        ),
        None,
    )
    return Text(text + (f" ({beside.ratio:.2f})" if beside and beside.ratio else ""))


def _throughput(run: PerfRun, cells: Sequence[str]) -> Table:
    """Operations a second of the data layer by clients, with the p95 of the most clients."""
    table = Table(title="operations a second by clients; p95 and p99 with the most", title_justify="left")
    table.add_column("workload")
    for cell in cells:
        table.add_column(cell, justify="right")
    for workload in dict.fromkeys(one.workload for one in run.series if one.role is Role.SUBJECT):
        table.add_row(workload, *(_sweep(run, cell, workload) for cell in cells))
    return table


def _sweep(run: PerfRun, cell: str, workload: str) -> str:
    found = [one for one in run.series if (one.cell, one.workload, one.role) == (cell, workload, Role.SUBJECT)]
    shown = [one for one in found if one.outcome is Outcome.MEASURED]
    if not shown:
        return "-"
    texts = [f"x{one.clients} {one.throughput:,.0f}" for one in shown if one.throughput is not None]
    return f"{'  '.join(texts)}; {seconds(shown[-1].p95)}, {seconds(shown[-1].p99)}"


def _costs(run: PerfRun, cells: Sequence[str]) -> Table:
    """Processor time of an operation, client and server, and the most memory seen."""
    table = Table(title="processor time of an operation, client + server; most memory", title_justify="left")
    table.add_column("workload")
    for cell in cells:
        table.add_column(cell, justify="right")
    for workload in dict.fromkeys(one.workload for one in run.series if one.role is Role.SUBJECT):
        table.add_row(workload, *(_cost(_subject(run, cell, workload)) for cell in cells))
    return table


def _subject(run: PerfRun, cell: str, workload: str) -> Series | None:
    wanted = (cell, workload, Role.SUBJECT, 1)
    return next((s for s in run.series if (s.cell, s.workload, s.role, s.clients) == wanted), None)


def _cost(one: Series | None) -> str:
    if one is None or one.client_cpu is None:
        return "-"
    memory = [f"{value:.0f}" for value in (one.client_memory, one.server_memory) if value is not None]
    return f"{seconds(one.client_cpu)} + {seconds(one.server_cpu)}; {' + '.join(memory)} MB"


def _toolkit(run: PerfRun) -> Table:
    """What measures pgmatrix itself, on the same commit."""
    table = Table(title="pgmatrix itself (nox -s bench)", title_justify="left")
    for name in ("what", "measured", "beside", "ratio", "goal", ""):
        table.add_column(name, overflow="fold")
    for one in run.toolkit:
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        table.add_row(*map(Text, (one.what, one.measured, one.beside, ratio, one.goal, one.verdict)))
    return table


def _absences(run: PerfRun) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for one in run.series:
        if one.outcome is Outcome.ABSENT:
            reasons.setdefault(one.why, []).append(f"{one.workload} {one.variant}")
    for why, names in reasons.items():
        known = list(dict.fromkeys(names))
        yield f"not here: {', '.join(known[:4])}{' and others' if len(known) > 4 else ''}: {why}"


def _verdict(console: Console, reasons: Sequence[str], run: PerfRun) -> None:
    if not reasons:
        measured = sum(one.outcome is Outcome.MEASURED for one in run.series)
        _line(console, f"nothing stands against this run: {measured} series", "bold green")
        return
    _line(console, f"not a pass, for {len(reasons)} reasons:", "bold red")
    for reason in reasons:
        _line(console, f"  {reason}", "red")
