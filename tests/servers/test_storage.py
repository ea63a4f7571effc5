"""Folders of dead owners are swept with their servers; whatever else looks like them is left alone."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from pgmatrix.clients import connect
from pgmatrix.servers import storage
from pgmatrix.servers.cache import Withdraw
from pgmatrix.servers.guard import Guard
from pgmatrix.servers.protocol import Server
from pgmatrix.servers.storage import Place, choose_place
from pgmatrix.servers.watchdog import remove_tree
from tests.servers.ground import Ground, processes
from tests.servers.victims import victim

DEAD = {"pid": 2**22 + 1, "started": "1"}


def test_an_orphan_is_swept(ground: Ground, project: Path) -> None:
    """A server whose owner and watchdog were killed together is ended by the next sweep, and its folder removed."""
    with victim(project, ground.environ) as owner:
        owner.wait()
        for pid, _ in [row for row in processes(str(ground.folder)) if "watchdog.py" in row[1]]:
            os.kill(pid, signal.SIGKILL)
        owner.kill()
    place = Place(folder=ground.data, reason="a test")
    orphans = ground.leftovers()
    swept = storage.sweep(place)

    assert len(swept) == 1, orphans
    assert len(orphans) > 1
    assert ground.has_nothing_left(), ground.leftovers()
    assert storage.sweep(place) == []


def test_what_is_not_an_orphan_is_left_alone(ground: Ground, server: Server) -> None:
    """A living owner's folder, one kept for a person, and a server that a stale pid file points at are not touched."""
    living, withdraw = storage.make_directory(Place(folder=ground.data, reason="a test"), lambda _: lambda: None)
    kept, _ = storage.make_directory(Place(folder=ground.data, reason="a test"), lambda _: lambda: None)
    storage.mark_kept(kept)
    stale = ground.data / "pgmatrix-stale"
    (stale / "data").mkdir(parents=True)
    (stale / "owner.json").write_text(json.dumps(DEAD))
    foreign = Path(server.host).parent / "data" / "postmaster.pid"
    (stale / "data" / "postmaster.pid").write_text(foreign.read_text())
    swept = storage.sweep(Place(folder=ground.data, reason="a test"))
    client = connect(server)
    answer = client.execute("select 1")
    client.close()
    withdraw()
    left = sorted(ground.data.iterdir())
    for path in left:
        remove_tree(str(path))

    assert swept == [str(stale)]
    assert answer == [(1,)]
    assert left == sorted([living, kept])


def test_a_folder_is_promised_before_it_exists(ground: Ground, guard: Guard) -> None:
    """The watchdog is told of a folder before there is one, so that no moment is without a promise."""
    seen: list[bool] = []

    def promise(path: Path) -> Withdraw:
        seen.append(path.exists())
        return guard.directory(path)

    path, withdraw = storage.make_directory(Place(folder=ground.data, reason="a test"), promise)
    withdraw()
    remove_tree(str(path))

    assert seen == [False]


def test_where_data_goes(monkeypatch: pytest.MonkeyPatch, ground: Ground) -> None:
    """Data goes to memory where that is wanted and to the temporary folder where it is switched off, and says so."""
    monkeypatch.setattr("tempfile.tempdir", str(ground.data))
    disk = choose_place(memory=False)
    chosen = choose_place(memory=True)

    assert (disk.folder, disk.reason) == (ground.data, f"on disk ({ground.data}): memory is switched off")
    assert chosen.reason.startswith(("in memory (/dev/shm)", f"on disk ({ground.data}): /dev/shm "))


def test_a_long_temporary_folder_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A temporary folder whose path is too long for a socket gives way to /tmp."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("x" * 100)))

    assert str(choose_place(memory=False).folder) == "/tmp"  # noqa: S108 (the fallback of the module)
