"""What is measured comes from the table; what nox and pytest set for themselves does not reach measured commands."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pgmatrix import config
from pgmatrix.errors import UnknownName
from tests.perf.bench import Bench, few, measured_layers
from tests.perf.measure import Absent, MeasurementFailed

PROJECT = """
[tool.pgmatrix]
postgres = [15, 16, 18]
template-sources = ["source.py"]
[tool.pgmatrix.layers]
here = ["test_here.py"]
gone = ["test_here.py", "test_gone.py"]
"""


@pytest.fixture
def table(tmp_path: Path) -> config.Config:
    """A project of three majors and two drivers, one of whose layers lacks a file."""
    (tmp_path / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (tmp_path / "test_here.py").touch()
    (tmp_path / "source.py").touch()
    return config.load(tmp_path, environ={})


@pytest.fixture
def bench(table: config.Config, tmp_path: Path) -> Bench:
    """A quick bench on it."""
    return Bench(table=table, nox="python", quick=True, folder=tmp_path, layers=("here",))


def test_few_cells_hold_every_major_and_driver(table: config.Config) -> None:
    """Quick leaves out cells, but no major and no driver."""
    found = few(table)

    assert list(map(str, found)) == ["pg15-asyncpg", "pg16-psycopg", "pg18-asyncpg"]


def test_quick_sessions_are_of_few_cells(bench: Bench) -> None:
    """Sessions are the measured layers on the measured cells."""
    assert list(map(str, bench.sessions)) == ["pg15-asyncpg-here", "pg16-psycopg-here", "pg18-asyncpg-here"]


def test_layers_without_their_files_are_left_out(table: config.Config) -> None:
    """A layer is measured when all its files are there."""
    assert measured_layers(table, []) == ("here",)


def test_no_layer_is_absent(table: config.Config) -> None:
    """Where no layer has its files there is nothing to measure, and that is said."""
    with pytest.raises(Absent, match="none of the layers has its test files"):
        measured_layers(table, ["gone"])


def test_an_unknown_layer_is_refused(table: config.Config) -> None:
    """A layer that the table does not have is an error, not an empty measurement."""
    with pytest.raises(UnknownName, match="unknown layer: rls"):
        measured_layers(table, ["rls"])


def test_measured_commands_do_not_inherit_a_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the run around us are gone, a person's settings stay."""
    for name in ("PGMATRIX_RUN", "PGMATRIX_SESSION", "PYTEST_PLUGINS", "COVERAGE_FILE", "NOX_CURRENT_SESSION"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("PGMATRIX_CACHE", "/cache")

    found = bench.environ(PGMATRIX_PROVIDER="embedded")

    assert not {"PGMATRIX_RUN", "PGMATRIX_SESSION", "PYTEST_PLUGINS", "COVERAGE_FILE", "NOX_CURRENT_SESSION"} & set(
        found
    )
    assert (found["PGMATRIX_CACHE"], found["PGMATRIX_PROVIDER"]) == ("/cache", "embedded")


@pytest.mark.parametrize("path", ["", "/one:/two"])
def test_the_spy_leaves_no_trace(bench: Bench, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """What the spy saw is the command as it would have been without it."""
    monkeypatch.setenv("PYTHONPATH", path)
    env = bench.spied()
    Path(env["PERF_SPY"]).write_text(json.dumps({"began": 1.5, "argv": ["python"], "env": env}), encoding="utf-8")

    found = bench.seen()

    assert (found.argv, found.began) == (("python",), 1.5)
    assert found.env.get("PYTHONPATH", "") == path
    assert not [name for name in found.env if name.startswith("PERF_")]


def test_an_unseen_pytest_is_a_failure(bench: Bench) -> None:
    """Without the spy's word there is no figure."""
    with pytest.raises(MeasurementFailed, match="no pytest was seen to start"):
        bench.seen()


def test_an_environment_made_anew_has_another_stamp(bench: Bench) -> None:
    """A run during which an environment was made is told from a warm one."""
    before = bench.stamps()
    stamp = bench.root / ".nox" / "env-psycopg" / "pgmatrix-stamp"
    stamp.parent.mkdir(parents=True)
    stamp.touch()

    assert bench.stamps() != before


def test_a_changed_source_of_the_template_has_another_stamp(bench: Bench) -> None:
    """A run before which the template's sources were written is told from a warm one."""
    before = bench.stamps()
    os.utime(bench.root / "source.py", ns=(1, 1))

    assert bench.stamps() != before
