"""Owns `[tool.pgmatrix.perf]`: what is measured, the budgets as ratios, the load that must be carried. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pgmatrix.errors import ConfigError, UnknownName

TABLE = "tool.pgmatrix.perf"
_BUDGET = re.compile(r"(?P<workload>\S+) (?P<measured>[^\s/]+)/(?P<beside>[^\s/]+)( x(?P<clients>[1-9][0-9]*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """At most `bound` times as long as what it is measured beside: two variants in each cell, or two drivers."""

    workload: str
    measured: str
    beside: str
    bound: float
    clients: int = 1

    def __str__(self) -> str:
        return f"{self.workload} {self.measured}/{self.beside} x{self.clients}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGoal:
    """Requests of `workload` a second that clients offer for so many seconds; latency in seconds, errors as a share."""

    workload: str
    rate: float = 1000.0
    clients: int = 100
    seconds: float = 10.0
    p95: float = 0.5
    errors: float = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class PerfTable:
    """The whole table. `workloads` is `module:function`; `minutes` is how long all cells together may take."""

    workloads: str
    minutes: float = 6.0
    settings: Mapping[str, str]
    budgets: tuple[Budget, ...] = ()
    baseline: str = ""
    load: LoadGoal | None = None


def read_table(values: Mapping[str, Any]) -> PerfTable:
    """The table from TOML. Raises ConfigError naming the entry that cannot be used."""
    known = {"workloads", "minutes", "settings", "budgets", "baseline", "load"}
    if strange := sorted(set(values) - known):
        raise UnknownName(
            f"unknown setting in [{TABLE}]: {', '.join(strange)}", do_next=f"choose from {', '.join(sorted(known))}"
        )
    workloads = str(values.get("workloads", ""))
    if not re.fullmatch(r"[\w.]+:\w+", workloads):
        raise ConfigError(
            f"[{TABLE}] workloads = {workloads!r} names no function",
            do_next="write module:function, one that is called with a Ground and returns contenders",
        )
    return PerfTable(
        workloads=workloads,
        minutes=_above_zero("minutes", values.get("minutes", 6.0)),
        settings={str(name): str(value) for name, value in dict(values.get("settings", {})).items()},
        budgets=tuple(_budget(name, bound) for name, bound in dict(values.get("budgets", {})).items()),
        baseline=str(values.get("baseline", "")),
        load=_load(values["load"]) if "load" in values else None,
    )


def _budget(name: str, bound: Any) -> Budget:
    match = _BUDGET.fullmatch(name)
    if match is None:
        raise ConfigError(
            f"[{TABLE}.budgets] {name!r} is no budget",
            do_next="write WORKLOAD MEASURED/BESIDE or WORKLOAD MEASURED/BESIDE xCLIENTS, such as 'point-read a/b x4'",
        )
    return Budget(
        workload=match["workload"],
        measured=match["measured"],
        beside=match["beside"],
        bound=_above_zero(f"budgets.{name}", bound),
        clients=int(match["clients"] or 1),
    )


def _load(values: Mapping[str, Any]) -> LoadGoal:
    known = {"workload", "rate", "clients", "seconds", "p95", "errors"}
    if strange := sorted(set(values) - known):
        raise UnknownName(
            f"unknown setting in [{TABLE}.load]: {', '.join(strange)}",
            do_next=f"choose from {', '.join(sorted(known))}",
        )
    if not values.get("workload"):
        raise ConfigError(f"[{TABLE}.load] names no workload", do_next="name the one whose requests are offered")
    numbers = {name: _above_zero(f"load.{name}", values[name]) for name in known - {"workload"} if name in values}
    if "clients" in numbers:
        numbers["clients"] = int(numbers["clients"])
    return LoadGoal(workload=str(values["workload"]), **numbers)  # type: ignore[arg-type]


def _above_zero(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigError(f"[{TABLE}] {name} = {value!r} cannot be used", do_next="write a number above zero")
    return float(value)
