"""Runs tests in a forked process in which a fault is injected; what they turned into comes back through a pipe.

The process that forks has imported and collected everything and has no thread of its own, so a trial starts at once.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import pytest

from pgmatrix.errors import FaultError, PgMatrixError
from pgmatrix.plugin.worker import Handover, Worker
from pgmatrix.teeth.check import name_of
from pgmatrix.teeth.faults import Change

INHERIT = Path(__file__).parent / "inherit"
FAULT = "PGMATRIX_FAULT"


class _Quiet(Worker):
    """Serves databases; looks up no log lines for the failures that are wanted here."""

    def _databases_of(self, item: pytest.Item) -> set[str]:
        return set()


class Reds:
    """Listens for tests that turn red, in whatever phase, and keeps the first line of why."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take one phase of one test."""
        if report.failed:
            self.found.setdefault(name_of(report.nodeid), _reason(report))


def _reason(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash is not None else report.longrepr)
    line = next(iter(text.strip().splitlines()), "")
    return f"{'' if report.when == 'call' else f'{report.when}: '}{line}"[:300]


@dataclass(frozen=True, slots=True, kw_only=True)
class Injected:
    """The tests to run, the databases they get, and what is changed first. `reference` names the fault to processes
    that the tests start."""

    session: pytest.Session
    items: Sequence[pytest.Item]
    handover: Handover
    changes: tuple[Change, ...]
    reference: str

    def run(self) -> dict[str, str]:
        """The red tests, with why. Raises FaultError."""
        for change in self.changes:
            change.apply()
        if self.changes:
            os.environ[FAULT] = self.reference
            places = [str(INHERIT), str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
            os.environ["PYTHONPATH"] = os.pathsep.join(places)
        manager, reds = self.session.config.pluginmanager, Reds()
        worker = _Quiet(lambda: self.handover, keep=False)
        manager.register(worker, Worker.name)
        manager.register(reds, "pgmatrix-reds")
        self.session.items = list(self.items)
        worker.pytest_collection_finish(self.session)
        for item, following in zip(self.items, [*self.items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        worker.pytest_sessionfinish()
        return reds.found


def fork(work: Callable[[], dict[str, str]], *, timeout: float) -> dict[str, str]:
    """What `work` returns in a process of its own. Raises FaultError, also if that takes over `timeout` seconds."""
    if threading.active_count() > 1:
        raise FaultError(f"a process with threads cannot be forked: {threading.enumerate()}")
    context = multiprocessing.get_context("fork")
    mine, its = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="teeth-", ignore_cleanup_errors=True) as folder:
        process = context.Process(target=_answer, args=[its, work, folder, os.getpid()])
        process.start()
        its.close()
        try:
            if not mine.poll(timeout):
                raise FaultError(f"the tests did not end within {timeout:g} s")
            found: Any = mine.recv()
        except EOFError:
            process.join()
            raise FaultError(f"the process of the tests ended with exit code {process.exitcode}") from None
        finally:
            _end(process)
            mine.close()
    if isinstance(found, PgMatrixError):
        raise found
    return dict(found)


def _end(process: ForkProcess) -> None:
    """With all that its tests have started."""
    if process.pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()
    process.close()


def _answer(pipe: Connection, work: Callable[[], dict[str, str]], folder: str, parent: int) -> None:
    os.setpgrp()
    # What a fault or a broken test leaves among the temporary files goes with the trial.
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()
    try:
        pipe.send(work())
    except PgMatrixError as error:
        pipe.send(error)
    except BaseException:
        traceback.print_exc()
        pipe.send(FaultError(f"the run of the tests broke: {traceback.format_exc(limit=-1).strip()}"))
        raise


def _end_with(parent: int) -> None:
    """End when who asked for the trial has died: nobody wants it any more."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
