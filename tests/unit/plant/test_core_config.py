"""plant.core.config: settings checked against each other, and nothing secret shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plant.core.config import Driver, Settings
from plant.core.errors import ConfigurationError

URL = "postgresql+asyncpg://app:hush@db:5433/plant"
WANTED = "use postgresql+asyncpg://user@host:port/database or postgresql+psycopg://..."


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No `.env` and no PLANT_ variable of the machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PLANT_URL", raising=False)


def test_settings_come_from_arguments_environment_and_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In that order of precedence."""
    (tmp_path / ".env").write_text("PLANT_POOL_SIZE=7\nPLANT_MAX_OVERFLOW=1\nPLANT_POOL_TIMEOUT=2.5\n")
    monkeypatch.setenv("PLANT_MAX_OVERFLOW", "2")
    settings = Settings(url=URL, pool_timeout=1.5)

    assert (settings.pool_size, settings.max_overflow, settings.pool_timeout) == (7, 2, 1.5)


def test_no_password_shows() -> None:
    """Neither in repr nor in str nor in the target's."""
    settings = Settings(url=URL, read_url=URL)

    assert "hush" not in f"{settings!r}{settings}{settings.target()!r}{settings.target()}"


def test_the_read_url_is_for_the_read_engine() -> None:
    """Without one, reads go to the primary."""
    settings = Settings(url=URL, read_url="postgresql+asyncpg://app@replica/plant")

    assert settings.target(read=True).host == "replica"
    assert settings.target().host == Settings(url=URL).target(read=True).host == "db"


def test_a_driver_may_be_set_apart_from_the_url() -> None:
    """The URL then needs none."""
    assert Settings(url="postgresql://db/plant", driver="psycopg").target().drivername == "postgresql+psycopg"


def test_replaced_settings_are_checked_again() -> None:
    """The rest is kept."""
    settings = Settings(url=URL, statement_timeout=2).replaced(pool_size=1)

    assert (settings.pool_size, settings.statement_timeout, settings.target().password) == (1, 2, "hush")
    with pytest.raises(ConfigurationError, match="lock_timeout"):
        settings.replaced(lock_timeout=3)


@pytest.mark.parametrize(
    ("values", "field", "text"),
    [
        (
            {},
            "url",
            "setting url is not usable: Field required. Set it by argument, by PLANT_URL or in .env.",
        ),
        ({"url": "nonsense"}, "url", f"url is not a database URL: {WANTED}."),
        ({"url": "postgresql+asyncpg://u:hush@h:99x/d"}, "url", f"url is not a database URL: {WANTED}."),
        ({"url": "mysql://h/d"}, "url", f"url is for 'mysql', not a supported driver: {WANTED}."),
        ({"url": "postgresql+pg8000://h/d"}, "url", "url is for 'postgresql+pg8000', not a supported driver"),
        (
            {"url": "postgresql://h/d"},
            "url",
            f"url names no driver, and its default differs between SQLAlchemy versions: {WANTED}, or set driver.",
        ),
        ({"url": "postgresql+asyncpg://h"}, "url", f"url names no database: {WANTED}."),
        (
            {"url": URL, "driver": Driver.PSYCOPG},
            "driver",
            "driver is psycopg but url names asyncpg: make them agree.",
        ),
        (
            {"url": URL, "read_url": "postgresql+psycopg://h/d"},
            "read_url",
            "read_url names another driver than url (postgresql+asyncpg): use one driver in both.",
        ),
        ({"url": URL, "read_url": "x"}, "read_url", "read_url is not a database URL"),
        (
            {"url": URL, "lock_timeout": 5, "statement_timeout": 5},
            "lock_timeout",
            "lock_timeout (5 s) can never be reached before statement_timeout (5 s): make it shorter, or leave it out.",
        ),
        (
            {"url": URL, "pool_size": 0},
            "pool_size",
            "setting pool_size is not usable: Input should be greater than or equal to 1. "
            "Set it by argument, by PLANT_POOL_SIZE or in .env.",
        ),
        ({"url": URL, "connect_timeout": 0}, "connect_timeout", "setting connect_timeout is not usable"),
        ({"url": URL, "isolation": "SNAPSHOT"}, "isolation", "setting isolation is not usable"),
        (
            {"url": URL, "application_name": "x" * 64},
            "application_name",
            "must be 1 to 63 printable ASCII characters",
        ),
        (
            {"url": URL, "application_name": "naïve"},
            "application_name",
            "must be 1 to 63 printable ASCII characters",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(values: dict[str, Any], field: str, text: str) -> None:
    """The error names the field, says what to do, and shows no value."""
    with pytest.raises(ConfigurationError) as caught:
        Settings(**values)

    assert caught.value.field == field
    assert text in str(caught.value)
    assert "hush" not in str(caught.value)
