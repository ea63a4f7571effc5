"""Owns the course of a stress run on one cell: which trials wait for which, and how many go side by side."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from pgmatrix.matrix import Cell
from pgmatrix.stress.passes import Course, Parent, parent
from pgmatrix.stress.tally import Pass, Tally
from pgmatrix.stress.trials import Effort, Kind, Trial, lone_trials, whole_trials

Said = Callable[[Pass], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asked for: how often, from which seed on, which kinds, and how many processes side by side."""

    effort: Effort
    seed: int
    kinds: Sequence[Kind] = tuple(Kind)
    jobs: int = 1


def stress(cell: Cell, course: Course, wish: Wish, said: Said) -> Tally:
    """Run everything wished for on one cell; `said` hears of each trial as it ends.

    Trials with workers have the server to themselves, all others share it by `jobs`.
    """
    whole = whole_trials(wish.effort, wish.seed, wish.kinds)
    alone = [trial for trial in whole if not trial.workers]
    passes = list(_side_by_side(alone, wish.jobs, course.run, said))
    for trial in whole:
        if trial.workers:
            passes.append(course.run(trial))
            said(passes[-1])
    if Kind.ALONE in wish.kinds:
        tests = {test for one in passes for test in one.outcomes if "::" in test}
        with _parents(course, wish.jobs) as run:
            passes += _side_by_side(lone_trials(tests, wish.effort, wish.seed), wish.jobs, run, said)
    return Tally(cell=str(cell), passes=tuple(passes))


def _side_by_side(trials: Sequence[Trial], jobs: int, run: Callable[[Trial], Pass], said: Said) -> Iterator[Pass]:
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for one in pool.map(run, trials):
                said(one)
                yield one
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _parents(course: Course, jobs: int) -> Iterator[Callable[[Trial], Pass]]:
    """Runs a trial on whichever of `jobs` warm parents is free."""
    with ExitStack() as stack:
        free: queue.SimpleQueue[Parent] = queue.SimpleQueue()
        for _ in range(jobs):
            free.put(stack.enter_context(parent(course)))

        def run(trial: Trial) -> Pass:
            one = free.get()
            try:
                return one.run(trial)
            finally:
                free.put(one)

        yield run
