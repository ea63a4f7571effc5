"""The workflow: what is printed, what is written, and that nothing is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgmatrix import __version__
from pgmatrix.__main__ import main
from pgmatrix.errors import ConfigError
from pgmatrix.fanout.workflow import PLACE, workflow
from tests.unit.pgmatrix.builders import a_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of four cells, the current folder."""
    monkeypatch.chdir(tmp_path)
    return a_project(tmp_path)


def test_this_version_is_installed_by_default(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`ci` prints a workflow that installs the pgmatrix it was written by, and writes nothing."""
    assert main(["ci"]) == 0

    out = capsys.readouterr().out
    assert out == workflow()
    assert out.count(f"run: python -m pip install pgmatrix=={__version__}\n") == 2
    assert f"run: python -m pip install nox pgmatrix=={__version__}\n" in out
    assert out.startswith("# Written by `python -m pgmatrix ci`.")
    assert out.count('python-version: "3.12"') == 3
    assert not PLACE.exists()


def test_what_installs_it_is_one_shell_word_for_each_argument(capsys: pytest.CaptureFixture[str]) -> None:
    """An extra's brackets are quoted, so that no shell reads them as a pattern."""
    text = workflow("--editable '.[psycopg]'", python="3.13")

    assert "run: python -m pip install --editable '.[psycopg]'\n" in text
    assert text.count('python-version: "3.13"') == 3
    assert "@" not in text.replace("actions/checkout@", "").replace("actions/setup-python@", "").replace(
        "actions/cache@", ""
    ).replace("actions/upload-artifact@", "").replace("actions/download-artifact@", "")


def test_a_text_that_no_shell_reads_is_refused() -> None:
    """A quote that does not close is said before anything is written."""
    with pytest.raises(ConfigError) as caught:
        workflow("'pgmatrix")

    assert str(caught.value) == (
        '"\'pgmatrix" is no argument of pip: No closing quotation\n'
        f"  do    write a requirement, such as pgmatrix=={__version__}"
    )


def test_it_is_written_once_and_never_over_another(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`ci --write` makes the file, is content with the same, and refuses another."""
    assert main(["ci", "--write"]) == 0
    assert PLACE.read_text(encoding="utf-8") == workflow()
    assert main(["ci", "--write"]) == 0
    assert main(["ci", "--write", "--python", "3.13"]) == 2

    captured = capsys.readouterr()
    assert captured.out == (
        f"wrote {PLACE}: a job for each of pg15-asyncpg, pg15-psycopg, pg16-asyncpg, pg16-psycopg\n"
        f"{PLACE} is there, word for word\n"
    )
    assert captured.err == (
        f"pgmatrix: {project / PLACE} is there and says something else\n  do    compare with what `ci` prints\n"
    )
    assert PLACE.read_text(encoding="utf-8") == workflow()
