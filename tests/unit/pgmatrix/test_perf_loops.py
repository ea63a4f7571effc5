"""Loops: every client goes on until the time is over, every latency and every error is kept, nothing hangs."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from pgmatrix.perf import loops
from pgmatrix.perf.loops import HUNG, closed_loop, slowed, steady


async def test_each_client_does_at_least_one_operation() -> None:
    """Also when the time is over before it begins."""
    seen: Counter[int] = Counter()

    async def once(client: int) -> None:
        seen[client] += 1

    found = await closed_loop(once, 3, 0.0)

    assert seen == {0: 1, 1: 1, 2: 1}
    assert (len(found.latencies), found.errors) == (3, {})


async def test_clients_work_at_the_same_time() -> None:
    """Four clients meet at a barrier that none alone would pass."""
    barrier = asyncio.Barrier(4)

    async def once(_: int) -> None:
        await barrier.wait()

    assert len((await closed_loop(once, 4, 0.0)).latencies) == 4


async def test_an_operation_may_say_its_own_seconds() -> None:
    """Where not all of it counts, what it returns is the latency."""

    async def once(_: int) -> float:
        return 42.0

    assert (await closed_loop(once, 1, 0.0)).latencies == (42.0,)


async def test_errors_are_counted_by_name_and_stop_nobody() -> None:
    """A client that fails goes on; what failed is no latency."""
    turns = iter([ValueError("one\nmore"), KeyError("two"), None, None])

    async def once(_: int) -> None:
        error = next(turns)
        if error is not None:
            raise error

    found = [await closed_loop(once, 1, 0.0) for _ in range(3)]

    assert [one.errors for one in found] == [{"ValueError": 1}, {"KeyError": 1}, {}]
    assert found[0].texts == {"ValueError": "one"}
    assert [len(one.latencies) for one in found] == [0, 0, 1]


async def test_who_hangs_is_counted_and_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop ends though an operation does not, and leaves no task behind."""
    monkeypatch.setattr(loops, "PATIENCE", 0.0)
    ended = []

    async def once(_: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    found = await closed_loop(once, 2, 0.0)

    assert (found.errors, found.latencies, len(ended)) == ({HUNG: 2}, (), 2)


async def test_cancelling_a_loop_cancels_its_clients() -> None:
    """No client goes on when the whole is given up."""
    began, ended = asyncio.Event(), asyncio.Event()

    async def once(_: int) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(closed_loop(once, 1, 60.0))
    await began.wait()
    task.cancel()

    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
    assert ended.is_set()


async def test_a_steady_load_gives_each_client_its_turns() -> None:
    """As many requests as the rate and the time make, spread over all clients; errors count too."""
    seen: Counter[int] = Counter()

    async def once(client: int) -> None:
        seen[client] += 1
        if client == 3:
            raise ValueError("no")

    found = await steady(once, clients=4, rate=4000.0, seconds=0.01)

    assert seen == dict.fromkeys(range(4), 10)
    assert (len(found.latencies), found.errors) == (30, {"ValueError": 10})


async def test_waiting_behind_a_slow_request_is_in_the_figures() -> None:
    """A latency counts from when the request was due, not from when it was sent."""
    release = asyncio.Event()
    turns = iter(range(5))

    async def once(_: int) -> None:
        if next(turns) == 0:
            asyncio.get_running_loop().call_later(0.05, release.set)
            await release.wait()

    found = await steady(once, clients=1, rate=10_000.0, seconds=0.0005)

    assert len(found.latencies) == 5
    assert min(found.latencies) >= 0.045


async def test_what_is_slowed_takes_longer_by_the_factor() -> None:
    """An operation that says its own seconds says more; its result stays a figure."""

    async def own(_: int) -> float:
        return 0.001

    async def plain(_: int) -> None:
        return None

    assert await slowed(own, 3.0)(0) == pytest.approx(0.003)
    assert await slowed(plain, 3.0)(0) is None
