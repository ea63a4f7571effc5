"""Owns how work is offered and timed: closed loops, where each client goes on when it is served, and a steady load.

Knows neither servers nor statistics. Every latency is kept, outliers too, and every error is counted by name.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

# One operation of that client. It returns its own seconds where not all of it counts, else None.
Once = Callable[[int], Awaitable[float | None]]
PAUSE = 0.01  # after an error, so that a refusal at once is no busy loop
PATIENCE = 60.0
HUNG = "Hung"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What came of one slice: seconds of each success, errors by name with one text of each, and the wall's seconds."""

    latencies: tuple[float, ...]
    seconds: float
    errors: Mapping[str, int] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


class _Tally:
    """Collects; as a context manager it takes whatever error an operation raises, and lets cancellation through."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.errors: dict[str, int] = {}
        self.texts: dict[str, str] = {}

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        self.count(type(error).__name__, str(error))
        return True

    def count(self, name: str, text: str) -> None:
        """One more error."""
        self.errors[name] = self.errors.get(name, 0) + 1
        self.texts.setdefault(name, text.partition("\n")[0][:300])

    def slice(self, seconds: float) -> Slice:
        """All of it."""
        found = tuple(self.latencies)
        return Slice(latencies=found, seconds=seconds, errors=dict(self.errors), texts=dict(self.texts))


async def closed_loop(once: Once, clients: int, seconds: float) -> Slice:
    """So many clients at once, each with one operation after another until the time is over, and at least one.

    Operations that have begun are waited for; who then hangs is counted as an error and cancelled.
    """
    tally, start = _Tally(), time.perf_counter()
    await _together([_client(once, number, start + seconds, tally) for number in range(clients)], seconds, tally)
    return tally.slice(time.perf_counter() - start)


async def _client(once: Once, number: int, deadline: float, tally: _Tally) -> None:
    now, failed = time.perf_counter(), True
    while True:
        failed = True
        with tally:
            own = await once(number)
            failed, ended = False, time.perf_counter()
            tally.latencies.append(ended - now if own is None else own)
        if failed:
            await asyncio.sleep(PAUSE)
        now = time.perf_counter()
        if now >= deadline:
            return


def slowed(once: Once, factor: float) -> Once:
    """The same operation, taking `factor` times as long: the processor is kept busy for the rest."""

    async def slower(number: int) -> float | None:
        start = time.perf_counter()
        own = await once(number)
        took = time.perf_counter() - start if own is None else own
        end = time.perf_counter() + took * (factor - 1)
        while time.perf_counter() < end:
            pass
        return None if own is None else own * factor

    return slower


async def steady(once: Once, *, clients: int, rate: float, seconds: float) -> Slice:
    """`rate` operations a second in all, by clients whose turns are spread evenly.

    A latency counts from when the operation was due: who is kept waiting by a slow one before waits in the figures too.
    """
    tally, start = _Tally(), time.perf_counter() + 0.05
    each = max(1, round(rate * seconds / clients))
    turns = [[start + (turn * clients + number) / rate for turn in range(each)] for number in range(clients)]
    await _together([_punctual(once, number, turns[number], tally) for number in range(clients)], seconds, tally)
    return tally.slice(time.perf_counter() - start)


async def _punctual(once: Once, number: int, turns: Sequence[float], tally: _Tally) -> None:
    for due in turns:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        with tally:
            await once(number)
            tally.latencies.append(time.perf_counter() - due)


async def _together(work: Sequence[Awaitable[None]], seconds: float, tally: _Tally) -> None:
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        _, pending = await asyncio.wait(tasks, timeout=seconds + PATIENCE)
        for _one in pending:
            tally.count(HUNG, f"no answer {PATIENCE:g} s after the end of the slice")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
