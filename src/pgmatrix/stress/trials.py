"""Owns what a stress run consists of: which trials, from which seed, and how each of them starts pytest. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

WORKERS: Final = (1, 2, 4, 8)


class Kind(StrEnum):
    """The circumstances a test must not depend on."""

    ORDER = "order"
    WORKERS = "workers"
    ALONE = "alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How often: `rounds` random orders, `worker_rounds` for each number of workers, alone every `alone_every`th."""

    rounds: int = 20
    worker_rounds: int = 3
    alone_every: int = 1


FULL: Final = Effort()
QUICK: Final = Effort(rounds=3, worker_rounds=1, alone_every=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One start of pytest. `number` tells those of one kind apart; ORDER without a seed is the files' own order."""

    kind: Kind
    number: int
    seed: int | None = None
    workers: int = 0
    test: str = ""

    def __str__(self) -> str:
        """Its name, in files and records."""
        return f"{self.kind}-{self.workers}-{self.number}" if self.workers else f"{self.kind}-{self.number}"

    @property
    def row(self) -> str:
        """What it is counted under."""
        if self.kind is Kind.ORDER:
            return "random order" if self.seed is not None else "file order"
        return f"{self.workers} worker{'s' * (self.workers != 1)}" if self.workers else "alone"

    @property
    def how(self) -> str:
        """What made it special, for people: the seed where there is one."""
        return self.row if self.seed is None else f"seed {self.seed}"

    def arguments(self, files: Sequence[str]) -> list[str]:
        """What pytest is told: the tests, their order, the number of workers."""
        chosen = [self.test] if self.test else list(files)
        order = ["--stress-seed", str(self.seed)] if self.seed is not None else []
        return [*chosen, *order, *(["-n", str(self.workers)] if self.workers else [])]


def whole_trials(effort: Effort, seed: int, kinds: Iterable[Kind]) -> list[Trial]:
    """The trials that run every test: in the files' order, in random orders of `seed` and those after it, by workers.

    The first, in the files' order, is always there: it says which tests there are.
    """
    wanted = set(kinds)
    trials = [Trial(kind=Kind.ORDER, number=0)]
    if Kind.ORDER in wanted:
        trials += [Trial(kind=Kind.ORDER, number=n + 1, seed=seed + n) for n in range(effort.rounds)]
    if Kind.WORKERS in wanted:
        numbers = range(1, effort.worker_rounds + 1)
        trials += [Trial(kind=Kind.WORKERS, number=n, workers=workers) for workers in WORKERS for n in numbers]
    return trials


def lone_trials(tests: Iterable[str], effort: Effort, seed: int) -> list[Trial]:
    """One trial for each test, or for every `alone_every`th, beginning where the seed says."""
    every = effort.alone_every
    chosen = sorted(tests)[seed % every :: every]
    return [Trial(kind=Kind.ALONE, number=n + 1, test=test) for n, test in enumerate(chosen)]
