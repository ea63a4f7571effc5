"""Owns the rules about what a session ran on: the PostgreSQL and the driver that were measured are those it claims,
new enough, the same all through a cell; and its JUnit file tells the same story as its record.
"""

from __future__ import annotations

from collections.abc import Iterator

from pgmatrix.gate.evidence import Evidence
from pgmatrix.gate.rule import Finding, Rule
from pgmatrix.gate.where import listed
from pgmatrix.matrix import Session
from pgmatrix.records import Outcome, Record
from pgmatrix.verdict import State

_AGAIN = "run it again"


def _number(record: Record) -> int:
    """The server's `server_version_num`; 0 where it was not measured."""
    number = record.facts.get("server_version_num")
    return number if isinstance(number, int) else 0


def version(evidence: Evidence) -> Iterator[Finding]:
    """What was not measured is not believed."""
    for name, record in evidence.found():
        claimed, number = Session.parse(name).cell.major, _number(record)
        if number == 0 and not evidence.is_told(record):
            what = f"PostgreSQL {claimed} is claimed, and no server was measured"
            yield Finding(session=name, what=what, do_next="see why it ran without a server")
        elif number and number // 10000 != claimed:
            what = f"PostgreSQL {claimed} is claimed, the server was {record.facts.get('server_version', number)}"
            yield Finding(session=name, what=what, do_next=f"give it a PostgreSQL {claimed}")


def driver(evidence: Evidence) -> Iterator[Finding]:
    """A driver that is not imported was not tested; one beside it may have done the work."""
    for name, record in evidence.found():
        claimed = str(Session.parse(name).cell.driver)
        if not evidence.is_told(record) and set(record.drivers) != {claimed}:
            found = listed(sorted(record.drivers)) or "none"
            what = f"{claimed} is claimed, imported was {found}"
            yield Finding(session=name, what=what, do_next="run it in an environment that holds that driver alone")


def one_build(evidence: Evidence) -> Iterator[Finding]:
    """A cell is one thing; a server that changes on the way is two."""
    for records in evidence.cells().values():
        builds: dict[str, list[str]] = {}
        for name, record in records.items():
            if _number(record):
                words = [f"PostgreSQL {record.facts.get('server_version')}"]
                words += [f"{one} {record.drivers[one]}" for one in sorted(record.drivers)]
                builds.setdefault(" with ".join(words), []).append(name)
        if len(builds) > 1:
            what = f"its sessions ran on {listed(sorted(builds))}"
            for name in records:
                yield Finding(session=name, what=what, do_next="run all sessions of a cell on one server build")


def minimum_minor(evidence: Evidence) -> Iterator[Finding]:
    """Old minors have holes in row-level security that tests would not show."""
    for name, record in evidence.found():
        major, minor = divmod(_number(record), 10000)
        wanted = evidence.policy.minimum_minor.get(major, 0)
        if minor < wanted:
            what = f"the server was {major}.{minor}, {major}.{wanted} is demanded"
            yield Finding(session=name, what=what, do_next=f"give it a PostgreSQL {major}.{wanted} or newer")


def junit(evidence: Evidence) -> Iterator[Finding]:
    """Two accounts of one thing agree, or neither is believed."""
    for name, record in evidence.found():
        if evidence.is_told(record):
            continue
        found = evidence.junit.get(name, "there is none")
        if isinstance(found, str):
            yield Finding(session=name, what=f"its JUnit file cannot be used: {found}", do_next=_AGAIN)
            continue
        said, bad = len(found.tests), found.bad
        tests, failed = len(record.tests), record.count(Outcome.FAILED, Outcome.ERROR)
        if (said, bad > 0) != (tests, failed > 0):
            what = f"its JUnit file has {said} tests, {bad} of them bad, its record {tests} and {failed}"
            yield Finding(session=name, what=what, do_next=_AGAIN)


RULES: tuple[Rule, ...] = (
    Rule(
        check=version,
        id="version",
        says="every server was of the PostgreSQL major that is claimed",
        state=State.MISMATCH,
    ),
    Rule(
        check=driver,
        id="driver",
        says="every test process had imported the driver that is claimed, and no other",
        state=State.MISMATCH,
    ),
    Rule(
        check=one_build, id="one-build", says="all sessions of a cell ran on one build of the server and of the driver"
    ),
    Rule(check=minimum_minor, id="minimum-minor", says="no server was older than the minor the table demands"),
    Rule(
        check=junit,
        id="junit",
        says="every session left a whole JUnit file that says what its record says",
        state=State.DAMAGED,
        of_files=True,
    ),
)
