"""The matrix for a CI system: one job for each cell, in the table's order, nothing lost and nothing twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.__main__ import main
from pgmatrix.fanout.cells import job_matrix
from pgmatrix.matrix import Driver, Matrix, Session
from tests.unit.pgmatrix.builders import a_project

LAYERS = {"rls": ("tests/test_rls.py",), "audit": ("tests/audit/",)}
MATRIX = Matrix(majors=(15, 16), drivers=(Driver.ASYNCPG, Driver.PSYCOPG), layers=LAYERS)


def test_each_cell_is_one_job_that_names_its_sessions() -> None:
    """A job has the cell, its major, its driver, and the layers and sessions it runs."""
    jobs = job_matrix(MATRIX.sessions)["include"]

    assert [job["cell"] for job in jobs] == ["pg15-asyncpg", "pg15-psycopg", "pg16-asyncpg", "pg16-psycopg"]
    assert jobs[1] == {
        "cell": "pg15-psycopg",
        "postgres": 15,
        "driver": "psycopg",
        "layers": ["rls", "audit"],
        "sessions": ["pg15-psycopg-rls", "pg15-psycopg-audit"],
    }


@given(st.lists(st.sampled_from(MATRIX.sessions), unique=True))
def test_every_session_is_in_exactly_one_job(chosen: list[Session]) -> None:
    """Whatever is chosen, the jobs hold it once, and no cell has two jobs."""
    jobs = job_matrix(chosen)["include"]

    assert sorted(name for job in jobs for name in job["sessions"]) == sorted(map(str, chosen))
    assert len({job["cell"] for job in jobs}) == len(jobs)


def test_the_command_prints_one_line_of_json_and_asks_no_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`plan --json` is what a job's output can carry, also on a machine that could serve nothing."""
    from pgmatrix import provision

    monkeypatch.chdir(a_project(tmp_path))
    monkeypatch.setattr(provision, "choose_for", None)

    code = main(["plan", "--json", "pg16-psycopg-rls"])

    (line,) = capsys.readouterr().out.splitlines()
    assert code == 0
    assert [job["sessions"] for job in json.loads(line)["include"]] == [["pg16-psycopg-rls"]]


def test_a_session_that_does_not_exist_is_refused_in_json_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan of nothing that exists prints no matrix and is exit code 2."""
    monkeypatch.chdir(a_project(tmp_path))

    assert main(["plan", "--json", "pg17-psycopg-rls"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("pgmatrix: not in the matrix: pg17-psycopg-rls\n")
