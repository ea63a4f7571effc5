"""Owns the server parameters of a throw-away server, and the proof that they are in force.

Decides and compares; talks to no server. Values are spelled as SHOW prints them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from pgmatrix.errors import BudgetExceeded

# A test's data need not outlive the machine: no waiting for the disk, no write-ahead log beyond what a crash needs.
# Autovacuum is off so that plans do not change between two runs, and no worker is ever connected to a template.
BASE: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "jit": "off",
    "huge_pages": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "2GB",
    "bgwriter_lru_maxpages": "0",
    "TimeZone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "logging_collector": "on",
    "log_destination": "jsonlog",
    "log_directory": "log",
    "log_filename": "server.log",
    "log_file_mode": "0600",
    "log_rotation_age": "0",
    "log_rotation_size": "0",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
}

# Parameters that exist from some major on; an unknown one would keep the server from starting.
SINCE: Mapping[int, Mapping[str, str]] = {18: {"io_method": "sync"}}

_UNITS = {"b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40} | {
    "us": 1,
    "ms": 1000,
    "s": 10**6,
    "min": 60 * 10**6,
    "h": 3600 * 10**6,
    "d": 86_400 * 10**6,
}
_WORDS = {"true": "on", "yes": "on", "false": "off", "no": "off"}
RESERVED = 13  # superuser_reserved_connections, our own clients, a watchdog and some air


def settings_for(major: int, wanted: Mapping[str, str], connections: int) -> dict[str, str]:
    """All parameters of a server of `major` that can hold `connections` of the session; `wanted` wins over ours."""
    settings = dict(BASE)
    for since, extra in SINCE.items():
        if major >= since:
            settings |= extra
    return settings | {"max_connections": str(connections + RESERVED)} | dict(wanted)


def differences(wanted: Mapping[str, str], shown: Mapping[str, str]) -> list[str]:
    """What SHOW prints otherwise than wanted, each as `name: wanted X, found Y`."""
    return [
        f"{name}: wanted {value}, found {shown.get(name, 'nothing')}"
        for name, value in wanted.items()
        if _canonical(value) != _canonical(shown.get(name, ""))
    ]


def workers_for(tests: int, seconds: float, *, cores: int, sessions: int) -> int:
    """How many xdist workers pay: 0 means none, run in the session's own process.

    `seconds` is what the tests take one after another. A worker takes as much memory as the session's own process, so
    that it must save something; more workers than cores shared by `sessions` running side by side only wait for each
    other.
    """
    room = max(1, cores // max(1, sessions))
    most = min(room, tests)
    costs = {n: with_workers(n, seconds, room=room) for n in range(2, most + 1)}
    best = min(costs, key=lambda n: (costs[n], n), default=0)
    return best if best and costs[best] <= seconds * PAYS else 0


def with_workers(number: int, seconds: float, *, room: int) -> float:
    """What so many workers on `room` cores make of tests that take `seconds` one after another."""
    return WORKER_COST * number / room + seconds * (1 / number + COLD)


# Measured on two cores, each layer of this repository with `-n 0` and `-n 2`: a worker costs so many seconds of a core
# before its first test, and each begins with cold caches.
WORKER_COST = 1.3
COLD = 0.08
PAYS = 0.8


def usable_cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_budget(needed: int, granted: int, *, where: str) -> None:
    """Refuse a server that grants fewer connections than the session's workers can open. Raises BudgetExceeded."""
    if needed > granted:
        raise BudgetExceeded(
            f"{needed} connections are needed and {where} grants {granted}",
            do_next="raise max_connections there, use fewer workers (-n), or lower connections-per-worker",
        )


def _canonical(value: str) -> str:
    text = value.strip().lower()
    match = re.fullmatch(r"(\d+)\s*([a-z]+)", text)
    if match and match[2] in _UNITS:
        return str(int(match[1]) * _UNITS[match[2]])
    return _WORDS.get(text, text)
