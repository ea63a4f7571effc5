"""Owns pgmatrix's own connections: one small synchronous client over each driver, so that what administers a server
is the cell's own driver and needs no second one.

Autocommit only, no parameters: the few statements here are built from quoted names. Not for a project's queries.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import importlib.util
from typing import Any, Protocol

from pgmatrix.errors import ServerError
from pgmatrix.matrix import Driver
from pgmatrix.servers.protocol import Server


class ClientError(ServerError):
    """A statement or a connection attempt failed. `sqlstate` is the five-character code, or None."""

    def __init__(self, wanted: str, *, sqlstate: str | None = None) -> None:
        self.sqlstate = sqlstate
        super().__init__(wanted)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.wanted, self.sqlstate))


def _rebuild(wanted: str, sqlstate: str | None) -> ClientError:
    return ClientError(wanted, sqlstate=sqlstate)


class Client(Protocol):
    """One connection in autocommit mode, usable from one thread at a time."""

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement; its rows, or an empty list. Raises ClientError."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def installed_drivers() -> tuple[Driver, ...]:
    """The drivers importable here, without importing them."""
    return tuple(driver for driver in Driver if importlib.util.find_spec(driver.value) is not None)


def driver_version(driver: Driver) -> str:
    """The version of the driver's distribution as installed."""
    return importlib.metadata.version(driver.value)


def connect(server: Server, *, database: str | None = None, timeout: float = 10.0) -> Client:
    """A client to `server` through its cell's driver; `timeout` in seconds. Raises ClientError."""
    kind = _PsycopgClient if server.cell.driver is Driver.PSYCOPG else _AsyncpgClient
    return kind(server.url(database=database), timeout)


def quote_name(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """`text` as an SQL string literal (standard_conforming_strings is on since PostgreSQL 9.1)."""
    return "'" + text.replace("'", "''") + "'"


class _PsycopgClient:
    def __init__(self, url: str, timeout: float) -> None:
        self._psycopg = importlib.import_module("psycopg")
        try:
            self._connection = self._psycopg.connect(url, autocommit=True, connect_timeout=max(2, int(timeout)))
        except self._psycopg.Error as error:
            raise ClientError(str(error).strip(), sqlstate=error.sqlstate) from error

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            cursor = self._connection.execute(sql)
            return cursor.fetchall() if cursor.description else []
        except self._psycopg.Error as error:
            raise ClientError(str(error).strip(), sqlstate=error.sqlstate) from error

    def close(self) -> None:
        self._connection.close()


class _AsyncpgClient:
    """asyncpg behind a private event loop, run only while a statement runs."""

    def __init__(self, url: str, timeout: float) -> None:
        self._asyncpg = importlib.import_module("asyncpg")
        self._loop = asyncio.new_event_loop()
        self._timeout = timeout
        try:
            self._connection = self._run(self._asyncpg.connect(url, timeout=timeout, statement_cache_size=0))
        except BaseException:
            self._loop.close()
            raise

    def _run(self, awaitable: Any) -> Any:
        errors = (self._asyncpg.PostgresError, self._asyncpg.InterfaceError, OSError, TimeoutError)
        try:
            return self._loop.run_until_complete(awaitable)
        except errors as error:
            text = str(error) or f"no answer within {self._timeout:g} s"
            raise ClientError(text, sqlstate=getattr(error, "sqlstate", None)) from error

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._run(self._connection.fetch(sql))]

    def close(self) -> None:
        try:
            self._run(self._connection.close(timeout=2))
        finally:
            self._loop.close()
