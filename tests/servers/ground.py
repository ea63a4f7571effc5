"""What tests of real servers stand on: a private ground for data and cache, bounded waiting, and finding leftovers.

Starts no server itself.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pgmatrix.clients import installed_drivers
from pgmatrix.matrix import Cell
from pgmatrix.servers.cache import cache_root
from pgmatrix.servers.embedded import EmbeddedProvider
from pgmatrix.servers.guard import Guard
from pgmatrix.servers.protocol import ServerSpec
from pgmatrix.servers.tuning import settings_for

MAJORS = (15, 16, 18)
DRIVER = installed_drivers()[0]
CELL = Cell(major=16, driver=DRIVER)
SOURCE = Path(sys.modules["pgmatrix"].__file__ or "").parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A folder of this test's own, which the account PostgreSQL runs as may enter: data below `data`, cache beside."""

    folder: Path

    @property
    def data(self) -> Path:
        """Where servers put their folders."""
        return self.folder / "t"

    @property
    def cache(self) -> Path:
        """A cache of its own: no cluster in it yet, and the builds that were fetched once for all tests."""
        return self.folder / "c"

    @property
    def environ(self) -> dict[str, str]:
        """What makes a process of ours stay on this ground."""
        modules = [str(SOURCE), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        python = os.pathsep.join(str(Path(folder).absolute()) for folder in modules)
        paths = {"TMPDIR": str(self.data), "PGMATRIX_CACHE": str(self.cache), "PYTHONPATH": python}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PGMATRIX_")}
        return kept | paths | {"PGMATRIX_MEMORY": "no", "PGMATRIX_PROVIDER": "embedded"}

    def leftovers(self) -> list[str]:
        """Servers' folders, private cache folders, and processes that work on this ground."""
        folders = [*self.data.glob("pgmatrix-*"), *self.cache.glob("clusters/.*")]
        found = [str(path) for path in folders if path.is_dir()]
        return found + [f"process {pid}: {text}" for pid, text in processes(str(self.folder))]

    def has_nothing_left(self, seconds: float = 5.0) -> bool:
        """Whether nothing is left of what ran here, or will be within `seconds`."""
        return until(lambda: not self.leftovers(), seconds)


@contextmanager
def ground() -> Iterator[Ground]:
    """A Ground that is removed at the end. In memory where there is some."""
    memory = Path("/dev/shm")  # noqa: S108 (tried first, because it is fast)
    disk = Path(tempfile.gettempdir() if os.geteuid() else "/tmp")  # noqa: S108 (open to all, unlike root's own)
    parent = memory if os.access(memory, os.W_OK) else disk
    made = Ground(folder=Path(tempfile.mkdtemp(prefix="ground-", dir=parent)))
    made.folder.chmod(0o755)
    made.data.mkdir(mode=0o755)
    made.cache.mkdir(mode=0o755)
    (made.cache / "builds").symlink_to(fetched_builds())
    try:
        yield made
    finally:
        shutil.rmtree(made.folder)


def fetched_builds() -> Path:
    """The folder of the default cache that holds every major's build, fetched now if it must be."""
    guard = Guard()
    provider = EmbeddedProvider(cache=cache_root(), guard=guard)
    for major in MAJORS:
        provider.installation(Cell(major=major, driver=DRIVER))
    guard.close()
    return cache_root() / "builds"


def spec_for(
    cell: Cell, settings: Mapping[str, str] | None = None, connections: int = 20, **changes: object
) -> ServerSpec:
    """The order of a small server."""
    values = {"settings": settings_for(cell.major, settings or {}, connections), "connections": connections}
    return ServerSpec(cell=cell, **(values | changes))  # type: ignore[arg-type]


def until(condition: Callable[[], object], seconds: float = 5.0, pause: float = 0.02) -> bool:
    """Whether `condition` came true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def processes(text: str) -> list[tuple[int, str]]:
    """The processes with `text` in their command line or environment, except this one: id and command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            known = text in words or text.encode() in (folder / "environ").read_bytes()
        except OSError:
            continue
        if known and words and int(folder.name) != os.getpid():
            found.append((int(folder.name), words))
    return found
