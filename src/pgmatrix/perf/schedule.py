"""Owns the order of slices: every cell and variant of a block in turn, A B A B, so that noise is shared. Pure.

A block is a workload with a number of clients: what is compared is measured within the same second.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

FEWEST = 6  # judged rounds, however long they take
QUICK_FEWEST = 3
SWEEP = 0.4  # of the time, for more clients than one
SWEEPS = 3
MOST = 24
FIRST = 0.04
SHORTEST, LONGEST = 0.03, 0.4
OPERATIONS = 6
QUICK_SWEEP = (1, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A series without its cell's figures: who does what, with how many clients."""

    cell: str
    workload: str
    variant: str
    clients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One workload with so many clients, and who is measured in it, by cell."""

    workload: str
    clients: int
    contenders: tuple[Key, ...]

    def turn(self, number: int) -> tuple[Key, ...]:
        """The contenders of one round: each round another one begins, and every second round goes backwards."""
        start = number % len(self.contenders)
        order = self.contenders[start:] + self.contenders[:start]
        return order if number % 2 == 0 else order[::-1]


def blocks(offers: Mapping[str, Sequence[Mapping[str, Any]]], *, quick: bool) -> list[Block]:
    """Blocks in the order offered; `offers` by cell. Variants are outside, cells inside: A B A B between cells."""
    found: dict[tuple[str, int], dict[str, list[Key]]] = {}
    for cell, offered in offers.items():
        for one in offered:
            for clients in () if one["absent"] else one["clients"]:
                if quick and clients > 1 and clients not in QUICK_SWEEP:
                    continue
                key = Key(cell=cell, workload=one["workload"], variant=one["variant"], clients=clients)
                found.setdefault((key.workload, clients), {}).setdefault(key.variant, []).append(key)
    return [
        Block(workload=workload, clients=clients, contenders=tuple(key for keys in variants.values() for key in keys))
        for (workload, clients), variants in found.items()
    ]


def judged(found: Sequence[Block], also: Collection[tuple[str, int]]) -> list[Block]:
    """The blocks that ratios are made of: of one client alone, whose times no queue stretches, and what budgets name.

    `also` are workloads with numbers of clients.
    """
    return [block for block in found if _is_judged(block, also)]


def _is_judged(block: Block, also: Collection[tuple[str, int]]) -> bool:
    return block.clients == 1 or (block.workload, block.clients) in also


def sweep(found: Sequence[Block], also: Collection[tuple[str, int]], known: Mapping[Key, float | None]) -> list[Block]:
    """The other blocks: few clients first, and of as many the shorter operations, by the p50s `known` of one client."""

    def cost(block: Block) -> tuple[int, float]:
        times = [known.get(replace(key, clients=1)) or 0.0 for key in block.contenders]
        return block.clients, max(times, default=0.0)

    return sorted((block for block in found if not _is_judged(block, also)), key=cost)


def length(p50: float | None) -> float:
    """The seconds of a slice that holds some operations of that length; a first one where it is not known."""
    return FIRST if p50 is None else min(LONGEST, max(SHORTEST, OPERATIONS * p50))


def rounds(deadline: float, now: Any, *, fewest: int, most: int) -> Iterator[int]:
    """Round numbers until the time is up: at least `fewest`, however long they take, and no more than `most`.

    A round that would end after the deadline, going by the longest so far, is not begun.
    """
    longest = 0.0
    for number in range(most):
        start = now()
        if number >= fewest and start + longest > deadline:
            return
        yield number
        longest = max(longest, now() - start)
