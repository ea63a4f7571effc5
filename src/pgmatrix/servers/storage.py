"""Owns where a server's data lives: in memory where there is room, else on disk, and the reason for it.

Also removes what dead runs left there. Never more than a bounded share of the memory is taken.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pgmatrix.servers.cache import Promise, Withdraw, explained
from pgmatrix.servers.protocol import short_runtime_directory
from pgmatrix.servers.watchdog import end_process, remove_tree, start_time

_MEMORY = Path("/dev/shm")
_PREFIX = "pgmatrix-"
_OWNER = "owner.json"
NEEDED = 256 * 2**20
SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder for servers' data, and why it was chosen."""

    folder: Path
    reason: str


def choose_place(*, memory: bool) -> Place:
    """Memory, if wanted and if NEEDED bytes are within SHARE of what is free there; else the disk."""
    disk = _disk()
    if not memory:
        return Place(folder=disk, reason=f"on disk ({disk}): memory is switched off")
    if not _is_tmpfs(_MEMORY):
        return Place(folder=disk, reason=f"on disk ({disk}): {_MEMORY} is not in memory here")
    room = min(_free(_MEMORY), _available_memory())
    if room * SHARE < NEEDED:
        wanted = int(NEEDED / SHARE)
        found = f"{room // 2**20} MB to spare, {wanted // 2**20} are wanted"
        return Place(folder=disk, reason=f"on disk ({disk}): {_MEMORY} has {found}")
    return Place(folder=_MEMORY, reason=f"in memory ({_MEMORY})")


def make_directory(place: Place, promise: Promise) -> tuple[Path, Withdraw]:
    """A new folder of ours in `place`, marked with its owner, and what withdraws the promise to remove it.

    The promise comes first: there is no moment without it. Raises CacheError where the disk is full or read-only.
    """
    path = place.folder / f"{_PREFIX}{secrets.token_hex(4)}"
    withdraw = promise(path)
    try:
        with explained(place.folder, "make room for a server", "TMPDIR"):
            path.mkdir()
            path.chmod(0o755)
            owner = {"pid": os.getpid(), "started": start_time(os.getpid())}
            (path / _OWNER).write_text(json.dumps(owner), encoding="utf-8")
    except BaseException:
        remove_tree(str(path))
        withdraw()
        raise
    return path, withdraw


def mark_kept(path: Path) -> None:
    """Keep a folder although its owner will be dead: a person wants to look at it."""
    (path / _OWNER).unlink(missing_ok=True)


def sweep(place: Place) -> list[str]:
    """Remove folders whose owner is dead, and end the server in them; what was removed, for people to read."""
    swept = []
    for path in place.folder.glob(f"{_PREFIX}*"):
        if _is_ours(path) and _is_orphan(path):
            _end_server(path)
            remove_tree(str(path))
            swept.append(str(path))
    return swept


def _is_ours(path: Path) -> bool:
    try:
        return (path / _OWNER).stat().st_uid == os.geteuid()  # root gives the folder itself away
    except OSError:  # its owner has just removed it, or somebody else made it
        return False


def _is_orphan(path: Path) -> bool:
    try:
        owner = json.loads((path / _OWNER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return start_time(int(owner["pid"])) != str(owner["started"])


def _end_server(path: Path) -> None:
    try:
        pid = int((path / "data" / "postmaster.pid").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return
    if _runs_in(pid, path):
        end_process(pid, start_time(pid))


def _runs_in(pid: int, path: Path) -> bool:
    try:
        return str(path) in Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return False


def _disk() -> Path:
    folder = Path(tempfile.gettempdir())
    return folder if short_runtime_directory(folder) else Path("/tmp")


def _free(path: Path) -> int:
    stats = os.statvfs(path)
    return stats.f_bavail * stats.f_frsize


def _is_tmpfs(path: Path) -> bool:
    if not os.access(path, os.W_OK | os.X_OK):
        return False
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any(line.split()[1:3] == [str(path), "tmpfs"] for line in mounts)


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
