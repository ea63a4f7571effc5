"""Records: written whole, read back as they were, by later versions too; and what makes a session green."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.errors import RecordError
from pgmatrix.records import SCHEMA, Record, TestResult, read, read_all, record_path, write, write_text
from tests.unit.pgmatrix.builders import a_record, results

texts = st.text(max_size=20)
outcomes = st.sampled_from(["passed", "failed", "error", "skipped", "xfailed", "xpassed"])
tests = st.builds(TestResult, test=texts, outcome=outcomes, seconds=st.floats(0, 1e6))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder that every example writes over."""
    return tmp_path_factory.mktemp("shared")


@given(
    st.builds(
        Record,
        run=texts,
        session=st.just("pg16-asyncpg-rls"),
        started=st.floats(0, 4e9),
        ended=st.floats(0, 4e9),
        exit_code=st.integers(0, 255),
        workers=st.integers(0, 64),
        workers_reason=texts,
        ready_seconds=st.floats(0, 1e3),
        tests=st.lists(tests, max_size=4).map(tuple),
        facts=st.dictionaries(texts, texts | st.integers() | st.lists(texts), max_size=3),
        warnings=st.lists(texts, max_size=2).map(tuple),
        crashed=st.lists(texts, max_size=2).map(tuple),
        error=texts,
    )
)
def test_a_record_reads_back_as_it_was(shared: Path, record: Record) -> None:
    """Whatever a record holds, reading what was written gives it back."""
    path = write(shared, record)

    assert read(path) == record


def test_a_record_has_its_place_and_nothing_beside_it(tmp_path: Path) -> None:
    """A session's record is a file of its name; writing it again replaces it and leaves nothing private behind."""
    write(tmp_path, a_record(exit_code=1))
    path = write(tmp_path, a_record())

    assert path == record_path(tmp_path, "pg16-asyncpg-rls") == tmp_path / "records" / "pg16-asyncpg-rls.json"
    assert [file.name for file in (tmp_path / "records").iterdir()] == ["pg16-asyncpg-rls.json"]
    assert read(path).exit_code == 0


def test_all_records_of_a_run_are_read_by_name(tmp_path: Path) -> None:
    """A run's records come sorted by session; a run without any has none."""
    for session in ("pg16-psycopg-rls", "pg15-asyncpg-rls"):
        write(tmp_path, a_record(session=session))

    assert [record.session for record in read_all(tmp_path)] == ["pg15-asyncpg-rls", "pg16-psycopg-rls"]
    assert read_all(tmp_path / "elsewhere") == []


def changed(folder: Path, **changes: Any) -> Path:
    """A record on disk with these values changed; None takes one away."""
    path = write(folder, a_record())
    values = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not None}), encoding="utf-8")
    return path


def test_what_a_later_version_added_is_left_out(tmp_path: Path) -> None:
    """Fields this version does not know, of a record or of a test, are passed over."""
    known = {"test": "t.py::a", "outcome": "passed", "seconds": 0.5}
    path = changed(tmp_path, colour="blue", facts={}, tests=[{**known, "worker": "gw0"}])

    assert read(path) == a_record(facts={}, tests=(TestResult(test="t.py::a", outcome="passed", seconds=0.5),))


def test_what_an_earlier_version_did_not_write_has_its_default(tmp_path: Path) -> None:
    """Optional fields may be missing."""
    found = read(changed(tmp_path, warnings=None, crashed=None, error=None, facts=None))

    assert (found.warnings, found.crashed, found.error, dict(found.facts)) == ((), (), "", {})


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """A record whose meaning may have changed is not guessed at."""
    path = changed(tmp_path, schema=SCHEMA + 1)

    with pytest.raises(RecordError) as error:
        read(path)

    assert str(error.value) == (
        f"{path} has schema {SCHEMA + 1}, this pgmatrix reads up to {SCHEMA}\n"
        "  do    read it with the version that wrote it, or a later one"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "{}",
        '{"schema": 1}',
        '{"schema": "1"}',
        '{"schema": 1, "tests": [3]}',
        '{"schema": 1, "tests": []}',
    ],
)
def test_what_is_not_a_record_is_refused(tmp_path: Path, text: str) -> None:
    """A file that is cut short, or something else, is an error that names it and says what to do."""
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(RecordError) as error:
        read(path)

    assert error.value.wanted.startswith(f"{path} is not a record: ")
    assert error.value.do_next == "remove it, or run its session again"


def test_a_record_that_is_missing_is_refused(tmp_path: Path) -> None:
    """A file that is not there is no record."""
    with pytest.raises(RecordError, match="No such file"):
        read(tmp_path / "x.json")


def test_a_record_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are no record."""
    path = tmp_path / "x.json"
    path.write_bytes(b"\xff\xfe")

    with pytest.raises(RecordError, match="is not a record: 'utf-8' codec"):
        read(path)


@pytest.mark.parametrize(
    ("changes", "green"),
    [
        ({}, True),
        ({"exit_code": 1}, False),
        ({"tests": ()}, False),
        ({"crashed": ("gw0: gone",)}, False),
        ({"error": "no server"}, False),
        *(({"tests": results("passed", bad)}, False) for bad in ("failed", "error", "skipped", "xfailed", "xpassed")),
    ],
)
def test_green_means_that_tests_ran_and_all_passed(changes: dict[str, Any], green: bool) -> None:
    """A session is green if tests ran, every one passed, no worker crashed, and pytest and we had no complaint."""
    assert a_record(**changes).green is green


def test_counting_and_time() -> None:
    """Outcomes are counted by name, and a session's time is that of the wall."""
    record = a_record(tests=results("passed", "failed", "error", "failed"))

    assert (record.count("failed"), record.count("failed", "error"), record.count()) == (2, 3, 0)
    assert record.seconds == 3.0


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_file_is_readable_as_the_mask_says(tmp_path: Path, mask: int) -> None:
    """What is written can be read by whom the user's mask lets read, so that a job's records can be collected."""
    before = os.umask(mask)
    try:
        write_text(tmp_path / "a" / "b.txt", "x")
    finally:
        os.umask(before)

    assert (tmp_path / "a" / "b.txt").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """Text that UTF-8 cannot carry leaves neither a part of the file nor a private one, and what was there stays."""
    (tmp_path / "b.txt").write_text("before")

    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "b.txt", "\ud800")

    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]
    assert (tmp_path / "b.txt").read_text() == "before"
