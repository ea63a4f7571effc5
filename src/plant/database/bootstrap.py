"""What a database administrator runs once on an empty database, as superuser: roles, extensions, the schema.

Running it again changes nothing. It invents no password: give the two login roles theirs with ALTER ROLE, or let
pg_hba.conf do without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from plant.core.config import Settings
from plant.core.database import create_engine
from plant.core.errors import ConfigurationError
from plant.security.roles import APP, MIGRATOR, OWNER

EXTENSIONS: Final = ("vector", "uuid-ossp")
WITHOUT_RIGHTS: Final = "NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"
# NOINHERIT before the grant: from 16 on the grant fixes it, before 16 the role's attribute does.
ROLES: Final = {
    OWNER: f"NOLOGIN INHERIT {WITHOUT_RIGHTS}",
    MIGRATOR: f"LOGIN NOINHERIT {WITHOUT_RIGHTS}",
    APP: f"LOGIN INHERIT {WITHOUT_RIGHTS}",
}
ATTRIBUTES: Final = """
SELECT concat_ws(' ',
    CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END, CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
    CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
    CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END,
    CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
    CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
    CASE WHEN rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END)
FROM pg_roles WHERE rolname = :role
"""
# Roles belong to the whole cluster, which no advisory lock spans; the catalog of roles itself does. Ended at commit.
LOCK_ROLES: Final = "LOCK TABLE pg_catalog.pg_authid IN SHARE ROW EXCLUSIVE MODE"
LOCK_DATABASE: Final = "SELECT pg_advisory_xact_lock(hashtextextended('plant.bootstrap', 0))"
MEMBERSHIP: Final = "SELECT pg_has_role(CAST(:member AS name), CAST(:role AS name), 'MEMBER')"
MEMBER_OF: Final = """
SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = :role
"""


async def bootstrap(url: str, *, extensions: Sequence[str] = EXTENSIONS) -> None:
    """Prepare the database at `url` (postgresql+<driver>://superuser@...).

    Raises ConfigurationError for a role that is no superuser, a database that is not UTF-8 or an extension the server
    does not offer, and a PlantError for whatever else the server refuses; then nothing of it remains.
    """
    engine = create_engine(Settings(url=url, read_url=None, application_name="plant-bootstrap", pool_size=1))
    try:
        async with engine.begin() as connection:
            await _require(connection, extensions)
            await _make_roles(connection)
        async with engine.begin() as connection:
            await connection.execute(text(LOCK_DATABASE))
            await _make_schema(connection, extensions)
    finally:
        await engine.dispose()


def bootstrap_sync(url: str, *, extensions: Sequence[str] = EXTENSIONS) -> None:
    """`bootstrap` for callers without an event loop."""
    asyncio.run(bootstrap(url, extensions=extensions))


async def _require(connection: AsyncConnection, extensions: Sequence[str]) -> None:
    """Everything that would fail half-way is found first."""
    row = (
        await connection.execute(
            text(
                "SELECT current_user, rolsuper, current_setting('server_encoding') AS encoding"
                " FROM pg_roles WHERE rolname = current_user"
            )
        )
    ).one()
    if not row.rolsuper:
        raise ConfigurationError(
            f"bootstrap needs a superuser, but {row.current_user} is none: connect as one.", field="url"
        )
    if row.encoding != "UTF8":
        raise ConfigurationError(
            f"the database is encoded in {row.encoding}, hashes need UTF8: create it with ENCODING 'UTF8'.", field="url"
        )
    offered = set(await connection.scalars(text("SELECT name FROM pg_available_extensions")))
    missing = [name for name in extensions if name not in offered]
    if missing:
        raise ConfigurationError(
            f"the server does not offer the extension {', '.join(missing)}: install its package on the server.",
            field="extensions",
        )


async def _make_roles(connection: AsyncConnection) -> None:
    """Missing roles are created, roles with other attributes put right, memberships reduced to the one needed."""
    await connection.execute(text(LOCK_ROLES))
    for role, wanted in ROLES.items():
        found = await connection.scalar(text(ATTRIBUTES), {"role": role})
        if found is None:
            await connection.execute(text(f"CREATE ROLE {role} {wanted}"))
        elif found != wanted:
            await connection.execute(text(f"ALTER ROLE {role} {wanted}"))
    for group in await connection.scalars(text(MEMBER_OF), {"role": APP}):
        await connection.execute(text(f'REVOKE "{group}" FROM {APP}'))
    if not await connection.scalar(text(MEMBERSHIP), {"member": MIGRATOR, "role": OWNER}):
        await connection.execute(text(f"GRANT {OWNER} TO {MIGRATOR}"))


async def _make_schema(connection: AsyncConnection, extensions: Sequence[str]) -> None:
    for name in extensions:
        await connection.execute(text(f'CREATE EXTENSION IF NOT EXISTS "{name}" SCHEMA public'))
    await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS plant AUTHORIZATION {OWNER}"))
    await connection.execute(text(f"ALTER SCHEMA plant OWNER TO {OWNER}"))
    await connection.execute(text("REVOKE ALL ON SCHEMA plant FROM PUBLIC"))
    await connection.execute(text(f"GRANT USAGE ON SCHEMA plant TO {APP}"))
