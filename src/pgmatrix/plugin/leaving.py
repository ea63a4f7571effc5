"""Owns what a process that ran tests leaves for the record beside the results: the drivers it had imported, and by what
its tests were cut to a part. Looks only; imports no driver.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from pgmatrix.matrix import Driver

_CHOICES = {
    "keyword": "-k {}",
    "markexpr": "-m {}",
    "lf": "--lf",
    "stepwise": "--stepwise",
    "ignore": "--ignore {}",
    "ignore_glob": "--ignore-glob {}",
    "deselect": "--deselect {}",
    "collectonly": "--collect-only",
    "setuponly": "--setup-only",
    "setupplan": "--setup-plan",
}


class Leaving:
    """Counts what is deselected, and hands over from an xdist worker at its end."""

    name = "pgmatrix-leaving"

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._deselected = 0

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Count tests that were found and will not run."""
        self._deselected += len(items)

    def values(self) -> dict[str, Any]:
        """What this process leaves."""
        return {"drivers": imported_drivers(), "deselected": self._deselected}

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Hand over to the controller, in a worker."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["pgmatrix"] = self.values()


def imported_drivers() -> dict[str, str]:
    """The PostgreSQL drivers this process has imported, with the version each says it is."""
    found = ((str(driver), sys.modules.get(driver)) for driver in Driver)
    return {name: str(getattr(module, "__version__", "unknown")) for name, module in found if module is not None}


def all_drivers(left: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The drivers that any of the processes had imported."""
    return {name: version for one in left for name, version in sorted(one.get("drivers", {}).items())}


def narrowed(option: Any, arguments: Iterable[str], left: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """By what the session was cut to a part of its files' tests; nothing for a whole one."""
    found = [
        text.format(value if isinstance(value, str) else " ".join(map(str, value)) if value is not True else "")
        for name, text in _CHOICES.items()
        if (value := getattr(option, name, None))
    ]
    found += [argument for argument in arguments if "::" in argument]
    deselected = max((int(one.get("deselected", 0)) for one in left), default=0)
    if deselected:
        found.append(f"{deselected} test{'s' * (deselected != 1)} deselected")
    return tuple(found)
