"""What a driver's module and its connection must offer; only the two modules behind it know a driver."""

from __future__ import annotations

import select
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from plant.core.config import Driver, Settings

# Everything a user of a pooled connection can leave behind, but for the driver's own prepared statements,
# which DISCARD ALL would drop under the driver's feet. One message, so one round trip.
RESET = (
    "SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; UNLISTEN *; "
    "SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
)
CANCEL_WAIT = 2.0  # seconds that a cancelled task waits for the server's answer, as SQLAlchemy grants asyncpg
CANCEL_AGAIN = 0.2  # seconds until the server is asked again
VECTOR_EXISTS = "SELECT to_regtype('public.vector') IS NOT NULL"

Sink = Callable[[bytes], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where and how to connect, in words both drivers understand; `options` are server settings of the
    session.
    """

    driver: Driver
    host: str | None
    port: int | None
    user: str | None
    password: str | None = field(repr=False)
    database: str
    options: Mapping[str, str]
    tls: Mapping[str, str]
    connect_timeout: float
    pgbouncer: bool

    @property
    def address(self) -> str:
        """Host, port and database for people; never the password."""
        return f"{self.host or 'the default host'}:{self.port or 5432}/{self.database}"


class Pooled:
    """The part of a pooled connection that is the same for both drivers.

    SQL may ride on the driver's own BEGIN and COMMIT, which spares a round trip at either end of a
    transaction.
    """

    opening = ""
    last_commit = False
    is_clean = False
    knows_vector = False
    _poll: select.poll

    def ride(self, command: str) -> str:
        """What to send behind `command`: the opening after BEGIN, RESET after a COMMIT announced as the
        last.
        """
        rider = ""
        if command.startswith("BEGIN"):
            rider, self.opening = self.opening, ""
        elif command.startswith("COMMIT") and self.last_commit:
            rider = RESET
        return rider

    def forget(self) -> None:
        """Nothing rides any more."""
        self.opening, self.last_commit, self.is_clean = "", False, False

    def listen_to(self, descriptor: int) -> None:
        """The socket that `is_silent` looks at."""
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def is_silent(self) -> bool:
        """Nothing to read while idle; an idle server speaks only to say goodbye."""
        return not self._poll.poll(0)


class Raw(Protocol):
    """The driver's own connection, a subclass that knows this much more."""

    opening: str
    last_commit: bool
    is_clean: bool
    knows_vector: bool

    def forget(self) -> None:
        """Nothing rides any more."""

    @property
    def in_block(self) -> bool:
        """Whether a transaction is open on the server."""

    def rest(self) -> None:
        """Go idle: leave what the server says from now on unread, so that `wake` sees it."""

    def wake(self) -> bool:
        """Be wanted again: whether the connection is still open, found without asking the server."""

    async def clean(self) -> bool:
        """RESET, unless that rode on the last COMMIT; False if a new connection would serve better."""

    async def copy_in(self, table: Sequence[str], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """COPY rows into a table (schema, name); the number of rows."""

    async def copy_out(self, query: str, write: Sink) -> int:
        """`COPY (query) TO STDOUT (FORMAT csv, HEADER)`, each chunk handed to `write`; the number of rows."""


class Backend(Protocol):
    """The driver's module."""

    def engine_arguments(self, settings: Settings) -> dict[str, Any]:
        """Arguments of `create_async_engine` that this driver needs, among them `connect_args`."""

    def prepare_dialect(self, dialect: Any) -> None:
        """Teach SQLAlchemy's dialect what it leaves out for this driver."""

    async def connect(self, target: Target, arguments: Mapping[str, Any]) -> Raw:
        """Open one connection with its codecs registered; the caller bounds the time."""
