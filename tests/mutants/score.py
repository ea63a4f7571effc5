"""Owns what mutmut's verdicts amount to: each module's score, its goal, and which mutants nobody noticed. Pure.

A mutant counts as noticed when a test failed or never ended. Whatever else became of it, it survived.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

GOAL = 90.0
GOALS = {"pgmatrix.gate": 95.0}
# mutmut's exit codes: pytest's own, and those it gives a mutant that had to be stopped.
KILLED = frozenset({1, 3})
TIMEOUT = frozenset({36, -24, 24, 152, 255})
UNTESTED = frozenset({5, 33})

# Not pure: these ask a server, and tests/integration/test_validators_stored.py judges them. By mutmut's names.
SERVED = frozenset({"plant.validators.constitution.x_review", "plant.validators.constitution.x__related"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One module: its mutants by what became of them. `survivors` are mutmut's names of all that were not noticed;
    `untested` of these no test ever reached."""

    module: str
    killed: int = 0
    timeout: int = 0
    untested: int = 0
    survivors: tuple[str, ...] = field(default=())

    @property
    def mutants(self) -> int:
        """How many there were."""
        return self.killed + self.timeout + len(self.survivors)

    @property
    def percent(self) -> float:
        """How many of a hundred were noticed; all of none."""
        return 100.0 * (self.killed + self.timeout) / self.mutants if self.mutants else 100.0

    @property
    def goal(self) -> float:
        """What its score must reach: the goal of the longest name that is its own or its package's."""
        fitting = [name for name in GOALS if self.module == name or self.module.startswith(name + ".")]
        return GOALS[max(fitting, key=len)] if fitting else GOAL

    @property
    def met(self) -> bool:
        """Whether it does."""
        return self.percent >= self.goal


def score(module: str, codes: Mapping[str, int | None]) -> Score:
    """The score of a module, from its mutants' exit codes; None is a mutant that was never tried."""
    codes = {name: code for name, code in codes.items() if name.rpartition("__mutmut_")[0] not in SERVED}
    return Score(
        module=module,
        killed=sum(code in KILLED for code in codes.values()),
        timeout=sum(code in TIMEOUT for code in codes.values()),
        untested=sum(code in UNTESTED for code in codes.values()),
        survivors=tuple(name for name, code in codes.items() if code not in KILLED | TIMEOUT),
    )


def total(scores: Iterable[Score]) -> Score:
    """All of them as one."""
    found = list(scores)
    return Score(
        module="total",
        killed=sum(one.killed for one in found),
        timeout=sum(one.timeout for one in found),
        untested=sum(one.untested for one in found),
        survivors=tuple(name for one in found for name in one.survivors),
    )


def select(modules: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """The modules that are or begin with one of `wanted`; all where nothing is wanted. Raises LookupError."""
    known, chosen = sorted(modules), list(wanted)
    strange = [name for name in chosen if not any(_is_in(module, name) for module in known)]
    if strange:
        raise LookupError(
            f"not among the mutated modules: {', '.join(strange)}\n  do    choose from {', '.join(known)}"
        )
    return [module for module in known if not chosen or any(_is_in(module, name) for name in chosen)]


def _is_in(module: str, name: str) -> bool:
    return module == name or module.startswith(name + ".")
