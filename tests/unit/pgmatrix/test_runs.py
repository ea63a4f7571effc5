"""One invocation: its id and folder, what pytest is handed, and when an environment is made again."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pgmatrix import runs
from pgmatrix.errors import ConfigError


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> list[Callable[..., object]]:
    """An environment of nobody's run; what would be done at exit is kept and not done."""
    kept: list[Callable[..., object]] = []
    for name in [name for name in os.environ if name.startswith(("PGMATRIX_", "NOX"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(atexit, "register", lambda function, *_: kept.append(function))
    return kept


def test_the_first_process_opens_the_run_and_the_others_join(
    tmp_path: Path, clean: list[Callable[..., object]]
) -> None:
    """The folder is below .pgmatrix/runs; a process that inherits the environment gets the same and reports nothing."""
    first = runs.begin(tmp_path, ["-s", "integration", "-j", "2", "--", "-x"], SimpleNamespace())
    second = runs.begin(tmp_path, ["-s", "integration(pg16-asyncpg-rls)"], SimpleNamespace())

    assert first == second == tmp_path / ".pgmatrix" / "runs" / os.environ["PGMATRIX_RUN"]
    assert os.environ["PGMATRIX_PARALLEL_SESSIONS"] == "2"
    assert json.loads(os.environ["PGMATRIX_ARGV"]) == ["-s", "integration", "-j", "2", "--", "-x"]
    assert len(clean) == 1


def test_jobs_share_the_id_they_are_given(tmp_path: Path) -> None:
    """PGMATRIX_RUN names the run, so that jobs on several machines are one."""
    os.environ["PGMATRIX_RUN"] = "ci-42"

    assert runs.begin(tmp_path, [], SimpleNamespace()) == tmp_path / ".pgmatrix" / "runs" / "ci-42"
    assert os.environ["PGMATRIX_RUN"] == "ci-42"


@pytest.mark.parametrize("name", ["../out", "a/b", ".hidden", "a b", "-x"])
def test_an_id_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    """A run's id is one plain name."""
    os.environ["PGMATRIX_RUN"] = name

    with pytest.raises(ConfigError) as caught:
        runs.begin(tmp_path, [], SimpleNamespace())

    assert str(caught.value) == (
        f"PGMATRIX_RUN = {name!r} cannot name a folder\n  do    use letters, digits, - and _, a letter or digit first"
    )


@pytest.mark.parametrize(
    ("argv", "at_once", "options"),
    [
        ([], 3, {"parallel": 3}),
        (["-k", "rls"], 3, {"parallel": 3}),
        (["-s", "integration", "--", "-k", "rls"], 3, {"parallel": 3}),
        (["-s", "integration(pg16-asyncpg-rls)"], 1, {}),
        (["-s", "lint"], 1, {}),
        (["-j", "7"], 7, {}),
        (["--parallel=1"], 1, {}),
        (["-j", "auto"], 5, {}),
    ],
)
def test_a_session_a_core_unless_asked_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], at_once: int, options: dict[str, int]
) -> None:
    """As many sessions run at once as there are cores; `-j` says otherwise; one by its name prints as it goes."""
    monkeypatch.setattr(runs, "usable_cores", lambda: 3)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    given = SimpleNamespace()

    runs.begin(tmp_path, argv, given)

    assert os.environ["PGMATRIX_PARALLEL_SESSIONS"] == str(at_once)
    assert vars(given) == options


def test_a_big_machine_does_not_run_everything_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight sessions at once are the most, since each has a server."""
    monkeypatch.setattr(runs, "usable_cores", lambda: 64)

    runs.begin(tmp_path, [], SimpleNamespace())

    assert os.environ["PGMATRIX_PARALLEL_SESSIONS"] == "8"


@pytest.mark.parametrize(("planned", "at_once"), [(None, "1"), (2, "2"), (20, "4")])
def test_pytest_is_told_session_cell_coverage_file_and_company(
    tmp_path: Path, planned: int | None, at_once: str
) -> None:
    """A session's pytest leaves its coverage under the session's name, and knows how many run beside it."""
    os.environ["PGMATRIX_PARALLEL_SESSIONS"] = "4"
    if planned is not None:
        (tmp_path / "plan.json").write_text(json.dumps({"sessions": ["x"] * planned}), encoding="utf-8")

    assert runs.variables(tmp_path, "pg16-asyncpg-rls") == {
        "PGMATRIX_SESSION": "pg16-asyncpg-rls",
        "PGMATRIX_CELL": "pg16-asyncpg",
        "COVERAGE_FILE": str(tmp_path / "coverage" / "pg16-asyncpg-rls"),
        "PGMATRIX_PARALLEL_SESSIONS": at_once,
    }
    assert (tmp_path / "coverage").is_dir()
    assert (tmp_path / "junit").is_dir()


class Commands:
    """Plays the commands that make an environment; `code` is how they end."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        self.code = 0

    def __call__(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        """Note the command and make the folder it would make."""
        self.seen.append(command)
        if "virtualenv" in command:
            Path(command[-1]).mkdir(parents=True)
        return subprocess.CompletedProcess(command, self.code)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Commands that are noted and not run."""
    found = Commands()
    monkeypatch.setattr(subprocess, "run", found)
    return found


def test_an_environment_is_made_once(tmp_path: Path, commands: Commands) -> None:
    """A second session finds it as it is; its pins, the project and what it holds make it anew."""
    toml, pins = tmp_path / "pyproject.toml", tmp_path / "pins.txt"
    toml.write_text("[project]\nname = 'a'\n", encoding="utf-8")
    pins.write_text("rich==14\n", encoding="utf-8")

    def made(*install: str) -> int:
        before = len(commands.seen)
        runs.environment(tmp_path, "psycopg", install, pins=pins)
        return len(commands.seen) - before

    assert [made("-e", "."), made("-e", "."), made("other")] == [2, 0, 2]
    pins.write_text("rich==15\n", encoding="utf-8")
    assert [made("other"), made("other")] == [2, 0]
    toml.write_text("[project]\nname = 'b'\n", encoding="utf-8")
    assert [made("other"), made("other")] == [2, 0]
    toml.write_text("[project]\nname = 'b'\n[tool.pgmatrix]\n", encoding="utf-8")
    assert made("other") == 0
    assert commands.seen[1][-4:] == ["--constraint", str(pins), "-e", "."]


def test_an_environment_that_cannot_be_made_is_an_error(tmp_path: Path, commands: Commands) -> None:
    """The command that failed is named, and the next session tries again."""
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    commands.code = 1

    for _ in range(2):
        with pytest.raises(ConfigError) as caught:
            runs.environment(tmp_path, "psycopg", ["pgmatrix"])
    assert str(caught.value) == (
        f"cannot make the environment psycopg: {sys.executable} -m virtualenv --quiet {tmp_path}/.nox/env-psycopg\n"
        "  do    see what it printed above"
    )
    assert len(commands.seen) == 2
