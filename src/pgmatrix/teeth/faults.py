"""Owns what a fault is: a name, what it breaks, how, and exactly which tests must turn red. Injects what is in Python.

A project keeps its faults as a sequence of these; it says nothing of how they are run.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from pgmatrix.errors import FaultError

_ABSENT = object()


class Change(Protocol):
    """A change of the process that runs the tests."""

    def apply(self) -> None:
        """Make it, for as long as the process lives. Raises FaultError where that is impossible or changes nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Another value for an attribute: `target` is `module:name` or `module:Class.name`, `make` gets what is there."""

    target: str
    make: Callable[[Any], Any]

    def apply(self) -> None:
        """Set the attribute where it is looked up."""
        owner, name, after = self.prepared()
        setattr(owner, name, after)

    def prepared(self) -> tuple[Any, str, Any]:
        """Where the new value goes, and what it is; nothing is changed yet. Raises FaultError."""
        owner, name = self._place()
        # What is stored, since looking a staticmethod or a property up would give something else.
        stored = vars(owner).get(name, _ABSENT)
        before = getattr(owner, name, _ABSENT) if stored is _ABSENT else stored
        if before is _ABSENT:
            raise FaultError(f"{self.target} does not exist", do_next="name an attribute that does")
        after = self.make(before)
        if after is before or (type(after) is type(before) and bool(after == before)):
            raise FaultError(f"{self.target} is the same as before", do_next="give it another value")
        return owner, name, after

    def _place(self) -> tuple[Any, str]:
        module, _, path = self.target.partition(":")
        *way, name = path.split(".")
        try:
            owner = importlib.import_module(module)
            for step in way:
                owner = getattr(owner, step)
        except (ImportError, AttributeError) as error:
            raise FaultError(f"{self.target} does not exist: {error}", do_next="name an attribute that does") from error
        return owner, name


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`sql` breaks the template, run by the superuser; `changes` break the process; `reds` are the tests that must see.

    `undo` takes back what `sql` did to the server as a whole, such as its roles; a fault with it is never injected into
    a server of somebody else.
    """

    name: str
    breaks: str
    reds: frozenset[str]
    sql: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    changes: tuple[Change, ...] = field(default=())

    @property
    def is_in_template(self) -> bool:
        """Whether a test that uses no clone of the template cannot see it."""
        return not self.changes and not self.undo
