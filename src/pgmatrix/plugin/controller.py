"""Owns the session's one server in the process that started pytest, and the record of how it went.

Starts the server when the command line's paths hold a layer's files (workers cannot ask for it later), else when a
test of this process first asks.
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pgmatrix import __version__
from pgmatrix.clients import installed_drivers
from pgmatrix.config import Config
from pgmatrix.databases.database import Database
from pgmatrix.errors import PgMatrixError
from pgmatrix.matrix import Cell
from pgmatrix.plugin.leaving import Leaving, all_drivers, narrowed
from pgmatrix.plugin.outcomes import Outcomes
from pgmatrix.plugin.worker import Handover, Worker
from pgmatrix.plugin.workers import DECISION, selected_files, write_durations
from pgmatrix.provision import Provision, provision
from pgmatrix.records import Record, write
from pgmatrix.revision import revision


class Controller:
    """Starts, hands over, reports and ends. Registered in the process that started pytest."""

    name = "pgmatrix-controller"

    def __init__(self, config: pytest.Config, table: Config) -> None:
        self._config = config
        self._table = table
        self._outcomes = Outcomes()
        self._leaving = Leaving(config)
        self._collected = 0
        self._started = time.time()
        self._provision: Provision | None = None
        self._error = ""
        self._notes: list[str] = []
        wanted = config.getoption("--pg-cell") or os.environ.get("PGMATRIX_CELL")
        self.cell: Cell = table.cell(wanted, installed_drivers())
        self._place = os.environ.get("PGMATRIX_RUN_DIR"), os.environ.get("PGMATRIX_SESSION")
        self._revision = revision(table.root) if all(self._place) else None
        config.pluginmanager.register(self._outcomes, "pgmatrix-outcomes")
        config.pluginmanager.register(self._leaving, Leaving.name)
        config.pluginmanager.register(Worker(self._handover, keep=config.getoption("--keep-databases")), Worker.name)

    @property
    def workers(self) -> int:
        """How many xdist workers there will be; 0 means none."""
        return len(getattr(self._config.option, "tx", None) or ())

    def start(self) -> Provision:
        """The session's server, started at the first call. Raises UsageError."""
        if self._provision is None:
            label = os.environ.get("PGMATRIX_SESSION") or str(self.cell)
            try:
                self._provision = provision(self._table, self.cell, workers=self.workers, label=label)
            except PgMatrixError as error:
                self._error = str(error)
                raise pytest.UsageError(str(error)) from error
        return self._provision

    def _handover(self) -> Handover:
        return Handover.of(self.start(), self._table["stock"])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Start the server before xdist starts its workers; what does not end from here on shows in its record."""
        self._record(-1, finished=False)
        if not self._config.option.collectonly and selected_files(self._config, self._table):
            self.start()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker how to reach the server."""
        if self._provision is not None:
            node.workerinput["pgmatrix"] = self._handover().to_json()

    def pytest_report_header(self) -> list[str]:
        """What the tests run on, and why."""
        if self._provision is None:
            return [f"pgmatrix: {self.cell}, no server yet"]
        facts = self._provision.facts
        return [
            f"pgmatrix: {self.cell}: PostgreSQL {facts.server_version}, pgvector {facts.pgvector or 'none'},"
            f" {facts.driver} {facts.driver_version}",
            f"provider: {facts.provider} ({facts.reason}); data {facts.storage}",
            f"ready in {self._provision.seconds:.2f} s; workers: {self.workers} ({self._workers_reason})",
        ]

    @property
    def _workers_reason(self) -> str:
        decision = self._config.stash.get(DECISION, None)
        return decision.reason if decision is not None else "as asked"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """End the server and leave the record, whatever happened."""
        self._collected = session.testscollected
        try:
            self._end()
        finally:
            self._record(int(exitstatus))

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """End the server, and leave a record, also where pytest never got as far as a session."""
        self._end()
        if self._error:
            self._record(int(pytest.ExitCode.USAGE_ERROR))

    def _end(self) -> None:
        found, self._provision = self._provision, None
        if found is not None:
            self._facts = found
            if self._outcomes.kept:
                self._notes += [self._how_to_connect(found, name) for name in self._outcomes.kept]
                self._notes.append(found.keep(self._outcomes.kept))
            else:
                found.close()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how to reach what was kept."""
        for note in self._notes:
            terminalreporter.write_line(note)

    @staticmethod
    def _how_to_connect(found: Provision, name: str) -> str:
        return f"connect: psql '{Database(name=name, server=found.server).dsn()}'"

    def _is_whole(self) -> bool:
        """Whether whole files were run, so that their durations mean something."""
        option = self._config.option
        return not (
            option.collectonly or option.keyword or option.markexpr or any("::" in arg for arg in self._config.args)
        )

    def _record(self, exit_code: int, *, finished: bool = True) -> None:
        results = self._outcomes.results()
        if exit_code == 0 and self._is_whole():
            write_durations(self._table.root, [(one.test, one.seconds) for one in results])
        folder, session = self._place
        if self._revision is None or not folder or not session:
            return
        found = getattr(self, "_facts", None)
        left = [self._leaving.values(), *self._outcomes.left]
        record = Record(
            run=os.environ.get("PGMATRIX_RUN", ""),
            session=session,
            started=self._started,
            ended=time.time(),
            exit_code=exit_code,
            workers=self.workers,
            workers_reason=self._workers_reason,
            ready_seconds=found.seconds if found else 0.0,
            tests=results,
            facts=asdict(found.facts) if found else {},
            warnings=tuple(self._outcomes.warnings),
            crashed=tuple(self._outcomes.crashed),
            error=self._error,
            commit=self._revision.commit,
            dirty=self._revision.dirty,
            drivers=all_drivers(left),
            python=platform.python_version(),
            pgmatrix=__version__,
            collected=self._collected,
            narrowed=narrowed(self._config.option, self._config.args, left),
            finished=finished,
            plans=self._outcomes.plans(),
        )
        write(Path(folder), record)
