"""Promise: the tests pass however pytest is asked to run them, on one server."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Nest


@pytest.mark.parametrize(
    ("args", "passed"),
    [
        ([], 4),
        (["-n", "0"], 4),
        (["-n", "2"], 4),
        (["-n", "2", "--dist", "loadfile"], 4),
        (["test_layer.py::test_another_clone"], 1),
        (["-n", "3", "test_layer.py::test_shared"], 1),
    ],
    ids=["serial", "n 0", "n 2", "loadfile", "one test", "one test n 3"],
)
def test_every_way_to_run_passes_on_one_server(nest: Nest, args: list[str], passed: int) -> None:
    """Serial, with workers, a single test: all pass, on one server, each test with databases of its own."""
    result = nest.run(*args)
    seen = nest.seen()

    result.assert_outcomes(passed=passed)
    assert result.ret == 0
    assert len(seen) == passed
    assert len({started for _, started, _ in seen}) == 1
    assert len({name for _, _, name in seen}) == passed


def test_without_xdist(nest: Nest) -> None:
    """Where xdist is blocked or absent, the tests pass, by keyword too."""
    result = nest.run("-p", "no:xdist", "-k", "shared or empty", xdist=False)

    result.assert_outcomes(passed=2, deselected=2)


def test_workers_share_the_one_server(nest: Nest) -> None:
    """Two workers that each run tests see the same server's start and never the same database."""
    nest.write(
        "test_layer.py", (nest.path / "test_layer.py").read_text() + "\n\n" + "\n\n".join(_waiting(n) for n in range(4))
    )
    result = nest.run("-n", "2", "-k", "waits")
    seen = nest.seen()

    result.assert_outcomes(passed=4)
    assert {worker for worker, _, _ in seen} == {"gw0", "gw1"}
    assert len({started for _, started, _ in seen}) == 1
    assert len({name for _, _, name in seen}) == 4


def _waiting(number: int) -> str:
    return (
        f"def test_waits_{number}(request, pg_clone):\n"
        "    note(request, pg_clone)\n"
        "    ask(pg_clone, 'select pg_sleep(0.2)')  # long enough for both workers to get a share"
    )


def test_stop_at_the_first_failure_and_run_it_again(nest: Nest) -> None:
    """`-x` stops at the failure, and `--lf` then runs that test alone."""
    tests = (nest.path / "test_layer.py").read_text()
    nest.write("test_layer.py", tests.replace("== [(3,)]", "== [(5,)]", 1))
    stopped = nest.run("-x")
    again = nest.run("--lf")

    stopped.assert_outcomes(passed=1, failed=1)
    again.assert_outcomes(failed=1)
    assert (stopped.ret, again.ret) == (1, 1)


def test_auto_takes_no_workers_for_few_tests(nest: Nest, recorded: str) -> None:
    """`-n auto` decides for no workers where the tests are few, says so, and the record keeps the reason."""
    result = nest.run("-n", "auto")
    record = nest.record(recorded)

    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*; workers: 0 (auto: 4 tests of about 0.2 s on * core* shared by 1 session)"])
    assert record["workers"] == 0
    assert record["workers_reason"].startswith("auto: 4 tests of about 0.2 s on ")


def test_collecting_starts_nothing(nest: Nest) -> None:
    """`--collect-only` starts no server, with or without workers."""
    serial = nest.run("--collect-only", "-q")
    parallel = nest.run("--collect-only", "-n", "2")

    for result in (serial, parallel):
        assert result.ret == 0
    serial.stdout.fnmatch_lines(["test_layer.py::test_empty", "*4 tests collected*"])
    parallel.stdout.fnmatch_lines(["pgmatrix: *, no server yet"])
    assert nest.seen() == []


def test_a_file_of_no_layer(nest: Nest) -> None:
    """A test outside every layer gets its server when it asks; a worker cannot, and is told what to do."""
    (nest.path / "test_layer.py").rename(nest.path / "test_other.py")
    alone = nest.run("-k", "test_clone")
    with_workers = nest.run("-n", "2", "-k", "test_clone")

    alone.assert_outcomes(passed=1, deselected=3)
    alone.stdout.fnmatch_lines(["pgmatrix: *, no server yet"])
    with_workers.assert_outcomes(errors=1)
    with_workers.stdout.fnmatch_lines(
        [
            "*no server was started for this run: none of its paths is in a layer of [[]tool.pgmatrix[]]",
            "*do    add the file to a layer, or run it without -n",
        ]
    )
