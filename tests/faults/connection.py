"""Faults of the engine, its extensions and tables, and of sessions and their connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from pgmatrix.teeth.faults import Patch
from tests.faults.parts import engine, fault, retyped, rewritten, value


def _other_url(target: Callable[..., Any]) -> Callable[..., Any]:
    def wrong(self: Any, **options: Any) -> Any:
        url = target(self, **options)
        (other,) = {"postgresql+asyncpg", "postgresql+psycopg"} - {url.drivername}
        return url.set(drivername=other)

    return wrong


def _no_vector(set_type_codec: Callable[..., Any]) -> Callable[..., Any]:
    async def without(self: Any, name: str, **options: Any) -> None:
        if name != "vector":
            await set_type_codec(self, name, **options)

    return without


async def _know_vector(raw: Any) -> None:
    raw.knows_vector = True


def _patient(target_for: Callable[..., Any]) -> Callable[..., Any]:
    return lambda settings, **options: replace(target_for(settings, **options), connect_timeout=600.0)


def _nameless(options: Callable[..., dict[str, str]]) -> Callable[..., dict[str, str]]:
    return lambda *given, **named: options(*given, **named) | {"application_name": "plant"}


def _swallowing(session: Callable[..., Any]) -> Callable[..., Any]:
    @asynccontextmanager
    async def swallowing(self: Any, *given: Any, **named: Any) -> AsyncIterator[Any]:
        with suppress(LookupError):
            async with session(self, *given, **named) as inside:
                yield inside

    return swallowing


def _another_major(server: property) -> property:
    def wrong(self: Any) -> Any:
        found = server.__get__(self)
        return replace(found, cell=replace(found.cell, major=found.cell.major + 1))

    return property(wrong)


FAULTS = (
    fault(
        "server-of-another-major",
        "the server is one major older than its cell says",
        reds="async_engine_created",
        changes=[Patch(target="pgmatrix.plugin.worker:Worker.server", make=_another_major)],
    ),
    fault(
        "driver-swapped",
        "every URL is coerced to the other driver",
        reds="async_engine_created",
        changes=[Patch(target="plant.core.config:Settings.target", make=_other_url)],
    ),
    fault(
        "vector-codec-missing",
        "no codec turns the server's vectors into numbers",
        reds="pgvector_extension_loaded database_insert_and_retrieve",
        changes=[
            Patch(target="plant.core.drivers.on_asyncpg:Connection.set_type_codec", make=_no_vector),
            value("plant.core.drivers.on_psycopg:_register_vector", _know_vector),
        ],
    ),
    fault(
        "uuid-ossp-dropped",
        "the extension uuid-ossp is not installed",
        reds="uuid_ossp_extension_loaded",
        sql='DROP EXTENSION "uuid-ossp"',
    ),
    fault(
        "uuid-namespace-wrong",
        "uuid_ns_dns() is the namespace of URLs",
        reds="uuid_ossp_extension_loaded",
        sql="""CREATE OR REPLACE FUNCTION public.uuid_ns_dns() RETURNS uuid LANGUAGE sql IMMUTABLE
               RETURN '6ba7b811-9dad-11d1-80b4-00c04fd430c8'::uuid""",
    ),
    fault(
        "uuid-not-random",
        "uuid_generate_v4() gives the same UUID every time",
        reds="uuid_ossp_extension_loaded",
        sql="""CREATE OR REPLACE FUNCTION public.uuid_generate_v4() RETURNS uuid LANGUAGE sql VOLATILE
               RETURN 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid""",
    ),
    fault(
        "moment-column-retyped",
        "deleted_at has no time zone",
        reds="base_entity_table_created schema_validation",
        sql="ALTER TABLE plant.base_entity ALTER COLUMN deleted_at TYPE timestamp",
    ),
    fault(
        "column-dropped",
        "entities do not say why they were changed",
        reds="""base_entity_table_created schema_validation async_session_lifecycle database_insert_and_retrieve
                transaction_rollback async_context_manager""",
        sql="ALTER TABLE plant.base_entity DROP COLUMN change_reason CASCADE",
    ),
    fault(
        "column-added",
        "base_entity has a column that no model knows",
        reds="base_entity_table_created schema_validation",
        sql="ALTER TABLE plant.base_entity ADD COLUMN remark text",
    ),
    fault(
        "session-not-closed",
        "a session's end leaves it open, with all it holds",
        reds="async_session_lifecycle async_context_manager",
        changes=[value("plant.core.agents:PlantSession.close", lambda self: None)],
    ),
    fault(
        "connect-timeout-lost",
        "connect_timeout does not reach the driver",
        reds="database_connection_timeout",
        changes=[Patch(target="plant.core.database:target_for", make=_patient)],
    ),
    fault(
        "index-dropped",
        "skills have no index on their category",
        reds="schema_validation migration_creates_indexes",
        sql="DROP INDEX plant.ix_skill_governance_agent_id_category",
    ),
    fault(
        "time-zone-dropped",
        "a moment is taken for UTC, whatever its time zone",
        reds="database_insert_and_retrieve",
        changes=[rewritten("plant.core.checks:checked_moment", ("value.astimezone(UTC)", "value.replace(tzinfo=UTC)"))],
    ),
    fault(
        "json-not-jsonb",
        "attributes are json, as written, and not jsonb",
        reds="database_insert_and_retrieve base_entity_table_created schema_validation",
        sql=[
            "ALTER TABLE plant.base_entity DROP CONSTRAINT ck_base_entity_attributes",
            retyped("base_entity", "attributes", "json", using="attributes::json"),
        ],
    ),
    fault(
        "pool-recycle-ignored",
        "pool_recycle is not handed to the pool",
        reds="connection_pool_properties",
        changes=[engine(pool_recycle=-1)],
    ),
    fault(
        "pool-pre-ping-ignored",
        "pool_pre_ping is not handed to the pool",
        reds="connection_pool_properties",
        changes=[engine(pool_pre_ping=False)],
    ),
    fault(
        "pool-of-one",
        "every pool has one connection",
        reds="connection_pool_properties multiple_concurrent_connections",
        changes=[engine(pool_size=1, max_overflow=0)],
    ),
    fault(
        "application-name-lost",
        "the server knows every application as plant",
        reds="multiple_concurrent_connections readonly_vs_readwrite_pooling",
        changes=[Patch(target="plant.core.drivers.target:session_options", make=_nameless)],
    ),
    fault(
        "rollback-commits",
        "a session's rollback commits",
        reds="transaction_rollback",
        changes=[Patch(target="plant.core.agents:PlantSession.rollback", make=lambda _: lambda self: self.commit())],
    ),
    fault(
        "exception-swallowed",
        "an exception inside a session's block does not arrive",
        reds="async_context_manager",
        changes=[Patch(target="plant.core.database:Database.session", make=_swallowing)],
    ),
)
