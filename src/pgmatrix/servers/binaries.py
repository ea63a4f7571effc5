"""Owns finding a PostgreSQL installation of one major: what the machine has, else the wheels.

An installed PostgreSQL is used only when it holds every extension the project wants.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pgmatrix.errors import Attempt
from pgmatrix.servers import wheels
from pgmatrix.servers.cache import Cache

_PLACES = (
    "/usr/lib/postgresql/{major}/bin",
    "/usr/pgsql-{major}/bin",
    "/usr/lib/postgresql{major}/bin",
    "/opt/homebrew/opt/postgresql@{major}/bin",
    "/usr/local/opt/postgresql@{major}/bin",
)


@dataclass(frozen=True, kw_only=True)
class Installation:
    """PostgreSQL programs in `bin`. `origin` says where they come from, `identity` tells this build from others."""

    major: int
    bin: Path
    origin: str
    identity: str

    @cached_property
    def extension_files(self) -> frozenset[str]:
        """The names of the extensions it offers."""
        return frozenset(path.stem for path in _extension_folder(self.bin, self.major).glob("*.control"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What was found for a major: an installed one, or the wheel to fetch, or neither; and what was refused."""

    installed: Installation | None
    wheel: wheels.WheelBuild | None
    refused: tuple[Attempt, ...]


def search(major: int, extensions: Sequence[str]) -> Search:
    """Look for `major` with `extensions`, fetching nothing."""
    refused: list[Attempt] = []
    for folder in _candidates(major):
        installation = _inspect(folder, major)
        if installation is None:
            continue
        missing = sorted(set(extensions) - installation.extension_files)
        if not missing:
            return Search(installed=installation, wheel=None, refused=tuple(refused))
        refused.append(Attempt(what=f"PostgreSQL {major} in {folder}", why=f"has no extension {', '.join(missing)}"))
    build = wheels.wheel_build(major)
    if build is not None and build.file() is None:
        refused.append(Attempt(what=f"the wheel {build.requirement}", why="has no build for this platform"))
        build = None
    elif build is None:
        known = ", ".join(str(b.major) for b in wheels.BUILDS)
        refused.append(Attempt(what="wheels", why=f"none is known to hold PostgreSQL {major} (known: {known})"))
    return Search(installed=None, wheel=build, refused=tuple(refused))


def provide(found: Search, cache: Cache) -> Installation:
    """The installation that `found` promises, fetched if need be. Raises CacheError or ServerStartFailed."""
    if found.installed is not None:
        return found.installed
    assert found.wheel is not None
    file = found.wheel.file()
    assert file is not None
    prefix = wheels.install(found.wheel, file, cache)
    return Installation(
        major=found.wheel.major,
        bin=prefix / "bin",
        origin=f"wheel {found.wheel.requirement}",
        identity=wheels.key(found.wheel, file),
    )


def _candidates(major: int) -> Iterator[Path]:
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    for pattern in _PLACES:
        yield from map(Path, [pattern.format(major=major)])


def _inspect(folder: Path, major: int) -> Installation | None:
    if not all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb")):
        return None
    version = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"\b(\d+)\.(\d+)", version)
    if match is None or int(match[1]) != major:
        return None
    program = (folder / "postgres").stat()
    identity = f"{folder}-{version.strip()}-{program.st_size}-{program.st_mtime_ns}"
    return Installation(
        major=major,
        bin=folder,
        origin=f"installed in {folder}",
        identity=f"pg{match[0]}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}",
    )


def _extension_folder(folder: Path, major: int) -> Path:
    """Where the control files are: as pg_config says; Debian's server package has none, and puts them in /usr/share."""
    if os.access(folder / "pg_config", os.X_OK):
        found = subprocess.run([folder / "pg_config", "--sharedir"], capture_output=True, text=True, check=False)
        return Path(found.stdout.strip()) / "extension"
    return Path(f"/usr/share/postgresql/{major}/extension")
