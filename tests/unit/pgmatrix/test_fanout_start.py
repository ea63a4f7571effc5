"""First steps: what `init` writes into a project, and that it changes nothing that was there."""

from __future__ import annotations

import ast
import os
import tomllib
from pathlib import Path

import pytest

from pgmatrix.__main__ import main
from pgmatrix.config import load
from pgmatrix.fanout import start as starting
from pgmatrix.matrix import Driver


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the current one, on a machine with psycopg alone."""
    for name in [name for name in os.environ if name.startswith("PGMATRIX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(starting, "installed_drivers", lambda: (Driver.PSYCOPG,))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_empty_folder_becomes_a_project(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table, a template, a test and a noxfile are written, and named."""
    assert main(["init"]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "wrote pyproject.toml",
        "wrote tests/matrix/template.py",
        "wrote tests/matrix/test_example.py",
        "wrote noxfile.py",
        "wrote .gitignore: __pycache__/ .coverage .nox/ .pgmatrix/ .pytest_cache/",
        "next: pip install nox pgmatrix; nox   or, here: python -m pytest tests/matrix",
    ]
    config = load(empty)
    assert [str(one) for one in config.matrix.sessions] == ["pg15-psycopg-example", "pg16-psycopg-example"]
    assert config["template"] == "tests.matrix.template:build"
    assert all((empty / place).is_file() for place in config["template-sources"])
    assert "import psycopg\n" in (empty / "tests" / "matrix" / "test_example.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("drivers", "imported"), [("psycopg", {"psycopg"}), ("asyncpg", {"asyncpg"}), ("asyncpg, psycopg", set())]
)
def test_the_example_imports_no_driver_that_a_cell_lacks(empty: Path, drivers: str, imported: set[str]) -> None:
    """With one driver the example is plain code of that driver; with both it imports neither."""
    main(["init", "--drivers", drivers, "--postgres", "16, 18"])

    tree = ast.parse((empty / "tests" / "matrix" / "test_example.py").read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert names & {"asyncpg", "psycopg"} == imported
    assert load(empty).matrix.majors == (16, 18)
    assert load(empty).matrix.drivers == tuple(Driver(name.strip()) for name in drivers.split(","))


def test_what_is_there_stays(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pyproject.toml gets tables after what it has, and no other file is touched."""
    before = '[project]\nname = "shop" # ours\n\n[tool.coverage.run]\nbranch = false\n'
    (empty / "pyproject.toml").write_text(before, encoding="utf-8")
    (empty / "noxfile.py").write_text("# ours\n", encoding="utf-8")
    (empty / ".gitignore").write_text("dist/\n.nox/", encoding="utf-8")

    assert main(["init"]) == 0

    out = capsys.readouterr().out
    text = (empty / "pyproject.toml").read_text(encoding="utf-8")
    assert text.startswith(before)
    assert tomllib.loads(text)["tool"]["coverage"]["run"] == {"branch": False}
    assert (empty / "noxfile.py").read_text(encoding="utf-8") == "# ours\n"
    assert out.startswith("added tables to pyproject.toml\n")
    assert "kept noxfile.py: it was there\n" in out
    assert "added to .gitignore: __pycache__/ .coverage .pgmatrix/ .pytest_cache/\n" in out
    assert (empty / ".gitignore").read_text(encoding="utf-8").split() == [
        "dist/",
        ".nox/",
        "__pycache__/",
        ".coverage",
        ".pgmatrix/",
        ".pytest_cache/",
    ]


def test_a_second_time_changes_nothing(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`init` in a project that has everything says so."""
    main(["init"])
    before = {path: path.read_bytes() for path in empty.rglob("*") if path.is_file()}
    capsys.readouterr()

    assert main(["init", "--drivers", "asyncpg"]) == 0
    assert {path: path.read_bytes() for path in empty.rglob("*") if path.is_file()} == before
    assert capsys.readouterr().out.splitlines()[:5] == [
        "kept pyproject.toml: it has the tables",
        "kept tests/matrix/template.py: it was there",
        "kept tests/matrix/test_example.py: it was there",
        "kept noxfile.py: it was there",
        "kept .gitignore: it has the lines",
    ]


@pytest.mark.parametrize(
    ("argv", "toml", "text"),
    [
        (
            ["--drivers", "mysql"],
            None,
            "pgmatrix: unknown driver: mysql\n  do    choose from asyncpg, psycopg\n",
        ),
        (["--postgres", "0"], None, "pgmatrix: 0 is no PostgreSQL major\n  do    write a number such as 16\n"),
        (["--postgres", "16"], "[tool", "pgmatrix: {0} is not TOML: "),
        (["--postgres", "16; drop"], "# mine\n", "pgmatrix: {0} is not TOML: "),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_is_written(
    empty: Path, capsys: pytest.CaptureFixture[str], argv: list[str], toml: str | None, text: str
) -> None:
    """A driver, a major or a pyproject.toml that cannot be used leaves the folder as it was."""
    path = empty / "pyproject.toml"
    if toml is not None:
        path.write_text(toml, encoding="utf-8")

    assert main(["init", *argv]) == 2
    assert capsys.readouterr().err.startswith(text.format(path))
    assert [one.name for one in empty.rglob("*")] == ([] if toml is None else ["pyproject.toml"])
    assert toml is None or path.read_text(encoding="utf-8") == toml


def test_without_a_driver_it_asks_which(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no driver is installed the person must name one."""
    monkeypatch.setattr(starting, "installed_drivers", tuple)

    assert main(["init"]) == 2
    assert capsys.readouterr().err == "pgmatrix: no driver is installed here\n  do    say which: --drivers psycopg\n"
