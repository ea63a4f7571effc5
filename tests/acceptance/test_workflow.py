"""The repository's workflow: written from its table, valid by its schema, and its last job passes only what passed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pgmatrix.config import load
from pgmatrix.fanout.cells import job_matrix
from pgmatrix.fanout.workflow import PLACE, workflow
from tests.acceptance.conftest import ROOT, Nox, clean_environment

TEXT = (ROOT / PLACE).read_text(encoding="utf-8")
JOBS: dict[str, Any] = YAML(typ="safe").load(TEXT)["jobs"]


def check(path: Path) -> subprocess.CompletedProcess[str]:
    """What check-jsonschema says of a workflow."""
    command = [sys.executable, *"-m check_jsonschema --builtin-schema vendor.github-workflows".split(), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def script(job: str, name: str) -> str:
    """What a step runs."""
    (step,) = (one for one in JOBS[job]["steps"] if one.get("name") == name)
    text: str = step["run"]
    return text


def run(text: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does: `bash -e`, in a checkout."""
    environment = clean_environment() | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | variables
    return subprocess.run(
        ["bash", "-e", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_it_is_what_ci_writes() -> None:
    """The file is the output of the command in its first line, so that the two cannot drift apart."""
    assert workflow("--editable .") == TEXT


def test_it_is_a_workflow(tmp_path: Path) -> None:
    """The schema that check-jsonschema carries accepts it, and does not accept it with one word wrong."""
    wrong = tmp_path / "matrix.yml"
    wrong.write_text(TEXT.replace("runs-on:", "runs-at:"), encoding="utf-8")

    good, bad = check(ROOT / PLACE), check(wrong)
    assert good.returncode == 0, good.stdout + good.stderr
    assert bad.returncode == 1, bad.stdout + bad.stderr


def test_actions_are_pinned_by_commit() -> None:
    """Each action is named by a commit that nobody can move, with the version it stands for beside it."""
    used = re.findall(r"uses: (.*)", TEXT)

    assert len(used) == 10
    assert [one for one in used if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []


def test_one_job_for_each_cell_and_one_after_all_of_them() -> None:
    """Cells come from the plan and do not stop each other; the last job runs whatever happened to the others."""
    assert list(JOBS) == ["plan", "cell", "verdict"]
    assert JOBS["cell"]["strategy"] == {"fail-fast": False, "matrix": "${{ fromJSON(needs.plan.outputs.matrix) }}"}
    assert JOBS["verdict"]["if"] == "always()"
    assert set(JOBS["verdict"]["needs"]) == {"plan", "cell"}
    assert [one["if"] for one in JOBS["cell"]["steps"] if "upload-artifact" in one.get("uses", "")] == ["always()"]


def test_the_plan_is_handed_on_as_one_line(tmp_path: Path) -> None:
    """The plan's step leaves the matrix of the table as the job's output."""
    ran = run(script("plan", "Plan"), ROOT, GITHUB_OUTPUT=str(tmp_path / "output"))

    (line,) = (tmp_path / "output").read_text(encoding="utf-8").splitlines()
    jobs = json.loads(line.removeprefix("matrix="))["include"]
    assert ran.returncode == 0, ran.stderr
    assert [job["cell"] for job in jobs] == [str(cell) for cell in load(ROOT, environ={}).matrix.cells]


def test_a_job_runs_what_was_planned_for_its_cell(nox: Nox) -> None:
    """The command of a cell's job selects the sessions that the plan has for it, and none besides."""
    matrix = load(ROOT, environ={}).matrix
    command = script("cell", "Run the sessions of this cell").split()
    assert command == ["nox", "-t", '"$CELL"']

    for job in job_matrix(matrix.sessions)["include"]:
        listed = json.loads(nox("-t", job["cell"], "--list", "--json").output)
        chosen = [one["call_spec"]["name"] for one in listed if one["name"] == "integration"]

        assert chosen == job["sessions"]
        assert {one["name"] for one in listed} == {"plan", "integration"}


def test_a_plan_that_fails_fails_its_job(tmp_path: Path) -> None:
    """Where there is no table there is no output, and the step is red."""
    ran = run(script("plan", "Plan"), tmp_path, GITHUB_OUTPUT=str(tmp_path / "output"))

    assert ran.returncode == 2
    assert "no pyproject.toml with a [tool.pgmatrix] table" in ran.stderr
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ("success success", 0),
        ("success failure", 1),
        ("failure skipped", 1),
        ("success skipped", 1),
        ("success cancelled", 1),
        ("skipped success", 1),
        ("", 1),
    ],
)
def test_the_last_job_fails_where_another_has_not_succeeded(results: str, code: int) -> None:
    """A job that failed, was skipped or was cancelled makes the last one red, and so does no answer."""
    ran = run(script("verdict", "Refuse where a job this one needs has not succeeded"), ROOT, RESULTS=results)

    assert ran.returncode == code
    bad = [one for one in results.split() if one != "success"][:1]
    assert ran.stdout == "".join(f"a job this one needs ended as: {one}\n" for one in bad)


def test_merging_nothing_fails_its_step(tmp_path: Path) -> None:
    """When no job left a record the merge is red, and says so."""
    (tmp_path / "pyproject.toml").write_text('[tool.pgmatrix.layers]\nrls = ["test_rls.py"]\n', encoding="utf-8")

    ran = run(script("verdict", "Merge"), tmp_path, PGMATRIX_RUN="ci-1")

    assert ran.returncode == 2
    assert ".pgmatrix/jobs is not a folder" in ran.stderr
