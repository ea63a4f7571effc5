"""Owns a load that is too much for one process: clients shared out to several, their slices put together again.

The processes are forks of a worker that is ready: they know all it knows, and make connections of their own.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from pgmatrix.errors import ServerError
from pgmatrix.perf.loops import Once, Slice

MOST = 8
PATIENCE = 120.0

Part = Callable[[int], Slice]


def shared(processes: int, part: Part, *, seconds: float) -> Slice:
    """`part(number)` in so many processes at once, together one slice. Raises ServerError where one does not answer."""
    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe(duplex=False) for _ in range(processes)]
    running = [
        context.Process(target=_tell, args=(part, number, pipe[1]), daemon=True) for number, pipe in enumerate(pipes)
    ]
    try:
        for one, (_, writer) in zip(running, pipes, strict=True):
            one.start()
            writer.close()
        return merged([heard(reader, seconds + PATIENCE) for reader, _ in pipes])
    finally:
        for one in running:
            one.join(5.0)
            one.kill()
            one.join()


def _tell(part: Part, number: int, writer: Connection) -> None:
    writer.send(part(number))


def heard(reader: Connection, patience: float) -> Slice:
    """What one process tells. Raises ServerError."""
    try:
        if reader.poll(patience):
            found: Slice = reader.recv()
            return found
    except EOFError as error:
        raise ServerError(
            "a process of the load ended without a result", do_next="see what it printed above"
        ) from error
    raise ServerError(f"a process of the load did not answer within {patience:g} s", do_next="measure again")


def merged(parts: Sequence[Slice]) -> Slice:
    """All latencies and errors, and the seconds of the longest."""
    errors: dict[str, int] = {}
    texts: dict[str, str] = {}
    for one in parts:
        for name, number in one.errors.items():
            errors[name] = errors.get(name, 0) + number
            texts.setdefault(name, one.texts.get(name, ""))
    latencies = tuple(latency for one in parts for latency in one.latencies)
    return Slice(latencies=latencies, seconds=max(one.seconds for one in parts), errors=errors, texts=texts)


def members(clients: int, processes: int, number: int) -> list[int]:
    """The clients of one process: every so many-th."""
    return list(range(number, clients, processes))


def renumbered(once: Once, own: Sequence[int]) -> Once:
    """The operation of the clients `own`, by their place in it."""
    return lambda place: once(own[place])
