"""From whatever a driver, the event loop or SQLAlchemy raised to one PlantError; nothing else knows their
shapes.

It takes facts, never values: psycopg's and asyncpg's DETAIL is removed from the causes too, so no traceback
shows it.
"""

from __future__ import annotations

import re
from typing import Any

from plant.core.errors import (
    ConnectFailed,
    ConnectionLost,
    ConnectTimeout,
    Facts,
    InvalidValue,
    PlantError,
    QueryCanceled,
    ResourceExhausted,
    error_class,
    from_facts,
)

CLOSED = re.compile(
    r"connection (is|was) (closed|lost)|server closed the connection|cannot switch to state", re.IGNORECASE
)
# What both drivers refuse before they ask the server; the text carries the value, so only its head is kept.
REFUSED_VALUE = re.compile(
    r"query argument \$\d+( in element #\d+ of executemany\(\) sequence)?|cannot adapt type '[^']*'"
    r"|number of (query arguments|parameters)[^;:\n]*"
)
# Where a driver has no words of its own: text in a refusal to connect, and SQLAlchemy 2.0's prefix of
# asyncpg's.
DETAIL = re.compile(r"\s*\bDETAIL:")
ADAPTER_PREFIX = re.compile(r"^<class '[^']+'>: ")
REFUSALS = {
    re.compile(r'database ".*" does not exist'): "3D000",
    re.compile(r'role ".*" does not exist|no pg_hba.conf entry'): "28000",
    re.compile(r"password authentication failed|no password supplied"): "28P01",
    re.compile(r"too many clients|too many connections|remaining connection slots"): "53300",
    re.compile(r"the database system is"): "57P03",
    re.compile(r"not currently accepting connections"): "55000",
}


def translate(error: BaseException) -> PlantError:
    """The typed error for an exception that a statement, a transaction or the pool raised."""
    chain = _chain(error)
    if isinstance(chain[-1], PlantError):
        return chain[-1]
    _redact(chain)
    facts = _facts(chain)
    refused = REFUSED_VALUE.search(facts.message)
    if refused is not None:
        return from_facts(Facts(message=f"a bound value was refused: {refused[0]}"), InvalidValue)
    if facts.sqlstate is not None:
        return from_facts(facts)
    return from_facts(facts, _kind_without_state(chain, facts.message))


def translate_connect(error: BaseException, address: str, timeout: float) -> PlantError:
    """The typed error for an exception raised while opening a connection to `address`; `timeout` in
    seconds.
    """
    chain = _chain(error)
    if isinstance(chain[-1], PlantError):
        return chain[-1]
    if _timed_out(chain):
        return from_facts(Facts(message=f"no connection to {address} within {timeout:g} s"), ConnectTimeout)
    _redact(chain)
    facts = _facts(chain)
    state = facts.sqlstate or next((code for text, code in REFUSALS.items() if text.search(facts.message)), None)
    kind = ResourceExhausted if error_class(state, "") is ResourceExhausted else ConnectFailed
    return from_facts(Facts(message=f"no connection to {address}: {facts.message}", sqlstate=state), kind)


def is_driver_error(error: BaseException) -> bool:
    """Whether asyncpg or psycopg raised it, rather than the caller's own code."""
    return type(error).__module__.partition(".")[0] in {"asyncpg", "psycopg"}


def _chain(error: BaseException) -> list[BaseException]:
    """From SQLAlchemy's wrapper through the dialect's error to the driver's own, the innermost last."""
    chain = [error]
    while (inner := getattr(chain[-1], "orig", None) or chain[-1].__cause__) is not None:
        chain.append(inner)
    return chain


def _facts(chain: list[BaseException]) -> Facts:
    """The innermost link that has a SQLSTATE; psycopg keeps fields in `diag`, asyncpg on the exception."""
    link = next((link for link in reversed(chain) if getattr(link, "sqlstate", None)), chain[-1])
    fields: Any = getattr(link, "diag", link)
    text = getattr(fields, "message_primary", None) or getattr(link, "message", None) or str(link)
    return Facts(
        message=" ".join(ADAPTER_PREFIX.sub("", text).split()) or type(link).__name__,
        sqlstate=getattr(link, "sqlstate", None),
        table=getattr(fields, "table_name", None),
        column=getattr(fields, "column_name", None),
        constraint=getattr(fields, "constraint_name", None),
    )


def _timed_out(chain: list[BaseException]) -> bool:
    """asyncio.timeout's error has the cancellation as its cause."""
    return any(isinstance(link, TimeoutError) for link in chain)


def _kind_without_state(chain: list[BaseException], message: str) -> type[PlantError] | None:
    error = chain[-1]
    if _timed_out(chain):
        return QueryCanceled
    if isinstance(error, OSError) or CLOSED.search(message):
        return ConnectionLost
    if isinstance(error, (ValueError, TypeError, OverflowError)) or type(error).__name__ == "DataError":
        return InvalidValue
    return None


def _redact(chain: list[BaseException]) -> None:
    """Take DETAIL, which quotes rows, out of every link, since a logged traceback prints the causes."""
    for link in chain:
        if link.args and isinstance(link.args[0], str):
            link.args = (DETAIL.split(link.args[0], maxsplit=1)[0], *link.args[1:])
        if getattr(link, "detail", None):
            link.detail = None  # type: ignore[attr-defined]
