"""Faults in a small project: what has teeth, what has not, and what proves nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pgmatrix.servers.cache import cache_root
from pgmatrix.servers.embedded import EmbeddedProvider
from pgmatrix.servers.guard import Guard
from tests.plugin.conftest import Nest
from tests.servers.foreign import dsn_variables, foreign_server

LAYER = """\
import subprocess
import sys
import time

from pgmatrix.clients import connect

import rules


def ask(database, sql, role=None):
    client = connect(database.server, database=database.name)
    try:
        return client.execute(sql)
    finally:
        client.close()


def test_rows(pg_clone):
    assert ask(pg_clone, "select count(*) from thing") == [(3,)]


def test_key(pg_database):
    assert ask(pg_database, "select contype::text from pg_constraint where conrelid = 'thing'::regclass") == [("p",)]


def test_role(pg_clone):
    assert ask(pg_clone, "select rolcanlogin from pg_roles where rolname = 'pgmx_test_reader'") == [(True,)]


def test_limit():
    assert rules.LIMIT == 5


def test_limit_elsewhere():
    code = "import rules; print(rules.LIMIT)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "5\\n"


def test_empty(pg_empty):
    time.sleep(rules.PAUSE)
    assert ask(pg_empty, "select count(*) from pg_class where relname = 'thing'") == [(0,)]
"""
FAULTS = """\
import os
import tempfile

from pgmatrix.teeth.faults import Fault, Patch


def fault(name, *reds, sql=(), undo=(), **values):
    changes = tuple(Patch(target=f"rules:{key}", make=lambda _, new=new: new) for key, new in values.items())
    return Fault(name=name, breaks="it", reds=frozenset(reds), sql=sql, undo=undo, changes=changes)


class End:
    def apply(self):
        os._exit(7)


class Litter:
    def apply(self):
        import rules

        rules.LIMIT = tempfile.mkdtemp(prefix="litter-")
        with open("litter", "w") as file:
            file.write(rules.LIMIT)


FAULTS = (
    fault("key-dropped", "test_key", sql=("alter table thing drop constraint thing_pkey",)),
    fault("limit-raised", "test_limit", "test_limit_elsewhere", LIMIT=6),
    fault(
        "role-locked", "test_role",
        sql=("alter role pgmx_test_reader nologin",), undo=("alter role pgmx_test_reader login",),
    ),
    fault("rows-gone", "test_rows", "test_key", sql=("drop table thing cascade", "create table thing (id int)")),
    fault("missed", "test_rows", "test_key", sql=("alter table thing drop constraint thing_pkey",)),
    fault("spread", "test_limit", LIMIT=6),
    fault("sql-without-effect", "test_rows", sql=("alter table thing alter column name set not null",)),
    fault("patch-without-effect", "test_limit", LIMIT=5),
    fault("sql-refused", "test_rows", sql=("drop table no_such_table",)),
    fault("not-of-the-template", "test_empty", sql=("drop table thing",)),
    fault("hangs", "test_empty", PAUSE=60),
    Fault(name="litters", breaks="it", reds=frozenset({"test_limit"}), changes=(Litter(),)),
    Fault(name="crashes", breaks="it", reds=frozenset({"test_limit"}), changes=(End(),)),
    fault("not-undone", "test_role", sql=("alter role pgmx_test_reader nologin",), undo=("select 1",)),
)
"""
PROVE = """\
import sys
from pathlib import Path

from pgmatrix.teeth.command import Project, main

NAMES = ("test_rows", "test_key", "test_role", "test_limit", "test_limit_elsewhere", "test_empty")
CONTRACT = {"layer": tuple(f"test_layer.py::{name}" for name in NAMES)}

if __name__ == "__main__":
    sys.exit(main(Project(root=Path(__file__).parent, faults="faults:FAULTS", contract=CONTRACT)))
"""
NOT_UNDONE = "the fault not-undone left roles or settings of the server changed"
GOOD = ("key-dropped", "limit-raised", "role-locked", "rows-gone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prover:
    """The project with its faults, and the command that tries them."""

    nest: Nest

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin, in a process group of its own."""
        process = subprocess.Popen(
            [sys.executable, "prove.py", *arguments],
            cwd=self.nest.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.nest.started.append(process)  # type: ignore[arg-type]
        return process

    def run(self, *arguments: str) -> tuple[int, list[str]]:
        """Exit code and lines."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=60)
        return process.returncode, [line.rstrip() for line in output.splitlines()]

    def record(self) -> dict[str, Any]:
        """The newest record."""
        paths = (self.nest.path / ".pgmatrix" / "runs").glob("*/teeth/*.json")
        found: dict[str, Any] = json.loads(max(paths, key=_written).read_text(encoding="utf-8"))
        return found


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns


@pytest.fixture
def prover(nest: Nest) -> Prover:
    """The project, ready."""
    nest.write("test_layer.py", LAYER)
    nest.write("rules.py", "LIMIT = 5\nPAUSE = 0\n")
    nest.write("faults.py", FAULTS)
    nest.write("prove.py", PROVE)
    return Prover(nest=nest)


def outcomes(record: dict[str, Any]) -> dict[str, tuple[list[str], list[str], str]]:
    """By fault: red tests, toothless ones, and the problem."""
    return {one["fault"]: (list(one["red"]), one["toothless"], one["problem"]) for one in record["faults"]}


def test_faults_with_teeth(prover: Prover) -> None:
    """A broken template, a patched module, also in a process that a test starts, and a changed role are all seen."""
    code, lines = prover.run("-j", "1", *GOOD)

    assert code == 0, lines
    assert outcomes(prover.record()) == {
        "key-dropped": (["test_key"], [], ""),
        "limit-raised": (["test_limit", "test_limit_elsewhere"], [], ""),
        "role-locked": (["test_role"], [], ""),
        "rows-gone": (["test_key", "test_rows"], [], ""),
    }
    assert lines[-1].startswith("pg16-asyncpg: 5 of 5 tests have teeth; 4 faults, 0 toothless, 0 collateral, 0 errors,")
    assert prover.record()["facts"]["driver"] == "asyncpg"


def test_side_by_side_is_as_one_after_the_other(prover: Prover) -> None:
    """Three workers find what one finds, also where one fault of each kind is among them."""
    names = [*GOOD, "missed", "spread", "sql-without-effect"]
    found = []
    for workers in ("1", "3"):
        assert prover.run("-j", workers, *names)[0] == 1
        record = prover.record()
        found.append([{**one, "seconds": 0} for one in record["faults"]])

    assert found[0] == found[1]
    assert [one["fault"] for one in found[0]] == names


def test_a_toothless_test_fails_the_session(prover: Prover) -> None:
    """A test that is named and stays green is told, and the exit code is 1."""
    code, lines = prover.run("missed", "key-dropped")

    assert code == 1
    assert "toothless   missed: test_rows stayed green" in lines
    assert "unproven    test_rows" in lines


def test_collateral_is_told(prover: Prover) -> None:
    """A test that turns red without being named is told with its reason; the exit code stays 0."""
    code, lines = prover.run("spread")

    assert code == 0, lines
    assert any(line.startswith("collateral  spread: test_limit_elsewhere turned red: Assertion") for line in lines)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("sql-without-effect", "the SQL of the fault sql-without-effect changed nothing in the catalog"),
        ("patch-without-effect", "rules:LIMIT is the same as before"),
        ("not-of-the-template", "the template is broken, and it is not used by test_empty"),
        ("crashes", "the process of the tests ended with exit code 7"),
        ("hangs", "the tests did not end within 2 s"),
        ("not-undone", NOT_UNDONE),
    ],
)
def test_a_fault_that_proves_nothing_is_an_error(prover: Prover, name: str, problem: str) -> None:
    """One that changed nothing, cannot be seen, whose tests do not end or that stays: told, and the exit code is 1."""
    code, lines = prover.run("--timeout", "2", name)

    assert code == 1
    assert outcomes(prover.record()) == {name: ([], [], problem)}
    assert f"error       {name}: {problem}" in lines


def test_nothing_is_tried_on_a_server_that_was_left_changed(prover: Prover) -> None:
    """Who comes after a fault that was not undone is not blamed for it, and proves nothing either."""
    code, _ = prover.run("-j", "1", "key-dropped", "not-undone", "role-locked")

    problems = {name: problem for name, (_, _, problem) in outcomes(prover.record()).items()}
    left = "was not tried, because the fault not-undone has left the server changed"
    assert code == 1
    assert problems == {"key-dropped": left, "role-locked": "", "not-undone": NOT_UNDONE}


def test_refused_sql_is_told_with_the_statement(prover: Prover) -> None:
    """The server's words and the statement are in the problem, and what comes after it is tried."""
    code, _ = prover.run("-j", "1", "sql-refused", "key-dropped")

    assert code == 1
    problem = (
        'the server refuses SQL of the fault sql-refused: table "no_such_table" does not exist: drop table no_such'
    )
    assert outcomes(prover.record())["sql-refused"][2].startswith(problem)
    assert outcomes(prover.record())["key-dropped"] == (["test_key"], [], "")


def test_what_is_wrong_with_the_faults_is_told_before_anything_runs(prover: Prover) -> None:
    """A name that is there twice, a test that does not exist: exit code 2, and no run."""
    text = FAULTS.replace('"spread", "test_limit"', '"missed", "test_no_such"')
    prover.nest.write("faults.py", text)

    code, lines = prover.run()

    assert code == 2
    assert "  tried fault missed: is there 2 times" in lines
    assert "  tried fault missed: names test_no_such, which is no test of the contract" in lines
    assert not (prover.nest.path / ".pgmatrix").exists()


def test_tests_that_cannot_be_collected_end_the_run(prover: Prover) -> None:
    """A file that does not import is told with pytest's words; exit code 2, and nothing is left."""
    prover.nest.write("rules.py", "LIMIT = \n")

    code, lines = prover.run("-j", "1", "key-dropped")

    assert code == 2
    assert "teeth: a worker could not go on" in lines
    assert any("SyntaxError" in line for line in lines), lines


def test_a_server_of_somebody_else_is_not_changed_as_a_whole(prover: Prover, monkeypatch: pytest.MonkeyPatch) -> None:
    """On an external server what breaks a clone is tried, what would change its roles refused, and nothing is left."""
    guard = Guard()
    provider = EmbeddedProvider(cache=cache_root(), guard=guard, extensions=("vector", "uuid-ossp"))
    with foreign_server(prover.nest.ground, provider, guard) as foreign:
        for name, value in dsn_variables(foreign.dsn).items():
            monkeypatch.setenv(name, value)
        before = foreign.contents()
        code, lines = prover.run("-j", "2", "key-dropped", "role-locked")
        after = foreign.contents()
    guard.close()

    refused = "the fault role-locked changes roles or settings of the whole server, and this one is external"
    assert code == 1, "\n".join(lines)
    assert outcomes(prover.record()) == {"key-dropped": (["test_key"], [], ""), "role-locked": ([], [], refused)}
    assert after == before


def test_temporary_files_go_with_the_trial(prover: Prover) -> None:
    """What a fault leaves among the temporary files is gone when it has been tried."""
    prover.run("litters")

    assert not Path((prover.nest.path / "litter").read_text(encoding="utf-8")).parent.exists()


def test_no_number_of_workers(prover: Prover) -> None:
    """`-j 0` is refused."""
    code, lines = prover.run("-j", "0")

    assert code == 2
    assert lines[-1].endswith("error: argument -j/--workers: 0 is no number of workers")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_no_server(prover: Prover, number: signal.Signals) -> None:
    """Workers and their servers end with who started them, however that ends."""
    process = prover.start("-j", "2", "hangs", "key-dropped", "rows-gone")
    logs = prover.nest.path / ".pgmatrix" / "runs"
    _until(lambda: len(list(logs.glob("*/teeth/*.log"))) == 2)
    _until(lambda: prover.nest.ground.leftovers() != [])

    process.send_signal(number)
    process.communicate(timeout=30)

    assert process.returncode != 0
    assert prover.nest.has_nothing_left(20)


def _until(happened: Any) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)
