"""What `-n auto` means: the tests that were asked for, counted and estimated without importing them."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pgmatrix.config import Config, load
from pgmatrix.plugin import workers
from pgmatrix.plugin.workers import (
    Decision,
    count_tests,
    decide,
    estimate,
    read_durations,
    selected_files,
    write_durations,
)
from tests.unit.pgmatrix.builders import a_project

TESTS = """
def test_a(): ...
async def test_b(): ...

class TestC:
    def test_c(self): ...

def helper_test_d(): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Config:
    """A project of three test files in two layers, one of which is a folder."""
    for name in ("tests/test_rls.py", "tests/audit/test_a.py", "tests/audit/deep/test_b.py", "tests/audit/tool.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TESTS, encoding="utf-8")
    return load(a_project(tmp_path), environ={})


def asked(project: Config, *args: str, folder: str = "") -> pytest.Config:
    """pytest started with these paths in a folder of the project."""
    params = SimpleNamespace(dir=project.root / folder)
    return cast("pytest.Config", SimpleNamespace(args=list(args), invocation_params=params, stash=pytest.Stash()))


def names(project: Config, config: pytest.Config) -> list[str]:
    """The files those paths select."""
    return [str(path.relative_to(project.root)) for path in selected_files(config, project)]


@pytest.mark.parametrize(
    ("args", "folder", "files"),
    [
        (["tests/test_rls.py"], "", ["tests/test_rls.py"]),
        (["tests/test_rls.py::test_a[x::y]"], "", ["tests/test_rls.py"]),
        (["test_rls.py"], "tests", ["tests/test_rls.py"]),
        (["tests/audit"], "", ["tests/audit/deep/test_b.py", "tests/audit/test_a.py"]),
        (["tests/audit/deep"], "", ["tests/audit/deep/test_b.py"]),
        (["tests"], "", ["tests/audit/deep/test_b.py", "tests/audit/test_a.py", "tests/test_rls.py"]),
        (["tests/unit", "tests/test_rls.pyc", "tests/aud"], "", []),
        ([], "", []),
    ],
)
def test_paths_select_the_layers_files(project: Config, args: list[str], folder: str, files: list[str]) -> None:
    """Of the layers' files those are selected that a path names or holds."""
    assert names(project, asked(project, *args, folder=folder)) == files


def test_files_are_found_through_a_link(project: Config, tmp_path_factory: pytest.TempPathFactory) -> None:
    """In a checkout that is reached through a link the same files are selected."""
    link = tmp_path_factory.mktemp("links") / "checkout"
    link.symlink_to(project.root, target_is_directory=True)
    linked = load(link, environ={})

    assert names(linked, asked(linked, "tests/test_rls.py")) == ["tests/test_rls.py"]


def test_a_layers_file_that_is_missing_is_not_selected(project: Config) -> None:
    """A file that the table names and nobody wrote yet is passed over here; pytest will say it is missing."""
    (project.root / "tests" / "test_rls.py").unlink()

    assert names(project, asked(project, "tests/test_rls.py")) == []


def test_tests_are_counted_without_importing(project: Config) -> None:
    """Test functions count, in classes and async ones too; other functions do not."""
    assert count_tests(project.root / "tests" / "test_rls.py") == 3


def test_an_estimate_prefers_what_was_measured() -> None:
    """A file that was measured takes its time, another a guess for each of its tests."""
    assert estimate({"a.py": 10, "b.py": 5}, {"a.py": 2.0}) == pytest.approx(2.0 + 5 * 0.06)
    assert estimate({}, {"a.py": 2.0}) == 0


def test_durations_are_kept_by_file_and_the_least_counts(tmp_path: Path) -> None:
    """The seconds of a file's tests are added; a slower run on a busy machine does not replace a quicker one."""
    write_durations(tmp_path, [("t/a.py::one", 1.0), ("t/a.py::two[x::y]", 0.5), ("t/b.py::three", 0.25)])
    write_durations(tmp_path, [("t/a.py::one", 4.0)])
    write_durations(tmp_path, [("t/b.py::three", 0.125)])

    assert read_durations(tmp_path) == {"t/a.py": 1.5, "t/b.py": 0.125}


def test_damaged_durations_are_forgotten(tmp_path: Path) -> None:
    """A file that is no JSON costs nothing but its memory, and the next run of its tests writes it anew."""
    write_durations(tmp_path, [("a.py::one", 1.0), ("b.py::two", 2.0)])
    damaged = next(tmp_path.rglob("a.py.json"))
    damaged.write_text("{", encoding="utf-8")

    assert read_durations(tmp_path) == {"b.py": 2.0}
    write_durations(tmp_path, [("a.py::one", 3.0)])
    assert read_durations(tmp_path) == {"a.py": 3.0, "b.py": 2.0}


def test_nothing_measured_is_nothing_known(tmp_path: Path) -> None:
    """Without an earlier run there are no durations."""
    assert read_durations(tmp_path) == {}


def test_a_decision_is_made_once_and_says_why(project: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests, estimate, cores and sessions beside this one decide, and the reason has them all."""
    monkeypatch.setattr(workers, "usable_cores", lambda: 8)
    monkeypatch.setenv("PGMATRIX_PARALLEL_SESSIONS", "2")
    write_durations(project.root, [("tests/test_rls.py::test_a", 30.0)])
    config = asked(project, "tests/test_rls.py")

    decision = decide(config, project)
    monkeypatch.setattr(workers, "usable_cores", lambda: 1)

    assert decision == Decision(workers=3, tests=3, seconds=30.0, cores=8, sessions=2)
    assert decision.reason == "auto: 3 tests of about 30.0 s on 8 cores shared by 2 sessions"
    assert decide(config, project) is decision


def test_one_session_is_not_many() -> None:
    """The reason counts sessions in English."""
    assert Decision(workers=0, tests=1, seconds=0.06, cores=2, sessions=1).reason == (
        "auto: 1 tests of about 0.1 s on 2 cores shared by 1 session"
    )


def test_alone_there_is_one_session(project: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a run that says otherwise this session has all cores."""
    monkeypatch.delenv("PGMATRIX_PARALLEL_SESSIONS", raising=False)
    config: Any = asked(project, "tests")

    assert decide(config, project).sessions == 1
    assert decide(config, project).tests == 9
    assert os.environ.get("PGMATRIX_PARALLEL_SESSIONS") is None
