"""A PostgreSQL that somebody else runs: TCP, passwords, a locale that is not ours, roles of its own."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pgmatrix.clients import connect
from pgmatrix.config import ProviderName
from pgmatrix.matrix import Cell
from pgmatrix.servers.account import find_account
from pgmatrix.servers.embedded import EmbeddedProvider
from pgmatrix.servers.guard import Guard
from pgmatrix.servers.protocol import Server
from pgmatrix.servers.readiness import wait_until_ready
from pgmatrix.servers.watchdog import end_process, start_time
from tests.servers.ground import CELL, Ground

OWNER, PASSWORD = "somebody", "it is / theirs: 100%"
LOGIN, LOGIN_PASSWORD = "guest", "ours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """That server, as its owner reaches it."""

    server: Server

    @property
    def dsn(self) -> str:
        """Its address for its superuser."""
        return self.server.url()

    @property
    def guest_dsn(self) -> str:
        """Its address for a login that may make databases and roles, and nothing else."""
        return self.server.url(user=LOGIN, password=LOGIN_PASSWORD)

    def ask(self, sql: str) -> list[str]:
        """The first column of what `sql` gives, as text."""
        client = connect(self.server)
        try:
            return [str(row[0]) for row in client.execute(sql)]
        finally:
            client.close()

    def contents(self) -> list[str]:
        """Every database and role there."""
        return self.ask(
            "select datname::text from pg_database union all"
            " select rolname::text from pg_roles where rolname not like 'pg\\_%' order by 1"
        )


@contextmanager
def foreign_server(ground: Ground, provider: EmbeddedProvider, guard: Guard) -> Iterator[Foreign]:
    """Start it on `ground`, end it after the block."""
    account, programs = find_account(), provider.installation(CELL).bin
    data, secret, port = ground.folder / "foreign", ground.folder / "password", _free_port()
    data.mkdir(mode=0o700)
    secret.write_text(PASSWORD, encoding="utf-8")
    for path in (data, secret):
        account.own(path)
    options = [f"--username={OWNER}", f"--pwfile={secret}", "--auth=scram-sha-256", "--locale=C.UTF-8", "--no-sync"]
    initdb = account.named([str(programs / "initdb"), "-D", str(data), *options])
    subprocess.run(initdb, check=True, capture_output=True, cwd="/", **account.popen)
    settings = [
        "listen_addresses=127.0.0.1",
        f"port={port}",
        "unix_socket_directories=",
        "fsync=off",
        "max_connections=150",
    ]
    process = subprocess.Popen(
        [programs / "postgres", "-D", data, *(word for one in settings for word in ("-c", one))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
        **account.popen,
    )
    withdraw = guard.process(process.pid)
    try:
        found = Foreign(server=_server(CELL, port))
        wait_until_ready(found.server, timeout=30, died=lambda: None, log=lambda lines: [])
        found.ask(f"create role {LOGIN} login createdb createrole password '{LOGIN_PASSWORD}'")
        yield found
    finally:
        end_process(process.pid, start_time(process.pid), grace=5.0)
        process.wait()
        withdraw()


def _server(cell: Cell, port: int) -> Server:
    fixed = {"cell": cell, "provider": ProviderName.EXTERNAL, "host": "127.0.0.1", "port": port}
    return Server(**fixed, user=OWNER, password=PASSWORD)  # type: ignore[arg-type]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def dsn_variables(dsn: str, major: int = 16) -> dict[str, str]:
    """The environment that points pgmatrix at `dsn`."""
    return {f"PGMATRIX_DSN_{major}": dsn, "PGMATRIX_PROVIDER": "external"}
