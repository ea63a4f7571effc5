"""Owns what changes if we move: two sets of records, paired by what they share, and all that differs. Pure.

Decides what is a change and whether it is for the worse; reads no file, and judges no run (see `gate`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from pgmatrix import plain
from pgmatrix.changes import Found, Kind, absent, changes, common, speeds
from pgmatrix.errors import RecordError, UnknownName
from pgmatrix.matrix import Cell, Driver, Session
from pgmatrix.perf import results as perf
from pgmatrix.perf.results import PerfRun
from pgmatrix.records import Record

SCHEMA = 1


class Axis(StrEnum):
    """What is changed while all else stays: the PostgreSQL major, the driver, or the run."""

    MAJOR = "major"
    DRIVER = "driver"
    RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference: its subject (a test, a warning's text, a statement, a fact), what it was and what it becomes.

    `where` are the pairs in which it is so ("asyncpg-rls"); `everywhere` whether these are all that could show it.
    `worse` is set for what a move would break: a test that no longer passes or is gone, a session without a result.
    """

    kind: Kind
    subject: str
    before: str
    after: str
    where: tuple[str, ...]
    everywhere: bool
    worse: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """A layer's time over the tests that passed on both sides, in seconds; `typical` is the median test's ratio."""

    layer: str
    tests: int
    before: float
    after: float
    typical: float

    @property
    def ratio(self) -> float:
        """After to before."""
        return self.after / self.before if self.before else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A measured operation, from a performance run: time after to before, where that lies with certainty, and the word
    for it. `where` is what both sides share: a driver, or a major."""

    name: str
    where: str
    word: str
    ratio: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What changes between two sides. `pairs` are those compared, `tests` counts what ran on both sides of them;
    `operations` are empty where speed was not measured."""

    axis: Axis
    before: str
    after: str
    pairs: tuple[str, ...]
    tests: int
    changes: tuple[Change, ...]
    paces: tuple[Pace, ...]
    operations: tuple[Operation, ...] = ()
    schema: int = SCHEMA

    @property
    def worse(self) -> tuple[Change, ...]:
        """The changes for the worse."""
        return tuple(change for change in self.changes if change.worse)

    def of(self, kind: Kind) -> tuple[Change, ...]:
        """The changes of one kind."""
        return tuple(change for change in self.changes if change.kind is kind)

    @property
    def headline(self) -> str:
        """The comparison in one line."""
        counts = [f"{len(self.worse)} for the worse"] if self.worse else ["nothing breaks"]
        names = {Kind.OUTCOME: "outcome", Kind.WARNING: "warning", Kind.PLAN: "plan"}
        counts += [_count(len(self.of(kind)), f"{name} change") for kind, name in names.items() if self.of(kind)]
        both = f"{_count(self.tests, 'test')} in {_count(len(self.pairs), 'pair')} of sessions"
        return f"{self.before} to {self.after}: {', '.join(counts)}; {both}"

    def to_json(self) -> str:
        """As JSON text; field names are those of the classes here."""
        return plain.dumps(self, indent=1)


def axis_of(before: str, after: str) -> Axis:
    """What two words of the command line compare: majors, drivers or else runs. Raises UnknownName."""
    kinds = {_axis(word) for word in (before, after)}
    if len(kinds) > 1:
        raise UnknownName(
            f"{before} and {after} are not of one kind",
            do_next="name two majors, two drivers, or the folders of two runs",
        )
    if before == after:
        raise UnknownName(f"{before} twice: nothing to compare", do_next="name two that differ")
    return kinds.pop()


def _axis(word: str) -> Axis:
    if word.isdecimal():
        return Axis.MAJOR
    return Axis.DRIVER if word in set(Driver) else Axis.RUN


def sides(
    axis: Axis, before: str, after: str, records: Sequence[Record]
) -> tuple[dict[str, Record], dict[str, Record]]:
    """The records of one run on either side of `axis`, by what they share. Raises RecordError where a side is empty."""
    found: list[dict[str, Record]] = []
    for word in (before, after):
        mine = [one for one in records if word in _words(Session.parse(one.session))]
        if not mine:
            raise RecordError(
                f"the run has no record of {side_name(axis, word)}",
                do_next=f"run both: PGMATRIX_POSTGRES={before},{after} nox -s integration"
                if axis is Axis.MAJOR
                else "run both: nox -s integration",
            )
        found.append({_shared(axis, Session.parse(one.session)): one for one in mine})
    return found[0], found[1]


def side_name(axis: Axis, word: str) -> str:
    """A side as people call it: a major alone is a mere number."""
    return f"PostgreSQL {word}" if axis is Axis.MAJOR else word


def _words(session: Session) -> tuple[str, str]:
    return str(session.cell.major), str(session.cell.driver)


def _shared(axis: Axis, session: Session) -> str:
    """A session without what is compared."""
    first = session.cell.driver if axis is Axis.MAJOR else f"pg{session.cell.major}"
    return f"{first}-{session.layer}"


def operations(axis: Axis, before: str, after: str, run: PerfRun) -> tuple[Operation, ...]:
    """What a performance run says of a move from one major, or one driver, to another; it compares no two runs."""
    kinds = {Axis.MAJOR: perf.Kind.MAJORS, Axis.DRIVER: perf.Kind.DRIVERS}
    first, second = (f"pg{word}" if axis is Axis.MAJOR else word for word in (before, after))
    return tuple(
        _operation(axis, one, turned=one.measured == first)
        for one in run.comparisons
        if one.kind is kinds.get(axis) and {one.measured, one.beside} == {first, second}
    )


_TURNED = {perf.Word.SLOWER: perf.Word.FASTER, perf.Word.FASTER: perf.Word.SLOWER}


def _operation(axis: Axis, one: perf.Comparison, *, turned: bool) -> Operation:
    cell = Cell.parse(one.cell)
    low, high = (one.high, one.low) if turned else (one.low, one.high)
    ratio, low, high = ((1 / each if turned and each else each) for each in (one.ratio, low, high))
    return Operation(
        name=f"{one.workload} x{one.clients}",
        where=str(cell.driver) if axis is Axis.MAJOR else f"pg{cell.major}",
        word=str(_TURNED.get(one.word, one.word) if turned else one.word),
        ratio=ratio,
        low=low,
        high=high,
    )


def compare(
    axis: Axis,
    names: tuple[str, str],
    before: Mapping[str, Record],
    after: Mapping[str, Record],
    measured: tuple[Operation, ...] = (),
) -> Comparison:
    """Every difference between two sides: records by the pair they belong to. `names` are the sides' names."""
    pairs = [name for name in before if name in after]
    found = [*absent(before, after), *speeds(before, after)]
    for name in pairs:
        found += changes(name, before[name], after[name])
    times = {name: common(before[name], after[name]) for name in pairs}
    return Comparison(
        axis=axis,
        before=names[0],
        after=names[1],
        pairs=tuple(pairs),
        tests=sum(map(len, times.values())),
        changes=_grouped(found, pairs),
        paces=tuple(_paces(times)),
        operations=measured,
    )


def _grouped(found: Iterable[Found], pairs: Sequence[str]) -> tuple[Change, ...]:
    """One change for all pairs where it is the same; what is worse first, then by kind."""
    groups: dict[tuple[Kind, str, str, str, bool], list[str]] = {}
    for one in found:
        groups.setdefault((one.kind, one.subject, one.before, one.after, one.worse), []).append(one.pair)
    kinds = list(Kind)
    return tuple(
        Change(
            kind=kind,
            subject=subject,
            before=was,
            after=becomes,
            where=tuple(where),
            everywhere={one for one in pairs if _layer(one) in set(map(_layer, where))} <= set(where),
            worse=worse,
        )
        for (kind, subject, was, becomes, worse), where in sorted(
            groups.items(), key=lambda item: (not item[0][4], kinds.index(item[0][0]), item[0][1:4])
        )
    )


def _layer(pair: str) -> str:
    return pair.rpartition("-")[2]


def _paces(times: Mapping[str, Mapping[str, tuple[float, float]]]) -> Iterator[Pace]:
    for layer in dict.fromkeys(map(_layer, times)):
        both = [one for pair, tests in times.items() if _layer(pair) == layer for one in tests.values()]
        if both:
            yield Pace(
                layer=layer,
                tests=len(both),
                before=sum(first for first, _ in both),
                after=sum(second for _, second in both),
                typical=median(second / first if first else 1.0 for first, second in both),
            )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"
