"""Owns the server that stays up while pytest comes and goes: one for each cell, reached as an external one.

A server that was given by DSN is used as it is. The template is built once and stays until the last trial.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pgmatrix.clients import connect
from pgmatrix.config import RUN_VARIABLES, Config, ProviderName, load
from pgmatrix.databases import roles
from pgmatrix.matrix import Cell
from pgmatrix.provision import Provision, provision


@contextmanager
def warm_server(config: Config, cell: Cell, workers: int) -> Iterator[dict[str, str]]:
    """A server for `cell` on which `workers` tests may run at a time: the environment in which pytest finds it.

    It is there until the end of the block. Raises PgMatrixError.
    """
    label = f"stress {cell}"
    with ExitStack() as stack:
        dsn = config.dsns.get(cell.major, "")
        if not (dsn and config["provider"] in (ProviderName.AUTO, ProviderName.EXTERNAL)):
            own = provision(config, cell, workers=workers, label=label)
            stack.callback(own.close)
            _hand_over(own, config)
            dsn = own.server.url()
        environ = {**_inherited(), "PGMATRIX_PROVIDER": "external", f"PGMATRIX_DSN_{cell.major}": dsn}
        # While this session is there the template stays, so that none of the others builds it again.
        held = provision(load(config.root, environ=environ), cell, workers=workers, label=label)
        stack.callback(held.close)
        yield {**environ, "PGMATRIX_CELL": str(cell)}


def _hand_over(own: Provision, config: Config) -> None:
    """Mark the project's roles on our own server as made by us: a session from outside takes no others."""
    client = connect(own.server)
    try:
        roles.mark(client, config["roles"])
    finally:
        client.close()


def _inherited() -> dict[str, str]:
    """This process's environment without what belongs to one run of nox or pytest, and without other servers."""
    foreign = ("PGMATRIX_DSN_", "PYTEST_CURRENT_TEST")
    return {k: v for k, v in os.environ.items() if k not in RUN_VARIABLES and not k.startswith(foreign)}
