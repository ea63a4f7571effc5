"""Owns the workers: starts them, gives each the next fault when it has done one, and ends them whatever happens.

Nothing depends on which worker tries which fault, so the trials are the same for any number of workers.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from pgmatrix.errors import Attempt, FaultError
from pgmatrix.teeth.outcomes import Trial
from pgmatrix.teeth.worker import Failed, Order, Ready, work

END_WITHIN = 30.0
# A worker's process loads the plugins it needs; several threads of a BLAS would make a fork unsafe.
ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


@dataclass(slots=True, kw_only=True)
class _Member:
    """One worker's process with our end of its pipe."""

    process: SpawnProcess
    pipe: Connection


@dataclass(slots=True, kw_only=True)
class Crew:
    """What a crew found: every fault's trial, and what the servers were measured to be."""

    trials: dict[str, Trial] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def try_faults(order: Order, faults: Sequence[str], *, workers: int, tell: Callable[[Trial], None]) -> Crew:
    """Try these faults, in this order as far as there are workers; `tell` hears of each. Raises FaultError.

    Every worker that cannot start, or breaks, ends the whole crew: what it would have found is not known.
    """
    crew, waiting = Crew(), list(reversed(faults))
    with _members(order, min(workers, len(faults))) as members:
        by_pipe = {member.pipe: member for member in members}
        while by_pipe:
            for pipe in wait(list(by_pipe)):
                member = by_pipe[pipe]  # type: ignore[index]
                word = _word(member, order)
                if isinstance(word, Trial):
                    crew.trials[word.fault] = word
                    tell(word)
                else:
                    crew.facts = word.facts
                if waiting:
                    member.pipe.send(waiting.pop())
                else:
                    member.pipe.send(None)
                    del by_pipe[member.pipe]
    return crew


def _word(member: _Member, order: Order) -> Trial | Ready:
    try:
        word = member.pipe.recv()
    except EOFError:
        member.process.join(END_WITHIN)
        word = Failed(why=f"it ended with exit code {member.process.exitcode}")
    if isinstance(word, Failed):
        raise FaultError(
            "a worker could not go on",
            tried=[Attempt(what=member.process.name, why=line) for line in word.why.splitlines()],
            do_next=f"see its log below {order.log.parent}",
        )
    found: Trial | Ready = word
    return found


@contextmanager
def _members(order: Order, count: int) -> Iterator[list[_Member]]:
    members: list[_Member] = []
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    try:
        while len(members) < count:  # one by one, so that those that started are ended when one does not
            members.append(_start(order, len(members)))
        yield members
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        for member in members:  # a worker whose pipe is closed ends by itself, its server first
            member.pipe.close()
        for member in members:
            member.process.join(END_WITHIN)
            if member.process.is_alive():
                member.process.terminate()
                member.process.join()


def _start(order: Order, number: int) -> _Member:
    order = replace(order, log=order.log.with_name(f"{order.log.stem}-{number + 1}{order.log.suffix}"))
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=work, args=[its, order], name=f"worker {number + 1}")
    process.start()
    its.close()
    return _Member(process=process, pipe=mine)
