"""Owns what `-n auto` means here: how many workers pay for the tests that were asked for.

Estimates from the last run's durations where there are any, else from the number of test functions in the files.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pgmatrix.config import Config
from pgmatrix.servers.tuning import usable_cores, workers_for

_TEST = re.compile(rb"^\s*(?:async )?def test_", re.MULTILINE)
_GUESS = 0.06
_FOLDER = ".pytest_cache/v/pgmatrix"
DECISION = pytest.StashKey["Decision"]()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How many workers, and why; the estimate is `tests` that take `seconds` one after another."""

    workers: int
    tests: int
    seconds: float
    cores: int
    sessions: int

    @property
    def reason(self) -> str:
        """One line for people."""
        return (
            f"auto: {self.tests} tests of about {self.seconds:.1f} s on {self.cores} cores"
            f" shared by {self.sessions} session{'s' * (self.sessions != 1)}"
        )


def decide(config: pytest.Config, table: Config) -> Decision:
    """Decide once for this pytest run."""
    if DECISION not in config.stash:
        files = selected_files(config, table)
        tests = {str(path.relative_to(table.root)): count_tests(path) for path in files}
        seconds = estimate(tests, read_durations(table.root))
        sessions = int(os.environ.get("PGMATRIX_PARALLEL_SESSIONS", "1"))
        total, cores = sum(tests.values()), usable_cores()
        config.stash[DECISION] = Decision(
            workers=workers_for(total, seconds, cores=cores, sessions=sessions),
            tests=total,
            seconds=seconds,
            cores=cores,
            sessions=sessions,
        )
    return config.stash[DECISION]


def selected_files(config: pytest.Config, table: Config) -> list[Path]:
    """The layer files that the command line's paths name or hold."""
    chosen = [Path(config.invocation_params.dir, str(arg).partition("::")[0]).resolve() for arg in config.args]
    found = set()
    for paths in table.matrix.layers.values():
        for path in (table.root / p for p in paths):
            files = path.rglob("test_*.py") if path.is_dir() else [path]
            found |= {file for file in files if any(file.resolve().is_relative_to(one) for one in chosen)}
    return sorted(file for file in found if file.is_file())


def count_tests(path: Path) -> int:
    """The test functions in a file, counted without importing it."""
    return len(_TEST.findall(path.read_bytes()))


def estimate(tests: Mapping[str, int], durations: Mapping[str, float]) -> float:
    """Seconds the tests of these files take: as measured last time, else a guess for each test function."""
    return sum(durations.get(path, number * _GUESS) for path, number in tests.items())


def read_durations(root: Path) -> dict[str, float]:
    """Seconds by file, as the last runs measured them."""
    found: dict[str, float] = {}
    for path in (root / _FOLDER).glob("*.json"):
        try:
            found |= json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # the next run of that file writes it anew
    return found


def write_durations(root: Path, results: Iterable[tuple[str, float]]) -> None:
    """Keep the seconds of every file that was run, one small file for each, so that sessions do not collide.

    The least ever measured counts: what a busy machine adds says nothing about the tests.
    """
    total: dict[str, float] = {}
    for node, seconds in results:
        path = node.partition("::")[0]
        total[path] = total.get(path, 0.0) + seconds
    known = read_durations(root)
    with contextlib.suppress(OSError):  # a checkout that cannot be written only makes for worse guesses
        _keep(root / _FOLDER, {path: min(seconds, known.get(path, seconds)) for path, seconds in total.items()})


def _keep(folder: Path, durations: Mapping[str, float]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path, seconds in durations.items():
        private = folder / f".{os.getpid()}"
        private.write_text(json.dumps({path: round(seconds, 3)}), encoding="utf-8")
        private.rename(folder / f"{path.replace('/', '-')}.json")
