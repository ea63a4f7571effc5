"""Owns the matrix: cells, layers and sessions, their one spelling, expansion and selection.

Pure: no files, no environment, no sockets. Standard library only, so a noxfile can import it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from pgmatrix.errors import ConfigError, UnknownName

_CELL = re.compile(r"pg(?P<major>[1-9][0-9]?)-(?P<driver>[a-z][a-z0-9]*)")
_LAYER = re.compile(r"[a-z][a-z0-9_]*")
_T = TypeVar("_T")


class Driver(StrEnum):
    """The PostgreSQL drivers pgmatrix can speak through."""

    ASYNCPG = "asyncpg"
    PSYCOPG = "psycopg"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cell:
    """A PostgreSQL major and a driver, spelled `pg16-asyncpg` everywhere."""

    major: int
    driver: Driver

    def __str__(self) -> str:
        return f"pg{self.major}-{self.driver}"

    @classmethod
    def parse(cls, text: str) -> Cell:
        """The cell that `text` spells. Raises UnknownName."""
        match = _CELL.fullmatch(text)
        if match is None or match["driver"] not in set(Driver):
            raise UnknownName(
                f"{text!r} is not a cell",
                do_next=f"write pgMAJOR-DRIVER, such as pg16-asyncpg; drivers: {', '.join(Driver)}",
            )
        return cls(major=int(match["major"]), driver=Driver(match["driver"]))


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Session:
    """A layer on a cell, spelled `pg16-asyncpg-rls` everywhere."""

    cell: Cell
    layer: str

    def __str__(self) -> str:
        return f"{self.cell}-{self.layer}"

    @property
    def tags(self) -> tuple[str, str, str, str]:
        """What selects this session: major, driver, cell and layer."""
        return (f"pg{self.cell.major}", str(self.cell.driver), str(self.cell), self.layer)

    @classmethod
    def parse(cls, text: str) -> Session:
        """The session that `text` spells. Raises UnknownName."""
        cell, _, layer = text.rpartition("-")
        if not (cell and _LAYER.fullmatch(layer)):
            raise UnknownName(f"{text!r} is not a session", do_next="write CELL-LAYER, such as pg16-asyncpg-rls")
        return cls(cell=Cell.parse(cell), layer=layer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The table: which majors, which drivers, and each layer's test files (paths relative to the project)."""

    majors: tuple[int, ...]
    drivers: tuple[Driver, ...]
    layers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, values in (("postgres", self.majors), ("drivers", self.drivers)):
            if not values:
                raise ConfigError(f"the matrix has no {name}", do_next=f"list at least one in [tool.pgmatrix] {name}")
            if len(set(values)) != len(values):
                raise ConfigError(
                    f"the matrix lists {name} twice: {', '.join(map(str, values))}", do_next="list each once"
                )
        for major in self.majors:
            if not 1 <= major <= 99:
                raise ConfigError(f"{major} is no PostgreSQL major", do_next="write a number such as 16")
        for layer, paths in self.layers.items():
            if not _LAYER.fullmatch(layer):
                raise ConfigError(f"{layer!r} cannot name a layer", do_next="use a-z, 0-9 and _, a letter first")
            if not paths:  # pytest without a path would run everything, and call it this layer
                raise ConfigError(f"the layer {layer} has no files", do_next="name its test files, or leave it out")

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell, in the order of the table."""
        return tuple(Cell(major=m, driver=d) for m in self.majors for d in self.drivers)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """Every layer on every cell, in the order of the table."""
        return tuple(Session(cell=cell, layer=layer) for cell in self.cells for layer in self.layers)

    def select(
        self,
        *,
        majors: Iterable[int] = (),
        drivers: Iterable[str] = (),
        layers: Iterable[str] = (),
    ) -> tuple[Session, ...]:
        """The sessions that match every given criterion; an empty criterion matches all. Raises UnknownName."""
        wanted_majors = _known("PostgreSQL major", majors, self.majors)
        wanted_drivers = _known("driver", drivers, tuple(map(str, self.drivers)))
        wanted_layers = _known("layer", layers, tuple(self.layers))
        return tuple(
            session
            for session in self.sessions
            if session.cell.major in wanted_majors
            and session.cell.driver in wanted_drivers
            and session.layer in wanted_layers
        )

    def layer_of(self, path: str) -> str | None:
        """The layer whose files hold `path`, if any."""
        return next((layer for layer, paths in self.layers.items() if any(_holds(p, path) for p in paths)), None)


def parse_drivers(names: Sequence[str]) -> tuple[Driver, ...]:
    """`names` as drivers; none of them is none, not all. Raises UnknownName."""
    return tuple(Driver(name) for name in _known("driver", names, tuple(map(str, Driver)))) if names else ()


def _holds(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def _known(kind: str, wanted: Iterable[_T], known: Sequence[_T]) -> Sequence[_T]:
    chosen = tuple(wanted)
    unknown = [value for value in chosen if value not in known]
    if unknown:
        raise UnknownName(
            f"unknown {kind}: {', '.join(map(str, unknown))}",
            do_next=f"choose from {', '.join(map(str, known))}",
        )
    return chosen or known
