"""Owns what a provider is: the order it gets, the server it gives, and the lease that ends it.

Describes only; each provider lives in a module of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlencode

from pgmatrix.config import ProviderName
from pgmatrix.matrix import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpec:
    """What is asked of a provider.

    `settings` are server parameters (name to value) every provider must apply or prove. `connections` is how many the
    session may open. `locale` and `encoding` are those of the whole cluster. `label` (the session's name, or the
    test's) is put on what is made, for people who look.
    """

    cell: Cell
    settings: Mapping[str, str]
    connections: int
    locale: str = "C"
    encoding: str = "UTF8"
    start_timeout: float = 60.0
    label: str = ""
    memory: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running PostgreSQL and how its superuser (or the external login) reaches it. `repr` hides the password,
    and the options, which may hold another one.

    `host` is a name, an address or the absolute path of a socket directory. `reason` says why this provider was
    chosen, `storage` where the data lives and why. `roles_trusted` means local roles need no password.
    """

    cell: Cell
    provider: ProviderName
    host: str
    port: int
    user: str
    password: str = field(repr=False, default="")
    database: str = "postgres"
    options: Mapping[str, str] = field(repr=False, default_factory=dict)
    reason: str = ""
    storage: str = ""
    roles_trusted: bool = False

    def url(self, *, database: str | None = None, user: str | None = None, password: str | None = None) -> str:
        """`postgresql://user:password@host:port/database`; a socket directory goes into the query, as libpq has it."""
        user = self.user if user is None else user
        password = self.password if password is None else password
        login = quote(user, safe="") + (":" + quote(password, safe="") if password else "")
        query = dict(self.options)
        if self.host.startswith("/"):
            query |= {"host": self.host, "port": str(self.port)}
            place = ""
        else:
            host = self.host.replace("%", "%25")  # an IPv6 address may name its interface
            place = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        tail = "?" + urlencode(query, quote_via=quote, safe="") if query else ""  # libpq takes a + for a plus
        return f"postgresql://{login}@{place}/{quote(database or self.database, safe='')}{tail}"


class Lease(Protocol):
    """A started server that is ours to end."""

    @property
    def server(self) -> Server:
        """The running server."""
        ...

    @property
    def restored(self) -> bool:
        """Whether it started from a snapshot, template inside."""
        ...

    def save(self, key: str) -> None:
        """Shut the server down cleanly and keep its data as snapshot `key`, all or nothing; the lease is over."""
        ...

    def stop(self) -> None:
        """End the server and remove all it left. Safe to call twice. Never raises for what is already gone."""
        ...

    def keep(self, databases: Sequence[str]) -> str:
        """Let the server run on, for a person to look at `databases`; the command that ends it. The lease is over."""
        ...

    def log_tail(self, lines: int) -> list[str]:
        """The newest lines the server (or what runs it) logged before it could be asked by SQL."""
        ...


class Provider(Protocol):
    """A way to get a server."""

    name: ProviderName
    keeps_snapshots: bool

    def refusal(self, cell: Cell) -> str | None:
        """Why this provider cannot serve `cell.major` here and now, in one line, or None. Quick: at most a second."""
        ...

    def build(self, cell: Cell) -> str:
        """What identifies the server build that would be started (version, image or wheel digest): goes into keys."""
        ...

    def has(self, key: str) -> bool:
        """Whether snapshot `key` is kept here."""
        ...

    def prune(self, keep: int) -> list[str]:
        """Remove all snapshots but the `keep` used or made last; what was removed."""
        ...

    def start(self, spec: ServerSpec, *, key: str | None, reason: str) -> Lease:
        """Start a server, from snapshot `key` if given. Returns when the cell's own driver has run `select 1`.

        Raises ServerError or CacheError, and then nothing of it is left running.
        """
        ...


def short_runtime_directory(parent: Path) -> bool:
    """Whether a socket in `parent` fits the 107 bytes a Unix socket's path may have."""
    return len(str(parent).encode()) + len("/pgmatrix-XXXXXXXX/.s.PGSQL.65535") < 107
