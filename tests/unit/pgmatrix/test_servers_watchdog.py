"""The watchdog's decisions: what it ends and removes, and what it leaves alone."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from pgmatrix.servers import watchdog


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


@pytest.mark.parametrize("look", [watchdog.start_time, watchdog._is_zombie])
def test_what_cannot_be_read_any_more_is_no_error(look: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends between opening and reading is gone."""

    class Gone(io.StringIO):
        def read(self, *_: Any) -> str:
            raise ProcessLookupError(3, "No such process")

    monkeypatch.setattr(watchdog, "open", lambda *_, **__: Gone(), raising=False)

    assert not look(os.getpid())
