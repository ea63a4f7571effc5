"""Runs a command where a folder is a file system of its own: `python -m tests.servers.confined KIND FOLDER COMMAND...`.

KIND is `read-only`, or a number of megabytes. Needs no privilege: an ordinary user gets it in a user namespace.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

NEW_USER, NEW_MOUNTS = 0x10000000, 0x00020000
READ_ONLY, RECURSIVE, PRIVATE = 1, 0x4000, 1 << 18


def main() -> None:
    """Enter the namespaces, mount, and become the command."""
    kind, folder, *argv = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.geteuid(), os.getegid()
    _check(libc.unshare(NEW_MOUNTS | (NEW_USER if uid else 0)))
    if uid:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            Path(f"/proc/self/{name}").write_text(text, encoding="ascii")
    _check(libc.mount(None, b"/", None, RECURSIVE | PRIVATE, None))
    size = b"1" if kind == "read-only" else kind.encode()
    flags = READ_ONLY if kind == "read-only" else 0
    _check(libc.mount(b"tmpfs", folder.encode(), b"tmpfs", flags, b"mode=777,size=" + size + b"m"))
    os.execvp(argv[0], argv)  # noqa: S606 (a shell is the last thing wanted here)


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


if __name__ == "__main__":
    main()
