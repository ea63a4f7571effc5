"""Owns what a project may say about its gate, in `[tool.pgmatrix.gate]`: what is switched off, declared, demanded.

Checks names against the table and refuses what it does not know. There is no option and no variable for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pgmatrix.config import Config
from pgmatrix.errors import ConfigError, UnknownName
from pgmatrix.matrix import Cell, Matrix

PLACE = "[tool.pgmatrix.gate]"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a project says about its gate.

    `off` are rules that are switched off, by id. `preview` are cells, as spelled, that are shown and never block.
    `skips` are declared skips and expected failures: a pattern of node ids and why. `minimum_tests` is how many tests
    of a layer must have passed in each cell; `minimum_minor` the oldest minor of a major that may be tested on.
    `require_perf` are the cells whose speed must have been measured.
    """

    off: tuple[str, ...] = ()
    preview: tuple[str, ...] = ()
    skips: Mapping[str, str] = field(default_factory=dict)
    minimum_tests: Mapping[str, int] = field(default_factory=dict)
    minimum_minor: Mapping[int, int] = field(default_factory=dict)
    require_perf: tuple[str, ...] = ()


def policy(config: Config, rules: Collection[str]) -> Policy:
    """The policy of a project whose gate has `rules`. Raises ConfigError."""
    table: Mapping[str, Any] = config["gate"]
    readers: dict[str, Callable[[Any, Matrix], Any]] = {
        "off": lambda value, _: _known("rule", _texts(value), rules),
        "preview": _cells,
        "skips": lambda value, _: _reasons(value),
        "minimum-tests": lambda value, matrix: _by_layer(value, matrix),
        "minimum-minor": lambda value, _: _minors(value),
        "require-perf": lambda value, matrix: _all_or_cells(value, matrix),
    }
    _known("setting", table, readers)
    values = {}
    for name, value in table.items():
        try:
            values[name.replace("-", "_")] = readers[name](value, config.matrix)
        except UnknownName:
            raise
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"{PLACE} {name} = {value!r} cannot be used: {error}", do_next="correct it, or leave it out"
            ) from error
    return Policy(**values)


def _known(kind: str, names: Collection[str], known: Collection[str]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UnknownName(f"unknown {kind} in {PLACE}: {', '.join(unknown)}", do_next=f"choose from {', '.join(known)}")
    return tuple(names)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError("a list of texts is expected")
    return tuple(value)


def _cells(value: Any, matrix: Matrix) -> tuple[str, ...]:
    cells = [str(Cell.parse(text)) for text in _texts(value)]
    return _known("cell", cells, [str(cell) for cell in matrix.cells])


def _all_or_cells(value: Any, matrix: Matrix) -> tuple[str, ...]:
    if isinstance(value, bool):
        return tuple(str(cell) for cell in matrix.cells) if value else ()
    return _cells(value, matrix)


def _pairs(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("a table is expected")
    return value


def _reasons(value: Any) -> dict[str, str]:
    reasons = _pairs(value)
    if not all(isinstance(why, str) and why.strip() for why in reasons.values()):
        raise ValueError("each pattern needs a reason")
    return reasons


def _by_layer(value: Any, matrix: Matrix) -> dict[str, int]:
    counts = {layer: _count(number) for layer, number in _pairs(value).items()}
    _known("layer", counts, tuple(matrix.layers))
    return counts


def _minors(value: Any) -> dict[int, int]:
    """`{16 = "16.10"}`, or `{16 = 10}`."""
    pairs = _pairs(value).items()
    return {int(major): _count(int(str(minor).removeprefix(f"{major}."))) for major, minor in pairs}


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("a whole number above zero is expected")
    return value
