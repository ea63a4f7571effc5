"""plant.core.drivers.failures: the shapes both drivers, the event loop and SQLAlchemy give an error."""

from __future__ import annotations

import traceback
from types import SimpleNamespace
from typing import Any

import pytest

from plant.core import errors
from plant.core.drivers import is_driver_error, translate, translate_connect
from plant.core.errors import PlantError


class ServerSpoke(Exception):
    """Shaped like asyncpg's error."""

    sqlstate: str | None = "23505"
    table_name: str | None = "skill"
    column_name: str | None = None
    constraint_name: str | None = "uq_skill"
    detail: str | None = "Key (name)=(secret) already exists."

    def __str__(self) -> str:
        return f"{self.args[0]}\nDETAIL:  {self.detail}" if self.detail else str(self.args[0])


class Adapter(Exception):
    """Shaped like SQLAlchemy 2.0's wrapper of it."""

    sqlstate = "23505"


class Diagnosed(Exception):
    """Shaped like psycopg's error."""

    sqlstate = "23505"
    diag = SimpleNamespace(
        message_primary="duplicate key", table_name="skill", column_name=None, constraint_name="uq_skill"
    )


class Wrapper(Exception):
    """Shaped like SQLAlchemy's DBAPIError."""

    def __init__(self, orig: BaseException) -> None:
        super().__init__(str(orig))
        self.orig = orig


def _asyncpg_chain() -> Exception:
    adapter = Adapter("<class 'asyncpg.X'>: duplicate key\nDETAIL:  Key (name)=(secret) already exists.")
    adapter.__cause__ = ServerSpoke("duplicate key")
    return Wrapper(adapter)


def _psycopg_chain() -> Exception:
    return Wrapper(Diagnosed("duplicate key\nDETAIL:  Key (name)=(secret) already exists."))


@pytest.mark.parametrize("chain", [_asyncpg_chain, _psycopg_chain])
def test_both_shapes_give_the_same_error(chain: Any) -> None:
    """Class, facts and text do not tell the driver."""
    error = translate(chain())

    assert type(error) is errors.UniqueViolation
    assert (error.table, error.constraint) == ("skill", "uq_skill")
    assert str(error) == ("duplicate key (SQLSTATE 23505). Use another value, or update the row that has it.")


@pytest.mark.parametrize("chain", [_asyncpg_chain, _psycopg_chain])
def test_no_traceback_shows_a_rows_values(chain: Any) -> None:
    """DETAIL is gone from the causes too."""
    source = chain()
    try:
        raise translate(source) from source
    except PlantError as error:
        text = "".join(traceback.format_exception(error))

    assert "secret" not in text


@pytest.mark.parametrize(
    ("source", "kind", "text"),
    [
        (
            TimeoutError(),
            errors.QueryCanceled,
            "TimeoutError. Make the statement cheaper, or raise statement_timeout.",
        ),
        (
            ConnectionResetError(104, "reset by peer"),
            errors.ConnectionLost,
            "[Errno 104] reset by peer. The pool replaces the connection: "
            "run the transaction again if it is safe to repeat.",
        ),
        (
            RuntimeError("connection is closed"),
            errors.ConnectionLost,
            "connection is closed. The pool replaces the connection: "
            "run the transaction again if it is safe to repeat.",
        ),
        (
            UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
            errors.InvalidValue,
            "'utf-8' codec can't encode character '\\ud800' in position 0: surrogates not allowed. "
            "Pass a value of the field's type and range.",
        ),
        (
            RuntimeError("invalid input for query argument $3: 'secret' (expected str, got int)"),
            errors.InvalidValue,
            "a bound value was refused: query argument $3. Pass a value of the field's type and range.",
        ),
        (
            RuntimeError("cannot adapt type 'object' using placeholder '%s'"),
            errors.InvalidValue,
            "a bound value was refused: cannot adapt type 'object'. Pass a value of the field's type and range.",
        ),
        (
            RuntimeError("the number of query arguments cannot exceed 32767"),
            errors.InvalidValue,
            "a bound value was refused: number of query arguments cannot exceed 32767. "
            "Pass a value of the field's type and range.",
        ),
        (RuntimeError("something else"), errors.ServerError, "something else."),
    ],
)
def test_what_the_server_did_not_say(source: Exception, kind: type[PlantError], text: str) -> None:
    """Errors of the event loop and the client are typed too, and show no bound value."""
    error = translate(source)

    assert (type(error), str(error)) == (kind, text)


def test_a_plant_error_stays_itself() -> None:
    """SQLAlchemy wraps what a type raises; translation finds it again."""
    inner = errors.InvalidValue("x", field="name")

    assert translate(Wrapper(inner)) is inner
    assert translate_connect(inner, "h:1/d", 1) is inner


@pytest.mark.parametrize(
    ("text", "state", "kind"),
    [
        ('FATAL:  database "x" does not exist', "3D000", errors.ConnectFailed),
        ('FATAL:  role "x" does not exist', "28000", errors.ConnectFailed),
        ('FATAL:  password authentication failed for user "x"', "28P01", errors.ConnectFailed),
        ("FATAL:  sorry, too many clients already", "53300", errors.ResourceExhausted),
        ("FATAL:  the database system is starting up", "57P03", errors.ConnectFailed),
        ("Connection refused\n\tIs the server running?", "08001", errors.ConnectFailed),
    ],
)
def test_a_refused_connection_has_a_state_though_libpq_gives_none(
    text: str, state: str, kind: type[PlantError]
) -> None:
    """libpq tells it in words only."""
    error = translate_connect(RuntimeError(text), "db:5432/plant", 2)

    assert (type(error), error.sqlstate) == (kind, state)
    assert str(error).startswith(f"no connection to db:5432/plant: {' '.join(text.split()).rstrip('?')}")


def test_a_silent_server_is_a_timeout() -> None:
    """asyncio.timeout raises TimeoutError over the cancellation it made."""
    source = TimeoutError()
    source.__cause__ = RuntimeError("cancelled")
    error = translate_connect(source, "db:5432/plant", 0.5)

    assert type(error) is errors.ConnectTimeout
    assert str(error) == (
        "no connection to db:5432/plant within 0.5 s. "
        "Check that the address is right and reachable, or raise connect_timeout."
    )


def test_the_callers_own_errors_are_told_from_the_drivers() -> None:
    """By the package that defines them."""
    foreign = type("Boom", (Exception,), {"__module__": "psycopg.errors"})

    assert is_driver_error(foreign())
    assert not is_driver_error(KeyError())
    assert is_driver_error(type("Boom", (Exception,), {"__module__": "asyncpg.exceptions._base"})())
    assert not is_driver_error(type("Boom", (Exception,), {"__module__": "asyncpg_like"})())


def test_both_drivers_tell_the_column() -> None:
    """psycopg in its diagnosis, asyncpg on the error itself; the server's first line is the message of both."""
    asyncpg, psycopg = ServerSpoke("null value"), Diagnosed("null value\nDETAIL:  Failing row contains (secret).")
    asyncpg.sqlstate = psycopg.sqlstate = "23502"
    asyncpg.column_name, asyncpg.constraint_name = "name", None
    psycopg.diag = SimpleNamespace(
        message_primary="null value", table_name="skill", column_name="name", constraint_name=None
    )
    found = [translate(Wrapper(one)) for one in (asyncpg, psycopg)]

    assert [type(one) for one in found] == [errors.NotNullViolation] * 2
    assert [(one.table, one.column, one.constraint) for one in found] == [("skill", "name", None)] * 2
    assert str(found[0]) == str(found[1])


def test_the_state_is_that_of_the_innermost_error_that_has_one() -> None:
    """A cause below it, of the event loop say, does not hide what the server said."""
    inner = ServerSpoke("duplicate key")
    inner.__cause__ = RuntimeError("the loop's own")
    error = translate(Wrapper(inner))

    assert (type(error), error.sqlstate) == (errors.UniqueViolation, "23505")
    assert "the loop's own" not in str(error)


def test_a_bad_value_is_known_by_its_class_too() -> None:
    """Both drivers name the error of a value they cannot send DataError, of no built-in kind."""
    error = translate(type("DataError", (Exception,), {})("cannot adapt"))

    assert type(error) is errors.InvalidValue


def test_only_the_detail_is_taken_away() -> None:
    """What stood before it, and the error's further arguments, stay."""
    source = Diagnosed("duplicate key\nDETAIL:  Key (name)=(secret).\nDETAIL:  again", "second", "third")
    translate(source)

    assert source.args == ("duplicate key", "second", "third")
