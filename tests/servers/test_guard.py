"""The watchdog: a promise is carried out when its owner ends without withdrawing it, and not otherwise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pgmatrix.servers import watchdog
from pgmatrix.servers.guard import Guard
from pgmatrix.servers.watchdog import start_time
from tests.servers.ground import SOURCE, processes, until

OWNER = """
import os, sys, time
from pathlib import Path
from pgmatrix.servers.guard import Guard

guard = Guard()
guard.directory(Path(sys.argv[1]))
if os.fork() == 0:
    time.sleep(30)
print("ready", flush=True)
time.sleep(30)
"""


def test_what_was_not_withdrawn_is_undone(tmp_path: Path) -> None:
    """Closing a guard ends the process, runs the command and removes the folder that were not withdrawn; no others."""
    guard = Guard()
    sleepers = [subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(2)]
    for name in ("left", "withdrawn"):
        (tmp_path / name / "inner").mkdir(parents=True)
    guard.directory(tmp_path / "left")
    guard.directory(tmp_path / "withdrawn")()
    guard.process(sleepers[0].pid)
    guard.process(sleepers[1].pid)()
    guard.command(["tee", str(tmp_path / "told")], "the secret")
    guard.close()
    alive = [one.poll() is None for one in sleepers]
    sleepers[1].kill()
    codes = [one.wait() for one in sleepers]

    assert alive == [False, True]
    assert codes[0] == -signal.SIGQUIT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["told", "withdrawn"]
    assert (tmp_path / "told").read_text() == "the secret"


def test_a_forgotten_promise_is_kept_by_nobody(tmp_path: Path) -> None:
    """After `forget` the guard's folder stays: somebody wants to look at it."""
    guard = Guard()
    guard.directory(tmp_path)
    guard.forget()

    assert tmp_path.exists()


def test_a_process_of_the_same_number_is_spared() -> None:
    """A process that took the number of one that has ended is not ours, and lives."""
    guard = Guard()
    sleeper = subprocess.Popen(["sleep", "60"], start_new_session=True)
    guard._promise(kind="process", pid=sleeper.pid, started="12345")
    guard.close()
    alive = sleeper.poll() is None
    sleeper.kill()
    sleeper.wait()

    assert alive


def test_a_stubborn_process_is_killed() -> None:
    """A process that ignores the polite signal is killed with its whole group."""
    guard = Guard()
    script = "trap '' QUIT; echo ready; sleep 60; sleep 60"
    stubborn = subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    guard.process(stubborn.pid)
    guard.close()
    stubborn.stdout.close()

    assert stubborn.wait(5) == -signal.SIGKILL


def test_a_forked_child_does_not_keep_the_watchdog_waiting(tmp_path: Path) -> None:
    """Killed while a child it forked lives on with all its pipes, an owner's promises are carried out all the same."""
    folder = tmp_path / "folder"
    folder.mkdir()
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert owner.stdout is not None
    owner.stdout.readline()
    owner.kill()
    owner.wait()
    gone = until(lambda: not folder.exists())
    children = [pid for pid, words in processes(str(folder)) if start_time(pid)]
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    owner.stdout.close()

    assert gone


def test_a_process_that_ends_while_it_is_looked_at_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel refuses to read what it has just opened: nothing is left to be ended, and nothing goes wrong."""
    child = subprocess.Popen(["sleep", "60"])
    started = watchdog.start_time(child.pid)
    opened = open

    def vanishing(path: str, **how: Any) -> Any:
        file = opened(path, **how)
        if path == f"/proc/{child.pid}/stat" and child.poll() is None:
            child.kill()
            child.wait()
        return file

    monkeypatch.setattr(watchdog, "open", vanishing, raising=False)

    watchdog.end_process(child.pid, started)

    assert watchdog.start_time(child.pid) == ""
    assert not watchdog._is_zombie(child.pid)
