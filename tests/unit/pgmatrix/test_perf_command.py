"""`pgmatrix perf`: what it refuses before anything is started."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from pgmatrix import __main__ as command
from tests.unit.pgmatrix.builders import a_project


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that is the current folder, with the least table."""
    for name in ("PGMATRIX_RUN", "PGMATRIX_RUN_DIR", "PGMATRIX_ARGV", "PGMATRIX_PARALLEL_SESSIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    folder = a_project(tmp_path)
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('[tool.pgmatrix.perf]\nworkloads = "offer:contenders"\n')
    return folder


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--show", "pg16-asyncpg"], "--show needs the run's folder\n  do    name it with --folder"),
        (["--slow", "update"], "--slow update cannot be used\n  do    write WORKLOAD=FACTOR, such as x=1.3"),
        (["--slow", "update=fast"], "--slow update=fast cannot be used\n  do    write WORKLOAD=FACTOR, such as x=1.3"),
        (["--cell", "pg99-asyncpg"], "pg99-asyncpg is not in the matrix\n  do    choose from "),
        (["--show", "pg16-asyncpg", "--folder", "nowhere"], "nowhere/perf.json is no performance run: "),
    ],
)
def test_what_it_cannot_do_it_refuses(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with what to write instead, and exit code 2."""
    assert command.main(["perf", *words]) == 2
    assert capsys.readouterr().err.startswith(f"pgmatrix: {expected}")


def test_without_a_table_it_says_what_to_name(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A project that names no workloads has nothing to measure."""
    a_project(tmp_path)

    assert command.main(["perf"]) == 2
    assert "[tool.pgmatrix.perf] workloads = '' names no function" in capsys.readouterr().err


def test_without_numpy_it_says_which_extra_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Intervals need NumPy, which a project that only tests has no need of."""
    found = importlib.util.find_spec

    def without(name: str, *rest: Any) -> Any:
        return None if name == "numpy" else found(name, *rest)

    monkeypatch.setattr(command, "find_spec", without)

    assert command.main(["perf"]) == 2
    assert capsys.readouterr().err == (
        'pgmatrix: pgmatrix perf needs NumPy, which is not installed\n  do    pip install "pgmatrix[perf]"\n'
    )
