"""Every error plant raises, and the pure rule from SQLSTATE to class. It reads no driver's exception.

PlantError
    ConfigurationError: settings that cannot work, named by field
    ConnectionProblem: ConnectFailed > ConnectTimeout; ConnectionLost (08, 57P01 to 57P05); PoolTimeout
    ConstraintViolation (23): Unique-, ForeignKey-, NotNull-, Check-, ExclusionViolation
    InvalidValue (22, or refused by the client): DimensionMismatch
    InsufficientPrivilege (42501)
    TransactionProblem (25, 40): ReadOnlyTransaction, FailedTransaction, SerializationFailure* > StaleEntity*,
        DeadlockDetected*
    LockTimeout (55P03), QueryCanceled (57014), StaleStatement* (0A000), StatementRefused (42, 0A)
    ResourceExhausted (53), ServerError (all others, what triggers raise too)

* also Retryable: nothing of the transaction remains, and running it again can succeed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar


class PlantError(Exception):
    """Base of all plant errors; its facts are attributes, None where the source does not tell."""

    advice: ClassVar[str] = ""
    # The SQLSTATE where the source gives none: the server was not asked, or could not answer.
    state: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str | None = None,
        table: str | None = None,
        column: str | None = None,
        constraint: str | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate or self.state
        self.table = table
        self.column = column
        self.constraint = constraint
        self.field = field if field is not None else column


class Retryable:
    """Marks errors after which the whole transaction may be run again."""


class ConfigurationError(PlantError):
    """Settings or arguments that are missing, malformed or contradict each other; `field` names the
    culprit.
    """


class ConnectionProblem(PlantError):
    """No usable connection."""


class ConnectFailed(ConnectionProblem):
    """The server refused, could not be found, or does not know the database, role or password."""

    state = "08001"
    advice = "Check host, port, database, role and password, and that the server accepts connections."


class ConnectTimeout(ConnectFailed):
    """The server did not finish the connection within `connect_timeout` seconds."""

    advice = "Check that the address is right and reachable, or raise connect_timeout."


class ConnectionLost(ConnectionProblem):
    """An open connection ended; what its transaction did is gone unless its COMMIT was answered."""

    state = "08006"
    advice = "The pool replaces the connection: run the transaction again if it is safe to repeat."


class PoolTimeout(ConnectionProblem):
    """All pooled connections stayed in use for `pool_timeout` seconds."""

    advice = "Hold sessions for a shorter time, or raise pool_size, max_overflow or pool_timeout."


class ConstraintViolation(PlantError):
    """SQLSTATE class 23: the database refused a row; `constraint` and `table` or `column` say which rule."""

    advice = "Correct the row and run the transaction again."


class UniqueViolation(ConstraintViolation):
    """23505."""

    advice = "Use another value, or update the row that has it."


class ForeignKeyViolation(ConstraintViolation):
    """23503."""

    advice = "Refer to a row that exists for this governance agent, or create it first."


class NotNullViolation(ConstraintViolation):
    """23502; `column` names the field without a value."""

    advice = "Give the field a value."


class CheckViolation(ConstraintViolation):
    """23514."""

    advice = "Use a value the check allows."


class ExclusionViolation(ConstraintViolation):
    """23P01."""

    advice = "Use a value that does not overlap an existing row."


class InvalidValue(PlantError):
    """A value that its field cannot hold, found by plant, by the driver or by the server (class 22)."""

    state = "22000"
    advice = "Pass a value of the field's type and range."


class DimensionMismatch(InvalidValue):
    """A vector whose number of dimensions is not the column's."""

    advice = "Pass a vector of exactly the column's dimensions."


class InsufficientPrivilege(PlantError):
    """42501: no grant, or refused by a row-level security policy or an append-only rule."""

    advice = "Act as the governance agent that owns the row, as a role that holds the grant."


class TransactionProblem(PlantError):
    """The transaction cannot go on."""


class ReadOnlyTransaction(TransactionProblem):
    """25006: a write in a read-only transaction or on a replica."""

    advice = "Write through the primary, in a transaction that is not read-only."


class FailedTransaction(TransactionProblem):
    """25P02: an earlier statement of this transaction failed."""

    advice = "Roll back to before the failed statement, then go on."


class SerializationFailure(TransactionProblem, Retryable):
    """40001: a concurrent transaction made this one impossible to order."""

    advice = "Run the whole transaction again (run_in_transaction does)."


class StaleEntity(SerializationFailure):
    """An entity was changed, or can no longer be seen, since this session read it; nothing of it is overwritten."""

    state = "40001"
    advice = "Read the entity again and repeat the change (run_in_transaction does)."


class DeadlockDetected(TransactionProblem, Retryable):
    """40P01: the server chose this transaction as a deadlock's victim."""

    advice = "Run the whole transaction again (run_in_transaction does)."


class LockTimeout(PlantError):
    """55P03: a lock was not granted within `lock_timeout`, or at once under NOWAIT."""

    advice = "Try again later, or raise lock_timeout."


class QueryCanceled(PlantError):
    """57014: the statement ran into `statement_timeout` or was cancelled."""

    state = "57014"
    advice = "Make the statement cheaper, or raise statement_timeout."


class StaleStatement(PlantError, Retryable):
    """0A000: a cached plan met a table that DDL has changed since; the cache is refreshed by the failure."""

    advice = "Run the whole transaction again (run_in_transaction does)."


class StatementRefused(PlantError):
    """Classes 42 and 0A: a syntax error, an unknown object, or something the server does not support."""

    advice = "Correct the statement, or migrate the database to the revision this code expects."


class ResourceExhausted(PlantError):
    """Class 53: too many connections, no memory, disk full."""

    advice = "Free the resource on the server, or open fewer connections."


class ServerError(PlantError):
    """Any other error the server raised, by triggers and functions too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a driver's exception tells, without the values of any row."""

    message: str
    sqlstate: str | None = None
    table: str | None = None
    column: str | None = None
    constraint: str | None = None


BY_STATE: dict[str, type[PlantError]] = {
    "23505": UniqueViolation,
    "23503": ForeignKeyViolation,
    "23502": NotNullViolation,
    "23514": CheckViolation,
    "23P01": ExclusionViolation,
    "42501": InsufficientPrivilege,
    "25006": ReadOnlyTransaction,
    "25P02": FailedTransaction,
    "40001": SerializationFailure,
    "40P01": DeadlockDetected,
    "55P03": LockTimeout,
    "57014": QueryCanceled,
    "57P01": ConnectionLost,
    "57P02": ConnectionLost,
    "57P03": ConnectFailed,
    "57P04": ConnectionLost,
    "57P05": ConnectionLost,
    "25P03": ConnectionLost,
    "25P04": ConnectionLost,
    "3D000": ConnectFailed,
    "28000": ConnectFailed,
    "28P01": ConnectFailed,
}
BY_CLASS: dict[str, type[PlantError]] = {
    "08": ConnectionLost,
    "22": InvalidValue,
    "23": ConstraintViolation,
    "25": TransactionProblem,
    "40": TransactionProblem,
    "42": StatementRefused,
    "0A": StatementRefused,
    "53": ResourceExhausted,
}
STALE_PLAN = "cached"
DIMENSIONS = re.compile(r"expected \d+ dimensions, not \d+|different vector dimensions")


def error_class(sqlstate: str | None, message: str) -> type[PlantError]:
    """The class for a SQLSTATE; the message decides only where two meanings share one state."""
    if sqlstate is None:
        return ServerError
    if sqlstate.startswith("22") and DIMENSIONS.search(message):
        return DimensionMismatch
    if sqlstate == "0A000" and STALE_PLAN in message:
        return StaleStatement
    return BY_STATE.get(sqlstate) or BY_CLASS.get(sqlstate[:2], ServerError)


def from_facts(facts: Facts, kind: type[PlantError] | None = None) -> PlantError:
    """The typed error for what a driver told; `kind` overrides the rule where the driver knows better."""
    chosen = kind or error_class(facts.sqlstate, facts.message)
    state = f" (SQLSTATE {facts.sqlstate})" if facts.sqlstate else ""
    advice = f" {chosen.advice}" if chosen.advice else ""
    return chosen(
        f"{facts.message.rstrip('.?')}{state}.{advice}",
        sqlstate=facts.sqlstate,
        table=facts.table,
        column=facts.column,
        constraint=facts.constraint,
    )
