"""Owns the value that tests and template callables get: one database and the URLs that reach it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from pgmatrix.servers.protocol import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database of ours on `server`. `repr` holds no password."""

    name: str
    server: Server

    def url(self, role: str | None = None) -> str:
        """A SQLAlchemy URL with the cell's driver, `postgresql+asyncpg://...`, for `role` (None: the superuser)."""
        return self.dsn(role).replace("postgresql://", f"postgresql+{self.server.cell.driver}://", 1)

    def dsn(self, role: str | None = None) -> str:
        """A libpq URL, `postgresql://...`, for `role` (None: the superuser)."""
        if role is None:
            return self.server.url(database=self.name)
        return self.server.url(database=self.name, user=role, password=role_password(self.server, role))


def role_password(server: Server, role: str) -> str:
    """The password of a role of ours: nothing where roles are trusted, else derived from the server's own secret."""
    if server.roles_trusted:
        return ""
    return hmac.new(server.password.encode(), f"pgmatrix:{role}".encode(), hashlib.sha256).hexdigest()
