"""Owns the external provider: a server somebody else runs, named by a DSN for each major (PGMATRIX_DSN_16).

Never starts, stops or configures it; touches nothing there but databases and roles of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, unquote, urlsplit

from pgmatrix.clients import ClientError, connect
from pgmatrix.config import ProviderName
from pgmatrix.errors import Attempt, ConfigError, ServerUnavailable
from pgmatrix.matrix import Cell
from pgmatrix.servers.protocol import Lease, Server, ServerSpec


class ExternalProvider:
    """Servers by DSN, one for each major."""

    name = ProviderName.EXTERNAL
    keeps_snapshots = False

    def __init__(self, *, dsns: Mapping[int, str]) -> None:
        self._dsns = dsns

    def refusal(self, cell: Cell) -> str | None:
        """No DSN for the cell's major. (One that does not answer is an error, not a refusal.)"""
        if cell.major in self._dsns:
            return None
        return f"PGMATRIX_DSN_{cell.major} is not set"

    def build(self, cell: Cell) -> str:
        """Nothing of an external server goes into a cache."""
        return "external"

    def has(self, key: str) -> bool:
        """Never: nothing is kept."""
        return False

    def prune(self, keep: int) -> list[str]:
        """Nothing is kept, nothing is removed."""
        return []

    def start(self, spec: ServerSpec, *, key: str | None, reason: str) -> Lease:
        """Connect once, to prove that it answers. Raises ServerUnavailable."""
        server = parse_dsn(self._dsns[spec.cell.major], spec.cell, reason=reason)
        try:
            client = connect(server, timeout=min(10.0, spec.start_timeout))
        except ClientError as error:
            raise ServerUnavailable(
                f"the server of PGMATRIX_DSN_{spec.cell.major} does not answer",
                tried=[Attempt(what=repr(server), why=error.wanted)],
                do_next=f"start it, correct PGMATRIX_DSN_{spec.cell.major}, or unset it",
            ) from error
        try:
            client.execute("select 1")
        finally:
            client.close()
        return ExternalLease(server)


class ExternalLease:
    """A server that is not ours: nothing to stop, nothing to save."""

    restored = False

    def __init__(self, server: Server) -> None:
        self.server = server

    def save(self, key: str) -> None:
        """Refused: an external server's data is not ours to copy."""
        raise ConfigError(f"an external server cannot be kept as {key}", do_next="use another provider")

    def stop(self) -> None:
        """Leave the server as it is."""

    def keep(self, databases: Sequence[str]) -> str:
        """The server stays anyway; so do the databases, the template and the roles."""
        return "; ".join(f'drop database "{name}"' for name in databases) + ", there"

    def log_tail(self, lines: int) -> list[str]:
        """Its log is not ours to read."""
        return []


def parse_dsn(dsn: str, cell: Cell, *, reason: str = "") -> Server:
    """The server that `postgresql://user:password@host:port/database?option=value` names. Raises ConfigError.

    `host` may be percent-encoded or a query option, as libpq allows for socket folders. The driver suffix of a
    SQLAlchemy URL is accepted and ignored: the cell says which driver is used.
    """
    try:
        parts = urlsplit(dsn)
        options = dict(parse_qsl(parts.query))
        port = _port(options.pop("port", parts.port or 5432))
    except ValueError:  # whose text may quote the password
        raise ConfigError(
            f"PGMATRIX_DSN_{cell.major} has an impossible host or port",
            do_next="write a port from 1 to 65535, and percent-encode what is special in user and password",
        ) from None
    if parts.scheme.split("+")[0] not in ("postgresql", "postgres"):
        raise ConfigError(
            f"PGMATRIX_DSN_{cell.major} is not a PostgreSQL URL",
            do_next="write postgresql://user:password@host:5432/postgres",
        )
    # As libpq has it, the query wins over what stands before it. What stays in it would win over a role's login.
    return Server(
        cell=cell,
        provider=ProviderName.EXTERNAL,
        host=options.pop("host", "") or _host(parts.netloc),
        port=port,
        user=options.pop("user", "") or unquote(parts.username or "postgres"),
        password=options.pop("password", "") or unquote(parts.password or ""),
        database=options.pop("dbname", "") or unquote(parts.path.lstrip("/")) or "postgres",
        options=options,
        reason=reason,
        storage="where that server keeps it",
    )


def _port(value: str | int) -> int:
    port = int(value)
    if not 0 < port < 65536:
        raise ValueError("no port")
    return port


def _host(netloc: str) -> str:
    """The host in its own letters; urlsplit has small ones only, and a socket folder's name may hold others."""
    place = netloc.rpartition("@")[2]
    host = place[1:].partition("]")[0] if place.startswith("[") else place.partition(":")[0]
    return unquote(host) or "localhost"
