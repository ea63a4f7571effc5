"""Owns starting pytest for one trial, waiting for it with a bound, and reading what it left.

A whole trial gets a process of its own. A test alone gets one too, forked from a parent that has the libraries loaded.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgmatrix.errors import RecordError
from pgmatrix.records import read, record_path
from pgmatrix.stress.tally import Pass
from pgmatrix.stress.trials import Trial
from pgmatrix.stress.warm import HUNG

PYTEST = ("-q", "-p", "no:cacheprovider", "-p", "pgmatrix.stress.order")


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where trials are run: the project, its tests, the warm server's environment, what the user adds for pytest, the
    folder of logs and records, and the seconds after which a pytest counts as hung."""

    root: Path
    files: Sequence[str]
    environ: Mapping[str, str]
    folder: Path
    extra: Sequence[str] = ()
    limit: float = 900.0

    def arguments(self, trial: Trial) -> list[str]:
        """What pytest is told."""
        return [*PYTEST, *trial.arguments(self.files), *self.extra]

    def variables(self, trial: Trial) -> dict[str, str]:
        """The environment of its process: pgmatrix's record goes to this course's folder, by the trial's name."""
        own = {"PGMATRIX_RUN": self.folder.name, "PGMATRIX_RUN_DIR": str(self.folder), "PGMATRIX_SESSION": str(trial)}
        return {**self.environ, **own}

    def log(self, trial: Trial) -> Path:
        """Where pytest's output goes; of a clean trial it is removed again."""
        return self.folder / "logs" / f"{trial}.txt"

    def run(self, trial: Trial) -> Pass:
        """Run a trial in a process of its own."""
        self.log(trial).parent.mkdir(parents=True, exist_ok=True)
        with self.log(trial).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *self.arguments(trial)],
                cwd=self.root,
                env=self.variables(trial),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(self.limit)
            except subprocess.TimeoutExpired:
                code = HUNG
            finally:
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        return self.outcome(trial, code)

    def outcome(self, trial: Trial, code: int) -> Pass:
        """What a trial left, whose pytest ended with `code`."""
        log, path = self.log(trial), record_path(self.folder, str(trial))
        if code == HUNG:
            return Pass(trial=trial, problem=f"not over after {self.limit:g} s; see {log}")
        if not path.is_file():
            return Pass(trial=trial, problem=f"no record, exit code {code}; see {log}")
        try:
            record = read(path)
        except RecordError as error:
            return Pass(trial=trial, problem=error.wanted)
        if not record.finished:
            return Pass(trial=trial, problem=f"ended in the middle, exit code {code}; see {log}")
        found = Pass.of(trial, record, code)
        if not (found.bad or found.problem):
            log.unlink(missing_ok=True)
        return found


class Parent:
    """The warm process that forks pytest for one test at a time."""

    def __init__(self, course: Course) -> None:
        self._course = course
        course.log(Trial(kind="alone", number=0)).parent.mkdir(parents=True, exist_ok=True)  # type: ignore[arg-type]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pgmatrix.stress.warm", str(course.folder / "logs"), *course.files],
            cwd=course.root,
            env={**course.environ, "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, trial: Trial) -> Pass:
        """Run a trial in a child of that process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {
            "arguments": self._course.arguments(trial),
            "environ": self._course.variables(trial),
            "log": str(self._course.log(trial)),
            "limit": self._course.limit,
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            return Pass(trial=trial, problem=f"the parent of single tests died, exit code {self._process.wait()}")
        return self._course.outcome(trial, int(json.loads(answer)["code"]))

    def close(self) -> None:
        """End it, and whatever child it is waiting for."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.communicate()


@contextlib.contextmanager
def parent(course: Course) -> Iterator[Parent]:
    """A warm process for the block."""
    found = Parent(course)
    try:
        yield found
    finally:
        found.close()
