"""Owns what a measurement costs beside time: processor and memory of this process and of a local server. From /proc.

A server in a container of this host is seen as well. What cannot be seen (another host, another system) is None, never
zero.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")
TRIES = 100  # of a few milliseconds
# What a server says of the process that serves a client: its number there, and the client as its title has it.
WHO = "pg_backend_pid(), coalesce(host(inet_client_addr()) || '(' || inet_client_port() || ')', '[local]')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Processor seconds so far: this process with its ended children, and a server; None where that cannot be seen."""

    client: float
    server: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Megabytes of private memory now; a server's shared buffers are counted once."""

    client: float | None
    server: float | None


def spent(postmaster: int | None, *, before: bool) -> Spent:
    """The server is the one whose first process is `postmaster`.

    `before` and after a slice the client's time is read on the slice's side of the looking, which costs some itself.
    """
    ended = None if before else _own_cpu()
    server = _cpu(postmaster) if postmaster else None
    return Spent(client=_own_cpu() if ended is None else ended, server=server)


def held(postmaster: int | None) -> Held:
    """Costs some milliseconds for every hundred connections that are open: not for the clock's side of a slice."""
    client = private_memory([os.getpid()])
    return Held(client=client, server=_memory(_server(postmaster)) if postmaster else None)


def _own_cpu() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def process_behind(backend: int, client: str) -> int | None:
    """The process of a server that serves `client`, by this system's count, if this system runs it, containers too.

    `backend` and `client` are what that server answers to WHO.
    """
    for status in PROC.glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            facts = _facts(status)
            title = (status.parent / "cmdline").read_text(encoding="utf-8", errors="replace")
            if client in title and facts.get("NSpid", facts["Pid"]).split()[-1] == str(backend):
                return int(facts["Pid"])
    return None


def postmaster_behind(backend: int, client: str) -> int | None:
    """The first process of that server: the parent of the one that serves `client`."""
    pid = process_behind(backend, client)
    try:
        return None if pid is None else int(_facts(PROC / str(pid) / "status")["PPid"])
    except OSError:
        return None


def private_memory(pids: list[int]) -> float | None:
    """Megabytes that are these processes' own; None where not one of them can be seen."""
    found = [own for facts in _statuses(pids) if (own := _megabytes(facts, "RssAnon")) is not None]
    return sum(found) if found else None


def binary_beside(postmaster: int | None, name: str) -> Path | None:
    """A program of the same build as the running server."""
    if postmaster is None:
        return None
    try:
        found = (PROC / str(postmaster) / "exe").readlink().parent / name
    except OSError:
        return None
    return found if os.access(found, os.X_OK) else None


def _server(postmaster: int) -> list[int]:
    try:
        text = (PROC / str(postmaster) / "task" / str(postmaster) / "children").read_text(encoding="ascii")
    except OSError:
        return []
    return [postmaster, *map(int, text.split())]


def _cpu(postmaster: int) -> float | None:
    """What lives and, by the first process, what has ended; None once that one is gone.

    Who ends while it is read would be counted twice or not at all: it is read again until nobody came or went.
    """
    for _ in range(TRIES):
        pids = _server(postmaster)
        if not pids:
            return None
        ticks = sum(_ticks(pid, ended=pid == postmaster) for pid in pids)
        if _server(postmaster) == pids:
            break
    return ticks / TICK


def _ticks(pid: int, *, ended: bool) -> int:
    """A process's own, with those of its `ended` children; none where it is gone."""
    with contextlib.suppress(OSError):
        stat = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return sum(map(int, stat[11:15] if ended else stat[11:13]))
    return 0


def _memory(pids: list[int]) -> float | None:
    found = [(_megabytes(facts, "RssAnon"), _megabytes(facts, "RssShmem")) for facts in _statuses(pids)]
    own = [private for private, _ in found if private is not None]
    return sum(own) + max(shared or 0.0 for _, shared in found) if own else None


def _statuses(pids: list[int]) -> Iterator[dict[str, str]]:
    for pid in pids:
        with contextlib.suppress(OSError):
            yield _facts(PROC / str(pid) / "status")


def _megabytes(facts: dict[str, str], name: str) -> float | None:
    return int(facts[name].split()[0]) / 1024 if name in facts else None  # a process that is ending has none


def _facts(status: Path) -> dict[str, str]:
    lines = status.read_text(encoding="utf-8", errors="replace").splitlines()
    return {name: value for name, _, value in (line.partition(":") for line in lines)}
