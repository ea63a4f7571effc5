"""Owns a performance run: one process for each cell, told slice by slice what to do, so that all share the same noise.

It measures for as long as the table says and hands back slices; what they mean is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pgmatrix.perf import schedule
from pgmatrix.perf.cells import CellProcess
from pgmatrix.perf.collect import Collected
from pgmatrix.perf.results import Role
from pgmatrix.perf.schedule import Block, Key
from pgmatrix.perf.table import LoadGoal

QUICK_MINUTES = 1.5
ENDING = 4.0
QUICK_LOAD = 2.0


@dataclass(slots=True, kw_only=True)
class Conductor:
    """The cells, how long there is, and what they have answered so far."""

    cells: Sequence[CellProcess]
    minutes: float
    quick: bool
    goal: LoadGoal | None
    say: Callable[[str], None]
    only: Sequence[str] = ()
    budgeted: Collection[tuple[str, int]] = ()
    slow: Mapping[str, float] = field(default_factory=dict)
    found: dict[Key, Collected] = field(default_factory=dict)
    told: dict[Key, dict[str, Any]] = field(default_factory=dict)
    loads: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: dict[Key, str] = field(default_factory=dict)
    warm: dict[Key, float | None] = field(default_factory=dict)
    roles: dict[tuple[str, str], str] = field(default_factory=dict)
    late: set[Key] = field(default_factory=set)
    rounds: int = 0

    async def run(self) -> None:
        """Measure everything; whatever happens, no process of a cell stays."""
        deadline = time.monotonic() + 60 * (min(QUICK_MINUTES, self.minutes) if self.quick else self.minutes)
        try:
            await asyncio.gather(*(one.start() for one in self.cells))
            for one in self.cells:
                self.say(f"{one.cell}: {one.problem or _facts(one)}")
            if any(not one.problem for one in self.cells):
                await self._measure(deadline)
        finally:
            await asyncio.gather(*(one.stop() for one in self.cells))

    def offers(self) -> dict[str, list[dict[str, Any]]]:
        """What each cell that works offers."""
        wanted = {one.cell: one.ready.get("offers", []) for one in self.cells}
        return {
            str(cell): [one for one in offered if not self.only or one["workload"] in self.only]
            for cell, offered in wanted.items()
        }

    async def _measure(self, deadline: float) -> None:
        offers = self.offers()
        self.roles = {(one["workload"], one["variant"]): one["role"] for offered in offers.values() for one in offered}
        blocks = schedule.blocks(offers, quick=self.quick)
        goal = self.goal if self._offers_load() else None
        load = QUICK_LOAD if self.quick else goal.seconds if goal else 0.0
        end = deadline - ENDING - (len(self.cells) * (load + 2.0) if goal else 0.0)
        await self._round(self._judged(blocks), -1)  # warms, and is not counted
        self._forget()
        # Judged first: the sweep leaves hundreds of connections open, and tables that autovacuum then works on.
        middle = end - schedule.SWEEP * max(0.0, end - time.monotonic())
        fewest = schedule.QUICK_FEWEST if self.quick else schedule.FEWEST
        for number in schedule.rounds(middle, time.monotonic, fewest=fewest, most=schedule.MOST):
            await self._round(self._judged(blocks), number)
            self.rounds = number + 1
            self.say(f"round {self.rounds}: {max(0.0, end - time.monotonic()):.0f} s left")
        await self._describe(blocks)
        await self._sweep(blocks, end)
        if goal is not None:
            await self._carry(goal, load)

    async def _round(self, blocks: Sequence[Block], number: int) -> None:
        for block in blocks:
            for key in block.turn(max(0, number)):
                await self._slice(key, number)

    def _judged(self, blocks: Sequence[Block]) -> list[Block]:
        return schedule.judged(blocks, self.budgeted)

    async def _sweep(self, blocks: Sequence[Block], end: float) -> None:
        """More clients, few and short operations first, again while there is time; what it does not allow is late."""
        for number in range(1 if self.quick else schedule.SWEEPS):
            for block in schedule.sweep(blocks, self.budgeted, self.warm):
                if time.monotonic() < end:
                    await self._round([block], number)
                elif number == 0:
                    self.late.update(block.contenders)

    async def _slice(self, key: Key, number: int) -> None:
        cell = next(one for one in self.cells if str(one.cell) == key.cell)
        known = self.found.get(key)
        seconds = schedule.length(known.p50 if known else self.warm.get(key))
        order: dict[str, Any] = {"workload": key.workload, "variant": key.variant, "clients": key.clients}
        if key.workload in self.slow and self.roles.get((key.workload, key.variant)) == Role.SUBJECT:
            order["slow"] = self.slow[key.workload]
        answer = await cell.ask(do="slice", seconds=seconds, **order)
        if answer is not None:
            self.found.setdefault(key, Collected()).add(number, answer)
        if cell.problem:
            self.broken.setdefault(key, cell.problem)

    def _forget(self) -> None:
        """What the warm-up measured is only used to choose how long slices are; its errors are seen again."""
        self.warm = {key: one.p50 for key, one in self.found.items()}
        self.found.clear()

    async def _describe(self, blocks: Sequence[Block]) -> None:
        for block in self._judged(blocks):
            for key in block.contenders:
                cell = next(one for one in self.cells if str(one.cell) == key.cell)
                told = await cell.ask(do="describe", workload=key.workload, variant=key.variant)
                self.told[key] = told or {}

    def _offers_load(self) -> bool:
        name = self.goal.workload if self.goal else ""
        return any(one["workload"] == name for offered in self.offers().values() for one in offered)

    async def _carry(self, goal: LoadGoal, seconds: float) -> None:
        for cell in self.cells:
            variant = next(
                (
                    one["variant"]
                    for one in cell.ready.get("offers", [])
                    if one["workload"] == goal.workload and one["role"] == Role.SUBJECT
                ),
                "",
            )
            order = {"workload": goal.workload, "variant": variant, "clients": goal.clients, "rate": goal.rate}
            answer = await cell.ask(do="load", seconds=seconds, **order)
            if answer is not None:
                self.loads[str(cell.cell)] = answer | {"wanted_seconds": seconds}


def _facts(cell: CellProcess) -> str:
    facts, sync = cell.ready["facts"], cell.ready["sync"]
    waits = "" if sync is None else f"; one fdatasync of 8 kB there takes {sync * 1000:.2f} ms"
    return f"PostgreSQL {facts['server_version']} ({facts['provider']}), {cell.ready['durability']}{waits}"
