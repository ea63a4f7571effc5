"""Owns running what is measured: a process group of its own, its whole output, and its end whatever happens."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.perf.measure import MeasurementFailed

PATIENCE = 20.0
TIMEOUT = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A command that ended well: its process id, when it began (Unix seconds), how long it took, what it said.

    `processor` counts the seconds of processors that it and all it waited for took, in user and kernel mode.
    """

    pid: int
    began: float
    seconds: float
    processor: float
    output: str


@contextlib.contextmanager
def running(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, output: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command whose output goes to a file; when the block ends it has ended too, and its process group."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end(process)


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    output: Path,
    failed: Callable[[int], None] = lambda _: None,
) -> Finished:
    """Run a command to its end. Raises MeasurementFailed, with its output, where it fails or lasts over TIMEOUT.

    `failed` is called with its process id, once it has ended, where it did not end well or we were interrupted.
    """
    began, start, used = time.time(), time.perf_counter(), _processor()
    code: int | str = "none: interrupted"
    with running(argv, env=env, cwd=cwd, output=output) as process, contextlib.ExitStack() as stack:
        stack.callback(lambda: failed(process.pid) if code != 0 else None)
        stack.push(lambda *_: _end(process))
        try:
            code = process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            code = f"none within {TIMEOUT:g} s"
        seconds, used = time.perf_counter() - start, _processor() - used
    said = output.read_text(encoding="utf-8", errors="replace")
    if code != 0:
        raise MeasurementFailed(f"{' '.join(map(str, argv))} ended with exit code {code}", said)
    return Finished(pid=process.pid, began=began, seconds=seconds, processor=used, output=said)


def _processor() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to stop as a person would, who also is waited for; then end its whole group."""
    if process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
