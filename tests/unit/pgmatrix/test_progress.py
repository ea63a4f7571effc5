"""The line of a session that has ended: which of how many, and how it went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pgmatrix.progress import line
from pgmatrix.records import write
from tests.unit.pgmatrix.builders import a_record, results

NAME = "pg16-asyncpg-rls"


def a_run(folder: Path, planned: int = 3, **changes: Any) -> Path:
    """A run that planned so many sessions, with a record of one of them."""
    (folder / "plan.json").write_text(json.dumps({"sessions": [f"s{number}" for number in range(planned)]}))
    write(folder, a_record(**changes))
    return folder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "✓ 2 passed, 3.0 s"),
        ({"tests": results("passed", "failed", "error"), "exit_code": 1}, "✗ 1 passed, 1 failed, 1 error, 3.0 s"),
        ({"tests": results("passed", "skipped")}, "✗ 1 passed, 1 skipped, 3.0 s"),
        ({"tests": results("flaky", "xfailed", "xpassed")}, "✗ 1 flaky, 1 xfailed, 1 xpassed, 3.0 s"),
        ({"tests": (), "exit_code": 5}, "✗ no test ran, exit code 5, 3.0 s"),
        ({"exit_code": 3}, "✗ 2 passed, exit code 3, 3.0 s"),
        ({"crashed": ("gw0: gone",), "exit_code": 1}, "✗ 2 passed, 1 worker crashed, 3.0 s"),
        ({"crashed": ("gw0: gone", "gw1: gone"), "exit_code": 1}, "✗ 2 passed, 2 workers crashed, 3.0 s"),
        ({"finished": False}, "✗ 2 passed, and it was ended before its end, 3.0 s"),
    ],
)
def test_the_line_says_how_it_went(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    """A mark, the count of each outcome, what else is wrong, and the time."""
    assert line(a_run(tmp_path, **changes), NAME) == f"1 of 3  {NAME}  {said}"


def test_sessions_are_counted_by_their_end(tmp_path: Path) -> None:
    """Two that end together have places of their own, and one that still runs has none."""
    run = a_run(tmp_path, ended=1003.0)
    write(run, a_record(session="pg15-asyncpg-rls", ended=1003.0))
    write(run, a_record(session="pg15-psycopg-rls", ended=1001.0, finished=False))

    assert line(run, "pg15-asyncpg-rls").startswith("1 of 3  ")
    assert line(run, NAME).startswith("2 of 3  ")


@pytest.mark.parametrize("left", [None, "{}", "not JSON"])
def test_a_session_without_a_record_says_so(tmp_path: Path, left: str | None) -> None:
    """A session that left nothing, or nothing that can be read, is no success."""
    (tmp_path / "records").mkdir()
    if left is not None:
        (tmp_path / "records" / f"{NAME}.json").write_text(left)

    assert line(tmp_path, NAME) == f"1 of 1  {NAME}  ✗ left no record"


def test_the_line_is_the_same_in_a_log(tmp_path: Path) -> None:
    """There is no control character in it, whether or not it goes to a terminal."""
    assert line(a_run(tmp_path), NAME).isprintable()
