"""Owns what all measurements stand on: the project, its environments, how much to do, and a folder that goes away."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgmatrix.config import RUN_VARIABLES, Config
from pgmatrix.databases.template import Recipe
from pgmatrix.matrix import Cell, Driver, Session
from tests.perf.commands import Finished, run
from tests.perf.measure import Absent, MeasurementFailed

SPY = Path(__file__).parent / "spy"
ORIGINAL = "PERF_PYTHONPATH"
REPORT = "PERF_SPY"
# What a pytest or nox around us sets for itself.
_FOREIGN = ("PYTEST_", "COVERAGE_", "COV_CORE_", "NOX_CURRENT_SESSION", "PERF_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How a session starts its pytest, as nox itself did it: words and environment; `began` in Unix seconds."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    began: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """`nox` is an interpreter that has nox; `quick` asks for fewer rounds; `folder` is ours and goes away."""

    table: Config
    nox: str
    quick: bool
    folder: Path
    layers: tuple[str, ...]

    @property
    def root(self) -> Path:
        """The project."""
        return self.table.root

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells; quick: each major once and each driver once."""
        return few(self.table) if self.quick else self.table.matrix.cells

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The sessions of the layers that are measured, on the cells."""
        return tuple(Session(cell=cell, layer=layer) for cell in self.cells for layer in self.layers)

    def python(self, driver: Driver) -> str:
        """The interpreter of the shared environment of sessions on `driver`; a session's start makes it."""
        return str(self.root / ".nox" / f"env-{driver}" / "bin" / "python")

    def stamps(self) -> dict[Path, int]:
        """What makes a run cold if it changes: when environments were made, when the template's sources were."""
        made = [self.root / ".nox" / f"env-{driver}" / "pgmatrix-stamp" for driver in self.table.matrix.drivers]
        paths = [path for path in made if path.exists()] + Recipe.of(self.table).files()
        return {path: path.stat().st_mtime_ns for path in paths}

    def rounds(self, full: int, quick: int) -> int:
        """How many rounds to do."""
        return quick if self.quick else full

    def environ(self, **changes: str) -> dict[str, str]:
        """This process's environment without what nox, pytest or a run of ours put there."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in RUN_VARIABLES and not name.startswith(_FOREIGN)
        }
        return kept | changes

    def file(self, name: str) -> Path:
        """A path in our folder."""
        return self.folder / name

    def run_nox(self, words: Sequence[str], env: Mapping[str, str]) -> Finished:
        """Run this project's nox. What it leaves in .pgmatrix/runs is the caller's to `forget`, if it ended well."""
        argv = [self.nox, "-m", "nox", "-f", str(self.root / "noxfile.py"), *words]
        return run(argv, env=env, cwd=self.root, output=self.file("nox.log"), failed=self.forget)

    def runs(self, pid: int) -> list[Path]:
        """The folders of the runs that a nox process made: they end with its id."""
        return list((self.root / ".pgmatrix" / "runs").glob(f"*-{pid}"))

    def forget(self, pid: int) -> None:
        """Remove those folders."""
        for folder in self.runs(pid):
            shutil.rmtree(folder)

    def spied(self, **changes: str) -> dict[str, str]:
        """An environment in which a pytest says how it was started (see `spy/sitecustomize.py`)."""
        env = self.environ(**changes)
        path = env.get("PYTHONPATH", "")
        self.file("spy.json").unlink(missing_ok=True)
        return env | {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(SPY), path))),
            ORIGINAL: path,
            REPORT: str(self.file("spy.json")),
        }

    def seen(self) -> Command:
        """What the spy saw. Raises MeasurementFailed."""
        try:
            found = json.loads(self.file("spy.json").read_text(encoding="utf-8"))
        except OSError as error:
            raise MeasurementFailed("no pytest was seen to start") from error
        env = {name: value for name, value in found["env"].items() if not name.startswith("PERF_")}
        if found["env"].get(ORIGINAL):
            env["PYTHONPATH"] = found["env"][ORIGINAL]
        else:
            env.pop("PYTHONPATH", None)
        return Command(argv=tuple(found["argv"]), env=env, began=found["began"])


def few(table: Config) -> tuple[Cell, ...]:
    """As few cells as hold every major and every driver of the table."""
    majors, drivers = table.matrix.majors, table.matrix.drivers
    count = max(len(majors), len(drivers))
    return tuple(Cell(major=majors[i % len(majors)], driver=drivers[i % len(drivers)]) for i in range(count))


def measured_layers(table: Config, wanted: Sequence[str]) -> tuple[str, ...]:
    """The wanted layers, or all whose files are there. Raises UnknownName, or Absent where there is none."""
    asked = [one.layer for one in table.matrix.select(layers=wanted)] if wanted else list(table.matrix.layers)
    there = [name for name in dict.fromkeys(asked) if all((table.root / p).exists() for p in table.matrix.layers[name])]
    if not there:
        raise Absent("none of the layers has its test files")
    return tuple(there)
