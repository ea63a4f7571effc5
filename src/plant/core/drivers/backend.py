"""What a driver's module must offer; the two modules behind it are the only code that knows a driver."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from plant.core.config import Driver, Settings

# Everything a user of a pooled connection can leave behind, but for the driver's own prepared statements, which
# DISCARD ALL would drop under the driver's feet. One message, so one round trip.
RESET = (
    "SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; UNLISTEN *; "
    "SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
)


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

    def is_alive(self, raw: Any) -> bool:
        """Whether an idle connection is still open, without asking the server."""

    async def reset(self, raw: Any) -> None:
        """Run RESET outside any transaction."""

    def copy_in(
        self, raw: Any, table: Sequence[str], columns: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> Awaitable[int]:
        """COPY rows into a table (schema, name); the number of rows."""

    def copy_out(self, raw: Any, query: str) -> AsyncIterator[bytes]:
        """The lines of `COPY (query) TO STDOUT (FORMAT csv)` in chunks."""
