"""Owns the end of what a dead process left: a tiny program that waits for its parent to vanish and then cleans up.

Run as a script with nothing but the standard library. It reads one JSON object a line from standard input,
`{"add": id, "kind": ..., ...}` or `{"done": id}`; at end of file it undoes what was added and not done, newest first.
Nothing here decides what to clean: `guard.py` does.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any


def start_time(pid: int) -> str:
    """What tells this process from a later one of the same pid; empty where it is gone or cannot be told."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[19]
    except ProcessLookupError:  # it ended between opening and reading
        return ""
    except FileNotFoundError:
        pass
    found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def end_process(pid: int, started: str, grace: float = 1.0) -> None:
    """SIGQUIT (PostgreSQL's immediate shutdown), then SIGKILL for the whole process group after `grace` seconds."""
    if start_time(pid) != started or not started:
        return
    for number in (signal.SIGQUIT, signal.SIGKILL):
        try:
            whole = number is signal.SIGKILL and os.getpgid(pid) == pid
            (os.killpg if whole else os.kill)(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline:
            if start_time(pid) != started or _is_zombie(pid):
                return
            time.sleep(0.02)


def _is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def end_processes_in(folder: str) -> None:
    """End what was told on its command line to work in `folder`: a server, initdb, a copy, a download."""
    for pid, words in _command_lines():
        if pid != os.getpid() and any(word == folder or word.startswith(folder + "/") for word in words):
            end_process(pid, start_time(pid))


def _command_lines() -> Iterator[tuple[int, list[str]]]:
    if not os.path.isdir("/proc/self"):
        argv = ["ps", "-axww", "-o", "pid=,command="]
        for line in subprocess.run(argv, capture_output=True, text=True, check=False).stdout.splitlines():
            pid, *words = line.split()
            yield int(pid), words
        return
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                yield int(name), os.fsdecode(file.read()).split("\0")
        except (OSError, ValueError):
            continue


def remove_tree(folder: str, patience: float = 2.0) -> None:
    """Remove the tree at `folder`; again, for `patience` seconds, while somebody who is ending writes there."""
    deadline = time.monotonic() + patience
    shutil.rmtree(folder, ignore_errors=True)
    while os.path.lexists(folder) and time.monotonic() < deadline:
        time.sleep(0.02)
        shutil.rmtree(folder, ignore_errors=True)


def undo(task: dict[str, Any]) -> None:
    """Carry out one clean-up."""
    if task["kind"] == "process":
        end_process(task["pid"], task["started"])
    elif task["kind"] == "directory":
        end_processes_in(task["path"])
        remove_tree(task["path"])
    else:
        subprocess.run(task["argv"], input=task["input"], text=True, check=False, timeout=30)


def main() -> None:
    """Follow standard input to its end, then clean up. A failing clean-up does not stop the others.

    What our parent forked holds the pipe's other end too: the death of the parent, whose id is our argument, counts
    as the end.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    tasks: dict[str, dict[str, Any]] = {}
    parent = int(sys.argv[1])
    follower = threading.Thread(target=_follow, args=[tasks], daemon=True)
    follower.start()
    while follower.is_alive() and os.getppid() == parent:
        follower.join(0.5)
    follower.join(0.2)  # for what the parent said last
    for task in reversed(list(tasks.values())):
        try:
            undo(task)
        except (OSError, subprocess.SubprocessError) as error:
            sys.stderr.write(f"pgmatrix watchdog: {task['kind']}: {error}\n")
    os._exit(0)  # the follower may still wait for a line


def _follow(tasks: dict[str, dict[str, Any]]) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "add" in message:
            tasks[message["add"]] = message
        elif "forget" in message:
            tasks.clear()
        else:
            tasks.pop(message["done"], None)


if __name__ == "__main__":
    main()
