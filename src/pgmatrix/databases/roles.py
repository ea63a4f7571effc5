"""Owns what a session holds on a server that stays: its lease, the project's roles there, and their removal.

On a server of somebody else nothing is touched but databases and roles marked as ours. A session holds two advisory
locks: a shared one on MARK as long as it uses templates and roles, its own one as long as it lives. Both vanish with
its connection, so what a killed session left can be told from what a living one uses. From entering to adopting it also
holds ROLES: no session meets roles that another has made and not marked yet.
"""

from __future__ import annotations

from collections.abc import Sequence

from pgmatrix.clients import Client, quote_name, quote_text
from pgmatrix.config import ProviderName
from pgmatrix.databases.database import role_password
from pgmatrix.databases.names import PREFIX, build_pattern, clone_pattern, lock_number, token_of
from pgmatrix.databases.template import drop
from pgmatrix.errors import Attempt, ConfigError
from pgmatrix.servers.protocol import Server

MARK = "made by pgmatrix"
ROLES = f"{MARK}: roles"


def enter(client: Client, *, token: str, names: Sequence[str]) -> list[str]:
    """Take the session's locks, drop what dead sessions left, and refuse roles that are not ours. `adopt` must follow.

    Returns those of `names` that do not exist yet: whoever makes them from now on, they are ours. Raises ConfigError.
    """
    client.execute(f"select pg_advisory_lock_shared({lock_number(MARK)})")
    client.execute(f"select pg_advisory_lock({lock_number(token)})")
    client.execute(f"select pg_advisory_lock({lock_number(ROLES)})")
    _drop_orphans(client)
    foreign = [name for name in names if _exists(client, name) and not _is_ours(client, name)]
    if foreign:
        raise ConfigError(
            f"the external server has roles that pgmatrix did not make: {', '.join(foreign)}",
            tried=[Attempt(what=f"role {name}", why="exists there and may be in use") for name in foreign],
            do_next="use a server without them, or drop them there if nobody needs them",
        )
    return [name for name in names if not _exists(client, name)]


def adopt(client: Client, server: Server, names: Sequence[str]) -> None:
    """Mark the project's roles as ours on a server that stays, and give those that log in their passwords.

    In turn: of two sessions that change a role at the same moment, PostgreSQL refuses one.
    """
    lock = lock_number(ROLES)
    client.execute(f"select pg_advisory_lock({lock})")
    try:
        if server.provider is ProviderName.EXTERNAL:
            mark(client, names)
        for name in names:
            if not server.roles_trusted:
                password = quote_text(role_password(server, name))
                client.execute(f"alter role {quote_name(name)} password {password}")
    finally:
        client.execute(f"select pg_advisory_unlock({lock})")
        if server.provider is ProviderName.EXTERNAL:  # taken at entering
            client.execute(f"select pg_advisory_unlock({lock})")


def mark(client: Client, names: Sequence[str]) -> None:
    """Say on the server that these roles are ours."""
    for name in names:
        client.execute(f"comment on role {quote_name(name)} is {quote_text(MARK)}")


def leave(client: Client, *, token: str, names: Sequence[str], made: Sequence[str]) -> None:
    """Drop what the session made; if no other is there, also templates and those of `names` that are ours.

    It first gives up its own locks: of sessions that leave at the same moment, the last to do so is alone.
    """
    for pattern in (clone_pattern(token), build_pattern(token)):
        _drop_like(client, pattern)
    client.execute("select pg_advisory_unlock_all()")
    mark = lock_number(MARK)
    if client.execute(f"select pg_try_advisory_lock({mark})")[0][0]:
        _drop_like(client, PREFIX.replace("_", r"\_") + "%")
        for name in names:
            if _exists(client, name) and (name in made or _is_ours(client, name)):
                client.execute(f"drop role {quote_name(name)}")
    client.execute("select pg_advisory_unlock_all()")


def _drop_orphans(client: Client) -> None:
    for name in _databases(client, PREFIX.replace("_", r"\_") + "%"):
        token = token_of(name)
        if token is None:
            continue
        lock = lock_number(token)
        if client.execute(f"select pg_try_advisory_lock({lock})")[0][0]:
            drop(client, name)
            client.execute(f"select pg_advisory_unlock({lock})")


def _drop_like(client: Client, pattern: str) -> None:
    for name in _databases(client, pattern):
        drop(client, name)


def _databases(client: Client, pattern: str) -> list[str]:
    rows = client.execute(f"select datname from pg_database where datname like {quote_text(pattern)} order by 1")
    return [name for (name,) in rows]


def _exists(client: Client, role: str) -> bool:
    return bool(client.execute(f"select 1 from pg_roles where rolname = {quote_text(role)}"))


def _is_ours(client: Client, role: str) -> bool:
    rows = client.execute(
        f"select shobj_description(oid, 'pg_authid') from pg_roles where rolname = {quote_text(role)}"
    )
    return bool(rows[0][0] == MARK)
