"""Measures clones: by way of the stock, cold and warm, beside the bare statement, and the two copy strategies."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from pgmatrix.clients import Client, connect, quote_name, quote_text
from pgmatrix.databases.names import clone_name, clone_pattern
from pgmatrix.databases.stock import STRATEGY, Stock
from pgmatrix.databases.template import drop
from pgmatrix.matrix import Cell
from pgmatrix.provision import Provision
from tests.perf.bench import Bench
from tests.perf.measure import Action, MeasurementFailed, Samples, interleave, timed
from tests.perf.servers import server
from tests.perf.table import Goal, Of, Row

STRATEGIES = ("file_copy", "wal_log")
PATIENCE = 30.0


def measure_clones(bench: Bench) -> list[Row]:
    """Each cell on a server of its own."""
    rows: list[Row] = []
    for cell in bench.cells:
        with server(bench, cell) as (found, client):
            rows += _hand_overs(bench, cell, found, client)
    return rows


def measure_strategies(bench: Bench) -> list[Row]:
    """Each major once, through the first driver."""
    return [_strategies(bench, Cell(major=m, driver=bench.table.matrix.drivers[0])) for m in bench.table.matrix.majors]


def _strategies(bench: Bench, cell: Cell) -> Row:
    with server(bench, cell) as (found, client):
        actions = {name: _statement(client, found, f" strategy {name}") for name in STRATEGIES}
        taken = interleave(bench.rounds(20, 10), actions)
    other = next(name for name in STRATEGIES if name != STRATEGY)
    return Row(
        what=f"create database ... strategy {STRATEGY}, as ours, PostgreSQL {cell.major}",
        measured=taken[STRATEGY],
        beside=taken[other],
        beside_what=f"strategy {other}",
    )


def _hand_overs(bench: Bench, cell: Cell, found: Provision, client: Client) -> list[Row]:
    rounds = bench.rounds(20, 10)
    with contextlib.closing(_stock(found, "cold", size=0)) as cold:
        drop(client, cold.take())  # its thread has connected
        actions = {
            "cold": _hand_over(client, cold),
            "bare": _statement(client, found, ""),
            "same": _statement(client, found, f" strategy {STRATEGY}"),
        }
        taken = interleave(rounds, actions)
    warm = _warm(found, client, rounds)
    return [
        Row(
            what=f"a clone from an empty stock, {cell}",
            measured=taken["cold"],
            beside=taken[beside],
            beside_what=what,
            goal=Goal(bound=1.3, of=Of.RATIO),
        )
        for beside, what in (("bare", "create database ... template"), ("same", f"the same, strategy {STRATEGY}"))
    ] + [Row(what=f"a clone from a warm stock, {cell}", measured=warm, goal=Goal(bound=0.002))]


def _hand_over(client: Client, stock: Stock) -> Action:
    def once() -> float:
        names: list[str] = []
        seconds = timed(lambda: names.append(stock.take()))
        drop(client, names[0])
        return seconds

    return once


def _statement(client: Client, found: Provision, tail: str) -> Action:
    name = clone_name(found.token, "bare", 0)
    sql = f"create database {quote_name(name)} template {quote_name(found.template)}{tail}"

    def once() -> float:
        seconds = timed(lambda: client.execute(sql))
        drop(client, name)
        return seconds

    return once


def _warm(found: Provision, client: Client, rounds: int) -> Samples:
    """Hand-overs, each from a stock that has had the time to fill; by the server's word, for a stock has none."""
    taken = []
    with contextlib.closing(_stock(found, "warm", size=2)) as stock:
        stock.expect(rounds + 2)
        for _ in range(rounds):
            _wait(lambda: _filled(client, found) >= 2, "the stock was filled")
            names: list[str] = []
            taken.append(timed(lambda: names.append(stock.take())))  # noqa: B023 (called at once)
            drop(client, names[0])
    return Samples(values=tuple(taken))


def _stock(found: Provision, worker: str, *, size: int) -> Stock:
    return Stock(lambda: connect(found.server), template=found.template, token=found.token, worker=worker, size=size)


def _filled(client: Client, found: Provision) -> int:
    pattern = quote_text(clone_pattern(found.token))
    return int(client.execute(f"select count(*) from pg_database where datname like {pattern}")[0][0])


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise MeasurementFailed(f"within {PATIENCE:g} s it did not happen that {what}")
        time.sleep(0.005)
    time.sleep(0.02)  # between the server's commit and the stock's own note of it
