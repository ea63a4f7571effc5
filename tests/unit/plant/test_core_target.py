"""plant.core.drivers.target and opening: one vocabulary for both drivers' connections."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from plant.core.config import Driver, Settings
from plant.core.drivers import Backend, backend_for, opener, target_for, transaction_options
from plant.core.drivers.backend import RESET, Pooled, Target
from plant.core.errors import ConfigurationError, ConnectTimeout

PLAIN = {"TimeZone": "UTC", "DateStyle": "ISO, MDY", "IntervalStyle": "postgres", "extra_float_digits": "1"}


def _target(query: str = "", *, read: bool = False, host: str = "db:5433", **settings: Any) -> Target:
    return target_for(Settings(url=f"postgresql+psycopg://app:hush@{host}/plant{query}", **settings), read=read)


def test_a_target_says_where_and_how() -> None:
    """Host, port, user and database from the URL; plain formats for both drivers."""
    target = _target()

    assert (target.driver, target.host, target.port, target.user) == (Driver.PSYCOPG, "db", 5433, "app")
    assert (target.database, target.address) == ("plant", "db:5433/plant")
    assert target.options == {"application_name": "plant", **PLAIN}
    assert "hush" not in repr(target)


def test_a_socket_directory_comes_in_the_query() -> None:
    """The form both drivers' users write."""
    target = _target("?host=/run/pg&port=5444", host="")

    assert (target.host, target.port) == ("/run/pg", 5444)
    assert _target(host="").address == "the default host:5432/plant"


def test_time_limits_are_whole_milliseconds() -> None:
    """Settings are seconds; below a millisecond it would mean no limit."""
    options = _target(statement_timeout=1.5, lock_timeout=0.001).options

    assert (options["statement_timeout"], options["lock_timeout"]) == ("1500", "1")


def test_the_read_engines_transactions_are_read_only() -> None:
    """By the session's default."""
    assert _target(read=True).options["default_transaction_read_only"] == "on"
    assert "default_transaction_read_only" not in _target().options


def test_what_libpq_takes_in_the_url_works_on_both_drivers() -> None:
    """options, application_name and TLS parameters are translated."""
    target = _target("?application_name=mine&sslmode=require&options=-c%20work_mem%3D5MB%20--search_path%3Da%5C%20b")

    assert target.options == {"application_name": "mine", **PLAIN, "work_mem": "5MB", "search_path": "a b"}
    assert target.tls == {"sslmode": "require"}


def test_pgbouncer_takes_the_name_only_and_transactions_bring_the_rest() -> None:
    """It refuses other start-up parameters."""
    settings = Settings(url="postgresql+psycopg://db/plant", pgbouncer=True, lock_timeout=2)

    assert target_for(settings).options == {"application_name": "plant"}
    assert transaction_options(settings) == {**PLAIN, "lock_timeout": "2000"}
    assert transaction_options(Settings(url="postgresql+psycopg://db/plant", lock_timeout=2)) == {}


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (
            "?connect_timeout=3",
            "url has the parameter 'connect_timeout', which not both drivers know: "
            "remove it, or use a setting; "
            "known are host, port, application_name, options, sslmode, sslrootcert, sslcert, sslkey.",
        ),
        ("?host=a&host=b", "url has the parameter 'host' twice: give it once."),
        ("?port=70000", "url has a port that is no number from 1 to 65535: correct it."),
        ("?options=work_mem", "url has options that are not of the form -c name=value: correct them."),
    ],
)
def test_a_url_that_one_driver_would_misread_is_refused(query: str, text: str) -> None:
    """On both, naming the field."""
    with pytest.raises(ConfigurationError) as caught:
        _target(query)

    assert (caught.value.field, str(caught.value)) == ("url", text)


def test_options_in_the_url_contradict_pgbouncer() -> None:
    """PgBouncer would refuse the connection."""
    with pytest.raises(ConfigurationError) as caught:
        _target("?options=-cwork_mem%3D5MB", pgbouncer=True)

    assert str(caught.value) == "url has options, which PgBouncer refuses: set them on the role."


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is opened."""

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("plant.core.drivers.opening.import_module", missing)

    with pytest.raises(ConfigurationError) as caught:
        backend_for(Driver.ASYNCPG)
    assert str(caught.value) == (
        "the URL asks for the driver asyncpg, which is not installed: install it, or name the other driver."
    )


class Silent:
    """A backend whose server never answers."""

    async def connect(self, _target: Target, _arguments: Mapping[str, Any]) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()


async def test_opening_ends_in_time() -> None:
    """The limit is plant's own, since one driver rounds its own up to two seconds."""
    with pytest.raises(ConnectTimeout, match=r"no connection to db:5433/plant within 0\.01 s"):
        await opener(_target(connect_timeout=0.01), cast("Backend", Silent()))()


def test_sql_rides_on_begin_once_and_on_the_last_commit() -> None:
    """Nothing rides on other commands."""
    raw = Pooled()
    raw.opening, raw.last_commit = "SELECT 1", True

    assert [raw.ride(text) for text in ("SELECT 2", "BEGIN;", "BEGIN;", "COMMIT;")] == [
        "",
        "SELECT 1",
        "",
        RESET,
    ]
    raw.forget()
    assert raw.ride("COMMIT;") == ""
