"""Cycles among links, found once each and in linear time."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from plant.models import Skill
from plant.validators.links import check_links, find_cycles
from plant.validators.violation import Code


def ident(number: int) -> UUID:
    """A readable id."""
    return UUID(int=number)


def chain(*numbers: int) -> dict[UUID, UUID | None]:
    """Each number links to the next, the last to nothing."""
    return {ident(one): ident(two) for one, two in pairwise(numbers)}


def test_trees_have_no_cycles() -> None:
    """Chains that join, end or leave the set are no cycles."""
    assert find_cycles({**chain(1, 2, 3, 4), **chain(5, 3), ident(4): None, **chain(7, 99)}) == []


def test_each_cycle_is_found_once() -> None:
    """Two cycles, one of them an entity that refers to itself, with tails leading into them."""
    links = {**chain(9, 3, 1, 2, 3), **chain(8, 9), **chain(5, 5), **chain(6, 5)}

    assert find_cycles(links) == [[ident(1), ident(2), ident(3)], [ident(5)]]


@given(st.dictionaries(st.integers(0, 12), st.none() | st.integers(0, 12)))
def test_cycles_are_exactly_the_walks_that_return(targets: dict[int, int | None]) -> None:
    """An entity is in a cycle just when following its links comes back to it."""
    links = {ident(one): None if two is None else ident(two) for one, two in targets.items()}

    returning = {start for start in links if comes_back(links, start)}

    assert {member for cycle in find_cycles(links) for member in cycle} == returning
    assert sum(map(len, find_cycles(links))) == len(returning)


def comes_back(links: dict[UUID, UUID | None], start: UUID) -> bool:
    """Follows at most as many links as there are."""
    step = links[start]
    for _ in links:
        if step == start:
            return True
        step = links.get(step) if step else None
    return False


def test_long_chains_take_no_recursion() -> None:
    """More links are followed than Python would recurse for."""
    assert find_cycles(chain(*range(5_000), 0))[0][0] == ident(0)


def test_cycles_of_entities() -> None:
    """Parents and predecessors are judged apart, and the message shows the way round."""
    first, second = Skill(id=ident(1)), Skill(id=ident(2))
    first.parent_id, second.parent_id = second.id, first.id
    first.supersedes_id = second.id

    found = check_links(iter([first, second]))

    assert [(violation.code, violation.field) for violation in found] == [(Code.CYCLE, "parent_id")]
    assert found[0].message == (
        f"parent_id leads back to where it started ({first.id} -> {second.id} -> {first.id}):"
        " set it to None in one of these entities."
    )
