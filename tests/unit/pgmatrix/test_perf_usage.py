"""What a measurement costs: what cannot be seen is None, never zero."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pgmatrix.perf import usage


def test_this_process_alone() -> None:
    """Without a server there are only the client's figures."""
    spent, held = usage.spent(None, before=True), usage.held(None)

    assert spent.client > 0
    assert held.client is not None
    assert held.client > 1
    assert (spent.server, held.server) == (None, None)


def test_a_server_that_does_not_run_here() -> None:
    """No process has that title: the server is on another host, or its processes are hidden."""
    assert usage.process_behind(1, "198.51.100.1(1)") is None
    assert usage.postmaster_behind(1, "198.51.100.1(1)") is None


def test_a_process_that_is_gone_costs_nothing_known() -> None:
    """Not zero: it is not known."""
    assert usage.spent(999_999_999, before=False).server is None
    assert usage.held(999_999_999).server is None


def test_who_ends_meanwhile_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend whose time has gone over to the first process: neither lost nor doubled."""
    monkeypatch.setattr(usage, "PROC", tmp_path)
    children = tmp_path / "10" / "task" / "10" / "children"
    children.parent.mkdir(parents=True)
    children.write_text("11 12 ")
    _stat(tmp_path, 10, own=1, ended=2)
    _stat(tmp_path, 11, own=40)
    _stat(tmp_path, 12, own=500)
    read = usage._ticks

    def ending(pid: int, *, ended: bool) -> int:
        found = read(pid, ended=ended)
        if pid == 11 and children.read_text() == "11 12 ":
            children.write_text("11 ")
            _stat(tmp_path, 10, own=1, ended=502)
            (tmp_path / "12" / "stat").unlink()
        return found

    monkeypatch.setattr(usage, "_ticks", ending)

    assert usage.spent(10, before=True).server == pytest.approx((1 + 502 + 40) / usage.TICK)


def _stat(proc: Path, pid: int, *, own: int, ended: int = 0) -> None:
    """Clock ticks as /proc/PID/stat has them, in fields 14 to 17."""
    (proc / str(pid)).mkdir(exist_ok=True)
    text = f"{pid} (post gres) S {' '.join(['0'] * 10)} {own} 0 {ended} 0 0"
    (proc / str(pid) / "stat").write_text(text)


def test_a_program_of_the_same_build(tmp_path: Path) -> None:
    """The program beside the one that runs, if it is there."""
    beside = usage.binary_beside(os.getpid(), Path(f"/proc/{os.getpid()}/exe").readlink().name)

    assert beside is not None
    assert beside.is_file()
    assert usage.binary_beside(os.getpid(), f"not-{tmp_path.name}") is None
    assert usage.binary_beside(999_999_999, "psql") is None
    assert usage.binary_beside(None, "psql") is None
