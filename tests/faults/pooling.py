"""Faults of pools: what they open, lend, take back and count, and which pool a session comes from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pgmatrix.teeth.faults import Patch
from tests.faults.parts import engine, fault, rewritten, value

POOL = "plant.core.pool:PlantPool"
DATABASE = "plant.core.database"
# What is never given back; a garbage collector would do that for it.
KEPT: list[Any] = []


def _elsewhere(connection_for: Callable[..., Any]) -> Callable[..., Any]:
    """A savepoint's statements go over a connection of their own."""

    def other(self: Any, bind: Any, **options: Any) -> Any:
        if not self.in_nested_transaction():
            return connection_for(self, bind, **options)
        if "second" not in self.info:
            self.info["second"] = self.get_bind().connect()
            KEPT.append(self.info["second"])
        return self.info["second"]

    return other


def _unalarmed(typed: Callable[..., Any]) -> Callable[..., Any]:
    """SQLAlchemy gives a connection up whose statement was cancelled; not any more."""

    def calm(context: Any) -> Any:
        if isinstance(context.original_exception, asyncio.CancelledError):
            context.is_disconnect = False
        return typed(context)

    return calm


FAULTS = (
    fault(
        "pool-size-ignored",
        "every pool holds seven connections",
        reds="""connection_pool_properties pool_size_configuration max_overflow_configuration
                concurrent_connection_acquisition connection_timeout_handling pool_exhaustion_handling
                pool_monitoring_metrics""",
        changes=[engine(pool_size=7)],
    ),
    fault(
        "overflow-refused",
        "no pool opens more than its size",
        reds="connection_pool_properties max_overflow_configuration pool_monitoring_metrics",
        changes=[engine(max_overflow=0)],
    ),
    fault(
        "pool-unbounded",
        "every pool opens as many connections as are asked for",
        reds="""connection_pool_properties pool_size_configuration max_overflow_configuration
                concurrent_connection_acquisition connection_timeout_handling pool_exhaustion_handling
                pool_monitoring_metrics""",
        changes=[engine(max_overflow=-1)],
    ),
    fault(
        "connections-never-reused",
        "every checkout opens a new connection in place of the one that came back",
        reds="""connection_pool_properties pool_size_configuration concurrent_connection_acquisition
                connection_reuse pool_exhaustion_handling connection_cleanup_after_error
                nested_transaction_connection_reuse pool_monitoring_metrics""",
        changes=[engine(pool_recycle=0)],
    ),
    fault(
        "pool-timeout-ignored",
        "who waits for a connection waits half a minute",
        reds="""connection_pool_properties max_overflow_configuration connection_timeout_handling
                pool_exhaustion_handling""",
        changes=[engine(pool_timeout=30.0)],
    ),
    fault(
        "waiters-leak",
        "who has given up waiting is counted for ever",
        reds="""pool_exhaustion_handling pool_monitoring_metrics pool_size_configuration
                session_lifecycle_connection_release""",
        changes=[rewritten(f"{POOL}._do_get", ("self.waiters -= 1", "pass"))],
    ),
    fault(
        "reset-skipped",
        "a connection goes back with what its session has set",
        reds="connection_cleanup_after_error",
        changes=[
            Patch(
                target=f"{DATABASE}:watch",
                make=lambda watch: lambda engine, *, reset, ping: watch(engine, reset=False, ping=ping),
            )
        ],
    ),
    fault(
        "cancellation-leaks",
        "a cancelled session keeps its connection",
        reds="session_lifecycle_connection_release",
        changes=[
            rewritten(
                f"{DATABASE}:Database.session",
                (
                    "    except BaseException:\n",
                    "    except asyncio.CancelledError:\n        type(self).kept = session\n        raise\n"
                    "    except BaseException:\n",
                ),
            ),
            Patch(target="plant.core.pool:_typed", make=_unalarmed),
        ],
    ),
    fault(
        "savepoint-elsewhere",
        "a savepoint's statements go over a second connection",
        reds="nested_transaction_connection_reuse",
        changes=[Patch(target="plant.core.agents:PlantSession._connection_for_bind", make=_elsewhere)],
    ),
    fault(
        "waiters-not-counted",
        "the pool says that nobody waits",
        reds="pool_size_configuration pool_exhaustion_handling pool_monitoring_metrics",
        changes=[rewritten(f"{POOL}.metrics", ("waiters=self.waiters", "waiters=0"))],
    ),
    fault(
        "overflow-not-counted",
        "the pool says that it has no overflow",
        reds="max_overflow_configuration pool_monitoring_metrics",
        changes=[rewritten(f"{POOL}.metrics", ("max(0, self.overflow())", "0"))],
    ),
    fault(
        "opened-not-counted",
        "the pool says that it has opened one connection",
        reds="concurrent_connection_acquisition pool_monitoring_metrics",
        changes=[rewritten(f"{POOL}.metrics", ("total_opened=self.total_opened", "total_opened=1"))],
    ),
    fault(
        "reads-to-primary",
        "reads go to the primary's pool",
        reds="readonly_vs_readwrite_pooling database_insert_and_retrieve",
        changes=[rewritten("plant.core.connector:Connector.read", ("self.reader", "self.primary"))],
    ),
    fault(
        "read-engine-writes",
        "the read engine's own sessions may write",
        reds="readonly_vs_readwrite_pooling",
        changes=[
            rewritten(
                "plant.core.drivers.target:session_options",
                ('{"default_transaction_read_only": "on"} if read else {}', "{}"),
            )
        ],
    ),
    fault(
        "dead-connections-lent",
        "nobody looks whether the server has closed an idle connection",
        reds="readonly_vs_readwrite_pooling",
        changes=[value("plant.core.pool:_wake_or_replace", lambda connection, *_: connection.driver_connection.wake())],
    ),
)
