"""Owns what figures mean: ratios of series measured side by side, and the word for each. Pure.

Only one client alone is compared, unless a budget asks for more: queues say more about the machine than about code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pgmatrix.matrix import Cell, Driver
from pgmatrix.perf.results import Comparison, Kind, Outcome, Role, Series, Word
from pgmatrix.perf.statistics import LEVEL, Interval, paired
from pgmatrix.perf.table import TABLE, Budget

MARGIN = 1.05  # a difference below this is called noise, however certain it is
FEWEST = 3  # rounds
BLIND = 1.3  # an interval that hides a difference of this size says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """All series of a run, found by name."""

    series: Sequence[Series]
    by_name: dict[tuple[str, str, str, int], Series] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_name.update({(one.cell, one.workload, one.variant, one.clients): one for one in self.series})

    def get(self, cell: str, workload: str, variant: str, clients: int = 1) -> Series | None:
        """That series, if it is there."""
        return self.by_name.get((cell, workload, variant, clients))

    def subjects(self) -> list[Series]:
        """What is judged, with one client."""
        return [one for one in self.series if one.role is Role.SUBJECT and one.clients == 1]

    @property
    def cells(self) -> list[Cell]:
        """The cells there are figures of, in order."""
        return [Cell.parse(name) for name in dict.fromkeys(one.cell for one in self.series)]


def word(found: Interval, *, bound: float = 1.0, margin: float = MARGIN) -> Word:
    """Slower or faster than `bound` where the whole interval is, by more than the margin; else within noise."""
    if found.low > bound * margin:
        return Word.SLOWER
    return Word.FASTER if found.high < bound / margin else Word.WITHIN_NOISE


def compare(kind: Kind, one: Series, other: Series, *, names: tuple[str, str]) -> Comparison:
    """Two series of one run, by the rounds they share; invalid where either is, or shares fewer than FEWEST."""
    found, why = interval(one, other)
    label, word_found = f"{one.cell} {one.workload}", word(found) if found else Word.INVALID
    said = why if found is None else f"{names[0]} {_times(found)} of {names[1]}: {word_found}"
    return Comparison(
        kind=kind,
        cell=one.cell,
        workload=one.workload,
        clients=one.clients,
        measured=names[0],
        beside=names[1],
        word=word_found,
        why=f"{label}: {said}",
        ratio=found.ratio if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
        level=LEVEL,
    )


def interval(one: Series, other: Series) -> tuple[Interval | None, str]:
    """The ratio of two series, or None and why there is none."""
    for each in (one, other):
        if each.outcome is not Outcome.MEASURED:
            return None, f"{each.cell} {each.variant} is {each.outcome}: {each.why}"
    mine = {round_.number: round_.p25 for round_ in one.rounds}
    pairs = [(mine[r.number], r.p25) for r in other.rounds if mine.get(r.number) and r.p25]
    if len(pairs) < FEWEST:
        return None, f"only {len(pairs)} rounds were measured side by side, {FEWEST} are needed"
    return paired([mine_ or 0.0 for mine_, _ in pairs], [its or 0.0 for _, its in pairs]), ""


def _times(found: Interval) -> str:
    return f"takes {found.ratio:.2f} times ({found.low:.2f} to {found.high:.2f}) the time"


def informing(shelf: Shelf) -> Iterator[Comparison]:
    """Each subject beside the other variants of its cell, the other drivers on its major, and older majors."""
    for one in shelf.subjects():
        for other in shelf.series:
            if _other_variant(one, other):
                yield compare(Kind.VARIANTS, one, other, names=(one.variant, other.variant))
        yield from _beside_cells(shelf, one)


def _other_variant(one: Series, other: Series) -> bool:
    same = (one.cell, one.workload, one.clients) == (other.cell, other.workload, other.clients)
    return same and other.variant != one.variant and other.outcome is not Outcome.ABSENT


def _beside_cells(shelf: Shelf, one: Series) -> Iterator[Comparison]:
    cell, cells = Cell.parse(one.cell), shelf.cells
    for beside in cells:
        other = shelf.get(str(beside), one.workload, one.variant, one.clients)
        if other is None:
            continue
        if beside.major == cell.major and cells.index(beside) < cells.index(cell):
            yield compare(Kind.DRIVERS, one, other, names=(str(cell.driver), str(beside.driver)))
        elif beside.driver == cell.driver and beside.major < cell.major == max(each.major for each in cells):
            yield compare(Kind.MAJORS, one, other, names=(f"pg{cell.major}", f"pg{beside.major}"))


def budgets(
    shelf: Shelf, wanted: Sequence[Budget], cells: Sequence[Cell], *, strict: bool = True
) -> Iterator[Comparison]:
    """Each budget in every cell (between drivers: on every major); one that cannot be judged is invalid.

    Where it is not `strict`, as in a quick run, too much noise is only noise.
    """
    for budget in wanted:
        for cell in cells:
            if budget.measured not in set(Driver):
                sides = [(str(cell), budget.measured), (str(cell), budget.beside)]
            elif cell.driver == budget.measured:
                beside = Cell(major=cell.major, driver=Driver(budget.beside))
                if beside not in cells:
                    continue
                variant = next((s.variant for s in shelf.subjects() if s.workload == budget.workload), "")
                sides = [(str(cell), variant), (str(beside), variant)]
            else:
                continue
            yield _budget(
                budget, str(cell), [shelf.get(c, budget.workload, v, budget.clients) for c, v in sides], strict
            )


def _budget(budget: Budget, cell: str, sides: Sequence[Series | None], strict: bool) -> Comparison:
    one, other = sides
    found, why = None, "it was not measured"
    if one is not None and other is not None:
        found, why = interval(one, other)
    judged = word(found, bound=budget.bound, margin=1.0) if found else Word.INVALID
    if found and strict and judged is Word.WITHIN_NOISE and found.high > budget.bound * BLIND:
        judged, why = Word.INVALID, f"too noisy to say: {_times(found)} of {budget.beside}"
    return Comparison(
        kind=Kind.BUDGET,
        cell=cell,
        workload=budget.workload,
        clients=budget.clients,
        measured=budget.measured,
        beside=budget.beside,
        word=judged,
        why=_budget_text(budget, cell, found, judged, why),
        ratio=found.ratio if found and judged is not Word.INVALID else None,
        low=found.low if found else None,
        high=found.high if found else None,
        level=LEVEL,
        bound=budget.bound,
    )


def _budget_text(budget: Budget, cell: str, found: Interval | None, judged: Word, why: str) -> str:
    label, bound = f"{cell} {budget.workload}: {budget.measured}", f"the budget of {budget.bound:g}"
    if judged is Word.INVALID or found is None:
        return f"{label} beside {budget.beside} cannot be judged by {bound}: {why}; measure again, or mend the workload"
    said = f"{label} {_times(found)} of {budget.beside}"
    if judged is Word.SLOWER:
        return f"{said}, over {bound}: find what made it slower, or raise the bound in [{TABLE}.budgets]"
    return f"{said}, {'below' if judged is Word.FASTER else 'within noise of'} {bound}"
