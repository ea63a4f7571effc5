"""Owns the proof that a server and a driver are what the cell claims, before the first test runs.

Measures, compares, refuses. What it measured becomes the facts of the session's record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pgmatrix.clients import Client, driver_version, quote_text
from pgmatrix.config import ProviderName
from pgmatrix.errors import Attempt, IdentityMismatch
from pgmatrix.servers.protocol import Server
from pgmatrix.servers.tuning import check_budget, differences

_RESERVED_EXTERNAL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a session really ran on. `settings` are read back with SHOW; `extensions` are available versions."""

    cell: str
    provider: str
    reason: str
    storage: str
    server_version: str
    server_version_num: int
    driver: str
    driver_version: str
    extensions: Mapping[str, str]
    own_extensions: tuple[str, ...]
    encoding: str
    collation: str
    superuser: bool
    max_connections: int
    settings: Mapping[str, str]

    @property
    def pgvector(self) -> str:
        """pgvector's version, or empty."""
        return self.extensions.get("vector", "")

    def values(self) -> dict[str, Any]:
        """As JSON can carry it."""
        return asdict(self)


def measure(client: Client, server: Server, wanted: Mapping[str, str], template: str) -> Facts:
    """What `server` and the driver are. `template` is the database whose encoding and collation count."""
    number, version = client.execute(
        "select current_setting('server_version_num')::int, current_setting('server_version')"
    )[0]
    encoding, collation = client.execute(
        f"select pg_encoding_to_char(encoding), datcollate from pg_database where datname = {quote_text(template)}"
    )[0]
    return Facts(
        cell=str(server.cell),
        provider=server.provider,
        reason=server.reason,
        storage=server.storage,
        server_version=version,
        server_version_num=number,
        driver=server.cell.driver,
        driver_version=driver_version(server.cell.driver),
        extensions=dict(client.execute("select name, default_version from pg_available_extensions order by name")),
        own_extensions=_own_extensions(client),
        encoding=encoding,
        collation=collation,
        superuser=bool(client.execute("select rolsuper from pg_roles where rolname = current_user")[0][0]),
        max_connections=int(client.execute("select current_setting('max_connections')")[0][0]),
        settings=_shown(client, wanted),
    )


def prove(facts: Facts, server: Server, *, wanted: Mapping[str, str], extensions: Sequence[str]) -> None:
    """Refuse a server of another major, without the extensions, or with other settings. Raises IdentityMismatch."""
    major = facts.server_version_num // 10000
    wrong = []
    if major != server.cell.major:
        wrong.append(Attempt(what=f"asked for PostgreSQL {server.cell.major}", why=f"it is {facts.server_version}"))
    wrong += [
        Attempt(what=f"extension {name}", why="is not available there")
        for name in extensions
        if name not in facts.extensions
    ]
    if server.provider is not ProviderName.EXTERNAL:
        wrong += [Attempt(what="settings", why=text) for text in differences(wanted, facts.settings)]
    if wrong:
        raise IdentityMismatch(
            f"the {server.provider} server is not what {server.cell} claims",
            tried=wrong,
            do_next=_advice(server, major),
        )


def prove_encoding(facts: Facts, server: Server) -> None:
    """Refuse a template that is not in UTF-8 and byte order, as every provider's must be. Raises IdentityMismatch."""
    found = {"encoding UTF8": facts.encoding, "collation C": facts.collation}
    wrong = [Attempt(what=what, why=f"it is {is_}") for what, is_ in found.items() if what.split()[1] != is_]
    if wrong:
        raise IdentityMismatch(
            f"the template on the {server.provider} server sorts or spells otherwise than everywhere else",
            tried=wrong,
            do_next="do not change the database's encoding or collation in the template callable",
        )


def prove_roles(client: Client, roles: Sequence[str]) -> None:
    """Refuse a template without its roles, or with one that bypasses row-level security. Raises IdentityMismatch."""
    found = {
        name: (superuser, bypass)
        for name, superuser, bypass in client.execute("select rolname, rolsuper, rolbypassrls from pg_roles")
    }
    wrong = [Attempt(what=f"role {role}", why="is missing") for role in roles if role not in found]
    wrong += [
        Attempt(what=f"role {role}", why="bypasses row-level security") for role in roles if any(found.get(role, ()))
    ]
    if wrong:
        raise IdentityMismatch(
            "the template does not hold the roles of the table", tried=wrong, do_next="correct the template callable"
        )


def prove_budget(facts: Facts, connections: int) -> None:
    """Refuse a server that grants fewer connections than needed. Raises BudgetExceeded."""
    check_budget(connections, facts.max_connections - _RESERVED_EXTERNAL, where=f"the {facts.provider} server")


def _own_extensions(client: Client) -> tuple[str, ...]:
    rows = client.execute("select name from pg_available_extensions where comment like '%pgmatrix%' order by name")
    return tuple(name for (name,) in rows)


def _shown(client: Client, wanted: Mapping[str, str]) -> dict[str, str]:
    if not wanted:
        return {}
    # Asking by name for what the login may not see is an error. The view leaves that out, but also any parameter of
    # an extension that is not loaded, and it knows one spelling alone: who may see all does not go by it.
    rows = client.execute(
        f"select name, current_setting(name, true) from unnest(array[{', '.join(map(quote_text, wanted))}]) name"
        " where pg_has_role('pg_read_all_settings', 'usage') or name in (select s.name from pg_settings s)"
    )
    return {name: value for name, value in rows if value is not None}


def _advice(server: Server, major: int) -> str:
    if server.provider is ProviderName.EXTERNAL:
        return f"point PGMATRIX_DSN_{server.cell.major} at a PostgreSQL {server.cell.major} with these extensions"
    if server.provider is ProviderName.CONTAINER:
        return f"choose another image for PostgreSQL {server.cell.major} with PGMATRIX_IMAGE (found {major})"
    return "report this: the embedded provider starts what it was asked for"
