"""One cell's process: `python -m pgmatrix.perf.worker CELL`, in the environment of the cell's driver.

It has the cell's server and the project's contenders, and does what it is told, one JSON line at a time, so that the
conductor can have all cells take turns. It ends, and its server with it, when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import signal
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from pgmatrix.clients import ClientError, connect
from pgmatrix.config import load
from pgmatrix.errors import ConfigError, PgMatrixError
from pgmatrix.matrix import Cell
from pgmatrix.perf import usage
from pgmatrix.perf.contender import Contender, Ground, Looped
from pgmatrix.perf.loops import Slice, closed_loop, slowed, steady
from pgmatrix.perf.machine import syncs
from pgmatrix.perf.results import Role
from pgmatrix.perf.shares import MOST, members, renumbered, shared
from pgmatrix.perf.table import PerfTable, read_table
from pgmatrix.provision import provision
from pgmatrix.servers.tuning import usable_cores

CONNECTIONS = 400  # a sweep's 64 clients, the load's 100, by each variant
# What a commit promises in production; the table's own settings win.
DURABLE = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    "autovacuum": "on",
}


class Worker:
    """The contenders of one cell, and what can be asked of them."""

    def __init__(self, ground: Ground, contenders: Sequence[Contender]) -> None:
        self.ground = ground
        self.contenders = {(one.workload, one.variant): one for one in contenders}
        with ground.client() as client:
            [(directory, *who)] = client.execute(f"SELECT current_setting('data_directory'), {usage.WHO}")
            self.postmaster = usage.postmaster_behind(*who)
        embedded = ground.found.server.provider == "embedded"
        reachable = embedded and os.access(directory, os.W_OK)
        self.sync = statistics.median(syncs(Path(directory).parent)) if reachable else None

    def offers(self) -> list[dict[str, Any]]:
        """What can be measured here."""
        return [
            {
                "workload": one.workload,
                "variant": one.variant,
                "role": one.role,
                "clients": list(one.clients),
                "size": one.size,
                "absent": one.absent,
            }
            for one in self.contenders.values()
        ]

    def slice(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """One slice, with what it cost; `dead` where the server no longer answers."""
        contender = self.contenders[order["workload"], order["variant"]]
        before = usage.spent(self.postmaster, before=True)
        slow = order.get("slow", 1.0)
        work = contender.slice(order["clients"], order["seconds"]) if slow == 1 else self._slowed(contender, order)
        found: Slice = self.ground.run(work)
        return self._answer(found, before)

    async def _slowed(self, contender: Contender, order: Mapping[str, Any]) -> Slice:
        """A slowdown put in on purpose, to see that it is noticed."""
        if not isinstance(contender, Looped):
            raise ConfigError(f"{contender.workload} {contender.variant} cannot be slowed", do_next="choose another")
        await contender.ready(order["clients"])
        return await closed_loop(slowed(contender.once, order["slow"]), order["clients"], order["seconds"])

    def load(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """A steady load on a contender that is a loop, by as many processes as there are cores."""
        contender = self.contenders[order["workload"], order["variant"]]
        if not isinstance(contender, Looped):
            raise ConfigError(f"{order['workload']} offers no single requests", do_next="name another in load.workload")
        before = usage.spent(self.postmaster, before=True)
        processes = min(usable_cores(), MOST, order["clients"])
        found = shared(processes, partial(self._part, contender, order, processes), seconds=order["seconds"])
        return self._answer(found, before) | {"processes": processes}

    def _part(self, contender: Looped, order: Mapping[str, Any], processes: int, number: int) -> Slice:
        """One process's share of the clients and of the rate."""
        contender.forked()
        own = members(order["clients"], processes, number)
        rate = order["rate"] * len(own) / order["clients"]
        with asyncio.Runner() as runner:
            return runner.run(self._steady(contender, own, rate, order["seconds"]))

    async def _steady(self, contender: Looped, own: Sequence[int], rate: float, seconds: float) -> Slice:
        await contender.ready(len(own))
        once = renumbered(contender.once, own)
        await steady(once, clients=len(own), rate=rate / 4, seconds=1.0)  # opens connections
        return await steady(once, clients=len(own), rate=rate, seconds=seconds)

    def describe(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """The plan and the notes of one contender."""
        contender = self.contenders[order["workload"], order["variant"]]
        return {"plan": self.ground.run(contender.plan()), "notes": dict(contender.notes())}

    def _answer(self, found: Slice, before: usage.Spent) -> dict[str, Any]:
        after, held = usage.spent(self.postmaster, before=False), usage.held(self.postmaster)
        both = before.server is not None and after.server is not None
        answer = {
            "latencies": [round(one * 1e6) for one in found.latencies],
            "seconds": found.seconds,
            "errors": dict(found.errors),
            "texts": dict(found.texts),
            "client_cpu": after.client - before.client,
            "server_cpu": (after.server or 0) - (before.server or 0) if both else None,
            "client_memory": held.client,
            "server_memory": held.server,
        }
        return answer | ({"dead": self._death()} if found.errors else {})

    def _death(self) -> str:
        """Why the server does not answer a new connection, or empty."""
        try:
            connect(self.ground.found.server, timeout=5).close()
        except ClientError as error:
            return error.wanted.partition("\n")[0]
        return ""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the conductor until it says no more. What is printed by others goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m pgmatrix.perf.worker")
    parser.add_argument("cell")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the conductor is asked, and closes our input
    speak = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        _serve(Cell.parse(options.cell), quick=options.quick, speak=speak)
    except PgMatrixError as error:
        _say(speak, {"problem": str(error)})
        return 1
    return 0


def _serve(cell: Cell, *, quick: bool, speak: TextIO) -> None:
    root = Path.cwd()
    table = read_table(load(root)["perf"])
    settings = {**DURABLE, **table.settings}
    config = load(root, options={"memory": False, "settings": settings, "connections-per-worker": CONNECTIONS})
    found = provision(config, cell, workers=1, label=f"perf({cell})")
    try:
        with asyncio.Runner() as runner:
            ground = Ground(cell=cell, quick=quick, found=found, runner=runner)
            worker = Worker(ground, _contenders(root, table, ground))
            shown = ", ".join(f"{name}={found.facts.settings.get(name, '?')}" for name in settings)
            durability = f"{found.server.storage}; {shown}"
            facts = {"facts": asdict(found.facts), "durability": durability, "sync": worker.sync}
            _say(speak, {"ready": {**facts, "offers": worker.offers()}})
            for line in sys.stdin:
                order = json.loads(line)
                if order["do"] == "end":
                    break
                _say(speak, getattr(worker, order["do"])(order))
    finally:
        found.close()


def _contenders(root: Path, table: PerfTable, ground: Ground) -> list[Contender]:
    sys.path.insert(0, str(root))
    module, _, function = table.workloads.partition(":")
    found = list(getattr(importlib.import_module(module), function)(ground))
    if not all(isinstance(one.role, Role) for one in found):
        raise ConfigError(f"{table.workloads} gave something without a role", do_next="return contenders")
    return found


def _say(speak: TextIO, message: Mapping[str, Any]) -> None:
    speak.write(json.dumps(message) + "\n")
    speak.flush()


if __name__ == "__main__":
    sys.exit(main())
