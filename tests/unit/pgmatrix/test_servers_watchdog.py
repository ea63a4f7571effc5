"""The watchdog's decisions: what is undone at the end of its input, in which order, and that one failure stops no other."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from pgmatrix.servers import watchdog


@pytest.fixture
def undone(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a watchdog undoes, in order; a task of kind `broken` fails."""
    done: list[str] = []

    def undo(task: dict[str, Any]) -> None:
        if task["kind"] == "broken":
            raise OSError("cannot")
        done.append(task["add"])

    monkeypatch.setattr(watchdog, "undo", undo)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    return done


def told(monkeypatch: pytest.MonkeyPatch, *messages: dict[str, Any]) -> None:
    """Run the watchdog on these messages."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(json.dumps(one) + "\n" for one in messages)))
    watchdog.main()


def test_what_was_promised_and_not_withdrawn_is_undone_newest_first(
    undone: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of input the watchdog undoes what was added and not done, in reverse."""
    tasks = [{"add": name, "kind": "directory"} for name in "abc"]

    told(monkeypatch, *tasks, {"done": "b"}, {"done": "never added"})

    assert undone == ["c", "a"]


def test_what_is_forgotten_is_not_undone(undone: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """After `forget` only what comes later counts."""
    told(monkeypatch, {"add": "a", "kind": "x"}, {"forget": True}, {"add": "b", "kind": "x"})

    assert undone == ["b"]


def test_a_clean_up_that_fails_does_not_stop_the_others(
    undone: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failure is written to standard error, and the rest is undone."""
    told(monkeypatch, {"add": "a", "kind": "x"}, {"add": "b", "kind": "broken"}, {"add": "c", "kind": "x"})

    assert undone == ["c", "a"]
    assert capsys.readouterr().err == "pgmatrix watchdog: broken: cannot\n"


def test_a_folder_is_removed_with_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Undoing a directory ends what works in it and removes the tree; one that is gone is no error."""
    monkeypatch.setattr(watchdog, "_command_lines", lambda: iter(()))
    folder = tmp_path / "ours"
    (folder / "deep").mkdir(parents=True)
    task = {"kind": "directory", "path": str(folder)}

    watchdog.undo(task)
    watchdog.undo(task)

    assert list(tmp_path.iterdir()) == []


def test_only_what_works_in_the_folder_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process is ended when a word of its command line is the folder or lies in it; never we ourselves."""
    ended: list[int] = []
    lines = [
        (101, ["postgres", "-D", "/data/ours/data"]),
        (102, ["cp", "-R", "/cache/x", "/data/ours"]),
        (103, ["postgres", "-D", "/data/ours-too/data"]),
        (104, ["vi", "notes about /data/ours"]),
        (os.getpid(), ["/data/ours"]),
    ]
    monkeypatch.setattr(watchdog, "_command_lines", lambda: iter(lines))
    monkeypatch.setattr(watchdog, "start_time", lambda pid: "now")
    monkeypatch.setattr(watchdog, "end_process", lambda pid, started: ended.append(pid))

    watchdog.end_processes_in("/data/ours")

    assert ended == [101, 102]


@pytest.mark.parametrize("started", ["another time", ""])
def test_a_process_that_is_not_the_one_meant_is_left_alone(started: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that started at another time, or whose start is not known, gets no signal."""
    monkeypatch.setattr(os, "kill", lambda pid, number: pytest.fail("it got a signal"))

    watchdog.end_process(os.getpid(), started)

    assert watchdog.start_time(os.getpid()) not in ("", started)
