"""The plugin's table: read once, absent in a project without one, and an impossible one ends pytest with its text."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from pgmatrix import plugin
from tests.unit.pgmatrix.builders import TABLE, a_project


def started(folder: Path, provider: str | None = None) -> pytest.Config:
    """pytest, started in that folder."""
    known = SimpleNamespace(pg_provider=provider)
    found = SimpleNamespace(rootpath=folder, stash=pytest.Stash(), known_args_namespace=known)
    return cast("pytest.Config", found)


def test_a_project_without_the_table_is_left_alone(tmp_path: Path) -> None:
    """Where there is no table the plugin does nothing: it registers nobody and decides no number of workers."""
    config = started(tmp_path)

    plugin.pytest_configure(config)

    assert plugin.pytest_xdist_auto_num_workers(config) is None


def test_the_table_is_read_once(tmp_path: Path) -> None:
    """The table is found above where pytest was started, with the options in it, and kept."""
    a_project(tmp_path, TABLE)
    (tmp_path / "tests").mkdir()
    config = started(tmp_path / "tests", provider="embedded")

    first = plugin._table(config)
    (tmp_path / "pyproject.toml").unlink()

    assert first is not None
    assert (first.root, first["provider"], first.origins["provider"]) == (tmp_path, "embedded", "option --pg-provider")
    assert plugin._table(config) is first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.pgmatrix]\nprovder = 1\n", "unknown setting in [tool.pgmatrix]: provder"),
        ("[tool.pgmatrix\n", "is not TOML"),
    ],
)
def test_an_impossible_table_ends_pytest_with_its_text(tmp_path: Path, text: str, message: str) -> None:
    """What is wrong with the table is told like a wrong option of pytest's own."""
    a_project(tmp_path, text)

    with pytest.raises(pytest.UsageError) as error:
        plugin.pytest_configure(started(tmp_path))

    assert message in str(error.value)
    assert "\n  do    " in str(error.value)
