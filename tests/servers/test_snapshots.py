"""Snapshots: built once, kept with the server's data, and complete whoever is killed while they are built."""

from __future__ import annotations

import contextlib
from pathlib import Path

from pgmatrix.clients import connect
from pgmatrix.databases.database import Database
from pgmatrix.databases.names import clone_name
from pgmatrix.databases.stock import clone
from tests.servers.ground import Ground, processes, until
from tests.servers.project import TEMPLATE, write_project
from tests.servers.victims import Victim, victim

COUNTING = TEMPLATE.replace("def build(database):\n", "def build(database):\n    open('built', 'a').write('once\\n')\n")


def _things(owner: Victim) -> list[tuple[object, ...]]:
    facts = owner.facts
    name = clone_name(facts["token"], "gw0", 0)
    admin = connect(owner.server)
    clone(admin, name, facts["template"])
    admin.close()
    client = connect(owner.server, database=Database(name=name, server=owner.server).name)
    rows = client.execute("select id, name from thing order by id")
    client.close()
    return rows


def _entries(ground: Ground) -> list[str]:
    return sorted(path.name for path in ground.cache.glob("clusters/[!.]*"))


def test_a_snapshot_is_built_once_and_reused(ground: Ground, tmp_path: Path) -> None:
    """A second session copies what the first has built; a changed source or setting gives another template."""
    write_project(tmp_path, template=COUNTING)
    with victim(tmp_path, ground.environ) as first:
        before = _things(first.wait())
        first.end()
    with victim(tmp_path, ground.environ) as second:
        after = _things(second.wait())
        second.end()
    built = (tmp_path / "built").read_text().count("once")
    write_project(tmp_path, template=COUNTING.replace("series(1, 3)", "series(1, 5)"))
    with victim(tmp_path, ground.environ) as third:
        changed = _things(third.wait())
        third.end()

    assert before == after == [(n, f"thing {n}") for n in (1, 2, 3)]
    assert built == 1
    assert first.facts["template"] == second.facts["template"] != third.facts["template"]
    assert len(changed) == 5
    assert len(_entries(ground)) == 3


def test_ten_builders_race_and_one_is_killed(ground: Ground, tmp_path: Path) -> None:
    """Of ten sessions that want one template the builder is killed: nine get it whole, nothing private stays."""
    write_project(tmp_path, template=COUNTING)
    with contextlib.ExitStack() as stack:
        owners = [stack.enter_context(victim(tmp_path, ground.environ)) for _ in range(10)]
        reached = until(lambda: (tmp_path / "built").exists(), 30, pause=0.005)
        builders = [pid for pid, words in processes(str(ground.folder)) if words.endswith("databases.build")]
        killed = next(owner for owner in owners if owner.process.pid in map(_parent, builders))
        killed.kill()
        others = [owner.wait() for owner in owners if owner is not killed]
        things = [_things(owner) for owner in others]
        codes = [owner.end() for owner in others]

    assert reached
    assert len({owner.facts["template"] for owner in others}) == 1
    assert things == [[(n, f"thing {n}") for n in (1, 2, 3)]] * 9
    assert codes == [0] * 9
    assert (tmp_path / "built").read_text().count("once") == 2
    assert len(_entries(ground)) == 2
    assert ground.has_nothing_left(), ground.leftovers()


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
