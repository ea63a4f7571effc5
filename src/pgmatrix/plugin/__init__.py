"""The pytest plugin: a proven server for the session, clones for tests, and a record of what happened.

Inert in a project without a [tool.pgmatrix] table. With xdist the controller owns the one server and tells the
workers how to reach it. Hooks only; what they do is in the modules beside this one.
"""

from __future__ import annotations

from typing import Any

import pytest

from pgmatrix.config import Config, find_root, load
from pgmatrix.errors import PgMatrixError
from pgmatrix.plugin.fixtures import pg_cell, pg_clone, pg_database, pg_empty, pg_server

__all__ = ["pg_cell", "pg_clone", "pg_database", "pg_empty", "pg_server"]

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


def _table(config: pytest.Config) -> Config | None:
    if _CONFIG in config.stash:
        return config.stash[_CONFIG]
    options: dict[str, Any] = {"provider": config.getoption("--pg-provider")}
    try:
        root = find_root(config.rootpath)
        if root is None:
            return None
        config.stash[_CONFIG] = load(root, options=options)
    except PgMatrixError as error:
        raise pytest.UsageError(str(error)) from error
    return config.stash[_CONFIG]
