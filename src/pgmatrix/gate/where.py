"""Owns saying where something is so: sessions and cells in few words, the same in reasons, differences and reports."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from pgmatrix.errors import UnknownName
from pgmatrix.matrix import Cell, Session

_NAMED, _BUT = 6, 2


def listed(names: Sequence[str], limit: int = _NAMED) -> str:
    """`a, b and c`, with the number of what does not fit."""
    shown = list(names[:limit])
    if len(names) > limit:
        return f"{', '.join(shown)} and {len(names) - limit} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown)


def place(cells: Collection[Cell], among: Collection[Cell]) -> str:
    """Which of the cells `among`: `on psycopg, on 15 and 16`, `only on 16`, `only on pg16-psycopg`, `on every cell`."""
    if set(cells) >= set(among):
        return "on every cell" if len(among) > 1 else f"on {next(iter(among))}"
    majors, drivers = _axes(cells)
    all_majors, all_drivers = _axes(among)
    if len(cells) == 1 and len(all_majors) > 1 and len(all_drivers) > 1:
        return f"only on {next(iter(cells))}"
    if set(cells) != {one for one in among if one.major in majors and one.driver in drivers}:
        return f"on {listed([str(cell) for cell in sorted(cells)])}"
    numbers = listed([str(major) for major in majors])
    if drivers == all_drivers:
        return f"only on {numbers}"
    names = listed(drivers)
    return f"on {names}, {'only ' if majors != all_majors else ''}on {numbers}"


def _axes(cells: Iterable[Cell]) -> tuple[list[int], list[str]]:
    return sorted({cell.major for cell in cells}), sorted({str(cell.driver) for cell in cells})


def sessions(names: Collection[str], among: Sequence[str]) -> str:
    """Which of the sessions `among`: `rls on psycopg, on 15 and 16`, `all of pg15 and pg16-psycopg-rls`."""
    chosen = [name for name in among if name in set(names)]
    if len(chosen) < 2:
        return "".join(chosen) or listed(sorted(names))
    try:
        known = {name: Session.parse(name) for name in among}
    except UnknownName:
        return listed(chosen)
    if len(chosen) == len(among):
        return f"all {len(among)} sessions"
    layers = {known[name].layer for name in chosen}
    if len(layers) == 1:
        (layer,) = layers
        cells = [one.cell for one in known.values() if one.layer == layer]
        return f"{layer} {place([known[name].cell for name in chosen], cells)}"
    groups = _groups(chosen, known)
    if groups == chosen or len(groups) == 1:
        return listed(groups)
    return f"{len(chosen)} of {len(among)} sessions ({listed(groups)})"


def _groups(chosen: Sequence[str], known: dict[str, Session]) -> list[str]:
    """Whole majors, drivers, cells and layers first, the largest before the others; then cells of which one or two
    sessions are not meant; then what is left by name."""
    members: dict[str, set[str]] = {}
    for name, session in known.items():
        for tag in session.tags:
            members.setdefault(tag, set()).add(name)
    left, found = set(chosen), []
    for tag in sorted(members, key=lambda tag: -len(members[tag])):
        if len(members[tag]) > 1 and members[tag] <= left:
            left -= members[tag]
            found.append(f"all of {tag}")
    for cell in dict.fromkeys(str(session.cell) for session in known.values()):
        others = [known[name].layer for name in known if name in members[cell] - left]
        if 0 < len(others) <= _BUT < len(members[cell] & left):
            left -= members[cell]
            found.append(f"all of {cell} but {listed(others)}")
    return found + [name for name in chosen if name in left]
