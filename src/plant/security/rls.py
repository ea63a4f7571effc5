"""Row-level security as callers use it: act as a governance agent, and prove that nothing is left open.

The policies themselves are in the database. Without an agent, or with an empty one, they show nothing.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from plant.core.agents import AGENT_SETTING, acting_as, current_agent

__all__ = ["AGENT_SETTING", "acting_as", "current_agent", "openings"]

# The version table holds no agent's data; everything else in the schema does.
OPEN_TABLES: Final = """
SELECT c.relname || ' ' || concat_ws(', ',
           CASE WHEN NOT c.relrowsecurity THEN 'has row-level security disabled' END,
           CASE WHEN NOT c.relforcerowsecurity THEN 'does not force it on its owner' END,
           CASE WHEN p.missing <> '' THEN 'has no policy for ' || p.missing END)
  FROM pg_class c
 CROSS JOIN LATERAL (
       SELECT string_agg(command.name, ', ' ORDER BY command.name) AS missing
         FROM (VALUES ('r', 'SELECT'), ('a', 'INSERT'), ('w', 'UPDATE'), ('d', 'DELETE')) AS command (code, name)
        WHERE NOT EXISTS (SELECT FROM pg_policy q
                           WHERE q.polrelid = c.oid AND q.polcmd::text IN (command.code, '*'))) p
 WHERE c.relnamespace = to_regnamespace('plant') AND c.relkind IN ('r', 'p') AND c.relname <> 'alembic_version'
   AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND p.missing IS NULL)
 ORDER BY c.relname
"""
POWERS: Final = """
SELECT r.rolname || ' ' || power.text
  FROM pg_roles r
 CROSS JOIN LATERAL (VALUES
       (r.rolsuper, 'is a superuser'),
       (r.rolbypassrls, 'bypasses row-level security'),
       (EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid), 'owns tables'),
       (EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid), 'is a member of another role')
       ) AS power (held, text)
 WHERE r.rolname = current_user AND power.held
 ORDER BY power.text
"""


async def openings(connection: AsyncConnection | AsyncSession) -> list[str]:
    """Every way in which the connected role could see or change another agent's rows, one line each; [] is safe."""
    tables = await connection.scalars(text(OPEN_TABLES))
    powers = await connection.scalars(text(POWERS))
    return [*tables, *powers]
