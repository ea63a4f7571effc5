"""Owns the values these tests start from: each with every field set, and any of them replaced by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pgmatrix.clients import ClientError
from pgmatrix.config import ProviderName
from pgmatrix.matrix import Cell
from pgmatrix.perf import results as perf
from pgmatrix.perf.results import PerfRun
from pgmatrix.records import Record, TestResult
from pgmatrix.servers.identity import Facts
from pgmatrix.servers.protocol import Server, ServerSpec
from pgmatrix.verdict import (
    CoveragePath,
    CoverageView,
    Difference,
    DifferenceKind,
    RuleState,
    RunView,
    Scope,
    SessionView,
    State,
    Verdict,
)

CELL = Cell.parse("pg16-asyncpg")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TABLE = """
[tool.pgmatrix]
[tool.pgmatrix.layers]
rls = ["tests/test_rls.py"]
audit = ["tests/audit/"]
"""


def a_server(**changes: Any) -> Server:
    """A server of our own on the loopback, with a password."""
    values: dict[str, Any] = {
        "cell": CELL,
        "provider": ProviderName.CONTAINER,
        "host": "127.0.0.1",
        "port": 5433,
        "user": "postgres",
        "password": "s3cret",
        "reason": "asked for",
        "storage": "in memory",
    }
    return Server(**{**values, **changes})


def a_spec(**changes: Any) -> ServerSpec:
    """An order for a server with one setting."""
    values: dict[str, Any] = {"cell": CELL, "settings": {"fsync": "off"}, "connections": 30}
    return ServerSpec(**{**values, **changes})


def some_facts(**changes: Any) -> Facts:
    """What a good PostgreSQL 16 says of itself."""
    values: dict[str, Any] = {
        "cell": "pg16-asyncpg",
        "provider": "container",
        "reason": "asked for",
        "storage": "in memory",
        "server_version": "16.14",
        "server_version_num": 160014,
        "driver": "asyncpg",
        "driver_version": "0.32.0",
        "extensions": {"vector": "0.8.5", "plpgsql": "1.0"},
        "own_extensions": (),
        "encoding": "UTF8",
        "collation": "C",
        "superuser": True,
        "max_connections": 100,
        "settings": {"fsync": "off"},
    }
    return Facts(**{**values, **changes})


def results(*outcomes: str) -> tuple[TestResult, ...]:
    """One test of half a second for each outcome."""
    return tuple(
        TestResult(test=f"tests/test_rls.py::test_{number}[a-{number}]", outcome=outcome, seconds=0.5)
        for number, outcome in enumerate(outcomes)
    )


def a_record(**changes: Any) -> Record:
    """The record of a green session of two tests and three seconds."""
    values: dict[str, Any] = {
        "run": "run-1",
        "session": "pg16-asyncpg-rls",
        "started": 1000.0,
        "ended": 1003.0,
        "exit_code": 0,
        "workers": 2,
        "workers_reason": "as asked",
        "ready_seconds": 0.3,
        "tests": results("passed", "passed"),
        "facts": some_facts().values(),
        "commit": COMMIT,
        "drivers": {"asyncpg": "0.32.0"},
        "python": "3.13.1",
        "pgmatrix": "0.1.0",
        "collected": 2,
    }
    return Record(**{**values, **changes})


def a_project(folder: Path, table: str = TABLE) -> Path:
    """A project with that pyproject.toml."""
    (folder / "pyproject.toml").write_text(table, encoding="utf-8")
    return folder


class FakeClient:
    """A client in memory: databases are a set of names, and every statement is kept."""

    def __init__(self, answers: Mapping[str, Sequence[tuple[Any, ...]]] | None = None) -> None:
        self.answers = dict(answers or {})
        self.statements: list[str] = []
        self.databases: set[str] = set()
        self.failure: ClientError | None = None
        self.closed = False

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Play the statement."""
        if self.failure is not None:
            raise self.failure
        self.statements.append(sql)
        if sql.startswith("create database"):
            self.databases.add(sql.split('"')[1])
        elif sql.startswith("drop database"):
            self.databases.discard(sql.split('"')[1])
        elif sql.startswith("select 1 from pg_database"):
            return [(1,)] if sql.split("'")[1] in self.databases else []
        return list(next((rows for start, rows in self.answers.items() if start in sql), []))

    def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


def a_perf_run(**changes: Any) -> PerfRun:
    """A measurement of one workload beside the bare driver, within its budget."""
    series = {"cell": "pg16-asyncpg", "workload": "point-read", "clients": 1, "outcome": perf.Outcome.MEASURED}
    values: dict[str, Any] = {
        "run": "run-1",
        "environment": perf.Environment(
            machine="m1",
            workloads="w1",
            facts={"cores": "2"},
            commit=COMMIT,
            dirty=False,
            started=1000.0,
            ended=1060.0,
            quick=False,
            rounds=10,
        ),
        "cells": (perf.CellFacts(cell="pg16-asyncpg"),),
        "series": (
            perf.Series(variant="plant", role=perf.Role.SUBJECT, p50=0.002, histogram=((0.002, 90),), **series),
            perf.Series(variant="bare", role=perf.Role.BARE, p50=0.001, histogram=((0.001, 90),), **series),
        ),
        "comparisons": (
            perf.Comparison(
                kind=perf.Kind.BUDGET,
                cell="pg16-asyncpg",
                workload="point-read",
                clients=1,
                measured="plant",
                beside="bare",
                word=perf.Word.WITHIN_NOISE,
                why="point-read takes 1.9 to 2.1 times as long as the bare driver; 2.5 allowed",
                ratio=2.0,
                low=1.9,
                high=2.1,
                bound=2.5,
            ),
        ),
    }
    return PerfRun(**{**values, **changes})


def a_session_view(**changes: Any) -> SessionView:
    """A green session with its record."""
    values: dict[str, Any] = {
        "session": "pg16-asyncpg-rls",
        "cell": "pg16-asyncpg",
        "layer": "rls",
        "state": State.GREEN,
        "record": a_record(),
    }
    return SessionView(**{**values, **changes})


def a_verdict(**changes: Any) -> Verdict:
    """A run of one session that ships; coverage, a difference and a measurement included."""
    values: dict[str, Any] = {
        "ship": True,
        "run": RunView(
            run="run-1",
            scope=Scope.MATRIX,
            folder=".pgmatrix/runs/run-1",
            commit=COMMIT,
            dirty=False,
            started=1000.0,
            ended=1003.0,
            judged=1004.0,
            pgmatrix="0.1.0",
            cells=("pg16-asyncpg",),
            layers=("rls",),
        ),
        "reasons": (),
        "rules": (RuleState(id="missing-session", says="every session of the table left a record", on=True),),
        "sessions": (a_session_view(),),
        "differences": (
            Difference(
                kind=DifferenceKind.DURATION,
                layer="rls",
                subject="tests/test_rls.py::test_0[a-0]",
                says="4.1 times as long on psycopg",
                by_cell={"pg16-asyncpg": "0.10 s", "pg16-psycopg": "0.41 s"},
            ),
        ),
        "coverage": CoverageView(
            percent=98.5,
            paths=(
                CoveragePath(
                    path="total", percent=98.5, wanted=95.0, files=3, met=True, by_cell={"pg16-asyncpg": 97.0}
                ),
            ),
            missing=(),
            html="html/index.html",
            xml="coverage.xml",
        ),
        "perf": a_perf_run(),
    }
    return Verdict(**{**values, **changes})
