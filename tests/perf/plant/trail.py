"""Measures the audit trail: what it adds to inserts, and how fast and in how much memory a chain is verified."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pgmatrix.databases.database import Database
from pgmatrix.perf import usage
from plant.core.database import Database as Plant
from plant.models.canonical import canonical_json
from plant.security.audit import verify, verify_in_server
from plant.security.audit_chain import GENESIS, Entry, Verdict, canonical, link
from tests.perf.measure import Action, MeasurementFailed, Samples, Unit, interleave
from tests.perf.plant.bare import open_bare
from tests.perf.plant.figures import Figure
from tests.perf.plant.ground import Ground
from tests.perf.plant.loads import load, without_audit
from tests.perf.plant.rows import AGENT, INDUSTRY_COLUMNS, SKILL_COLUMNS, facts, industries, skills, vectors
from tests.perf.table import Goal, Of

SHORT = "agent-short"
# Long enough that caches and buffers, which have a size of their own, are full.
SHORT_LENGTH = 10_000
ONES = 10
RATE = Goal(bound=50_000, at_least=True)
CONSTANT = Goal(bound=1.5, of=Of.RATIO)
KINDS: Mapping[str, Callable[[int, int], list[Any]]] = {
    "skill": lambda number, seed: skills(facts(number, 10 * seed), vectors(number, seed=seed, topics=20)),
    "industry": lambda number, seed: industries(facts(number, 10 * seed + 1)),
}
NAMES = {"skill": SKILL_COLUMNS, "industry": INDUSTRY_COLUMNS}
Judge = Callable[[AsyncSession, str], Awaitable[Verdict]]


def measure_inserts(ground: Ground) -> list[Figure]:
    """Audited inserts beside the same at the revision before the trail: one by one, durable, and in bulk."""
    audited = ground.clone()
    silent = ground.clone()
    without_audit(ground, silent)
    number = ground.rounds(1000, 300)
    found = {}
    with ground.plant(audited) as on, ground.plant(silent) as off:
        for kind in KINDS:
            found[f"one {kind} a transaction"] = interleave(
                ground.rounds(30, 10), {name: _ones(ground, plant, kind) for name, plant in (("on", on), ("off", off))}
            )
            found[f"{number:,} of kind {kind} in one transaction"] = interleave(
                ground.rounds(8, 4),
                {name: _many(ground, plant, kind, number) for name, plant in (("on", on), ("off", off))},
            )
    ground.drop(audited, silent)
    goal = Goal(bound=1.6, of=Of.RATIO)
    return [
        Figure(
            what=f"audited insert through plant, {what}",
            measured=pair["on"],
            baseline=pair["off"],
            baseline_what="without the trail's triggers",
            goal=goal,
        )
        for what, pair in found.items()
    ]


def _ones(ground: Ground, plant: Plant, kind: str) -> Action:
    """Seconds for each of some transactions with one entity, committed durably."""
    seeds = count(1)

    async def insert(entities: Sequence[Any]) -> float:
        start = time.perf_counter()
        for entity in entities:
            async with plant.session(AGENT) as session:
                session.add(entity)
        return (time.perf_counter() - start) / len(entities)

    return lambda: ground.run(insert(KINDS[kind](ONES, next(seeds))))


def _many(ground: Ground, plant: Plant, kind: str, number: int) -> Action:
    seeds = count(1001)
    return lambda: ground.run(load(plant, KINDS[kind](number, next(seeds)), NAMES[kind]))


def measure_chain(ground: Ground) -> list[Figure]:
    """A chain of 50,000 (quick: 20,000) entries judged by server and client; memory beside one of 10,000."""
    length = ground.rounds(50_000, 20_000)
    database = ground.clone()
    for agent, number in ((AGENT, length), (SHORT, SHORT_LENGTH)):
        ground.run(forge(database, agent, number))
    ground.admin(database, "ANALYZE plant.audit_log")
    judges: dict[str, Judge] = {"Python": verify, "the server": verify_in_server}
    with ground.plant(database) as plant:
        actions = {
            name: lambda judge=judge: length / ground.run(_seconds(plant, judge, AGENT, length))
            for name, judge in judges.items()
        }
        interleave(1, actions)
        rates = interleave(ground.rounds(9, 5), actions)
        peaks = {
            name: [
                _peak(ground, database, judge, agent, number)
                for agent, number in ((SHORT, SHORT_LENGTH), (AGENT, length))
            ]
            for name, judge in judges.items()
        }
    ground.drop(database)
    best = max(rates, key=lambda name: rates[name].median)
    return [
        Figure(
            what=f"verify a chain of {length:,} entries in {name}",
            measured=Samples(values=found.values, unit=Unit.PER_SECOND),
            goal=RATE if name == best else None,
        )
        for name, found in rates.items()
    ] + [
        Figure(
            what=f"memory of client and server at its peak while {name} verifies {length:,} entries",
            measured=Samples(values=(long,), unit=Unit.MEGABYTES),
            baseline=Samples(values=(short,), unit=Unit.MEGABYTES),
            baseline_what=f"{SHORT_LENGTH:,} entries",
            goal=CONSTANT,
        )
        for name, (short, long) in peaks.items()
    ]


async def forge(database: Database, agent: str, number: int) -> None:
    """An intact chain, computed here and copied in by the superuser with the triggers off."""
    bare = await open_bare(database, None)
    entries, prev_hash = [], GENESIS
    for seq, entity in enumerate(industries(facts(number, len(agent)), agent), 1):
        entry = Entry(
            governance_agent_id=agent,
            seq=seq,
            created_at=datetime.now(UTC),
            transaction_id=1000 + seq,
            actor="plant_app",
            action="insert",
            entity_type="industry",
            entity_id=entity.id,
            version=1,
            version_hash=entity.content_hash(),
            content=canonical_json(entity.content()),
            prev_hash=prev_hash,
            hash="",
        )
        prev_hash = link(prev_hash, canonical(entry))
        entries.append(entry._replace(hash=prev_hash, content=bare.json(entity.content())))
    for table in ("audit_log", "audit_head"):
        await bare.run(f"ALTER TABLE plant.{table} DISABLE TRIGGER USER")
    head = ("governance_agent_id", "seq", "hash")
    await bare.copy([("audit_log", Entry._fields, entries), ("audit_head", head, [(agent, number, prev_hash)])])
    await bare.close()


async def _seconds(plant: Plant, judge: Judge, agent: str, length: int) -> float:
    """Raises MeasurementFailed for a chain that is not found intact."""
    async with plant.session(agent) as session:
        start = time.perf_counter()
        verdict = await judge(session, agent)
        seconds = time.perf_counter() - start
    if not verdict.intact or verdict.entries != length:
        raise MeasurementFailed(f"the chain of {length} entries was judged wrongly: {verdict}")
    return seconds


def _peak(ground: Ground, database: Database, judge: Judge, agent: str, length: int) -> float:
    """Megabytes of private memory of this process and a fresh backend at their highest, less this process's before.

    Raises MeasurementFailed where the backend cannot be seen from here.
    """

    async def judged(plant: Plant) -> float:
        async with plant.session(agent) as session:
            backend = usage.process_behind(*(await session.execute(text(f"SELECT {usage.WHO}"))).one())
        if backend is None:
            raise MeasurementFailed("the server's processes cannot be seen from here")
        with _watched([os.getpid(), backend]) as seen:
            await _seconds(plant, judge, agent, length)
        return max(seen)

    with ground.plant(database) as plant:
        before = usage.private_memory([os.getpid()]) or 0.0
        return float(ground.run(judged(plant)) - before)


@contextmanager
def _watched(pids: list[int]) -> Iterator[list[float]]:
    """Every 5 ms, the private memory of some processes together."""
    seen, over = [usage.private_memory(pids) or 0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            seen.append(usage.private_memory(pids) or 0.0)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
