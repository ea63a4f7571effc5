"""What a driver's module must offer; the two modules behind it are the only code that knows a driver."""

from __future__ import annotations

import select
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from plant.core.config import Driver, Settings

# Everything a user of a pooled connection can leave behind, but for the driver's own prepared statements, which
# DISCARD ALL would drop under the driver's feet. One message, so one round trip.
RESET = (
    "SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; UNLISTEN *; "
    "SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
)

Sink = Callable[[bytes], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where and how to connect, in words both drivers understand; `options` are server settings of the session."""

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


def is_silent(descriptor: int) -> bool:
    """Nothing to read on an idle connection's socket; an idle server speaks only to say goodbye."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return not poll.poll(0)


class Raw(Protocol):
    """The driver's own connection, as far as both are alike."""

    knows_vector: bool


class Backend(Protocol):
    """The driver's module. `raw` is the driver's own connection, an asyncpg or psycopg one."""

    def engine_arguments(self, settings: Settings) -> dict[str, Any]:
        """Arguments of `create_async_engine` that this driver needs, among them `connect_args`."""

    def prepare_dialect(self, dialect: Any) -> None:
        """Teach SQLAlchemy's dialect what it leaves out for this driver."""

    async def connect(self, target: Target, arguments: Mapping[str, Any]) -> Any:
        """Open one connection with its codecs registered; the caller bounds the time."""

    def rest(self, raw: Any) -> None:
        """The connection goes idle: leave what the server says from now on unread, so that `wake` sees it."""

    def wake(self, raw: Any) -> bool:
        """The connection is wanted again: whether it is still open, found without asking the server."""

    async def reset(self, raw: Any) -> None:
        """Run RESET outside any transaction."""

    async def copy_in(
        self, raw: Any, table: Sequence[str], columns: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> int:
        """COPY rows into a table (schema, name); the number of rows."""

    async def copy_out(self, raw: Any, query: str, write: Sink) -> int:
        """`COPY (query) TO STDOUT (FORMAT csv, HEADER)`, each chunk handed to `write`; the number of rows."""
