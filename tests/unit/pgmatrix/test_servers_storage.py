"""Where data lives: in memory where there is room, else on disk, and why; what dead owners left is found."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pgmatrix.errors import CacheError
from pgmatrix.servers import storage
from pgmatrix.servers.cache import Withdraw
from pgmatrix.servers.storage import NEEDED, SHARE, Place, choose_place, make_directory, mark_kept, sweep

ENOUGH = int(NEEDED / SHARE)


def promised(path: Path) -> Withdraw:
    """A promise that nobody needs to keep."""
    return lambda: None


def make(folder: Path) -> Path:
    """A folder of ours there."""
    return make_directory(Place(folder=folder, reason=""), promised)[0]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine with memory to spare and a temporary folder of its own."""
    monkeypatch.setattr(storage, "_MEMORY", Path("/memory"))
    monkeypatch.setattr(storage, "_is_tmpfs", lambda path: True)
    monkeypatch.setattr(storage, "_free", lambda path: ENOUGH)
    monkeypatch.setattr(storage, "_available_memory", lambda: ENOUGH)
    monkeypatch.setattr(storage.tempfile, "gettempdir", lambda: "/temporary")
    return monkeypatch


def test_memory_is_chosen_where_there_is_room(machine: pytest.MonkeyPatch) -> None:
    """With exactly the room that is wanted, data goes into memory."""
    assert choose_place(memory=True) == Place(folder=Path("/memory"), reason="in memory (/memory)")


def test_memory_can_be_switched_off(machine: pytest.MonkeyPatch) -> None:
    """Who does not want memory gets the disk, and that reason."""
    assert choose_place(memory=False).reason == "on disk (/temporary): memory is switched off"


def test_a_folder_that_is_not_in_memory_is_not_taken(machine: pytest.MonkeyPatch) -> None:
    """Where the usual folder is no memory file system, data goes to disk."""
    machine.setattr(storage, "_is_tmpfs", lambda path: False)

    assert choose_place(memory=True).reason == "on disk (/temporary): /memory is not in memory here"


@pytest.mark.parametrize("short", ["_free", "_available_memory"])
def test_too_little_room_means_disk(machine: pytest.MonkeyPatch, short: str) -> None:
    """Where the file system or the machine has less to spare than is wanted, data goes to disk, with both numbers."""
    machine.setattr(storage, short, lambda *path: ENOUGH - 1)

    place = choose_place(memory=True)

    assert place == Place(
        folder=Path("/temporary"),
        reason="on disk (/temporary): /memory has 1023 MB to spare, 1024 are wanted",
    )


def test_a_temporary_folder_with_a_long_name_is_not_taken(machine: pytest.MonkeyPatch) -> None:
    """A folder too deep for a socket is passed over."""
    machine.setattr(storage.tempfile, "gettempdir", lambda: "/" + "x" * 90)

    assert choose_place(memory=False).folder == Path("/tmp")  # noqa: S108 - nothing is written


def test_what_is_in_memory_is_read_from_the_mounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is in memory when it is writable and mounted as tmpfs itself."""
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != "/locked")
    mounts = "tmpfs /dev/shm tmpfs rw 0 0\n/dev/sda1 /data ext4 rw 0 0\ntmpfs /locked tmpfs rw 0 0\n"
    monkeypatch.setattr(Path, "read_text", lambda self, encoding: mounts)

    found = [storage._is_tmpfs(Path(path)) for path in ("/dev/shm", "/data", "/locked", "/dev")]  # noqa: S108

    assert found == [True, False, False, False]


def test_available_memory_is_what_the_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory to spare is the system's own estimate, in bytes; nothing where there is none."""
    texts = iter(["MemTotal: 9 kB\nMemAvailable:   2048 kB\n", "MemTotal: 9 kB\n"])
    monkeypatch.setattr(Path, "read_text", lambda self, encoding: next(texts))

    assert [storage._available_memory(), storage._available_memory()] == [2048 * 1024, 0]


def test_a_folder_names_its_owner(tmp_path: Path) -> None:
    """A new folder of ours can be entered by others and says which process it belongs to."""
    path = make(tmp_path)

    owner = json.loads((path / "owner.json").read_text(encoding="utf-8"))

    assert (path.parent, owner["pid"]) == (tmp_path, os.getpid())
    assert path.stat().st_mode & 0o777 == 0o755


def test_a_folder_is_promised_away_before_it_is_there(tmp_path: Path) -> None:
    """The promise to remove a folder is given before the folder is made, and is not withdrawn when it is."""
    seen: list[bool] = []

    def promise(path: Path) -> Withdraw:
        seen.append(path.exists())
        return lambda: seen.append(True)

    path, withdraw = make_directory(Place(folder=tmp_path, reason=""), promise)

    assert (path.is_dir(), seen) == (True, [False])
    withdraw()
    assert seen == [False, True]


def test_a_place_that_is_gone_is_not_explained_as_full(tmp_path: Path) -> None:
    """Only a full or locked disk is explained as such."""
    with pytest.raises(FileNotFoundError):
        make(tmp_path / "gone")


def test_a_place_that_cannot_be_written_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is an error that says what it was wanted for, and the promise to remove the folder is withdrawn."""
    withdrawn: list[Path] = []

    def promise(path: Path) -> Withdraw:
        return lambda: withdrawn.append(path)

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(CacheError) as error:
        make_directory(Place(folder=tmp_path, reason=""), promise)

    assert len(withdrawn) == 1
    assert error.value.wanted == f"cannot make room for a server in {tmp_path}: No space left on device"


def test_a_sweep_takes_what_the_dead_left_and_nothing_else(tmp_path: Path) -> None:
    """Folders whose owner is dead go; those of the living, kept ones, half-made ones and others' stay."""
    place = Place(folder=tmp_path, reason="")
    living, kept, half = make(tmp_path), make(tmp_path), make(tmp_path)
    mark_kept(kept)
    (half / "owner.json").write_text("{", encoding="utf-8")
    dead = make(tmp_path)
    (dead / "owner.json").write_text(json.dumps({"pid": os.getpid(), "started": "long ago"}), encoding="utf-8")
    (tmp_path / "other").mkdir()

    swept = sweep(place)

    assert swept == [str(dead)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([living.name, kept.name, half.name, "other"])


def test_a_sweep_leaves_another_users_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What belongs to another user is not ours to remove, though its owner be dead."""
    dead = make(tmp_path)
    (dead / "owner.json").write_text(json.dumps({"pid": 1, "started": "long ago"}), encoding="utf-8")
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)

    assert sweep(Place(folder=tmp_path, reason="")) == []
    assert dead.is_dir()


def test_a_sweep_ends_the_server_it_finds_running_there_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process is ended when its command line has the folder, so that a reused process id harms nobody."""
    ended: list[int] = []
    monkeypatch.setattr(storage, "end_process", lambda pid, started: ended.append(pid))
    monkeypatch.setattr(storage, "start_time", lambda pid: "now")
    monkeypatch.setattr(storage, "_runs_in", lambda pid, folder: pid == 4001)
    for pid in (4001, 4002):
        path = make(tmp_path)
        (path / "owner.json").write_text(json.dumps({"pid": 1, "started": "then"}), encoding="utf-8")
        (path / "data").mkdir()
        (path / "data" / "postmaster.pid").write_text(f"{pid}\n/data\n", encoding="utf-8")

    swept = sweep(Place(folder=tmp_path, reason=""))

    assert ended == [4001]
    assert len(swept) == 2


def test_a_process_is_known_by_its_command_line(tmp_path: Path) -> None:
    """The command line tells whether a process runs in a folder; a process that is gone does not."""
    assert not storage._runs_in(os.getpid(), tmp_path / "nowhere-at-all")
    assert not storage._runs_in(2**22 + 1, tmp_path)
