"""The pytest plugin: a proven server for the session, clones for tests, and a record of what happened.

Inert in a project without a [tool.pgmatrix] table. With xdist the controller owns the one server and tells the
workers how to reach it. Hooks only; what they do is in the modules beside this one.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest

from pgmatrix.config import Config, find_root, load
from pgmatrix.errors import PgMatrixError
from pgmatrix.plugin.fixtures import pg_cell, pg_clone, pg_database, pg_empty, pg_plans, pg_server

__all__ = ["pg_cell", "pg_clone", "pg_database", "pg_empty", "pg_plans", "pg_server"]

_CONFIG = pytest.StashKey[Config]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of pgmatrix."""
    group = parser.getgroup("pgmatrix", "PostgreSQL servers and databases")
    group.addoption("--pg-cell", metavar="CELL", help="PostgreSQL major and driver, such as pg16-asyncpg")
    group.addoption("--pg-provider", metavar="NAME", help="auto, external, container or embedded")
    group.addoption(
        "--keep-databases",
        action="store_true",
        help="keep the clone of a failing test, and its server, and print how to connect",
    )


@pytest.hookimpl(optionalhook=True, tryfirst=True)  # before xdist's own answer, whichever was loaded first
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """`-n auto`: as many workers as pay for what there is to run."""
    table = _table(config)
    if table is None:
        return None
    from pgmatrix.plugin.workers import decide

    return decide(config, table).workers


@pytest.hookimpl(wrapper=True)  # a wrapper begins before pytest-cov does, whichever was loaded first
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Import what the table says, with the garbage collector paused."""
    table = _table(early_config)
    if table is not None:
        _start_up(early_config, table)
    return (yield)


def _start_up(early_config: pytest.Config, table: Config) -> None:
    from pgmatrix.clients import installed_drivers
    from pgmatrix.plugin.startup import Startup

    try:
        cell = table.cell(_wanted_cell(early_config), installed_drivers())
        startup = Startup(table["preload"], cell.driver)
        startup.begin()
    except PgMatrixError as error:
        raise pytest.UsageError(str(error)) from error
    early_config.pluginmanager.register(startup, Startup.name)


def pytest_configure(config: pytest.Config) -> None:
    """Become the controller, or a worker of one."""
    table = _table(config)
    if table is None:
        return
    from pgmatrix.plugin.controller import Controller
    from pgmatrix.plugin.leaving import Leaving
    from pgmatrix.plugin.worker import Worker

    try:
        if hasattr(config, "workerinput"):
            config.pluginmanager.register(Worker.of_xdist(config), Worker.name)
            config.pluginmanager.register(Leaving(config), Leaving.name)
        else:
            config.pluginmanager.register(Controller(config, table), Controller.name)
    except PgMatrixError as error:
        raise pytest.UsageError(str(error)) from error


def _wanted_cell(config: pytest.Config) -> str | None:
    wanted: str | None = config.known_args_namespace.pg_cell or os.environ.get("PGMATRIX_CELL")
    return wanted


def _table(config: pytest.Config) -> Config | None:
    if _CONFIG in config.stash:
        return config.stash[_CONFIG]
    options: dict[str, Any] = {"provider": config.known_args_namespace.pg_provider}
    try:
        root = find_root(config.rootpath)
        if root is None:
            return None
        config.stash[_CONFIG] = load(root, options=options)
    except PgMatrixError as error:
        raise pytest.UsageError(str(error)) from error
    return config.stash[_CONFIG]
