"""From settings and URL to one Target: what a URL may say, in one vocabulary for both drivers. Pure.

Parameters of the URL that only one driver knows are refused, never passed on.
"""

from __future__ import annotations

import re

from sqlalchemy import URL

from plant.core.config import Driver, Settings
from plant.core.drivers.backend import Target
from plant.core.errors import ConfigurationError

TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")
KNOWN = ("host", "port", "application_name", "options", *TLS)
SETTING = re.compile(r"(?:-c\s*|--)([A-Za-z_][\w.-]*)=((?:\\.|[^\\\s])*)(?:\s+|$)")
# Values then look the same whatever the database's or role's defaults are.
PLAIN = {"TimeZone": "UTC", "DateStyle": "ISO, MDY", "IntervalStyle": "postgres", "extra_float_digits": "1"}


def target_for(settings: Settings, *, read: bool = False) -> Target:
    """The Target of the primary or, with `read`, of the read engine."""
    url = settings.target(read=read)
    query = _query(url)
    return Target(
        driver=Driver(url.get_driver_name()),
        host=query.get("host") or url.host,
        port=_port(query["port"]) if "port" in query else url.port,
        user=url.username,
        password=url.password,
        database=str(url.database),
        options=session_options(settings, query, read=read),
        tls={name: query[name] for name in TLS if name in query},
        connect_timeout=settings.connect_timeout,
        pgbouncer=settings.pgbouncer,
    )


def session_options(settings: Settings, query: dict[str, str], *, read: bool) -> dict[str, str]:
    """Server settings to start a session with; PgBouncer lets no others through than the name."""
    name = query.get("application_name", settings.application_name)
    if settings.pgbouncer:
        if "options" in query:
            raise ConfigurationError("url has options, which PgBouncer refuses: set them on the role.", field="url")
        return {"application_name": name}
    read_only = {"default_transaction_read_only": "on"} if read else {}
    return {"application_name": name, **PLAIN, **_time_limits(settings), **read_only, **_options(query)}


def transaction_options(settings: Settings) -> dict[str, str]:
    """Server settings to begin each transaction with: behind PgBouncer, what a session cannot start with."""
    return {**PLAIN, **_time_limits(settings)} if settings.pgbouncer else {}


def _time_limits(settings: Settings) -> dict[str, str]:
    """The settings' time limits as server settings, whole milliseconds."""
    limits = {"statement_timeout": settings.statement_timeout, "lock_timeout": settings.lock_timeout}
    return {name: str(max(1, round(seconds * 1000))) for name, seconds in limits.items() if seconds is not None}


def _query(url: URL) -> dict[str, str]:
    query: dict[str, str] = {}
    for name, value in url.query.items():
        if name not in KNOWN:
            raise ConfigurationError(
                f"url has the parameter {name!r}, which not both drivers know: remove it, or use a setting; "
                f"known are {', '.join(KNOWN)}.",
                field="url",
            )
        if not isinstance(value, str):
            raise ConfigurationError(f"url has the parameter {name!r} twice: give it once.", field="url")
        query[name] = value
    return query


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ConfigurationError("url has a port that is no number from 1 to 65535: correct it.", field="url")
    return int(text)


def _options(query: dict[str, str]) -> dict[str, str]:
    """`-c name=value` pairs, spaces and backslashes escaped by a backslash as in libpq."""
    rest, found = query.get("options", "").strip(), {}
    while rest:
        match = SETTING.match(rest)
        if match is None:
            raise ConfigurationError(
                "url has options that are not of the form -c name=value: correct them.", field="url"
            )
        found[match[1]] = re.sub(r"\\(.)", r"\1", match[2])
        rest = rest[match.end() :]
    return found
