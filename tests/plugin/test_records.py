"""Promise: a session leaves a record of what it ran on and what became of each test, however it went."""

from __future__ import annotations

import subprocess

import pytest

from pgmatrix import __version__
from tests.plugin.conftest import Nest

EVERY_OUTCOME = """
import warnings

import pytest


@pytest.fixture
def broken():
    raise LookupError


@pytest.fixture
def breaks_later():
    yield
    raise LookupError


def test_passed(pg_clone):
    warnings.warn("mind the gap")


def test_failed(pg_clone):
    assert False


def test_skipped():
    pytest.skip("not today")


@pytest.mark.xfail
def test_xfailed():
    assert False


@pytest.mark.xfail
def test_xpassed():
    pass


def test_error_before(broken):
    pass


def test_error_after(breaks_later):
    pass
"""
PRINTS = """

def test_prints(pg_clone):
    from pgmatrix.clients import ClientError, connect

    print("here")
    client = connect(pg_clone.server, database=pg_clone.name)
    try:
        with pytest.raises(ClientError):
            client.execute("select 1/0")
    finally:
        client.close()
    assert 1 == 2
"""
OUTCOMES = {
    "error_after": "error",
    "error_before": "error",
    "failed": "failed",
    "passed": "passed",
    "skipped": "skipped",
    "xfailed": "xfailed",
    "xpassed": "xpassed",
}


@pytest.mark.parametrize("workers", [0, 2])
def test_every_outcome_is_recorded(nest: Nest, recorded: str, workers: int) -> None:
    """The record tells each test's outcome, the warnings, the facts and the workers, after failures too."""
    nest.write("test_layer.py", EVERY_OUTCOME)
    result = nest.run("-n", str(workers))
    record = nest.record(recorded)
    facts = record["facts"]

    assert result.ret == record["exit_code"] == 1
    assert {test["test"].partition("::test_")[2]: test["outcome"] for test in record["tests"]} == OUTCOMES
    assert (record["run"], record["session"], record["error"]) == ("today", recorded, "")
    assert (record["workers"], record["workers_reason"], record["crashed"]) == (workers, "as asked", [])
    assert any("UserWarning: mind the gap" in line for line in record["warnings"])
    assert 0 < record["ready_seconds"] < record["ended"] - record["started"]
    assert (facts["cell"], facts["provider"]) == ("pg16-" + facts["driver"], "embedded")
    assert facts["server_version_num"] // 10000 == 16
    assert facts["extensions"]["vector"] == "0.8.5"
    assert facts["own_extensions"] == ["uuid-ossp"]
    assert facts["settings"]["fsync"] == "off"
    assert record["drivers"] == {facts["driver"]: facts["driver_version"]}
    assert (record["schema"], record["finished"], record["collected"], record["narrowed"]) == (2, True, 7, [])
    assert record["python"].startswith("3.")
    assert record["pgmatrix"] == __version__


def test_a_failure_is_recorded_with_what_a_person_reads(nest: Nest, recorded: str) -> None:
    """The traceback, what the test printed and the server's log lines go into the record; a skip leaves its reason."""
    nest.write("test_layer.py", EVERY_OUTCOME + PRINTS)
    nest.run("-n", "2")
    tests = {test["test"].partition("::test_")[2]: test for test in nest.record(recorded)["tests"]}

    assert "assert 1 == 2" in tests["prints"]["detail"]
    assert tests["prints"]["sections"]["Captured stdout call"] == "here\n"
    assert "division by zero" in tests["prints"]["sections"]["PostgreSQL log of this test"]
    assert "LookupError" in tests["error_before"]["detail"]
    assert tests["skipped"]["detail"] == "not today"
    assert (tests["passed"]["detail"], tests["passed"]["sections"], tests["passed"]["tries"]) == ("", {}, 1)


def test_a_narrowed_session_says_so(nest: Nest, recorded: str) -> None:
    """What was left out is in the record, from workers too."""
    nest.run("-n", "2", "-k", "test_clone")

    assert nest.record(recorded)["narrowed"] == ["-k test_clone", "3 tests deselected"]
    assert nest.record(recorded)["collected"] == 1


def test_a_killed_session_leaves_an_unfinished_record(nest: Nest, recorded: str) -> None:
    """What pytest did not live to tell is seen from the record it wrote when it began."""
    nest.write("test_layer.py", "import os, signal\n\n\ndef test_dies(pg_clone):\n    os.kill(os.getpid(), 9)\n")
    nest.run(xdist=False)
    record = nest.record(recorded)

    assert (record["finished"], record["exit_code"], record["tests"]) == (False, -1, [])


def test_the_commit_is_recorded(nest: Nest, recorded: str) -> None:
    """The record names the commit of the sources, and whether they differ from it; what runs leave does not count."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    nest.write(".gitignore", "__pycache__/\n.pytest_cache/\nseen\nrun*\nstd*\n")
    (nest.path / ".pgmatrix").mkdir()
    nest.write(".pgmatrix/x", "left by a run")
    for words in (["init", "-q"], ["add", "--all", "--", ":!.pgmatrix"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], cwd=nest.path, check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], cwd=nest.path, check=True, capture_output=True, text=True)
    nest.run("-k", "test_clone")
    clean = nest.record(recorded)
    nest.write("new.py", "")
    nest.run("-k", "test_clone")
    dirty = nest.record(recorded)

    assert (clean["commit"], clean["dirty"]) == (head.stdout.strip(), False)
    assert (dirty["commit"], dirty["dirty"]) == (head.stdout.strip(), True)


def test_a_crashed_worker_is_recorded(nest: Nest, recorded: str) -> None:
    """A worker that dies in a test leaves a red run, its name in the record, and its test as an error."""
    nest.write(
        "test_layer.py", "import os\n\n\ndef test_dies(pg_clone):\n    os._exit(3)\n\n\ndef test_lives():\n    pass\n"
    )
    result = nest.run("-n", "2")
    record = nest.record(recorded)

    assert result.ret == record["exit_code"] == 1
    assert [line.partition(":")[0] for line in record["crashed"]] in (["gw0"], ["gw1"])
    assert {test["test"]: test["outcome"] for test in record["tests"]} == {
        "test_layer.py::test_dies": "error",
        "test_layer.py::test_lives": "passed",
    }


def test_a_session_without_a_server_is_recorded(nest: Nest, recorded: str) -> None:
    """Where no server could be had, the record says why, with the exit code of a wrong call and no test."""
    nest.write("things.py", "def build(database):\n    raise LookupError('the third migration is missing')\n")
    result = nest.run()
    record = nest.record(recorded)

    assert result.ret == record["exit_code"] == 4
    assert record["tests"] == []
    assert record["facts"] == {}
    assert record["error"].startswith("the template callable things:build failed\n")
    assert "LookupError: the third migration is missing" in record["error"]
    assert record["error"] in result.stderr.str()


def test_a_file_that_cannot_be_collected_is_recorded(nest: Nest, recorded: str) -> None:
    """A file that does not import is an error of its own in the record, and the run is red."""
    nest.write("test_layer.py", "import no_such_module\n")
    result = nest.run()
    record = nest.record(recorded)

    assert result.ret == record["exit_code"] == 2
    assert [(test["test"], test["outcome"]) for test in record["tests"]] == [("test_layer.py", "error")]


def test_durations_need_no_writable_folder(nest: Nest, recorded: str) -> None:
    """Where the durations cannot be kept, the run is what it would have been, and so is its record."""
    nest.write(".pytest_cache", "in the way")
    result = nest.run("-p", "no:cacheprovider", "-k", "test_clone")

    assert result.ret == 0
    assert nest.record(recorded)["exit_code"] == 0
