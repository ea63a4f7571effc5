"""Keeps unit tests what they are: no connection, no process; and property tests the same in every CI run."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Collection
from typing import Any, NoReturn

import pytest
from hypothesis import settings

settings.register_profile("local", max_examples=40, deadline=None, database=None)
settings.register_profile("ci", max_examples=100, deadline=None, database=None, derandomize=True)
# In a session of the matrix they are there for its coverage, and the same on every cell.
settings.register_profile("session", max_examples=12, deadline=None, database=None, derandomize=True)
settings.load_profile("session" if "PGMATRIX_SESSION" in os.environ else "ci" if os.environ.get("CI") else "local")

_FORBIDDEN: tuple[tuple[Any, str, str], ...] = (
    (socket.socket, "connect", "a connection"),
    (socket.socket, "connect_ex", "a connection"),
    (subprocess.Popen, "__init__", "a process"),
    (os, "fork", "a process"),
    (os, "forkpty", "a process"),
    (os, "posix_spawn", "a process"),
    (os, "system", "a process"),
    (os, "_exit", "the end of all tests"),  # with exit code 0 nobody would see it
)


@pytest.fixture(autouse=True)
def no_sockets_no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a unit test that connects or starts a process. A socket pair, as asyncio wakes itself with, is allowed.

    Threads that were there before, such as the one that makes databases for other tests, go on with their work.
    """
    others = frozenset(threading.enumerate()) - {threading.current_thread()}
    for owner, name, what in _FORBIDDEN:
        refuse = _refusal(f"{owner.__name__}.{name}", what)
        monkeypatch.setattr(owner, name, _unless(others, getattr(owner, name), refuse))


def _unless(others: Collection[threading.Thread], allowed: Callable[..., Any], refuse: Callable[..., NoReturn]) -> Any:
    def decide(*args: object, **kwargs: object) -> Any:
        return (allowed if threading.current_thread() in others else refuse)(*args, **kwargs)

    return decide


def _refusal(name: str, what: str) -> Callable[..., NoReturn]:
    def refuse(*args: object, **kwargs: object) -> NoReturn:
        pytest.fail(f"a unit test wanted {what} ({name}); move it to tests/servers or tests/plugin, or use a value")

    return refuse
