"""The errors of pgmatrix. Each says what was wanted, what was tried, and what to do next.

PgMatrixError
├── ConfigError              the table, an option or the environment says something impossible
│   └── UnknownName          a version, driver, layer, option or provider that does not exist
├── ServerError              no server, or not the one that was asked for
│   ├── ServerUnavailable    no provider can serve the wanted major
│   ├── ServerStartFailed    a server was started and did not become ready
│   ├── IdentityMismatch     a server or driver is not what the cell claims
│   ├── BudgetExceeded       more connections are needed than the server grants
│   └── NoUnprivilegedUser   root may not run PostgreSQL, and nobody else can be found to
├── CacheError               the cache cannot be written, is damaged, or the disk is full
│   └── HashMismatch         a downloaded file is not the pinned one
├── DatabaseError            a database could not be made, cloned or removed
│   └── TemplateFailed       the project's template callable raised
├── FaultError               a fault could not be injected, or changed nothing
├── RecordError              a record cannot be read
└── ReportError              a report cannot be written
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One thing that was tried and why it failed."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


class PgMatrixError(Exception):
    """Base of every error this package raises on purpose.

    Attributes: `wanted` (str), `tried` (tuple of Attempt, may be empty), `do_next` (str).
    """

    def __init__(self, wanted: str, *, tried: Sequence[Attempt] = (), do_next: str = "") -> None:
        self.wanted = wanted
        self.tried = tuple(tried)
        self.do_next = do_next
        super().__init__(wanted)

    def __str__(self) -> str:
        lines = [self.wanted]
        lines += [f"  tried {attempt}" for attempt in self.tried]
        if self.do_next:
            lines.append(f"  do    {self.do_next}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.wanted, self.tried, self.do_next))


def _rebuild(kind: type[PgMatrixError], wanted: str, tried: Sequence[Attempt], do_next: str) -> PgMatrixError:
    return kind(wanted, tried=tried, do_next=do_next)


class ConfigError(PgMatrixError):
    """The table, an option or the environment says something impossible."""


class UnknownName(ConfigError):
    """A version, driver, layer, option or provider that does not exist."""


class ServerError(PgMatrixError):
    """No server, or not the one that was asked for."""


class ServerUnavailable(ServerError):
    """No provider can serve the wanted major."""


class ServerStartFailed(ServerError):
    """A server was started and did not become ready."""


class IdentityMismatch(ServerError):
    """A server or driver is not what the cell claims."""


class BudgetExceeded(ServerError):
    """More connections are needed than the server grants."""


class NoUnprivilegedUser(ServerError):
    """Root may not run PostgreSQL, and nobody else can be found to."""


class CacheError(PgMatrixError):
    """The cache cannot be written, is damaged, or the disk is full."""


class HashMismatch(CacheError):
    """A downloaded file is not the pinned one."""


class DatabaseError(PgMatrixError):
    """A database could not be made, cloned or removed."""


class TemplateFailed(DatabaseError):
    """The project's template callable raised."""


class FaultError(PgMatrixError):
    """A fault could not be injected, or changed nothing."""


class RecordError(PgMatrixError):
    """A record cannot be read."""


class ReportError(PgMatrixError):
    """A report cannot be written."""
