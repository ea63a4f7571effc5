"""Owns the two drivers without plant and SQLAlchemy: one open connection each, as a careful user would write it.

No pool, no reset, no session, typed errors or checks: what no data layer can be faster than.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Protocol
from uuid import UUID

from pgmatrix.databases.database import Database
from pgmatrix.matrix import Driver

Statement = tuple[str, Sequence[Any]]


class Bare(Protocol):
    """One connection."""

    async def read(self, agent: str, query: str, entity: UUID) -> Any:
        """In one transaction: set the agent, run `query` (its only parameter is `entity`); its row."""

    async def run(self, sql: str) -> None:
        """One statement without parameters, in autocommit."""

    async def together(self, agent: str, *statements: Statement) -> list[Any]:
        """In one transaction: set the agent, run statements ($1, $2, ...); the rows of the last."""

    async def many(self, agent: str, *statements: tuple[str, Sequence[Sequence[Any]]]) -> None:
        """In one transaction: set the agent, run each statement once for each of its rows, in few messages."""

    async def copy(
        self, tables: Sequence[tuple[str, Sequence[str], Iterable[Sequence[Any]]]], schema: str = "plant"
    ) -> None:
        """COPY rows into tables (name, columns, rows), all in one transaction."""

    def json(self, value: Any) -> Any:
        """A value of a jsonb column, as COPY wants it."""

    async def close(self) -> None:
        """Close the connection."""


async def open_bare(database: Database, role: str | None) -> Bare:
    """A connection with pgvector's own codec, by the cell's driver."""
    kind = OnPsycopg if database.server.cell.driver is Driver.PSYCOPG else OnAsyncpg
    return await kind.open(database.dsn(role))


class OnAsyncpg:
    """asyncpg."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    @classmethod
    async def open(cls, dsn: str) -> OnAsyncpg:
        """Connect."""
        raw = await importlib.import_module("asyncpg").connect(dsn)
        await importlib.import_module("pgvector.asyncpg").register_vector(raw)
        return cls(raw)

    async def read(self, agent: str, query: str, entity: UUID) -> Any:
        """Four messages: BEGIN, set_config, the query, COMMIT."""
        async with self.raw.transaction():
            await self.raw.fetchval("SELECT set_config('app.current_agent_id', $1, true)", agent)
            return await self.raw.fetchrow(query, entity)

    async def run(self, sql: str) -> None:
        """By the simple protocol."""
        await self.raw.execute(sql)

    async def together(self, agent: str, *statements: Statement) -> list[Any]:
        """As the protocol says."""
        rows: list[Any] = []
        async with self.raw.transaction():
            await self.raw.fetchval("SELECT set_config('app.current_agent_id', $1, true)", agent)
            for sql, values in statements:
                rows = await self.raw.fetch(sql, *values)
        return rows

    async def many(self, agent: str, *statements: tuple[str, Sequence[Sequence[Any]]]) -> None:
        """By executemany."""
        async with self.raw.transaction():
            await self.raw.fetchval("SELECT set_config('app.current_agent_id', $1, true)", agent)
            for sql, rows in statements:
                await self.raw.executemany(sql, rows)

    async def copy(
        self, tables: Sequence[tuple[str, Sequence[str], Iterable[Sequence[Any]]]], schema: str = "plant"
    ) -> None:
        """Binary COPY."""
        async with self.raw.transaction():
            for name, columns, rows in tables:
                await self.raw.copy_records_to_table(name, schema_name=schema, columns=columns, records=rows)

    def json(self, value: Any) -> Any:
        """Text."""
        return json.dumps(value)

    async def close(self) -> None:
        """Say goodbye."""
        await self.raw.close()


class OnPsycopg:
    """psycopg 3."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    @classmethod
    async def open(cls, dsn: str) -> OnPsycopg:
        """Connect in autocommit, so that transactions are begun where they are wanted."""
        raw = await importlib.import_module("psycopg").AsyncConnection.connect(dsn, autocommit=True)
        await importlib.import_module("pgvector.psycopg").register_vector_async(raw)
        return cls(raw)

    async def read(self, agent: str, query: str, entity: UUID) -> Any:
        """Four messages: BEGIN, set_config, the query, COMMIT."""
        async with self.raw.transaction():
            await self.raw.execute("SELECT set_config('app.current_agent_id', %s, true)", (agent,))
            cursor = await self.raw.execute(query, {"entity_id": entity})
            return await cursor.fetchone()

    async def run(self, sql: str) -> None:
        """In autocommit."""
        await self.raw.execute(sql)

    async def together(self, agent: str, *statements: Statement) -> list[Any]:
        """As the protocol says."""
        rows: list[Any] = []
        async with self.raw.transaction():
            await self.raw.execute("SELECT set_config('app.current_agent_id', %s, true)", (agent,))
            for sql, values in statements:
                cursor = await self.raw.execute(_positional(sql), values)
                rows = await cursor.fetchall() if cursor.description else []
        return rows

    async def many(self, agent: str, *statements: tuple[str, Sequence[Sequence[Any]]]) -> None:
        """By executemany, which psycopg sends as a pipeline."""
        async with self.raw.transaction(), self.raw.cursor() as cursor:
            await cursor.execute("SELECT set_config('app.current_agent_id', %s, true)", (agent,))
            for sql, rows in statements:
                await cursor.executemany(_positional(sql), rows)

    async def copy(
        self, tables: Sequence[tuple[str, Sequence[str], Iterable[Sequence[Any]]]], schema: str = "plant"
    ) -> None:
        """Binary COPY, which needs the columns' types."""
        async with self.raw.transaction(), self.raw.cursor() as cursor:
            for name, columns, rows in tables:
                names = ", ".join(columns)
                await cursor.execute(f"SELECT {names} FROM {schema}.{name} LIMIT 0")
                types = [column.type_code for column in cursor.description]
                async with cursor.copy(f"COPY {schema}.{name} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
                    copy.set_types(types)
                    for row in rows:
                        await copy.write_row(row)

    def json(self, value: Any) -> Any:
        """psycopg's wrapper."""
        return importlib.import_module("psycopg.types.json").Jsonb(value)

    async def close(self) -> None:
        """Say goodbye."""
        await self.raw.close()


@cache
def _positional(sql: str) -> str:
    """The statement as psycopg writes it."""
    return re.sub(r"\$\d+", "%s", sql)
