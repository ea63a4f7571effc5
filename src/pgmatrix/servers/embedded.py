"""Owns the embedded provider: PostgreSQL as child processes, from an installation or a wheel; no Docker, no root.

Servers listen on a socket in a private folder and on no network. Data folders come from the cache and are copied.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pgmatrix.config import ProviderName
from pgmatrix.errors import Attempt, ServerStartFailed
from pgmatrix.matrix import Cell
from pgmatrix.servers import binaries, storage
from pgmatrix.servers.account import Account, find_account
from pgmatrix.servers.cache import Cache, explained
from pgmatrix.servers.guard import Guard, Withdraw
from pgmatrix.servers.protocol import Lease, Server, ServerSpec
from pgmatrix.servers.readiness import wait_until_ready
from pgmatrix.servers.watchdog import end_process, remove_tree, start_time

_PORT = 5432
_SUPERUSER = "postgres"
_INITDB = ("--no-sync", "--no-instructions", "--auth=trust", "--wal-segsize=1", f"--username={_SUPERUSER}")


class EmbeddedProvider:
    """PostgreSQL from an installation of this machine, else from a wheel."""

    name = ProviderName.EMBEDDED
    keeps_snapshots = True

    def __init__(self, *, cache: Path, guard: Guard, extensions: Sequence[str] = (), run_as: str = "") -> None:
        self._builds = Cache(cache, "builds", guard.directory)
        self._clusters = Cache(cache, "clusters", guard.directory)
        self._guard = guard
        self._extensions = tuple(extensions)
        self._run_as = run_as
        self._search = functools.cache(lambda major: binaries.search(major, self._extensions))

    def refusal(self, cell: Cell) -> str | None:
        """Why no installation and no wheel holds the cell's major, or None."""
        found = self._search(cell.major)
        if found.installed is None and found.wheel is None:
            return "; ".join(map(str, found.refused))
        return None

    def installation(self, cell: Cell) -> binaries.Installation:
        """The PostgreSQL programs that serve `cell`, fetched if need be. Raises CacheError or ServerStartFailed."""
        return binaries.provide(self._search(cell.major), self._builds)

    def build(self, cell: Cell) -> str:
        """The installation's identity and the account it runs as."""
        return f"{self.installation(cell).identity}-uid{self._account().uid}"

    def has(self, key: str) -> bool:
        """Whether cluster `key` is in the cache."""
        return self._clusters.has(key)

    def prune(self, keep: int) -> list[str]:
        """Remove all clusters but the `keep` used last; their keys."""
        return self._clusters.prune(keep)

    def start(self, spec: ServerSpec, *, key: str | None, reason: str) -> Lease:
        """Copy a cluster and start it. Raises ServerError or CacheError; nothing is left running then."""
        installation = self.installation(spec.cell)
        account = self._account()
        cluster = key or self._fresh_cluster(spec, installation, account)
        source = self._clusters.verify(cluster)
        place = storage.choose_place(memory=spec.memory)
        storage.sweep(place)
        folder, withdraw = storage.make_directory(place, self._guard.directory)
        lease = EmbeddedLease(
            folder=folder,
            account=account,
            clusters=self._clusters,
            withdraw=withdraw,
            restored=key is not None,
        )
        try:
            with explained(folder, "copy a cluster", "TMPDIR"):
                _copy(source / "data", folder / "data", account)
            lease.launch(spec, installation, f"{reason}; {installation.origin}", place.reason, self._guard)
        except BaseException:
            lease.stop()
            raise
        return lease

    def _account(self) -> Account:
        return find_account(self._run_as)

    def _fresh_cluster(self, spec: ServerSpec, installation: binaries.Installation, account: Account) -> str:
        options = [*_INITDB, f"--locale={spec.locale}", f"--encoding={spec.encoding}"]
        key = f"initdb-{installation.identity}-{_digest([*options, str(account.uid)])}"
        if not self._clusters.has(key):
            with self._clusters.locked(key):
                self._clusters.sweep(key)
                if not self._clusters.has(key):
                    with self._clusters.building(key) as private:
                        _initdb(private, installation, options, account)
        return key


class EmbeddedLease:
    """A running embedded server: its process, its folder, and their end."""

    def __init__(self, *, folder: Path, account: Account, clusters: Cache, withdraw: Withdraw, restored: bool) -> None:
        self._folder = folder
        self._account = account
        self._clusters = clusters
        self._withdraw = [withdraw]
        self._process: subprocess.Popen[bytes] | None = None
        self.restored = restored
        self.server: Server

    def launch(
        self, spec: ServerSpec, installation: binaries.Installation, reason: str, place: str, guard: Guard
    ) -> None:
        """Start the server on the copied data and wait until the driver has run `select 1`."""
        sockets = self._folder / "socket"
        sockets.mkdir(mode=0o700)
        self._account.own(sockets)
        fixed = {"listen_addresses": "", "unix_socket_directories": str(sockets), "port": str(_PORT)}
        with (self._folder / "stderr").open("wb") as stderr:
            self._process = subprocess.Popen(
                [str(installation.bin / "postgres"), "-D", str(self._folder / "data"), *_options(spec, fixed)],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
                cwd="/",
                env=_environment(),
                **self._account.popen,
            )
        self._withdraw.append(guard.process(self._process.pid))
        self.server = Server(
            cell=spec.cell,
            provider=ProviderName.EMBEDDED,
            host=str(sockets),
            port=_PORT,
            user=_SUPERUSER,
            reason=reason,
            storage=place,
            roles_trusted=True,
        )
        wait_until_ready(self.server, timeout=spec.start_timeout, died=self._died, log=self.log_tail)

    def save(self, key: str) -> None:
        """Shut down cleanly, then publish the data folder as cluster `key`."""
        self._shut_down()
        with self._clusters.locked(key):
            self._clusters.sweep(key)
            if not self._clusters.has(key):
                self._publish(key)
        self.stop()

    def _publish(self, key: str) -> None:
        with self._clusters.building(key) as private, explained(self._clusters.folder, "keep a cluster"):
            for litter in ("postmaster.opts", "log"):
                _remove(self._folder / "data" / litter)
            _copy(self._folder / "data", private / "data", self._account)

    def stop(self) -> None:
        """End the server at once (its data is thrown away) and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            end_process(self._process.pid, start_time(self._process.pid), grace=5.0)
            self._process.wait()
        remove_tree(str(self._folder))
        while self._withdraw:
            self._withdraw.pop()()

    def keep(self, databases: Sequence[str]) -> str:
        """Mark the folder so that no sweep takes it, and leave the process."""
        assert self._process is not None
        storage.mark_kept(self._folder)
        return f"kill -QUIT {self._process.pid}; sleep 1; rm -r {self._folder}"

    def log_tail(self, lines: int) -> list[str]:
        """The newest lines of the server's standard error and of its log."""
        found: list[str] = []
        for path in (self._folder / "stderr", self._folder / "data" / "log" / "server.json"):
            if path.is_file():
                found += path.read_text(encoding="utf-8", errors="replace").splitlines()
        return found[-lines:]

    def _died(self) -> str | None:
        assert self._process is not None
        code = self._process.poll()
        return None if code is None else f"it ended with exit code {code}"

    def _shut_down(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)  # PostgreSQL: a fast shutdown
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired as error:
            raise ServerStartFailed(
                f"PostgreSQL {self.server.cell.major} did not shut down within 60 s",
                tried=[Attempt(what="fast shutdown", why="still running")],
                do_next="look for clients that hold the server, and try again",
            ) from error


def _options(spec: ServerSpec, fixed: dict[str, str]) -> list[str]:
    return [word for name, value in {**spec.settings, **fixed}.items() for word in ("-c", f"{name}={value}")]


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "TZDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def _initdb(folder: Path, installation: binaries.Installation, options: Sequence[str], account: Account) -> None:
    account.own(folder)
    argv = account.named([str(installation.bin / "initdb"), "-D", str(folder / "data"), *options])
    found = subprocess.run(
        argv, capture_output=True, text=True, check=False, cwd="/", env=_environment(), **account.popen
    )
    if found.returncode != 0:
        _raise_if_full(found.stderr)
        lines = [line for line in found.stderr.splitlines() if line.strip()]
        raise ServerStartFailed(
            f"initdb of PostgreSQL {installation.major} failed",
            tried=[Attempt(what=str(installation.bin / "initdb"), why=line) for line in lines[-10:]],
            do_next="run as a user that may run these programs and write to the cache, or set PGMATRIX_PROVIDER",
        )


def _copy(source: Path, target: Path, account: Account) -> None:
    """Copy a data folder as the account that will own it; `cp` outruns anything in Python and keeps off its lock."""
    account.own(target.parent)
    found = subprocess.run(
        ["cp", "-R", "-p", str(source), str(target)], capture_output=True, text=True, check=False, **account.popen
    )
    if found.returncode != 0:
        _raise_if_full(found.stderr)
        message = found.stderr.strip().splitlines()[-1:] or ["cp failed"]
        raise ServerStartFailed(
            f"cannot copy the cluster {source}",
            tried=[Attempt(what=f"cp to {target}", why=message[0])],
            do_next="check that both folders can be read and written by the account PostgreSQL runs as",
        )


def _raise_if_full(output: str) -> None:
    """Raise for a program what the system told it of a full disk."""
    if "No space left" in output:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
