"""Faults of transactions: their atomicity, their isolation, their retries and savepoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pgmatrix.teeth.faults import Patch
from plant.core.errors import DeadlockDetected, SerializationFailure
from tests.faults.parts import fault, rewritten, value

SESSION = "plant.core.agents:PlantSession"
DATABASE = "plant.core.database"


def _committing(act: Callable[..., Any]) -> Callable[..., Any]:
    """Whatever a session has done outside a savepoint is committed at once."""

    def committed(self: Any, *given: Any, **named: Any) -> Any:
        changed = act.__name__ != "flush" or not self._is_clean()
        result = act(self, *given, **named)
        transaction = self.get_transaction()
        # While SQLAlchemy begins or commits, it flushes too.
        between = transaction is not None and transaction._current_fn is None and not transaction.nested
        if changed and between and not getattr(result, "returns_rows", False):
            self.commit()
        return result

    return committed


def _piecemeal(flush: Callable[..., Any]) -> Callable[..., Any]:
    """What a flush cannot write is undone alone, and the transaction goes on."""

    def flushed(self: Any, *given: Any, **named: Any) -> None:
        if self.info.get("piece") or self._is_clean():
            return flush(self, *given, **named)
        self.info["piece"] = self._flushing = True  # begin_nested would flush before its savepoint
        try:
            savepoint = self.begin_nested()
            self._flushing = False
            with savepoint:
                flush(self, *given, **named)
        finally:
            self.info["piece"] = self._flushing = False
        return None

    return flushed


FAULTS = (
    fault(
        "autocommit",
        "every statement commits",
        reds="""transaction_commit_atomicity transaction_rollback_on_constraint_violation dirty_read_prevention
                transaction_deadlock_prevention transaction_savepoint_support transaction_rollback
                async_context_manager""",
        changes=[
            Patch(target=f"{SESSION}.execute", make=_committing),
            Patch(target=f"{SESSION}.flush", make=_committing),
        ],
    ),
    fault(
        "savepoint-for-each-flush",
        "a violation undoes its own flush and nothing else",
        reds="transaction_rollback_on_constraint_violation",
        changes=[Patch(target=f"{SESSION}.flush", make=_piecemeal)],
    ),
    fault(
        "isolation-not-sent",
        "every transaction has the server's default isolation",
        reds="""transaction_isolation_level dirty_read_prevention repeatable_read_consistency phantom_read_handling
                serialization_consistency concurrent_transaction_non_interference""",
        changes=[
            rewritten(
                f"{DATABASE}:Database._engine_with",
                ('{"isolation_level": str(isolation)} if isolation else {}', "{}"),
            )
        ],
    ),
    fault(
        "isolation-kept",
        "the isolation of one transaction is the next one's too",
        reds="transaction_isolation_level",
        changes=[
            rewritten(
                f"{DATABASE}:Database._engine_with",
                (
                    "    key = ",
                    "    self.last = isolation = isolation or getattr(self, 'last', None)\n    key = ",
                ),
            )
        ],
    ),
    fault(
        "retry-missing",
        "a transaction is never run again",
        reds="serialization_consistency concurrent_transaction_non_interference transaction_deadlock_prevention",
        changes=[rewritten(f"{DATABASE}:Database.run_in_transaction", ("attempt >= retries", "True"))],
    ),
    fault(
        "retry-without-isolation",
        "the retry helper forgets the isolation that was asked for",
        reds="serialization_consistency concurrent_transaction_non_interference",
        changes=[rewritten(f"{DATABASE}:Database.run_in_transaction", ("isolation=isolation", "isolation=None"))],
    ),
    fault(
        "deadlock-not-retried",
        "the victim of a deadlock is not run again",
        reds="transaction_deadlock_prevention",
        changes=[value(f"{DATABASE}:Retryable", SerializationFailure)],
    ),
    fault(
        "conflict-not-retried",
        "a transaction that cannot be serialised is not run again",
        reds="serialization_consistency concurrent_transaction_non_interference",
        changes=[value(f"{DATABASE}:Retryable", DeadlockDetected)],
    ),
    fault(
        "savepoint-missing",
        "begin_nested gives the outer transaction",
        reds="transaction_savepoint_support",
        changes=[value(f"{SESSION}.begin_nested", lambda self: self.get_transaction())],
    ),
)
