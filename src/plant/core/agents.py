"""The governance agent a task acts as, and how each transaction learns it. It leaves nothing on a connection.

The agent is set with `set_config('app.current_agent_id', ..., true)`: it ends with the transaction, and
row-level security shows nothing where it is unset or empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.orm.exc import StaleDataError

from plant.core.checks import checked_text, refuse
from plant.core.drivers import Raw
from plant.core.errors import Facts, InvalidValue, StaleEntity, from_facts

Params = ParamSpec("Params")
Result = TypeVar("Result")

AGENT_SETTING = "app.current_agent_id"
FIELD = "governance_agent_id"
MAX_LENGTH = 200
INFO_KEY = "plant.agent"
RAW_KEY = "plant.raw"
TOLD_KEY = "plant.told"
# A session made by hand: no agent of its own, no settings, no PgBouncer.
NOTHING: tuple[str | None, Mapping[str, str], bool] = (None, {}, False)

current_agent: ContextVar[str | None] = ContextVar("current_agent", default=None)


def checked_agent(agent: object) -> str:
    """The agent id itself, 1 to 200 storable characters; raises InvalidValue (field governance_agent_id)."""
    checked = checked_text(agent, FIELD, max_length=MAX_LENGTH)
    if not checked:
        refuse(FIELD, "is empty, but names whom to act as")
    return str(checked)


@contextmanager
def acting_as(agent: str) -> Iterator[str]:
    """Every transaction begun inside acts as this agent, unless its session names another."""
    token = current_agent.set(checked_agent(agent))
    try:
        yield agent
    finally:
        current_agent.reset(token)


def _typed(method: Callable[Params, Result]) -> Callable[Params, Result]:
    """After a failed flush SQLAlchemy refuses with an error of its own what the server would refuse with 25P02, and
    of an entity that is no longer as it was read it only says that it matched no row.
    """

    @wraps(method)
    def typed(*args: Params.args, **kwargs: Params.kwargs) -> Result:
        try:
            return method(*args, **kwargs)
        except PendingRollbackError as error:
            problem = Facts(message="the transaction was rolled back by an earlier error", sqlstate="25P02")
            raise from_facts(problem) from error
        except StaleDataError as error:
            raise from_facts(Facts(message="an entity is no longer as this session read it"), StaleEntity) from error

    return typed


class PlantSession(Session):
    """SQLAlchemy's session, whose transactions tell the server the agent before anything else."""

    begin_nested = _typed(Session.begin_nested)
    commit = _typed(Session.commit)
    flush = _typed(Session.flush)
    # What every statement goes through.
    _connection_for_bind = _typed(Session._connection_for_bind)

    def _identity_lookup(self, *args: Any, **kwargs: Any) -> Any:
        """Where `get` looks first; an id says which row only among those of one agent."""
        agent_of(self)
        return super()._identity_lookup(*args, **kwargs)


def agent_of(session: Session) -> str | None:
    """The agent the session acts as now; raises InvalidValue where it still holds another's objects."""
    own, _, _ = session.info.get(INFO_KEY, NOTHING)
    agent: str | None = own if own is not None else current_agent.get()
    if session.info.get(TOLD_KEY, agent) != agent and len(session.identity_map):
        raise InvalidValue(
            "the session holds objects of another governance agent: use a new session for each agent.",
            field=FIELD,
        )
    return agent


def begin_info(agent: str | None, settings: Mapping[str, str], *, pgbouncer: bool) -> dict[str, Any]:
    """`info` for a PlantSession: its own agent or None, and server settings for each transaction.

    Behind PgBouncer the server's session may be another client's: no agent is sent as an empty one, and no
    RESET.
    """
    return {INFO_KEY: (None if agent is None else checked_agent(agent), dict(settings), pgbouncer)}


@event.listens_for(PlantSession, "after_begin")
def _tell_server(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    """The settings ride on BEGIN, which the driver has yet to send; a savepoint inherits them."""
    if transaction.nested:
        return
    _, settings, behind_pgbouncer = session.info.get(INFO_KEY, NOTHING)
    session.info[TOLD_KEY] = agent = agent_of(session)
    session.info[RAW_KEY] = tell_server(connection, agent, settings, pgbouncer=behind_pgbouncer)


def tell_server(connection: Connection, agent: str | None, settings: Mapping[str, str], *, pgbouncer: bool) -> Raw:
    """Let agent and settings ride on the transaction's BEGIN; in one that is open already, send them now."""
    if agent is not None or pgbouncer:
        settings = {**settings, AGENT_SETTING: agent or ""}
    raw: Raw = connection.connection.driver_connection  # type: ignore[assignment]
    sql = local_settings(settings)
    if raw.in_block and sql:
        connection.exec_driver_sql(sql)
    else:
        raw.opening = sql
    return raw


@event.listens_for(PlantSession, "before_commit")
def _announce_last_commit(session: Session) -> None:
    """A session on an engine gives its connection back with its commit, so the reset may ride on that."""
    raw: Raw | None = session.info.get(RAW_KEY)
    _, _, behind_pgbouncer = session.info.get(INFO_KEY, NOTHING)
    if raw is None or behind_pgbouncer or session.in_nested_transaction():
        return
    raw.last_commit = isinstance(session.bind, Engine)


def local_settings(settings: Mapping[str, str]) -> str:
    """SQL that sets each for the transaction; values in hexadecimal, which no quote can leave."""
    calls = (
        f"set_config('{name}', convert_from(decode('{value.encode().hex()}', 'hex'), 'UTF8'), true)"
        for name, value in settings.items()
    )
    return f"SELECT {', '.join(calls)}" if settings else ""
