"""The cache: an entry is complete or absent, damage is found, and what the file system refuses is explained."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from pathlib import Path

import pytest

from pgmatrix.errors import CacheError
from pgmatrix.servers.cache import Cache, Withdraw, cache_root, explained

KEY = "pg16-abc"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """An empty cache in a folder that does not exist yet."""
    return Cache(tmp_path / "cache", "builds")


def build(cache: Cache, key: str = KEY, text: str = "data") -> Path:
    """An entry of two files, one of them in a folder."""
    with cache.building(key) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_text(text, encoding="utf-8")
        (folder / "top").write_text("x", encoding="utf-8")
    return cache.path(key)


def names(cache: Cache) -> list[str]:
    """What lies in the cache's folder."""
    return sorted(path.name for path in cache.folder.iterdir())


def test_an_entry_appears_when_it_is_complete(cache: Cache) -> None:
    """While an entry is built nobody sees it; when the block has ended it is there, and nothing else is."""
    with cache.building(KEY) as folder:
        (folder / "file").write_text("x", encoding="utf-8")
        before = (cache.has(KEY), cache.path(KEY).exists())

    assert before == (False, False)
    assert cache.has(KEY)
    assert names(cache) == [KEY]
    assert cache.verify(KEY) == cache.path(KEY)


def test_an_entry_that_failed_leaves_nothing(cache: Cache) -> None:
    """When the block raises, no entry and no private folder is left, and the error arrives unchanged."""
    with pytest.raises(RuntimeError, match="half way"), cache.building(KEY) as folder:
        (folder / "file").write_text("x", encoding="utf-8")
        raise RuntimeError("half way")

    assert names(cache) == []


def test_an_entry_can_be_entered_by_others(cache: Cache) -> None:
    """The folder is open to the account that PostgreSQL runs as."""
    assert build(cache).stat().st_mode & 0o777 == 0o755


def test_an_unfinished_entry_is_promised_away(tmp_path: Path) -> None:
    """From before its folder exists until after it is an entry or gone, somebody else has promised to remove it."""
    told: list[str] = []

    def promise(path: Path) -> Withdraw:
        told.append(f"promised, {path.exists()}")
        return lambda: told.append(f"withdrawn, {path.exists()}")

    cache = Cache(tmp_path, "builds", promise)
    build(cache)
    with pytest.raises(RuntimeError, match="oops"), cache.building("other"):
        raise RuntimeError("oops")

    assert told == ["promised, False", "withdrawn, False"] * 2


def test_the_first_of_two_builders_wins(cache: Cache) -> None:
    """Two may build the same entry at once: the one that ends first is kept, and the other ends without error."""
    with cache.building(KEY) as folder:
        (folder / "file").write_text("second", encoding="utf-8")
        build(cache, text="first")

    assert (cache.path(KEY) / "sub" / "file").read_text(encoding="utf-8") == "first"
    assert names(cache) == [KEY]


def test_a_folder_without_manifest_in_its_place_is_an_error(cache: Cache) -> None:
    """What is left of an entry whose removal was cut short is not used, not overwritten, and said to be damaged."""
    path = build(cache)
    (path / "pgmatrix-manifest.json").unlink()

    with pytest.raises(CacheError) as error:
        build(cache)

    assert str(error.value) == (f"cache entry {path} is damaged: it has no manifest\n  do    remove it: rm -r {path}")
    assert names(cache) == [KEY]


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: (path / "top").unlink(), "it should hold 2 files of 5 bytes and holds 1 files of 4 bytes"),
        (
            lambda path: (path / "top").write_text("xyz"),
            "it should hold 2 files of 5 bytes and holds 2 files of 7 bytes",
        ),
        (lambda path: (path / "new").touch(), "it should hold 2 files of 5 bytes and holds 3 files of 5 bytes"),
        (lambda path: shutil.rmtree(path / "sub"), "it should hold 2 files of 5 bytes and holds 1 files of 1 bytes"),
        (lambda path: (path / "pgmatrix-manifest.json").write_text("{"), "its manifest cannot be read: Expecting"),
        (lambda path: (path / "pgmatrix-manifest.json").write_text("[]"), "its manifest is not one"),
        (lambda path: (path / "pgmatrix-manifest.json").unlink(), "its manifest cannot be read: [Errno 2]"),
    ],
)
def test_damage_is_found(cache: Cache, damage: object, why: str) -> None:
    """A file that is gone, new or of another size, or an unreadable manifest, makes an entry unusable."""
    path = build(cache)
    damage(path)  # type: ignore[operator]

    with pytest.raises(CacheError) as error:
        cache.verify(KEY)

    assert error.value.wanted.startswith(f"cache entry {path} is damaged: {why}")
    assert error.value.do_next == f"remove it: rm -r {path}"


def test_links_are_counted_and_not_followed(cache: Cache, tmp_path: Path) -> None:
    """A link in an entry counts as itself, wherever it leads."""
    with cache.building(KEY) as folder:
        (folder / "link").symlink_to(tmp_path, target_is_directory=True)

    found = json.loads((cache.path(KEY) / "pgmatrix-manifest.json").read_text(encoding="utf-8"))

    assert found["files"] == 1
    assert cache.verify(KEY)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "free some room on the file system of {0}, or set PGMATRIX_CACHE to another folder"),
        (errno.EDQUOT, "free some room on the file system of {0}, or set PGMATRIX_CACHE to another folder"),
        (errno.EROFS, "make {0} writable, or set PGMATRIX_CACHE to a folder that is"),
        (errno.EACCES, "make {0} writable, or set PGMATRIX_CACHE to a folder that is"),
        (errno.EPERM, "make {0} writable, or set PGMATRIX_CACHE to a folder that is"),
    ],
)
def test_a_full_or_locked_disk_is_explained(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, code: int, advice: str
) -> None:
    """A folder that cannot be made is an error that names it, says why, and what to do."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "mkdir", refuse)
    for attempt in (cache.building, cache.locked):
        with pytest.raises(CacheError) as error, attempt(KEY):
            pass

        assert error.value.wanted == f"cannot write to the cache in {cache.folder}: {os.strerror(code)}"
        assert error.value.do_next == advice.format(cache.folder)


def test_a_disk_that_fills_while_building_is_explained_and_leaves_nothing(cache: Cache) -> None:
    """Running out of room in the middle is explained like at the start, and what was written goes away."""
    with pytest.raises(CacheError, match="No space left on device"), cache.building(KEY) as folder:
        (folder / "file").write_text("x", encoding="utf-8")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert names(cache) == []


def test_other_errors_are_not_explained_away(tmp_path: Path) -> None:
    """An error that has nothing to do with room or rights arrives as it is."""
    with pytest.raises(IsADirectoryError), explained(tmp_path, "read"):
        tmp_path.read_bytes()


def test_a_lock_keeps_others_out_while_it_is_held(cache: Cache) -> None:
    """While the lock of a key is held nobody else gets it; other keys and the time after are free."""

    def is_free(key: str) -> bool:
        with (cache.folder / f".{key}.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    with cache.locked(KEY):
        during = (is_free(KEY), is_free("other"))

    assert during == (False, True)
    assert is_free(KEY)


def test_a_lock_is_given_back_after_an_error(cache: Cache) -> None:
    """A block that raises does not keep its lock."""
    with pytest.raises(RuntimeError, match="oops"), cache.locked(KEY):
        raise RuntimeError("oops")

    with cache.locked(KEY):
        assert (cache.folder / f".{KEY}.lock").is_file()


def test_sweeping_removes_what_dead_builders_left_and_nothing_else(cache: Cache) -> None:
    """A sweep takes the private folders of its key, and leaves entries, locks and other keys alone."""
    build(cache)
    for private in (f".{KEY}.dead", ".other.dead"):
        (cache.folder / private / "deep").mkdir(parents=True)
    with cache.locked(KEY):
        cache.sweep(KEY)

    assert names(cache) == [".other.dead", f".{KEY}.lock", KEY]


def test_removing_is_safe_twice(cache: Cache) -> None:
    """A removed entry is absent, and removing it again is no error."""
    build(cache)
    cache.remove(KEY)
    cache.remove(KEY)

    assert not cache.has(KEY)


@pytest.mark.parametrize(("keep", "left"), [(5, ["a", "b", "c"]), (2, ["a", "c"]), (0, [])])
def test_pruning_keeps_what_was_used_last(cache: Cache, keep: int, left: list[str]) -> None:
    """Of all entries the given number stays, those that were verified last; private folders are not counted."""
    for age, key in enumerate(("a", "b", "c")):
        os.utime(build(cache, key), (1000 + age, 1000 + age))
    (cache.folder / ".a.private").mkdir()
    cache.verify("a")
    cache.prune(keep)

    assert [name for name in names(cache) if not name.startswith(".")] == left
    assert ".a.private" in names(cache)


def test_an_entry_of_a_cache_that_cannot_be_written_is_still_read(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that cannot be marked as used is used all the same."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    build(cache)
    monkeypatch.setattr(os, "utime", refuse)

    assert cache.verify(KEY) == cache.path(KEY)


@pytest.mark.parametrize(
    ("setting", "uid", "environ", "folder"),
    [
        ("", 1000, {}, "/home/me/.cache/pgmatrix"),
        ("", 1000, {"XDG_CACHE_HOME": "/fast"}, "/fast/pgmatrix"),
        ("", 0, {"XDG_CACHE_HOME": "/fast"}, "/var/cache/pgmatrix"),
        ("~/mine", 0, {}, "/home/me/mine"),
        ("/shared", 1000, {}, "/shared"),
    ],
)
def test_the_cache_is_where_its_user_expects_it(
    monkeypatch: pytest.MonkeyPatch, setting: str, uid: int, environ: dict[str, str], folder: str
) -> None:
    """The setting comes first; else root has /var/cache, which others may enter, and a user has the user's own."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for name, value in {"HOME": "/home/me", **environ}.items():
        monkeypatch.setenv(name, value)

    assert cache_root(setting) == Path(folder)


def test_a_relative_setting_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A relative folder is meant from where the run was started."""
    monkeypatch.chdir(tmp_path)

    assert cache_root("here") == tmp_path / "here"
