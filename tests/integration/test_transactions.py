"""Layer 7, the contract: atomicity, isolation as PostgreSQL documents it, retries, deadlocks and savepoints."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.config import Isolation
from plant.core.database import Database
from plant.core.errors import (
    CheckViolation,
    ConnectionLost,
    DeadlockDetected,
    FailedTransaction,
    SerializationFailure,
    UniqueViolation,
)
from tests.fixtures.databases import AGENT_A
from tests.fixtures.factories import skill
from tests.fixtures.locks import Observer
from tests.fixtures.pools import DatabaseWith

LEVEL = text("SELECT current_setting('transaction_isolation')")
PID = text("SELECT pg_backend_pid()")
SKILLS = "SELECT count(*) FROM plant.skill"
TOTAL = text("SELECT sum(value) FROM public.ledger")
VALUE = text("SELECT value FROM public.ledger WHERE id = :id")
WRITE = text("UPDATE public.ledger SET value = :value WHERE id = :id")
TAKE = text("UPDATE public.ledger SET value = value - 20 WHERE id = :id")
RAISE = text("UPDATE public.ledger SET value = value + 1 WHERE id = :id")


async def test_transaction_commit_atomicity(plant_db: Database, observer: Observer) -> None:
    """A backend that is killed before COMMIT leaves nothing behind; after a COMMIT both rows are there."""
    with pytest.raises(ConnectionLost) as caught:
        async with plant_db.session(AGENT_A) as session:
            session.add_all([skill(), skill()])
            await session.flush()
            await observer.terminate([await session.scalar(PID) or 0])
    killed = await observer.value(SKILLS)
    async with plant_db.session(AGENT_A) as session:
        session.add_all([skill(), skill()])
    committed = await observer.value(SKILLS)

    assert caught.value.sqlstate in {"57P01", "08006"}
    assert (killed, committed) == (0, 2)


async def test_transaction_rollback_on_constraint_violation(plant_db: Database, observer: Observer) -> None:
    """A violation undoes the transaction's earlier good rows too, even where its error is swallowed."""
    with pytest.raises(UniqueViolation) as caught:
        async with plant_db.session(AGENT_A) as session:
            session.add_all([skill(), skill(external_id="one")])
            await session.flush()
            session.add(skill(external_id="one"))
    raised = await observer.value(SKILLS)
    with pytest.raises(FailedTransaction) as swallowed:
        async with plant_db.session(AGENT_A) as session:
            session.add_all([skill(), skill(external_id="one")])
            await session.flush()
            session.add(skill(external_id="one"))
            with pytest.raises(UniqueViolation):
                await session.flush()

    assert (caught.value.sqlstate, swallowed.value.sqlstate) == ("23505", "25P02")
    assert (raised, await observer.value(SKILLS)) == (0, 0)


async def test_transaction_isolation_level(database_with: DatabaseWith) -> None:
    """The default and every requested level are what the server reports, and none reaches the next checkout."""
    database = database_with(pool_size=1, max_overflow=0)
    strict = database_with(isolation=Isolation.SERIALIZABLE)
    reported = []
    for level in (None, *Isolation):
        async with database.session(isolation=level) as session:
            requested = await session.scalar(LEVEL)
        async with database.session() as session:
            reported.append((requested, await session.scalar(LEVEL)))
    async with strict.session() as session:
        configured = await session.scalar(LEVEL)
    async with strict.session(isolation=Isolation.REPEATABLE_READ) as session:
        overridden = await session.scalar(LEVEL)
    opened = database.metrics().total_opened

    assert reported == [
        ("read committed", "read committed"),
        ("read uncommitted", "read committed"),
        ("read committed", "read committed"),
        ("repeatable read", "read committed"),
        ("serializable", "read committed"),
    ]
    assert (configured, overridden) == ("serializable", "repeatable read")
    assert opened == 1


@pytest.mark.usefixtures("ledger")
async def test_dirty_read_prevention(plant_db: Database) -> None:
    """Uncommitted inserts and updates are never seen by others, not even at READ UNCOMMITTED."""
    async with plant_db.session() as writer:
        await writer.execute(WRITE, {"id": 1, "value": 1000})
        await writer.execute(text("INSERT INTO public.ledger VALUES (3, 1000)"))
        seen = []
        for level in (Isolation.READ_UNCOMMITTED, Isolation.READ_COMMITTED):
            async with plant_db.session(isolation=level) as reader:
                seen.append((await reader.scalar(LEVEL), await reader.scalar(TOTAL)))
        own = await writer.scalar(TOTAL)

    assert seen == [("read uncommitted", 30), ("read committed", 30)]
    assert own == 2020


@pytest.mark.usefixtures("ledger")
async def test_repeatable_read_consistency(plant_db: Database) -> None:
    """A snapshot holds while others commit, and updating what they changed ends in SerializationFailure."""
    reads = []
    with pytest.raises(SerializationFailure) as caught:
        async with plant_db.session(isolation=Isolation.REPEATABLE_READ) as session:
            reads.append(await session.scalar(VALUE, {"id": 1}))
            async with plant_db.session() as other:
                await other.execute(WRITE, {"id": 1, "value": 11})
            reads.append(await session.scalar(VALUE, {"id": 1}))
            await session.execute(WRITE, {"id": 1, "value": 12})
    async with plant_db.session() as session:
        final = await session.scalar(VALUE, {"id": 1})

    assert reads == [10, 10]
    assert caught.value.sqlstate == "40001"
    assert final == 11


@pytest.mark.usefixtures("ledger")
async def test_phantom_read_handling(plant_db: Database) -> None:
    """A row that another transaction inserts appears at READ COMMITTED and does not at REPEATABLE READ."""
    counts = {}
    for level in (Isolation.READ_COMMITTED, Isolation.REPEATABLE_READ):
        query = text("SELECT count(*) FROM public.ledger WHERE value > 0")
        async with plant_db.session(isolation=level) as session:
            first = await session.scalar(query)
            async with plant_db.session() as other:
                await other.execute(text("INSERT INTO public.ledger SELECT max(id) + 1, 1 FROM public.ledger"))
            counts[level] = (await session.scalar(query) or 0) - (first or 0)

    assert counts == {Isolation.READ_COMMITTED: 1, Isolation.REPEATABLE_READ: 0}


async def test_serialization_consistency(plant_db: Database, ledger: Observer) -> None:
    """Write skew passes at REPEATABLE READ; at SERIALIZABLE one side fails, and the retry helper completes both."""
    skewed = await _withdraw_twice(plant_db, Isolation.REPEATABLE_READ, retries=0)
    overdrawn = await _refill(ledger)
    serial = await _withdraw_twice(plant_db, Isolation.SERIALIZABLE, retries=0)
    refused = await _refill(ledger)
    helped = await _withdraw_twice(plant_db, Isolation.SERIALIZABLE, retries=10)
    retried = await _refill(ledger)

    assert (skewed, overdrawn) == ([True, True], -10)
    assert sorted(map(str, serial)) == ["40001", "True"]
    assert refused == 10
    assert sorted(map(str, helped)) == ["False", "True"]
    assert retried == 10


async def test_concurrent_transaction_non_interference(database_with: DatabaseWith, ledger: Observer) -> None:
    """Twenty concurrent read-then-write increments through the retry helper end at exactly twenty more."""
    database = database_with(pool_size=4, max_overflow=0)
    meeting = _Meeting(parties=4)

    async def increment(session: AsyncSession) -> None:
        value = await session.scalar(VALUE, {"id": 1}) or 0
        await meeting.wait()
        await session.execute(WRITE, {"id": 1, "value": value + 1})

    async with asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(database.run_in_transaction(increment, isolation=Isolation.REPEATABLE_READ, retries=100))

    assert await ledger.value("SELECT value FROM public.ledger WHERE id = 1") == 10 + 20


async def test_transaction_deadlock_prevention(database_with: DatabaseWith, ledger: Observer) -> None:
    """A forced deadlock has exactly one victim, DeadlockDetected; the retry helper completes both sides."""
    await ledger.run(f'ALTER DATABASE "{await ledger.value("SELECT current_database()")}" SET deadlock_timeout = 20')
    database = database_with()
    meeting, again = _Meeting(), _Meeting()

    def crossing(first: int, second: int, barrier: _Meeting) -> Callable[[AsyncSession], Awaitable[None]]:
        async def work(session: AsyncSession) -> None:
            await session.execute(RAISE, {"id": first})
            await barrier.wait()
            await session.execute(RAISE, {"id": second})

        return work

    bare = await asyncio.gather(
        *(database.run_in_transaction(crossing(*order, meeting), retries=0) for order in ((1, 2), (2, 1))),
        return_exceptions=True,
    )
    between = await ledger.rows("SELECT value FROM public.ledger ORDER BY id")
    await asyncio.gather(*(database.run_in_transaction(crossing(*order, again)) for order in ((1, 2), (2, 1))))
    after = await ledger.rows("SELECT value FROM public.ledger ORDER BY id")
    victims = [error for error in bare if error is not None]

    assert [type(error) for error in victims] == [DeadlockDetected]
    assert [error.sqlstate for error in victims if isinstance(error, DeadlockDetected)] == ["40P01"]
    assert between == [(11,), (21,)]
    assert after == [(13,), (23,)]
    assert again.attempts >= 3  # who was the victim may meet the other again


async def test_transaction_savepoint_support(plant_db: Database, observer: Observer) -> None:
    """Rolling back to a savepoint undoes the inner part alone, by choice as after an error."""
    outer, inner, late = skill(name="outer"), skill(name="inner"), skill(name="late")
    async with plant_db.session(AGENT_A) as session:
        session.add(outer)
        await session.flush()
        nested = await session.begin_nested()
        session.add(inner)
        await session.flush()
        await nested.rollback()
        with pytest.raises(CheckViolation) as caught:
            async with session.begin_nested():
                session.add(skill(name="broken"))
                await session.flush()
                await session.execute(text("UPDATE plant.base_entity SET parent_id = id WHERE name = 'broken'"))
        session.add(late)
    names = await observer.rows("SELECT name FROM plant.base_entity ORDER BY name")

    assert caught.value.sqlstate == "23514"
    assert names == [("late",), ("outer",)]


class _Meeting:
    """Lets the first attempts of several transactions overlap; later attempts pass. Counts the attempts."""

    def __init__(self, parties: int = 2) -> None:
        self._barrier = asyncio.Barrier(parties)
        self._parties = parties
        self.attempts = 0

    async def wait(self) -> None:
        """The first `parties` callers go on together."""
        self.attempts += 1
        if self.attempts <= self._parties:
            async with asyncio.timeout(5):
                await self._barrier.wait()


async def _withdraw_twice(database: Database, level: Isolation, *, retries: int) -> list[object]:
    """Two overlapping transactions each take 20 of the 30 if there is enough: True, False or the SQLSTATE."""
    meeting = _Meeting()

    def withdrawal(row: int) -> Callable[[AsyncSession], Awaitable[bool]]:
        async def work(session: AsyncSession) -> bool:
            enough = (await session.scalar(TOTAL) or 0) >= 20
            await meeting.wait()
            if enough:
                await session.execute(TAKE, {"id": row})
            return enough

        return work

    outcomes = await asyncio.gather(
        *(database.run_in_transaction(withdrawal(row), isolation=level, retries=retries) for row in (1, 2)),
        return_exceptions=True,
    )
    return [outcome.sqlstate if isinstance(outcome, SerializationFailure) else outcome for outcome in outcomes]


async def _refill(ledger: Observer) -> object:
    """The balance that was left; both rows are as in the beginning again."""
    left = await ledger.value("SELECT sum(value) FROM public.ledger")
    await ledger.run("UPDATE public.ledger SET value = 10 * id")
    return left
