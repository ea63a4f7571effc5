"""References between entities of one set: cycles among parents or predecessors. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from plant.models import BaseEntity
from plant.validators.violation import Code, Violation

LINKS: Final = ("parent_id", "supersedes_id")


def check_links(entities: Iterable[BaseEntity]) -> list[Violation]:
    """One violation for each cycle of `parent_id` or `supersedes_id`; a link out of the set ends there."""
    members = list(entities)
    return [
        _violation(field, cycle)
        for field in LINKS
        for cycle in find_cycles({entity.id: getattr(entity, field) for entity in members})
    ]


def find_cycles(links: Mapping[UUID, UUID | None]) -> list[list[UUID]]:
    """Each cycle once, from its smallest id onwards, in time linear in the number of links."""
    done: set[UUID] = set()
    cycles: list[list[UUID]] = []
    for start in links:
        path: dict[UUID, None] = {}
        step: UUID | None = start
        while step is not None and step in links and step not in done and step not in path:
            path[step] = None
            step = links[step]
        if step is not None and step in path:
            walked = list(path)
            cycles.append(_from_smallest(walked[walked.index(step) :]))
        done.update(path)
    return cycles


def _from_smallest(cycle: list[UUID]) -> list[UUID]:
    first = cycle.index(min(cycle))
    return cycle[first:] + cycle[:first]


def _violation(field: str, cycle: list[UUID]) -> Violation:
    round_trip = " -> ".join(map(str, (*cycle, cycle[0])))
    message = f"{field} leads back to where it started ({round_trip}): set it to None in one of these entities."
    return Violation(code=Code.CYCLE, field=field, message=message)
