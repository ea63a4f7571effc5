"""Owns what is said of a run: ship or not, the reasons, and everything a report shows, as one frozen value.

Every report (terminal, Markdown, HTML, JUnit, JSON) is rendered from a Verdict and from nothing else, so that they
agree. Decides nothing (see `gate`) and reads no record; to and from JSON only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pgmatrix import plain
from pgmatrix.errors import RecordError
from pgmatrix.perf.results import PerfRun
from pgmatrix.records import Outcome, Record, TestResult

SCHEMA = 1
FILE_NAME = "verdict.json"  # in the run's folder, beside plan.json; reports find the history of past runs there


class State(StrEnum):
    """What became of a session, as one word; the first that fits, from the worst. Only `green` may ship.

    missing: in the table, and no record of it. not-run: in the table, and the run was never asked for it. damaged: its
    record or its JUnit file cannot be read. stale: its record is of another run or another commit. mismatch: it ran on
    another server version or driver than it claims. crashed: pytest or one of its workers died or broke. timed-out:
    ended by a time limit. empty: no test ran. failed: a test failed or broke. flaky: a test passed only on a later
    try. skipped: a test was skipped that may not be. xpassed: a test passed that was expected to fail. unproven: all
    that ran passed, and another rule still objects (narrowed to a part, coverage data missing, other tests than in
    the other cells). green: none of these.
    """

    MISSING = "missing"
    NOT_RUN = "not-run"
    DAMAGED = "damaged"
    STALE = "stale"
    MISMATCH = "mismatch"
    CRASHED = "crashed"
    TIMED_OUT = "timed-out"
    EMPTY = "empty"
    FAILED = "failed"
    FLAKY = "flaky"
    SKIPPED = "skipped"
    XPASSED = "xpassed"
    UNPROVEN = "unproven"
    GREEN = "green"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One objection of a rule, or a remark of one that does not block.

    `rule` is the rule's id. `where` is whom it concerns, written compactly ("pg16-asyncpg-rls", "all of pg15",
    "src/plant/core/"). `what` is the fact, without `where`; `do_next` is one imperative sentence without a full stop.
    `blocking` reasons, and only they, stop the ship; the others are of preview cells. `sessions` are the
    spellings of all sessions meant, `test` the node id if it is about one test, `detail` further lines (a traceback's
    last line, a list that was cut), empty for most.
    """

    rule: str
    where: str
    what: str
    do_next: str
    blocking: bool = True
    sessions: tuple[str, ...] = ()
    test: str = ""
    detail: str = ""

    @property
    def text(self) -> str:
        """The reason in one line: where, what, and what to do."""
        return f"{self.where}: {self.what}; {self.do_next}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleState:
    """A rule: its `id`, what it demands in one line (`says`), whether it is switched `on` in [tool.pgmatrix.gate], and
    how many blocking reasons it gave. A rule that is off gives none and must be shown as switched off."""

    id: str
    says: str
    on: bool
    reasons: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """One session: its spelling, its `cell` and `layer` (both empty for a JUnit file from elsewhere), what became of
    it, whether its cell is a `preview`, and its record (tests with outcomes, tracebacks and logs; facts; warnings;
    times), None where there is none to trust or read. `note` says the state in a few words ("2 failed", "no record").
    """

    session: str
    cell: str
    layer: str
    state: State
    note: str = ""
    preview: bool = False
    record: Record | None = None

    @property
    def tests(self) -> tuple[TestResult, ...]:
        """The results, none without a record."""
        return self.record.tests if self.record else ()

    @property
    def seconds(self) -> float:
        """Wall time; 0 without a record."""
        return self.record.seconds if self.record else 0.0

    def count(self, *outcomes: Outcome) -> int:
        """How many tests had one of `outcomes`."""
        return self.record.count(*outcomes) if self.record else 0


class DifferenceKind(StrEnum):
    """What differs between cells: a test's outcome, the tests themselves, a test's duration, or a warning."""

    OUTCOME = "outcome"
    TESTS = "tests"
    DURATION = "duration"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that is so on some cells of a layer and not on the others.

    `subject` is a test's node id or a warning's text. `says` is one line that places it: "fails on psycopg, on 15 and
    16", "only on 16", "4.1 times as long on psycopg". `by_cell` has, for each cell of the layer that has a record, what
    was found there as text ("passed", "failed", "absent", "0.41 s", "3 times"), in the order of the table.
    """

    kind: DifferenceKind
    layer: str
    subject: str
    says: str
    by_cell: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveragePath:
    """Coverage of lines and branches below `path` ("total" is everything), in percent, merged over all sessions.

    `wanted` is the threshold; `files` is how many measured files the path matched (0 never meets it). `by_cell` is the
    percent of lines alone that each cell's own sessions ran, where it was measured.
    """

    path: str
    percent: float
    wanted: float
    files: int
    met: bool
    by_cell: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageView:
    """The merged coverage. `percent` is of lines and branches; `missing` are sessions without data; `html` and `xml`
    are paths of coverage's own reports, relative to the run's folder, empty where there are none."""

    percent: float
    paths: tuple[CoveragePath, ...]
    missing: tuple[str, ...]
    html: str
    xml: str


class Scope(StrEnum):
    """What was judged: a run against the whole table, or one JUnit file from elsewhere."""

    MATRIX = "matrix"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """The run itself: its id, what was judged, where it is (`folder`, or the file), the commit and whether the sources
    differed from it, first start and last end in Unix seconds (0 without a record), when it was judged and by which
    version of pgmatrix. `cells` and `layers` are those of the table, in its order: rows and columns of the matrix."""

    run: str
    scope: Scope
    folder: str
    commit: str
    dirty: bool
    started: float
    ended: float
    judged: float
    pgmatrix: str
    cells: tuple[str, ...]
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a run may ship, and everything that is shown of it.

    `reasons` stand in the order of their importance, blocking ones first; `sessions` in the order of the table;
    `rules` are all there are, also those switched off. `coverage` is None where it was not to be judged (a JUnit
    file), and also where it could not be merged, which a reason then says. `perf` is the performance run in the same
    folder (see `perf.results`: series for plots, comparisons with their words), None where there is none.
    """

    ship: bool
    run: RunView
    reasons: tuple[Reason, ...]
    rules: tuple[RuleState, ...]
    sessions: tuple[SessionView, ...]
    differences: tuple[Difference, ...] = ()
    coverage: CoverageView | None = None
    perf: PerfRun | None = None
    schema: int = SCHEMA

    @property
    def headline(self) -> str:
        """The verdict in one line, the same in every report; rules that are switched off are named in it."""
        green = sum(one.state is State.GREEN for one in self.sessions)
        counts = f"{green} of {len(self.sessions)} sessions green, {self.count(Outcome.PASSED)} tests passed"
        off = " and ".join(rule.id for rule in self.rules if not rule.on)
        without = f", with {off} switched off" if off else ""
        if self.ship:
            return f"ship{without}: {counts}"
        blocking = len(self.blocking)
        return f"do not ship{without}: {blocking} reason{'s' * (blocking != 1)}; {counts}"

    @property
    def blocking(self) -> tuple[Reason, ...]:
        """The reasons that stop the ship."""
        return tuple(reason for reason in self.reasons if reason.blocking)

    def count(self, *outcomes: Outcome) -> int:
        """How many tests, over all sessions, had one of `outcomes`."""
        return sum(one.count(*outcomes) for one in self.sessions)

    def session(self, name: str) -> SessionView | None:
        """The view of a session by its spelling."""
        return next((one for one in self.sessions if one.session == name), None)

    def slowest(self, number: int) -> list[tuple[str, TestResult]]:
        """The tests that took longest, with their sessions."""
        return sorted(self._results(), key=lambda pair: -pair[1].seconds)[:number]

    def _results(self) -> Iterator[tuple[str, TestResult]]:
        for one in self.sessions:
            for test in one.tests:
                yield one.session, test

    def to_json(self) -> str:
        """As JSON text; `from_json` gives it back. Field names are those of the classes here."""
        return plain.dumps(self)

    @classmethod
    def from_json(cls, text: str) -> Verdict:
        """The verdict that `text` holds. Raises RecordError; a newer schema is refused."""
        try:
            values = plain.parse(text)
            if isinstance(values, dict) and isinstance(values.get("schema"), int) and values["schema"] > SCHEMA:
                raise RecordError(
                    f"a verdict of schema {values['schema']}, this pgmatrix reads up to {SCHEMA}",
                    do_next="read it with the version that wrote it, or a later one",
                )
            return plain.from_plain(cls, values)
        except ValueError as error:
            raise RecordError(f"this is not a verdict: {error}", do_next="judge the run again: nox -s gate") from error
