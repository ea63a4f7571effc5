"""Layer 7, beyond the contract: which anomalies each isolation level lets through, as PostgreSQL documents it.

The scripts are those of M. Kleppmann's Hermitage (2014) for the anomalies of Adya (1999), replayed as data: a step that
has to wait for another player's lock goes on when it is granted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.config import Isolation
from plant.core.database import Database
from plant.core.errors import SerializationFailure
from tests.fixtures.locks import Observer, until

RC, RR, SER = Isolation.READ_COMMITTED, Isolation.REPEATABLE_READ, Isolation.SERIALIZABLE

Rows = list[tuple[Any, ...]]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What the players saw: each one's results in order, the table at the end, and who was refused."""

    reads: dict[str, list[Rows]] = field(default_factory=lambda: {"1": [], "2": [], "3": []})
    refused: set[str] = field(default_factory=set)
    final: Rows = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """A script, one `player: statement` a line; how the anomaly shows; at which levels PostgreSQL allows it."""

    name: str
    script: str
    happened: Callable[[Outcome], bool]
    allowed_at: frozenset[Isolation] = frozenset()


ANOMALIES = (
    Anomaly(
        name="dirty write",
        script="""
            1: UPDATE ledger SET value = 11 WHERE id = 1
            2: UPDATE ledger SET value = 12 WHERE id = 1
            1: UPDATE ledger SET value = 21 WHERE id = 2
            1: COMMIT
            2: UPDATE ledger SET value = 22 WHERE id = 2
            2: COMMIT
        """,
        happened=lambda seen: seen.final not in ([(1, 11), (2, 21)], [(1, 12), (2, 22)]),
    ),
    Anomaly(
        name="aborted read",
        script="""
            1: UPDATE ledger SET value = 101 WHERE id = 1
            2: SELECT value FROM ledger WHERE id = 1
            1: ROLLBACK
            2: SELECT value FROM ledger WHERE id = 1
            2: COMMIT
        """,
        happened=lambda seen: [(101,)] in seen.reads["2"],
    ),
    Anomaly(
        name="intermediate read",
        script="""
            1: UPDATE ledger SET value = 101 WHERE id = 1
            2: SELECT value FROM ledger WHERE id = 1
            1: UPDATE ledger SET value = 11 WHERE id = 1
            1: COMMIT
            2: SELECT value FROM ledger WHERE id = 1
            2: COMMIT
        """,
        happened=lambda seen: [(101,)] in seen.reads["2"],
    ),
    Anomaly(
        name="circular information flow",
        script="""
            1: UPDATE ledger SET value = 11 WHERE id = 1
            2: UPDATE ledger SET value = 22 WHERE id = 2
            1: SELECT value FROM ledger WHERE id = 2
            2: SELECT value FROM ledger WHERE id = 1
            1: COMMIT
            2: COMMIT
        """,
        happened=lambda seen: [(22,)] in seen.reads["1"] or [(11,)] in seen.reads["2"],
    ),
    Anomaly(
        name="observed transaction vanishes",
        script="""
            1: UPDATE ledger SET value = 11 WHERE id = 1
            1: UPDATE ledger SET value = 19 WHERE id = 2
            2: UPDATE ledger SET value = 12 WHERE id = 1
            1: COMMIT
            3: SELECT value FROM ledger ORDER BY id
            2: UPDATE ledger SET value = 18 WHERE id = 2
            3: SELECT value FROM ledger ORDER BY id
            2: COMMIT
            3: SELECT value FROM ledger ORDER BY id
            3: COMMIT
        """,
        happened=lambda seen: any(
            rows not in ([(10,), (20,)], [(11,), (19,)], [(12,), (18,)]) for rows in seen.reads["3"]
        ),
    ),
    Anomaly(
        name="predicate-many-preceders",
        script="""
            1: SELECT id FROM ledger WHERE value = 30
            2: INSERT INTO ledger VALUES (3, 30)
            2: COMMIT
            1: SELECT id FROM ledger WHERE value % 3 = 0
            1: COMMIT
        """,
        happened=lambda seen: seen.reads["1"] == [[], [(3,)]],
        allowed_at=frozenset({RC}),
    ),
    Anomaly(
        name="predicate-many-preceders of a write",
        script="""
            1: UPDATE ledger SET value = value + 10
            2: DELETE FROM ledger WHERE value = 20
            1: COMMIT
            2: SELECT value FROM ledger ORDER BY id
            2: COMMIT
        """,
        # Row 1 holds 20 now, yet the DELETE, which waited for row 2, removed neither.
        happened=lambda seen: seen.reads["2"] == [[(20,), (30,)]],
        allowed_at=frozenset({RC}),
    ),
    Anomaly(
        name="lost update",
        script="""
            1: SELECT value FROM ledger WHERE id = 1
            2: SELECT value FROM ledger WHERE id = 1
            1: UPDATE ledger SET value = 11 WHERE id = 1
            2: UPDATE ledger SET value = 11 WHERE id = 1
            1: COMMIT
            2: COMMIT
        """,
        happened=lambda seen: not seen.refused,
        allowed_at=frozenset({RC}),
    ),
    Anomaly(
        name="read skew",
        script="""
            1: SELECT value FROM ledger WHERE id = 1
            2: SELECT value FROM ledger ORDER BY id
            2: UPDATE ledger SET value = 12 WHERE id = 1
            2: UPDATE ledger SET value = 18 WHERE id = 2
            2: COMMIT
            1: SELECT value FROM ledger WHERE id = 2
            1: COMMIT
        """,
        happened=lambda seen: seen.reads["1"] == [[(10,)], [(18,)]],
        allowed_at=frozenset({RC}),
    ),
    Anomaly(
        name="read skew by a predicate",
        script="""
            1: SELECT value FROM ledger WHERE value % 5 = 0 ORDER BY id
            2: UPDATE ledger SET value = 12 WHERE value = 10
            2: COMMIT
            1: SELECT value FROM ledger WHERE value % 3 = 0
            1: COMMIT
        """,
        happened=lambda seen: seen.reads["1"] == [[(10,), (20,)], [(12,)]],
        allowed_at=frozenset({RC}),
    ),
    Anomaly(
        name="read skew by a write",
        script="""
            1: SELECT value FROM ledger WHERE id = 1
            2: UPDATE ledger SET value = 12 WHERE id = 1
            2: UPDATE ledger SET value = 18 WHERE id = 2
            2: COMMIT
            1: DELETE FROM ledger WHERE value = 20
            1: SELECT value FROM ledger WHERE id = 2
            1: COMMIT
        """,
        happened=lambda seen: "1" not in seen.refused,
        allowed_at=frozenset({RC}),
    ),
    Anomaly(
        name="write skew",
        script="""
            1: SELECT value FROM ledger ORDER BY id
            2: SELECT value FROM ledger ORDER BY id
            1: UPDATE ledger SET value = 11 WHERE id = 1
            2: UPDATE ledger SET value = 21 WHERE id = 2
            1: COMMIT
            2: COMMIT
        """,
        happened=lambda seen: not seen.refused,
        allowed_at=frozenset({RC, RR}),
    ),
    Anomaly(
        name="anti-dependency cycle",
        script="""
            1: SELECT value FROM ledger WHERE value % 3 = 0
            2: SELECT value FROM ledger WHERE value % 3 = 0
            1: INSERT INTO ledger VALUES (3, 30)
            2: INSERT INTO ledger VALUES (4, 42)
            1: COMMIT
            2: COMMIT
        """,
        happened=lambda seen: not seen.refused,
        allowed_at=frozenset({RC, RR}),
    ),
    Anomaly(
        name="anti-dependency cycle of two edges",
        script="""
            1: SELECT value FROM ledger ORDER BY id
            2: UPDATE ledger SET value = value + 5 WHERE id = 2
            2: COMMIT
            3: SELECT value FROM ledger ORDER BY id
            3: COMMIT
            1: UPDATE ledger SET value = 0 WHERE id = 1
            1: COMMIT
        """,
        happened=lambda seen: not seen.refused,
        allowed_at=frozenset({RC, RR}),
    ),
)


@pytest.mark.parametrize("anomaly", ANOMALIES, ids=lambda anomaly: anomaly.name.replace(" ", "-"))
async def test_isolation_anomaly(plant_db: Database, ledger: Observer, anomaly: Anomaly) -> None:
    """The anomaly shows at exactly those isolation levels at which PostgreSQL documents that it can."""
    levels = {level for level in (RC, RR, SER) if anomaly.happened(await play(plant_db, ledger, anomaly, level))}

    assert levels == anomaly.allowed_at


async def play(database: Database, ledger: Observer, anomaly: Anomaly, level: Isolation) -> Outcome:
    """Run the script once at one level, on the two rows the ledger begins with."""
    await ledger.run("TRUNCATE public.ledger")
    await ledger.run("INSERT INTO public.ledger VALUES (1, 10), (2, 20)")
    async with AsyncExitStack() as stack:
        names = sorted({line.strip()[0] for line in anomaly.script.strip().splitlines()})
        players = {name: await stack.enter_async_context(database.session(isolation=level)) for name in names}
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        outcome = Outcome()
        waiting: dict[str, asyncio.Task[None]] = {}
        for line in anomaly.script.strip().splitlines():
            name, _, statement = line.strip().partition(": ")
            if name in waiting:
                await waiting.pop(name)
            step = tasks.create_task(_step(players[name], name, statement, outcome))
            if not await _done_or_blocked(step, ledger, len(waiting)):
                waiting[name] = step
    outcome.final = await ledger.rows("SELECT id, value FROM public.ledger ORDER BY id")
    return outcome


async def _step(session: AsyncSession, name: str, statement: str, outcome: Outcome) -> None:
    """One statement of one player; a player who was refused has left the game."""
    if name in outcome.refused:
        return
    try:
        if statement == "COMMIT":
            await session.commit()
        elif statement == "ROLLBACK":
            await session.rollback()
        else:
            result = await session.execute(text(statement))
            if statement.startswith("SELECT"):
                outcome.reads[name].append([tuple(row) for row in result])
    except SerializationFailure:
        outcome.refused.add(name)
        await session.rollback()


async def _done_or_blocked(step: asyncio.Task[None], ledger: Observer, blocked: int) -> bool:
    """Whether the step ended; if not, the server says that it waits for a lock."""
    await asyncio.wait({step}, timeout=0.01)

    async def settled() -> bool:
        return step.done() or await ledger.lock_waits() > blocked

    await until(settled, "the step ended or waited for a lock")
    if step.done():
        await step
    return step.done()
