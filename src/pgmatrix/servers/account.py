"""Owns whom PostgreSQL runs as: ourselves, or an unprivileged account when we are root.

PostgreSQL refuses to run as root, and `initdb` refuses a user id without a name (containers with an arbitrary id
have none). Both are met here, without creating users.
"""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgmatrix.errors import Attempt, NoUnprivilegedUser
from pgmatrix.servers import nameless

_CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user and group id. `switch` says whether a process has to change to it."""

    uid: int
    gid: int
    switch: bool

    @property
    def popen(self) -> dict[str, Any]:
        """What subprocess.Popen needs to run as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    @property
    def has_name(self) -> bool:
        """Whether the user database knows this id."""
        return any(entry.pw_uid == self.uid for entry in pwd.getpwall()) or _resolves(self.uid)

    def named(self, argv: Sequence[str]) -> list[str]:
        """`argv`, made to run under a name where this account has none (in a user namespace of its own)."""
        if self.has_name:
            return list(argv)
        return [sys.executable, "-I", "-S", nameless.__file__, *argv]

    def own(self, path: Path) -> None:
        """Give `path` to this account."""
        if self.switch:
            os.chown(path, self.uid, self.gid)


def find_account(wanted: str = "") -> Account:
    """The account to run PostgreSQL as; `wanted` names one for root. Raises NoUnprivilegedUser."""
    if os.geteuid() != 0:
        return Account(uid=os.geteuid(), gid=os.getegid(), switch=False)
    tried = []
    for name in (wanted,) if wanted else _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            tried.append(Attempt(what=f"user {name}", why="does not exist"))
            continue
        if entry.pw_uid == 0:
            tried.append(Attempt(what=f"user {name}", why="is root"))
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid, switch=True)
    raise NoUnprivilegedUser(
        "PostgreSQL does not run as root, and no unprivileged user was found to run it as",
        tried=tried,
        do_next="set PGMATRIX_RUN_AS to an existing user, or run as an ordinary user",
    )


def _resolves(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
