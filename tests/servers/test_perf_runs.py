"""`pgmatrix perf` on real servers: a run is recorded whatever happens in it, and what went wrong is never a pass."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pgmatrix.clients import installed_drivers
from pgmatrix.perf import results
from pgmatrix.perf.results import Kind, Outcome, PerfRun, Word
from tests.servers.ground import SOURCE, Ground, until
from tests.servers.project import write_project

CELL = f"pg16-{installed_drivers()[0]}"
# The smallest project with workloads: one statement through a layer of its own and by the driver, and what goes wrong.
OFFER = """
import asyncio, os, signal

from pgmatrix.errors import PgMatrixError
from pgmatrix.perf.contender import Looped
from pgmatrix.perf.results import Role

TROUBLE = {trouble!r}
SLICES = []


class Work(Looped):
    __slots__ = ("directory",)

    @property
    def once(self):
        return self.work

    async def work(self, client):
        await asyncio.sleep(0.001 if self.variant == "bare" else 0.003)
        if len(SLICES) > 2 and self.workload == "odd" and self.variant == "layer":
            if TROUBLE == "errors":
                raise RuntimeError("it does not work")
            if TROUBLE == "server":
                os.kill(int(open(self.directory + "/postmaster.pid").readline()), signal.SIGKILL)
                raise RuntimeError("the server is gone")
            if TROUBLE == "process":
                os._exit(7)

    def forked(self):
        if TROUBLE == "load":
            raise RuntimeError("no load")

    async def slice(self, clients, seconds):
        if self.workload == "odd" and self.variant == "layer":
            SLICES.append(clients)  # the first warms, from the third on there is trouble
            if TROUBLE == "refusal" and len(SLICES) > 2:
                raise PgMatrixError("this cannot be measured", do_next="mend it")
        return await Looped.slice(self, clients, seconds)

    async def plan(self):
        return "a plan"


def contenders(ground):
    if TROUBLE == "start":
        raise SystemExit("the project cannot start")
    with ground.client() as admin:
        directory = admin.execute("show data_directory")[0][0]
    for workload in ("even", "odd"):
        for variant, role in (("layer", Role.SUBJECT), ("bare", Role.BARE)):
            made = Work(workload=workload, variant=variant, role=role, clients=(1, 4), size="a sleep")
            made.directory = directory
            yield made
    yield Looped(workload="even", variant="other", role=Role.LIMIT, clients=(1,), absent="no such program")
"""
TABLE = """
[tool.pgmatrix.perf]
workloads = "offer:contenders"
[tool.pgmatrix.perf.budgets]
"even layer/bare" = 20
[tool.pgmatrix.perf.load]
workload = "even"
rate = 100
clients = 10
seconds = 0.5
p95 = 5
errors = 0.01
"""


def write(folder: Path, trouble: str = "") -> Path:
    """A project whose workload `odd` makes that trouble."""
    write_project(folder, extensions=())
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(TABLE)
    (folder / "offer.py").write_text(OFFER.format(trouble=trouble), encoding="utf-8")
    return folder


def command(folder: Path, *words: str) -> list[str]:
    """Measure one cell for a few seconds."""
    argv = [sys.executable, "-m", "pgmatrix", "perf", "--quick", "--minutes", "0.05", "--cell", CELL]
    return [*argv, "--folder", str(folder / "run"), *words]


def measure(folder: Path, ground: Ground, *words: str) -> tuple[PerfRun, str]:
    """The run and what was printed."""
    ran = subprocess.run(command(folder, *words), cwd=folder, env=ground.environ, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ground.has_nothing_left()
    return results.read(results.path_of(folder / "run")), ran.stdout


def test_a_run_is_measured_judged_and_recorded(tmp_path: Path, ground: Ground) -> None:
    """Series with plans and costs, a budget kept, a load carried; nothing is left of it; durability is said."""
    run, text = measure(write(tmp_path), ground)
    one = run.find(CELL, "even", "layer", 1)

    assert run.reasons == ()
    assert one is not None
    assert (one.outcome, one.plan, len(one.rounds) >= 3) == (Outcome.MEASURED, "a plan", True)
    assert one.client_memory is not None
    assert one.server_cpu is not None
    assert [(c.word, c.bound) for c in run.comparisons if c.kind is Kind.BUDGET] == [(Word.FASTER, 20.0)]
    assert [load.met for load in run.loads] == [True]
    assert "fsync=on, synchronous_commit=on, full_page_writes=on" in run.cells[0].durability
    assert run.cells[0].facts["settings"]["fsync"] == "on"
    assert "not here: even other: no such program" in text
    assert "nothing stands against this run" in text


def test_a_baseline_sees_a_slowdown_put_in_on_purpose(tmp_path: Path, ground: Ground) -> None:
    """Saved by one run, it finds three times the time in the next, which says that it was slowed on purpose."""
    folder = write(tmp_path)
    measure(folder, ground, "even", "--save-baseline")
    run, text = measure(folder, ground, "even", "--slow", "even=3")
    (found,) = [one for one in run.comparisons if one.kind is Kind.BASELINE]

    assert found.word is Word.SLOWER
    assert run.reasons == (found.why,)
    assert "slowed on purpose, even 3 times" in text
    assert "not a pass, for 1 reasons:" in text


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("errors", "operations failed, most with RuntimeError: it does not work"),
        ("server", f"{CELL}: its server ended during odd layer x"),
        ("process", f"{CELL}: its process ended with exit code 7; what it said is above"),
        ("refusal", f"{CELL}: this cannot be measured;  do    mend it"),
        ("load", f"{CELL}: a process of the load ended without a result;  do    see what it printed above"),
        ("start", f"{CELL}: its process ended with exit code 1; what it said is above"),
    ],
)
def test_trouble_is_recorded_and_never_a_pass(tmp_path: Path, ground: Ground, trouble: str, reason: str) -> None:
    """A workload that errors, a server or a process that dies, a project that cannot start."""
    run, text = measure(write(tmp_path, trouble), ground)

    assert any(reason in one for one in run.reasons), run.reasons
    assert "not a pass" in text
    even = run.find(CELL, "even", "layer", 1)
    assert trouble == "start" or (even is not None and bool(even.rounds) and even.operations > 0)
    shown = subprocess.run([*command(tmp_path), "--show", CELL], cwd=tmp_path, env=ground.environ, capture_output=True)
    assert shown.returncode == 1


def test_a_workload_nobody_offers_is_refused(tmp_path: Path, ground: Ground) -> None:
    """A misspelt name is no empty success."""
    folder = write(tmp_path)
    ran = subprocess.run(command(folder, "evne"), cwd=folder, env=ground.environ, capture_output=True, text=True)

    assert ran.returncode == 2
    assert "pgmatrix: not measured: evne\n  do    choose from even, odd" in ran.stderr


def test_an_interrupted_run_leaves_nothing(tmp_path: Path, ground: Ground) -> None:
    """SIGTERM in the middle ends every process and server of it."""
    folder = write(tmp_path)
    env = ground.environ | {"PYTHONPATH": os.pathsep.join([str(SOURCE), ground.environ["PYTHONPATH"]])}
    with subprocess.Popen(
        command(folder, "--minutes", "5"), cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        began = until(lambda: len(ground.leftovers()) > 2, 60.0)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    assert began
    assert process.returncode != 0
    assert ground.has_nothing_left(30.0)
