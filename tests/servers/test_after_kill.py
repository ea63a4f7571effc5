"""What is left five seconds after the owner of a server was killed with SIGKILL, whatever it was doing: nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.ground import Ground, processes, until
from tests.servers.victims import victim

Moment = Callable[[Ground], object]
MOMENTS: dict[str, Moment] = {
    "initdb begins": lambda ground: list(ground.cache.glob("clusters/.initdb-*.*/")),
    "initdb runs": lambda ground: list(ground.cache.glob("clusters/.initdb-*/data/base")),
    "the folder is made": lambda ground: list(ground.data.glob("pgmatrix-*")),
    "a cluster is copied": lambda ground: list(ground.data.glob("pgmatrix-*/data/base")),
    "the server starts": lambda ground: list(ground.data.glob("pgmatrix-*/stderr")),
    "the server runs": lambda ground: list(ground.data.glob("pgmatrix-*/data/postmaster.pid")),
    "the template is built": lambda ground: [
        words for _, words in processes(str(ground.folder)) if words.endswith("pgmatrix.databases.build")
    ],
    "a cluster is kept": lambda ground: [
        path for path in ground.cache.glob("clusters/.*/data/base") if "initdb" not in str(path)
    ],
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_nothing_is_left_of_a_start(ground: Ground, project: Path, moment: str) -> None:
    """Killed in the middle of getting a server, an owner leaves no process, no data folder and no half cache entry."""
    with victim(project, ground.environ) as owner:
        until(lambda: MOMENTS[moment](ground) or owner.process.poll() is not None, 20.0, pause=0.001)
        running = owner.process.poll() is None
        owner.kill()

    assert running
    assert ground.has_nothing_left(), ground.leftovers()


def test_nothing_is_left_of_a_ready_server(ground: Ground, project: Path) -> None:
    """Killed while its server is idle, and while it clones, an owner leaves no process and no folder."""
    with victim(project, ground.environ) as idle, victim(project, ground.environ) as cloning:
        idle.wait()
        cloning.wait().tell("clone")
        clones = [cloning.line() for _ in range(3)]
        running = ground.leftovers()
        idle.kill()
        cloning.kill()

    assert all(name.startswith("pgmx_c_") for name in clones)
    assert len([path for path in running if not path.startswith("process")]) == 2
    assert ground.has_nothing_left(), ground.leftovers()


def test_a_good_end_leaves_nothing_but_the_cache(ground: Ground, project: Path) -> None:
    """An owner that ends well leaves two complete cache entries, the empty cluster and the one with the template."""
    with victim(project, ground.environ) as owner:
        owner.wait()
        code = owner.end()

    assert code == 0
    assert not ground.leftovers()
    entries = sorted(path.name for path in ground.cache.glob("clusters/[!.]*"))
    assert len(entries) == 2
    assert all((ground.cache / "clusters" / name / "pgmatrix-manifest.json").is_file() for name in entries)
