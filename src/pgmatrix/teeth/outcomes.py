"""Owns what became of faults: the tests that turned red beside those that had to, and the record of a run. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pgmatrix.teeth.check import Contract, layer_by_test, layers_of
from pgmatrix.teeth.faults import Fault

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one fault did: the red tests with the first line of why, how many tests ran, in how many seconds.

    `problem` says why it proves nothing: it could not be injected, changed nothing, or its tests did not end.
    """

    fault: str
    red: Mapping[str, str] = field(default_factory=dict)
    ran: int = 0
    seconds: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A fault and its trial. `toothless` tests should have turned red, `collateral` ones should not."""

    fault: Fault
    layers: tuple[str, ...]
    trial: Trial

    @property
    def toothless(self) -> tuple[str, ...]:
        """Named, and stayed green. Nobody knows where there was a problem."""
        return () if self.trial.problem else tuple(sorted(self.fault.reds - self.trial.red.keys()))

    @property
    def collateral(self) -> tuple[str, ...]:
        """Red, and not named."""
        return tuple(sorted(self.trial.red.keys() - self.fault.reds))

    @property
    def proven(self) -> frozenset[str]:
        """Named, and red."""
        return frozenset() if self.trial.problem else self.fault.reds & self.trial.red.keys()

    @property
    def good(self) -> bool:
        """Whether every named test turned red."""
        return not self.trial.problem and not self.toothless


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All faults of a run on one cell, in the project's order."""

    cell: str
    judged: tuple[Judged, ...]
    contract: tuple[str, ...]
    seconds: float
    workers: int
    facts: Mapping[str, Any]

    @property
    def with_teeth(self) -> frozenset[str]:
        """The tests that at least one fault has turned red."""
        return frozenset().union(*(one.proven for one in self.judged))

    @property
    def good(self) -> bool:
        """Whether every fault did what it must."""
        return all(one.good for one in self.judged) and bool(self.judged)

    def to_json(self) -> dict[str, Any]:
        """The record: every fault with what was named and what was found."""
        return {
            "schema": SCHEMA,
            "cell": self.cell,
            "good": self.good,
            "contract": list(self.contract),
            "with_teeth": sorted(self.with_teeth),
            "seconds": round(self.seconds, 3),
            "workers": self.workers,
            "facts": dict(self.facts),
            "faults": [_entry(one) for one in self.judged],
        }


def _entry(one: Judged) -> dict[str, Any]:
    return {
        "fault": one.fault.name,
        "breaks": one.fault.breaks,
        "layers": list(one.layers),
        "named": sorted(one.fault.reds),
        "red": dict(sorted(one.trial.red.items())),
        "toothless": list(one.toothless),
        "collateral": list(one.collateral),
        "problem": one.trial.problem,
        "ran": one.trial.ran,
        "seconds": round(one.trial.seconds, 3),
    }


def judge(faults: Sequence[Fault], trials: Mapping[str, Trial], contract: Contract) -> tuple[Judged, ...]:
    """Each fault with its trial, in the faults' order; one without is a problem."""
    absent = "was not tried"
    return tuple(
        Judged(
            fault=fault,
            layers=layers_of(fault, contract),
            trial=trials.get(fault.name, Trial(fault=fault.name, problem=absent)),
        )
        for fault in faults
    )


def contract_tests(contract: Contract, among: Collection[str] | None = None) -> tuple[str, ...]:
    """The names of the contract's tests in its order, or of those that are among these."""
    return tuple(name for name in layer_by_test(contract) if among is None or name in among)
