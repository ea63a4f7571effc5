"""Owns what a run is told: the table in pyproject.toml, the environment and options, and where each came from.

Later sources win: default, table, environment, option. Nothing here starts, connects or imports a driver.
Standard library only, so a noxfile can import it.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pgmatrix.errors import ConfigError, UnknownName
from pgmatrix.matrix import Cell, Driver, Matrix, parse_drivers

TABLE = "tool.pgmatrix"


class ProviderName(StrEnum):
    """The ways to get a server; `auto` tries them in the order external, container, embedded."""

    AUTO = "auto"
    EXTERNAL = "external"
    CONTAINER = "container"
    EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One setting: its name in the table, its environment variable, its default and how text becomes its value."""

    name: str
    env: str | None
    default: Any
    read: Callable[[Any], Any]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text is expected")
    return value


def _flag(value: Any) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in words:
        raise ValueError("true or false is expected")
    return words[str(value).lower()]


def _count(value: Any) -> int:
    number = int(value)
    if isinstance(value, (bool, float)) or number < 0:
        raise ValueError("a whole number, zero or more, is expected")
    return number


def _items(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)):
        raise TypeError("a list is expected")
    return tuple(str(item).strip() for item in items if str(item).strip())


def _majors(value: Any) -> tuple[int, ...]:
    return tuple(int(item) for item in _items(value))


def _layers(value: Any) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({str(name): _items(paths) for name, paths in dict(value).items()})


def _percents(value: Any) -> Mapping[str, float]:
    percents = {str(path): float(percent) for path, percent in dict(value).items()}
    if not all(0 <= percent <= 100 for percent in percents.values()):
        raise ValueError("percents from 0 to 100 are expected")
    return MappingProxyType(percents)


def _pairs(value: Any) -> Mapping[str, str]:
    return MappingProxyType({str(name): str(text) for name, text in dict(value).items()})


def _table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("a table is expected")
    return MappingProxyType(dict(value))


def _seconds(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or not (number > 0 and math.isfinite(number)):
        raise ValueError("a number of seconds above zero is expected")
    return number


def _drivers(value: Any) -> tuple[Driver, ...]:
    return parse_drivers(_items(value))


def _provider(value: Any) -> ProviderName:
    if value not in set(ProviderName):
        raise UnknownName(f"unknown provider: {value}", do_next=f"choose from {', '.join(ProviderName)}")
    return ProviderName(value)


KEYS: tuple[Key, ...] = (
    Key(name="postgres", env="PGMATRIX_POSTGRES", default=(15, 16), read=_majors),
    Key(name="drivers", env="PGMATRIX_DRIVERS", default=("asyncpg", "psycopg"), read=_drivers),
    Key(name="layers", env=None, default={}, read=_layers),
    Key(name="provider", env="PGMATRIX_PROVIDER", default=ProviderName.AUTO, read=_provider),
    Key(name="image", env="PGMATRIX_IMAGE", default="pgvector/pgvector:pg{major}", read=_text),
    Key(name="template", env=None, default="", read=_text),
    Key(name="template-sources", env=None, default=(), read=_items),
    Key(name="template-timeout", env="PGMATRIX_TEMPLATE_TIMEOUT", default=300.0, read=_seconds),
    Key(name="extensions", env=None, default=(), read=_items),
    Key(name="roles", env=None, default=(), read=_items),
    Key(name="preload", env=None, default=(), read=_items),
    Key(name="settings", env=None, default={}, read=_pairs),
    Key(name="connections-per-worker", env="PGMATRIX_CONNECTIONS_PER_WORKER", default=30, read=_count),
    Key(name="stock", env="PGMATRIX_STOCK", default=2, read=_count),
    Key(name="start-timeout", env="PGMATRIX_START_TIMEOUT", default=60.0, read=_seconds),
    Key(name="memory", env="PGMATRIX_MEMORY", default=True, read=_flag),
    Key(name="cache", env="PGMATRIX_CACHE", default="", read=_text),
    Key(name="run-as", env="PGMATRIX_RUN_AS", default="", read=_text),
    Key(name="coverage", env=None, default={}, read=_percents),
    Key(name="perf", env=None, default={}, read=dict),  # read further where it is used, by `perf.table`
    Key(name="gate", env=None, default={}, read=_table),
)
_BY_NAME = {key.name: key for key in KEYS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a run was told. `values` are by the table's names; `origins` say which source set each of them."""

    root: Path
    matrix: Matrix
    values: Mapping[str, Any]
    origins: Mapping[str, str]
    dsns: Mapping[int, str]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __repr__(self) -> str:
        return f"Config(root={str(self.root)!r}, cells={[str(c) for c in self.matrix.cells]})"

    def explain(self, name: str) -> str:
        """One line: the setting, its value, and where it came from."""
        value = self.values[name]
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        return f"{name} = {shown} ({self.origins[name]})"

    def cell(self, text: str | None, installed: tuple[Driver, ...]) -> Cell:
        """The cell `text` spells, or the newest major on the first driver that is installed. Raises ConfigError."""
        if text:
            cell = Cell.parse(text)
            if cell not in self.matrix.cells:
                known = ", ".join(map(str, self.matrix.cells))
                raise UnknownName(f"{text} is not in the matrix", do_next=f"choose from {known}")
            return cell
        usable = [driver for driver in self.matrix.drivers if driver in installed]
        if not usable:
            names = " or ".join(self.matrix.drivers)
            raise ConfigError(
                f"no driver of the matrix is installed: {names}", do_next="install one of them beside pytest"
            )
        return Cell(major=max(self.matrix.majors), driver=usable[0])


def find_root(start: Path) -> Path | None:
    """The nearest folder at or above `start` whose pyproject.toml has the table, or None."""
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if file.is_file() and "pgmatrix" in _toml(file).get("tool", {}):
            return folder
    return None


def load(
    root: Path,
    *,
    environ: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Config:
    """The configuration of the project at `root`. Raises ConfigError naming the source of what is wrong."""
    environ = os.environ if environ is None else environ
    file = root / "pyproject.toml"
    table = _toml(file).get("tool", {}).get("pgmatrix") if file.is_file() else None
    if not isinstance(table, dict):
        raise ConfigError(f"no [{TABLE}] table in {file}", do_next="add one; the README shows the smallest")
    _refuse_unknown(table, environ)
    values, origins = {}, {}
    for key in KEYS:
        raw, origin = _raw(key, table, environ, options or {})
        values[key.name], origins[key.name] = _read(key, raw, origin), origin
    matrix = Matrix(majors=values["postgres"], drivers=values["drivers"], layers=values["layers"])
    return Config(
        root=root,
        matrix=matrix,
        values=MappingProxyType(values),
        origins=MappingProxyType(origins),
        dsns=MappingProxyType(_dsns(environ)),
    )


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not TOML: {error}", do_next="correct the line it names") from error


def _raw(key: Key, table: Mapping[str, Any], environ: Mapping[str, str], options: Mapping[str, Any]) -> tuple[Any, str]:
    if options.get(key.name) is not None:
        return options[key.name], f"option --pg-{key.name}"
    if key.env and environ.get(key.env):
        return environ[key.env], f"environment {key.env}"
    if key.name in table:
        return table[key.name], f"[{TABLE}] {key.name}"
    return key.default, "default"


def _read(key: Key, raw: Any, origin: str) -> Any:
    try:
        return key.read(raw)
    except UnknownName as error:
        raise UnknownName(f"{error.wanted} ({origin})", do_next=error.do_next) from error
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{origin} = {raw!r} cannot be used: {error}", do_next=f"correct {origin}, or leave it out"
        ) from error


def _refuse_unknown(table: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    unknown = sorted(set(table) - set(_BY_NAME))
    if unknown:
        raise UnknownName(
            f"unknown setting in [{TABLE}]: {', '.join(unknown)}", do_next=f"choose from {', '.join(_BY_NAME)}"
        )
    known = {key.env for key in KEYS} | {name for name in environ if name.startswith("PGMATRIX_DSN_")}
    strange = sorted(n for n in environ if n.startswith("PGMATRIX_") and n not in known | RUN_VARIABLES)
    if strange:
        raise UnknownName(
            f"unknown environment variable: {', '.join(strange)}",
            do_next=f"choose from {', '.join(sorted(str(k.env) for k in KEYS if k.env))}, PGMATRIX_DSN_<major>",
        )


def _dsns(environ: Mapping[str, str]) -> dict[int, str]:
    found = {}
    for name, dsn in environ.items():
        if not name.startswith("PGMATRIX_DSN_") or not dsn:
            continue
        major = name.removeprefix("PGMATRIX_DSN_")
        if not major.isdecimal():
            raise UnknownName(
                f"environment variable {name} names no PostgreSQL major", do_next="write PGMATRIX_DSN_16, for example"
            )
        found[int(major)] = dsn
    return found


# What sessions of one run hand to each other; not settings of a person.
RUN_VARIABLES = frozenset(
    {
        "PGMATRIX_RUN",
        "PGMATRIX_RUN_DIR",
        "PGMATRIX_SESSION",
        "PGMATRIX_CELL",
        "PGMATRIX_PARALLEL_SESSIONS",
        "PGMATRIX_ARGV",
    }
)
