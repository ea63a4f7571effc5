"""Owns the cache on disk: where it is, entries that are complete or absent, and locks that die with their holder.

An entry is a folder built under a private name and renamed at the end, with a manifest of what it holds. An entry
that does not match its manifest is an error, never used and never silently rebuilt.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from pgmatrix.errors import CacheError

_MANIFEST = "pgmatrix-manifest.json"
_LOCKED_OUT = (errno.EACCES, errno.EPERM, errno.EROFS)


Withdraw = Callable[[], None]
Promise = Callable[[Path], Withdraw]


def _no_promise(_path: Path) -> Withdraw:
    return lambda: None


def cache_root(setting: str = "") -> Path:
    """The cache folder: `setting`, else the user's own, else (for root, whose home others cannot enter) /var/cache."""
    if setting:
        return Path(setting).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/pgmatrix")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "pgmatrix"


@contextlib.contextmanager
def explained(path: Path, wanted: str, setting: str = "PGMATRIX_CACHE") -> Iterator[None]:
    """Turn what the file system says about `path` into a CacheError; `setting` names what moves it elsewhere."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            do_next = f"free some room on the file system of {path}, or set {setting} to another folder"
        elif error.errno in _LOCKED_OUT:
            do_next = f"make {path} writable, or set {setting} to a folder that is"
        else:
            raise
        raise CacheError(f"cannot {wanted} in {path}: {error.strerror}", do_next=do_next) from error


class Cache:
    """Named entries of one kind below `root`. `promise` removes an unfinished one if we die."""

    def __init__(self, root: Path, kind: str, promise: Promise = _no_promise) -> None:
        self.folder = root / kind
        self._promise = promise

    def path(self, key: str) -> Path:
        """Where entry `key` is or would be."""
        return self.folder / key

    def has(self, key: str) -> bool:
        """Whether entry `key` is here; it then is complete."""
        return (self.path(key) / _MANIFEST).is_file()

    @contextlib.contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Hold the only lock on `key`; the system frees it when we die."""
        with explained(self.folder, "write to the cache"):
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder / f".{key}.lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def building(self, key: str) -> Iterator[Path]:
        """A private folder that becomes entry `key` if the block ends well, and goes away if not."""
        private = self.folder / f".{key}.{secrets.token_hex(4)}"
        withdraw = self._promise(private)
        try:
            with explained(self.folder, "write to the cache"):
                self.folder.mkdir(parents=True, exist_ok=True)
                private.mkdir()
                private.chmod(0o755)
                yield private
                _write_manifest(private)
            self._publish(private, key)
        finally:
            shutil.rmtree(private, ignore_errors=True)
            withdraw()

    def sweep(self, key: str) -> None:
        """Remove what builders of `key` that were killed left. Call it with the lock held: no other one is alive."""
        for private in self.folder.glob(f".{key}.*"):
            if private.is_dir():
                shutil.rmtree(private, ignore_errors=True)

    def _publish(self, private: Path, key: str) -> None:
        try:
            private.rename(self.path(key))
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            if not self.has(key):
                raise _damaged(self.path(key), "it has no manifest") from error

    def verify(self, key: str) -> Path:
        """The folder of entry `key`, found to hold what it was built with. Raises CacheError."""
        path = self.path(key)
        try:
            promised = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _damaged(path, f"its manifest cannot be read: {error}") from error
        if not isinstance(promised, dict):
            raise _damaged(path, "its manifest is not one")
        found = _measure(path)
        if found != promised:
            raise _damaged(path, f"it should hold {_say(promised)} and holds {_say(found)}")
        with contextlib.suppress(OSError):  # a cache that cannot be written is still read
            os.utime(path)
        return path

    def prune(self, keep: int) -> list[str]:
        """Remove all but the `keep` entries that were used last; their keys."""
        entries = sorted(self.folder.glob(f"[!.]*/{_MANIFEST}"), key=lambda found: found.parent.stat().st_mtime)
        removed = [manifest.parent.name for manifest in entries[: max(0, len(entries) - keep)]]
        for key in removed:
            self.remove(key)
        return removed

    def remove(self, key: str) -> None:
        """Remove entry `key`, if it is here."""
        shutil.rmtree(self.path(key), ignore_errors=True)


def _damaged(path: Path, why: str) -> CacheError:
    return CacheError(f"cache entry {path} is damaged: {why}", do_next=f"remove it: rm -r {path}")


def _say(size: dict[str, int]) -> str:
    return f"{size.get('files')} files of {size.get('bytes')} bytes"


def _write_manifest(folder: Path) -> None:
    size = _measure(folder)
    (folder / _MANIFEST).write_text(json.dumps(size), encoding="utf-8")


def _measure(folder: Path) -> dict[str, int]:
    files = total = 0
    stack = [os.fspath(folder)]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                elif entry.name != _MANIFEST:
                    files += 1
                    total += entry.stat(follow_symlinks=False).st_size
    return {"files": files, "bytes": total}
