"""Owns what the faults of a run look like in a terminal: one line a fault, then what is wrong, then one to remember."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgmatrix.teeth.outcomes import Judged, Report


def print_report(console: Console, report: Report, *, record: str) -> None:
    """The table, the findings, and the record's place."""
    console.print(fault_table(report))
    for text in findings(report):
        console.print(text, soft_wrap=True)
    console.print(Text(f"record: {record}"), soft_wrap=True)
    console.print(summary(report), soft_wrap=True)


def fault_table(report: Report) -> Table:
    """Every fault: what it breaks, how many of the tests it names turned red, and whether that was all."""
    table = Table(title="", show_edge=False, pad_edge=False, header_style="bold")
    table.add_column("fault", no_wrap=True)
    table.add_column("breaks")
    table.add_column("layers")
    table.add_column("red", justify="right")
    table.add_column("of", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("")
    for one in report.judged:
        table.add_row(
            one.fault.name,
            Text(one.fault.breaks),
            ", ".join(one.layers),
            str(len(one.trial.red)),
            str(len(one.fault.reds)),
            f"{one.trial.seconds:.1f}",
            state(one),
        )
    return table


def state(one: Judged) -> Text:
    """One word for a fault."""
    if one.trial.problem:
        return Text("error", style="bold red")
    if one.toothless:
        return Text("toothless", style="bold red")
    if one.collateral:
        return Text("✓ collateral", style="yellow")
    return Text("✓", style="green")


def findings(report: Report) -> Iterator[Text]:
    """One line for each thing that is not as named, and each test of the contract without teeth."""
    for one in report.judged:
        if one.trial.problem:
            yield Text(f"error       {one.fault.name}: {one.trial.problem}", style="bold red")
        for test in one.toothless:
            yield Text(f"toothless   {one.fault.name}: {test} stayed green", style="bold red")
        for test in one.collateral:
            yield Text(f"collateral  {one.fault.name}: {test} turned red: {one.trial.red[test]}", style="yellow")
    for test in report.contract:
        if test not in report.with_teeth:
            yield Text(f"unproven    {test}", style="bold red")


def summary(report: Report) -> Text:
    """One line to remember."""
    toothless = sum(len(one.toothless) for one in report.judged)
    collateral = sum(len(one.collateral) for one in report.judged)
    problems = sum(bool(one.trial.problem) for one in report.judged)
    proven = len(report.with_teeth & set(report.contract))
    text = (
        f"{report.cell}: {proven} of {len(report.contract)} tests have teeth; {len(report.judged)} faults,"
        f" {toothless} toothless, {collateral} collateral, {problems} errors,"
        f" {report.seconds:.1f} s with {report.workers} workers"
    )
    return Text(text, style="bold green" if report.good else "bold red")
