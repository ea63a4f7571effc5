"""Runs a program under a user id that has a name, for a process whose own id has none.

`initdb` looks its user up and gives up where there is none. In a user namespace our id can be shown as one that the
user database knows; files still belong to the real id. Linux only; run as a script, standard library only.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys

_CLONE_NEWUSER = 0x10000000


def enter_namespace() -> None:
    """Map our user and group id to those of the first ordinary user that has a name. Raises OSError."""
    uid, gid = os.geteuid(), os.getegid()
    known = next(entry for entry in pwd.getpwall() if entry.pw_uid != 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{known.pw_uid} {uid} 1"),
        ("gid_map", f"{known.pw_gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(line)


def main() -> None:
    """Enter the namespace and become the program in the arguments."""
    try:
        enter_namespace()
    except OSError as error:
        sys.exit(
            f"user id {os.geteuid()} has no name in the user database, which initdb needs, and no user namespace "
            f"can be had to give it one ({error.strerror}): run under a named user, or set PGMATRIX_PROVIDER"
        )
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
