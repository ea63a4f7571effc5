"""Settings of the data layer, from arguments, the environment (`PLANT_...`) and `.env`, checked against
each other.

It opens nothing and imports no driver. Passwords never show in a repr, an error or a log. All times are
seconds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from plant.core.errors import ConfigurationError


class Driver(StrEnum):
    """The supported drivers, by the name in the URL: `postgresql+<driver>://`."""

    ASYNCPG = "asyncpg"
    PSYCOPG = "psycopg"


class Isolation(StrEnum):
    """Transaction isolation levels, spelled as the server reports them in upper case."""

    READ_UNCOMMITTED = "READ UNCOMMITTED"
    READ_COMMITTED = "READ COMMITTED"
    REPEATABLE_READ = "REPEATABLE READ"
    SERIALIZABLE = "SERIALIZABLE"


def _printable_ascii(name: str) -> str:
    """PostgreSQL replaces other characters and cuts after 63 bytes, both without a word."""
    if not (0 < len(name) < 64 and name.isascii() and name.isprintable()):
        raise ValueError("must be 1 to 63 printable ASCII characters")
    return name


# 2**31-1 ms is the server's limit for a timeout; below 1 ms it would mean "none".
Seconds = Annotated[float, Field(ge=0.001, le=2_147_483)]
ApplicationName = Annotated[str, AfterValidator(_printable_ascii)]


class Settings(BaseSettings):
    """What an engine needs to know; `Settings(url=...)` or `PLANT_URL` and friends.

    Raises ConfigurationError, with `.field`, for a value that is malformed or contradicts another.
    """

    model_config = SettingsConfigDict(
        env_prefix="PLANT_", env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    url: SecretStr
    read_url: SecretStr | None = None
    driver: Driver | None = None
    pool_size: Annotated[int, Field(ge=1, le=1000)] = 5
    max_overflow: Annotated[int, Field(ge=0, le=1000)] = 5
    pool_timeout: Seconds = 30.0
    pool_recycle: Seconds | None = None
    pool_pre_ping: bool = False
    connect_timeout: Seconds = 10.0
    statement_timeout: Seconds | None = None
    lock_timeout: Seconds | None = None
    application_name: ApplicationName = "plant"
    isolation: Isolation | None = None
    pgbouncer: bool = False

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _first_problem(error) from None
        self._check_drivers()
        self._check_timeouts()

    def target(self, *, read: bool = False) -> URL:
        """The URL to connect to, `postgresql+<driver>`; the primary's where no `read_url` is set."""
        name, secret = ("read_url", self.read_url) if read and self.read_url else ("url", self.url)
        return parse_url(secret.get_secret_value(), driver=self.driver, field=name)

    def replaced(self, **changes: Any) -> Self:
        """These settings with some changed, checked again as a whole."""
        return type(self)(**{**self.model_dump(), **changes})

    def _check_drivers(self) -> None:
        primary = self.target().drivername
        if self.read_url and self.target(read=True).drivername != primary:
            raise ConfigurationError(
                f"read_url names another driver than url ({primary}): use one driver in both.",
                field="read_url",
            )

    def _check_timeouts(self) -> None:
        if self.lock_timeout and self.statement_timeout and self.lock_timeout >= self.statement_timeout:
            raise ConfigurationError(
                f"lock_timeout ({self.lock_timeout:g} s) can never be reached before statement_timeout "
                f"({self.statement_timeout:g} s): make it shorter, or leave it out.",
                field="lock_timeout",
            )


def parse_url(text: str, *, driver: Driver | None = None, field: str = "url") -> URL:
    """The URL with its driver named; raises ConfigurationError naming `field`, never showing the URL
    itself.
    """
    wanted = "postgresql+asyncpg://user@host:port/database or postgresql+psycopg://..."
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigurationError(f"{field} is not a database URL: use {wanted}.", field=field) from None
    dialect, _, named = url.drivername.partition("+")
    if dialect != "postgresql" or named not in {"", *Driver}:
        raise ConfigurationError(
            f"{field} is for {url.drivername!r}, not a supported driver: use {wanted}.", field=field
        )
    if not named and driver is None:
        raise ConfigurationError(
            f"{field} names no driver, and its default differs between SQLAlchemy versions: use {wanted}, "
            "or set driver.",
            field=field,
        )
    if named and driver is not None and named != driver:
        raise ConfigurationError(f"driver is {driver} but {field} names {named}: make them agree.", field="driver")
    if not url.database:
        raise ConfigurationError(f"{field} names no database: use {wanted}.", field=field)
    return url.set(drivername=f"postgresql+{named or driver}")


def _first_problem(error: ValidationError) -> ConfigurationError:
    """pydantic's first complaint by field name, without the value that was given."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = str(problem["loc"][0]) if problem["loc"] else "settings"
    return ConfigurationError(
        f"setting {field} is not usable: {problem['msg']}. Set it by argument, by PLANT_{field.upper()} or in .env.",
        field=field,
    )
