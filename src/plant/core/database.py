"""Engines from settings, sessions that end their transaction, and the retry of what may be retried.

It routes nothing (plant.core.connector does) and knows no table. A session commits at the end of its block,
rolls back on any exception, and gives its connection back in every case.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.util import greenlet_spawn

from plant.core.agents import PlantSession, begin_info, checked_agent, current_agent, tell_server
from plant.core.config import Isolation, Settings
from plant.core.drivers import backend_for, opener, target_for, transaction_options
from plant.core.errors import PlantError, Retryable
from plant.core.pool import PlantPool, PoolMetrics, watch
from plant.core.reading import columns_by_id, is_leaf, loaded
from plant.core.retry import full_jitter

Result = TypeVar("Result")
Entity = TypeVar("Entity", bound=Hashable)


def create_engine(settings: Settings, *, read: bool = False) -> AsyncEngine:
    """An engine for the primary or, with `read`, one whose transactions refuse writes; opens nothing yet."""
    target = target_for(settings, read=read)
    backend = backend_for(target.driver)
    arguments = backend.engine_arguments(settings)
    arguments["connect_args"]["async_creator_fn"] = opener(target, backend)
    if settings.pgbouncer and read:
        arguments["execution_options"] = {"postgresql_readonly": True}
    engine = create_async_engine(
        settings.target(read=read).set(query={}),
        poolclass=PlantPool,
        pool_size=settings.pool_size,
        max_overflow=settings.max_overflow,
        pool_timeout=settings.pool_timeout,
        pool_recycle=-1 if settings.pool_recycle is None else settings.pool_recycle,
        pool_pre_ping=settings.pool_pre_ping,
        pool_reset_on_return=None,
        hide_parameters=True,
        **arguments,
    )
    backend.prepare_dialect(engine.sync_engine.dialect)
    # Behind PgBouncer the reset would reach any server connection, and session state is not ours there.
    watch(engine.sync_engine, reset=not settings.pgbouncer, ping=settings.pool_pre_ping)
    return engine


class Database:
    """One engine and its sessions: `Database(settings)`, or `read=True` for the read engine."""

    def __init__(self, settings: Settings, *, read: bool = False) -> None:
        self.settings = settings
        self.engine = create_engine(settings, read=read)
        self._engines: dict[tuple[Any, ...], AsyncEngine] = {}
        self._options = transaction_options(settings)

    @asynccontextmanager
    async def session(
        self,
        agent: str | None = None,
        *,
        isolation: Isolation | None = None,
        read_only: bool = False,
        deferrable: bool = False,
    ) -> AsyncIterator[AsyncSession]:
        """A session acting as `agent` (else as `acting_as` says).

        It commits at the end, rolls back on any exception and passes that on. `deferrable` waits for a safe
        snapshot, in a SERIALIZABLE read-only transaction only. Raises InvalidValue for an agent id that
        cannot be one; inside, whatever server, driver or pool refuses raises PlantErrors.
        """
        bind = self._engine_with(isolation or self.settings.isolation, read_only, deferrable)
        info = begin_info(agent, self._options, pgbouncer=self.settings.pgbouncer)
        session = AsyncSession(bind, sync_session_class=PlantSession, expire_on_commit=False, info=info)
        try:
            yield session
            await session.commit()
        except BaseException:
            # A second cancellation must not stop the way back into the pool.
            await asyncio.shield(session.close())
            raise
        # The commit has given the connection back, so nothing is left to wait for.
        session.sync_session.close()

    async def run_in_transaction(
        self,
        work: Callable[[AsyncSession], Awaitable[Result]],
        *,
        isolation: Isolation | None = None,
        retries: int = 10,
        agent: str | None = None,
        read_only: bool = False,
    ) -> Result:
        """`await work(session)` in a transaction, run again up to `retries` times after a Retryable error.

        `work` must be safe to repeat: all it did in the database is gone. Raises the last error.
        """
        attempt = 0
        while True:
            try:
                async with self.session(agent, isolation=isolation, read_only=read_only) as session:
                    return await work(session)
            except PlantError as error:
                if not isinstance(error, Retryable) or attempt >= retries:
                    raise
            await asyncio.sleep(full_jitter(attempt, random.random()))  # noqa: S311 - no secret depends on it
            attempt += 1

    async def get(
        self, entity: type[Entity], identifier: object, *, agent: str | None = None, read_only: bool = False
    ) -> Entity | None:
        """One entity by id, read in a transaction of its own, detached; None where the agent sees none.

        The same statements as in a session, without the cost of one. Raises InvalidValue for what is no id or agent.
        """
        if not is_leaf(entity):
            async with self.session(agent, read_only=read_only) as session:
                return await session.get(entity, identifier)
        bind = self._engine_with(self.settings.isolation, read_only, False).sync_engine
        acting = current_agent.get() if agent is None else checked_agent(agent)

        def read() -> Entity | None:
            with bind.connect() as connection:
                raw = tell_server(connection, acting, self._options, pgbouncer=self.settings.pgbouncer)
                row = connection.execute(columns_by_id(entity), {"entity_id": identifier}).first()
                raw.last_commit = not self.settings.pgbouncer
                connection.commit()
            return None if row is None else loaded(entity, row)

        return await greenlet_spawn(read)

    def metrics(self) -> PoolMetrics:
        """The pool's figures of this moment."""
        return cast("PlantPool", self.engine.sync_engine.pool).metrics()

    async def close(self) -> None:
        """Close idle connections; those in use are closed when they come back."""
        await self.engine.dispose()

    def _engine_with(self, isolation: Isolation | None, read_only: bool, deferrable: bool) -> AsyncEngine:
        """The engine, or a view of it over the same pool, with options for BEGIN; made once for each
        combination.
        """
        key = (isolation, read_only, deferrable)
        if key not in self._engines:
            options: dict[str, Any] = {"isolation_level": str(isolation)} if isolation else {}
            options |= {"postgresql_readonly": True} if read_only else {}
            options |= {"postgresql_deferrable": True} if deferrable else {}
            self._engines[key] = self.engine.execution_options(**options) if options else self.engine
        return self._engines[key]
