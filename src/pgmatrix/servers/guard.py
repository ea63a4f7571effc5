"""Owns the promise that nothing outlives us: registers with a watchdog process what must go if we die.

One watchdog per process, started at the first promise, in a session of its own so that a signal to our process
group does not reach it. What ends normally is withdrawn by whoever made it.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from pgmatrix.servers import watchdog

Withdraw = Callable[[], None]


class Guard:
    """Hands clean-ups to the watchdog. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._process: subprocess.Popen[str] | None = None

    def process(self, pid: int) -> Withdraw:
        """Kill process `pid` (a group leader) if we die."""
        return self._promise(kind="process", pid=pid, started=watchdog.start_time(pid))

    def directory(self, path: Path) -> Withdraw:
        """End what works in the tree at `path`, and remove it, if we die. It need not exist yet."""
        return self._promise(kind="directory", path=str(path))

    def command(self, argv: Sequence[str], text: str = "") -> Withdraw:
        """Run `argv` with `text` (which may hold secrets) on standard input if we die."""
        return self._promise(kind="command", argv=list(argv), input=text)

    def forget(self) -> None:
        """Withdraw everything and end the watchdog."""
        self._send({"forget": True})
        self.close()

    def close(self) -> None:
        """End the watchdog; it carries out what was not withdrawn, and is waited for."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait(timeout=60)

    def _promise(self, **task: object) -> Withdraw:
        identity = f"{os.getpid()}-{next(self._numbers)}"
        self._send({"add": identity, **task})
        return lambda: self._send({"done": identity})

    def _send(self, message: dict[str, object]) -> None:
        with self._lock:
            if self._process is None:
                self._process = _spawn()
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()


def _spawn() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", watchdog.__file__, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        cwd="/",
    )
