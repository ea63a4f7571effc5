"""Owns what a rule is: an id, what it demands in one line, and a function that yields what it objects to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pgmatrix.gate.evidence import Evidence
from pgmatrix.verdict import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule objects to, about a `session`, or else about what `where` names. Equal ones become one reason.

    `what` does not repeat where; `do_next` is an imperative. `state` is what it makes of the session, if not what the
    rule says. `cell` is whom it is about where there is no session, so that a preview's does not block.
    """

    what: str
    do_next: str
    session: str = ""
    where: str = ""
    cell: str = ""
    test: str = ""
    detail: str = ""
    state: State | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`says` completes "a run may ship if"; `check` yields what it objects to. `state` is what a session becomes that
    breaks it. `of_files` rules also judge a JUnit file from elsewhere."""

    check: Callable[[Evidence], Iterable[Finding]]
    id: str
    says: str
    state: State = State.UNPROVEN
    of_files: bool = False
