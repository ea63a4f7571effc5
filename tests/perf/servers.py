"""Measures servers: ready with the migrated template from a warm cache, and data in memory beside data on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from pgmatrix.clients import Client, connect
from pgmatrix.config import ProviderName, load
from pgmatrix.databases.stock import clone
from pgmatrix.databases.template import drop
from pgmatrix.matrix import Cell
from pgmatrix.provision import Provision, provision
from pgmatrix.servers import storage
from pgmatrix.servers.cache import cache_root
from pgmatrix.servers.embedded import EmbeddedProvider
from pgmatrix.servers.guard import Guard
from pgmatrix.servers.protocol import Lease, ServerSpec
from pgmatrix.servers.tuning import settings_for
from tests.perf.bench import Bench
from tests.perf.commands import run
from tests.perf.measure import Absent, Action, interleave, timed
from tests.perf.sessions import observe
from tests.perf.table import Goal, Row

BOUNDS = {ProviderName.EMBEDDED: 0.3, ProviderName.CONTAINER: 1.5}


@contextmanager
def server(bench: Bench, cell: Cell, *, memory: bool = True) -> Iterator[tuple[Provision, Client]]:
    """An embedded server with the template, in this process, and a client of its superuser."""
    config = load(bench.root, options={"provider": "embedded", "memory": memory})
    found = provision(config, cell, workers=1, label="bench")
    with ExitStack() as stack:
        stack.callback(found.close)
        client = connect(found.server)
        stack.callback(client.close)
        yield found, client


def measure_ready(bench: Bench) -> list[Row]:
    """Each cell on each provider, in a process of its own as a session's is; the first time, not counted, warms."""
    embedded = _ready(bench, ProviderName.EMBEDDED, bench.rounds(5, 3))
    return embedded + _ready(bench, ProviderName.CONTAINER, bench.rounds(3, 2))


def _ready(bench: Bench, provider: ProviderName, rounds: int) -> list[Row]:
    what = f"server ready with a migrated template, {provider}"
    actions = {str(cell): _provisioning(bench, cell, provider) for cell in bench.cells}
    try:
        for action in actions.values():
            action()
        found = interleave(rounds, actions)
    except Absent as error:
        return [Row(what=what, absent=str(error))]
    goal = Goal(bound=BOUNDS[provider])
    return [Row(what=f"{what}, {name}", measured=samples, goal=goal) for name, samples in found.items()]


def _provisioning(bench: Bench, cell: Cell, provider: ProviderName) -> Action:
    observe(bench, next(one for one in bench.sessions if one.cell.driver is cell.driver))
    argv = [bench.python(cell.driver), "-m", "tests.perf.ready", str(cell)]
    env = bench.environ(PGMATRIX_PROVIDER=provider)

    def once() -> float:
        finished = run(argv, env=env, cwd=bench.root, output=bench.file("ready.log"))
        said = json.loads(finished.output.splitlines()[-1])
        if "absent" in said:
            raise Absent(said["absent"])
        return float(said["seconds"])

    return once


def measure_places(bench: Bench) -> list[Row]:
    """The same steps with data in memory and on disk, in turn."""
    rows = []
    for cell in bench.cells:
        if not storage.choose_place(memory=True).reason.startswith("in memory"):
            return [Row(what="data in memory beside on disk", absent=storage.choose_place(memory=True).reason)]
        rows += [_copies(bench, cell), _clones(bench, cell)]
    return rows


def _copies(bench: Bench, cell: Cell) -> Row:
    settings = settings_for(cell.major, bench.table["settings"], 10)
    spec = ServerSpec(cell=cell, settings=settings, connections=10, label="bench")
    guard = Guard()
    provider = EmbeddedProvider(cache=cache_root(bench.table["cache"]), guard=guard, run_as=bench.table["run-as"])

    def start(memory: bool) -> float:
        leases: list[Lease] = []
        order = replace(spec, memory=memory)
        seconds = timed(lambda: leases.append(provider.start(order, key=None, reason="measured")))
        leases[0].stop()
        return seconds

    try:
        start(memory=True)
        actions: dict[str, Action] = {"memory": lambda: start(memory=True), "disk": lambda: start(memory=False)}
        found = interleave(bench.rounds(8, 4), actions)
    finally:
        guard.close()
    return Row(
        what=f"a data folder copied, PostgreSQL started, first query, in memory, {cell}",
        measured=found["memory"],
        beside=found["disk"],
        beside_what="on disk",
    )


def _clones(bench: Bench, cell: Cell) -> Row:
    with server(bench, cell, memory=True) as ours, server(bench, cell, memory=False) as other:
        actions = {"memory": _cloning(*ours), "disk": _cloning(*other)}
        found = interleave(bench.rounds(15, 8), actions)
    return Row(
        what=f"a clone in memory, {cell}",
        measured=found["memory"],
        beside=found["disk"],
        beside_what="on disk",
    )


def _cloning(found: Provision, client: Client) -> Action:
    def once() -> float:
        seconds = timed(lambda: clone(client, "pgmx_c_0_bench_0", found.template))
        drop(client, "pgmx_c_0_bench_0")
        return seconds

    return once
