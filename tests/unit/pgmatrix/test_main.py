"""The command line: what it takes, and that an error of ours ends as text and exit code 2."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from pgmatrix import __version__, provision, records
from pgmatrix.__main__ import main
from pgmatrix.config import Config, ProviderName, load
from pgmatrix.errors import Attempt, ServerUnavailable
from pgmatrix.gate import gather
from pgmatrix.matrix import Cell
from pgmatrix.revision import Revision
from pgmatrix.servers.choose import Choice
from pgmatrix.servers.external import ExternalProvider
from pgmatrix.servers.guard import Guard
from tests.unit.pgmatrix.builders import a_project, a_record


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two layers, which is the current folder, and an environment without settings."""
    for name in [name for name in os.environ if name.startswith("PGMATRIX_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PGMATRIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(gather, "revision", lambda root: Revision())
    return a_project(tmp_path)


def a_choice(config: Config, cell: Cell, guard: Guard) -> Choice:
    """A machine on which every server is external."""
    return Choice(provider=ExternalProvider(dsns={}), reason="asked for")


def no_choice(config: Config, cell: Cell, guard: Guard) -> Choice:
    """A machine on which nothing serves."""
    raise ServerUnavailable(
        f"no provider can serve PostgreSQL {cell.major}",
        tried=[Attempt(what="container", why="no engine")],
        do_next="start Docker",
    )


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the version and nothing else."""
    with pytest.raises(SystemExit) as end:
        main(["--version"])

    assert (end.value.code, capsys.readouterr().out) == (0, f"{__version__}\n")


@pytest.mark.parametrize("argv", [[], ["nonsense"], ["plan", "--nonsense"], ["up", "a", "b"]])
def test_what_it_does_not_take_is_refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A command or option that does not exist ends with usage and exit code 2."""
    with pytest.raises(SystemExit) as end:
        main(argv)

    assert end.value.code == 2
    assert "usage: pgmatrix" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["doctor", "plan", "report", "up", "clean"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command says what it does."""
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])

    assert end.value.code == 0
    assert f"usage: pgmatrix {command}" in capsys.readouterr().out


def test_without_a_project_it_says_where_to_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Outside a project with the table every command ends with text on standard error and exit code 2."""
    monkeypatch.chdir(tmp_path)

    code = main(["plan"])

    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert captured.err == (
        f"pgmatrix: no pyproject.toml with a [tool.pgmatrix] table at or above {tmp_path}\n"
        "  do    go to the project's folder, or add the table\n"
    )


def test_a_plan_is_printed_and_kept(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan says what would run, how much of it at once and on which provider, and is kept in the order given."""
    monkeypatch.setattr(provision, "choose_for", a_choice)
    monkeypatch.setenv("PGMATRIX_PARALLEL_SESSIONS", "3")
    monkeypatch.setenv("PGMATRIX_RUN", "run-1")

    code = main(["plan", "--write", "deep/plan.json", "pg16-asyncpg-rls", "pg15-asyncpg-audit"])

    assert code == 0
    assert capsys.readouterr().out == (
        "2 sessions: 2 layers (rls, audit) on 2 cells, 2 at a time\n"
        "  pg15-asyncpg: external (asked for)\n"
        "  pg16-asyncpg: external (asked for)\n"
    )
    kept = json.loads((project / "deep" / "plan.json").read_text(encoding="utf-8"))
    assert kept == {"run": "run-1", "sessions": ["pg16-asyncpg-rls", "pg15-asyncpg-audit"]}


def test_a_plan_is_of_all_sessions_by_default(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without sessions the plan is that of the whole table."""
    monkeypatch.setattr(provision, "choose_for", a_choice)

    assert main(["plan"]) == 0
    assert capsys.readouterr().out.startswith("8 sessions: 2 layers (rls, audit) on 4 cells, 1 at a time\n")


@pytest.mark.parametrize(
    ("session", "text"),
    [
        (
            "pg17-asyncpg-rls",
            "pgmatrix: not in the matrix: pg17-asyncpg-rls\n"
            "  do    cells: pg15-asyncpg, pg15-psycopg, pg16-asyncpg, pg16-psycopg; layers: rls, audit\n",
        ),
        (
            "pg16-asyncpg-rsl",
            "pgmatrix: not in the matrix: pg16-asyncpg-rsl\n"
            "  do    cells: pg15-asyncpg, pg15-psycopg, pg16-asyncpg, pg16-psycopg; layers: rls, audit\n",
        ),
        ("rls", "pgmatrix: 'rls' is not a session\n  do    write CELL-LAYER, such as pg16-asyncpg-rls\n"),
    ],
)
def test_a_session_that_does_not_exist_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], session: str, text: str
) -> None:
    """A plan for a session that the table does not have is exit code 2 and a list of what it has."""
    assert main(["plan", session]) == 2
    assert capsys.readouterr().err.startswith(text)


def test_a_plan_that_nothing_serves_is_an_error(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When no provider can serve a cell of the plan, that is the text and the exit code is 2."""
    monkeypatch.setattr(provision, "choose_for", no_choice)

    assert main(["plan"]) == 2
    assert capsys.readouterr().err == (
        "pgmatrix: no provider can serve PostgreSQL 15\n  tried container: no engine\n  do    start Docker\n"
    )


def test_the_doctor_says_what_works(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The doctor lists drivers, settings and their origins, every provider's answer, and what would be used."""
    monkeypatch.setattr(provision, "choose_for", a_choice)
    monkeypatch.setattr(provision, "providers", lambda config, guard: [ExternalProvider(dsns={15: "postgresql://h"})])

    code = main(["doctor"])

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert any(line.startswith("driver asyncpg: ") for line in lines)
    assert "setting provider = auto (default)" in lines
    assert f"setting cache = {project / 'cache'} (environment PGMATRIX_CACHE)" in lines
    assert lines[-4:] == [
        "PostgreSQL 15: external: can serve it",
        "PostgreSQL 15: would use external (asked for)",
        "PostgreSQL 16: external: PGMATRIX_DSN_16 is not set",
        "PostgreSQL 16: would use external (asked for)",
    ]


def test_the_doctor_fails_where_a_major_cannot_be_served(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A major without a provider is said with what was tried, and makes exit code 1."""
    monkeypatch.setattr(provision, "choose_for", no_choice)
    monkeypatch.setattr(provision, "providers", lambda config, guard: [])

    assert main(["doctor"]) == 1
    assert "PostgreSQL 16: no provider can serve PostgreSQL 16\n  tried container: no engine" in capsys.readouterr().out


def a_run(project: Path, name: str, sessions: object) -> Path:
    """The folder of a run with that plan and one record."""
    folder = project / ".pgmatrix" / "runs" / name
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps(sessions), encoding="utf-8")
    records.write(folder, a_record())
    return folder


def test_the_last_run_is_reported_by_default(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a folder the newest run is reported; the report says where the page is, and its last line how it went."""
    plan = {"sessions": ["pg16-asyncpg-rls"]}
    a_run(project, "20260101-000000-2", plan)
    newest = a_run(project, "20261123-000000-1", plan)
    (project / ".pgmatrix" / "runs" / "20270101-000000-1").mkdir()

    assert main(["report"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [
        f"report: {newest / 'report.html'}",
        "1 of 1 session green, 2 tests passed, coverage 0.0 %; a part of the 8 sessions, so not judged",
    ]
    assert (newest / "report.html").is_file()


def test_a_whole_run_ends_with_its_verdict(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run of the whole matrix is reported with why it may not ship, and the report itself is no failure."""
    names = [f"{cell}-{layer}" for cell in load(project).matrix.cells for layer in ("rls", "audit")]
    a_run(project, "1", {"sessions": names})

    assert main(["report"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^✗ .*no record", out, re.MULTILINE)
    assert re.fullmatch(r"do not ship: \d+ reasons; \d of 8 sessions green, 2 tests passed", out.splitlines()[-1])


@pytest.mark.parametrize(
    ("plan", "why"), [([], "an object is expected"), ({}, "sessions is missing"), (None, "it has no plan.json")]
)
def test_a_folder_that_is_no_run_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], plan: object, why: str
) -> None:
    """A folder without a readable plan is exit code 2, with the reason and where runs are."""
    folder = a_run(project, "1", plan)
    if plan is None:
        (folder / "plan.json").unlink()

    assert main(["report", str(folder)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"pgmatrix: {folder} is not the folder of a run: ")
    assert why in error
    assert error.endswith("  do    name one below .pgmatrix/runs\n")


def test_a_damaged_record_is_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A record that cannot be read is an objection with its session, and hides nothing else."""
    folder = a_run(project, "1", {"sessions": ["pg16-asyncpg-rls"]})
    records.record_path(folder, "pg16-asyncpg-rls").write_text("{", encoding="utf-8")

    assert main(["report"]) == 0
    assert "✗ pg16-asyncpg-rls: no record: " in capsys.readouterr().out


def test_no_run_is_an_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing ran there is nothing to report."""
    assert main(["report"]) == 2
    assert capsys.readouterr().err == "pgmatrix: no run is recorded here\n  do    nox -s integration\n"


def test_cleaning_removes_cache_and_runs_and_nothing_else(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cache and records go, and are named; a second time there is nothing to do."""
    monkeypatch.setenv("PGMATRIX_PROVIDER", "embedded")
    (project / "cache").mkdir()
    (project / ".pgmatrix").mkdir()

    first, out = main(["clean"]), capsys.readouterr().out
    second, again = main(["clean"]), capsys.readouterr().out

    assert (first, out) == (0, f"removed {project / 'cache'}\nremoved {project / '.pgmatrix'}\n")
    assert (second, again) == (0, "")
    assert sorted(path.name for path in project.iterdir()) == ["pyproject.toml"]


def test_providers_are_asked_in_the_order_of_auto(project: Path) -> None:
    """External comes first, then container, then embedded."""
    from pgmatrix.config import load

    found = provision.providers(load(project), Guard())

    assert [one.name for one in found] == [ProviderName.EXTERNAL, ProviderName.CONTAINER, ProviderName.EMBEDDED]


def test_a_cache_has_one_secret_for_its_owner_alone(project: Path) -> None:
    """The secret from which passwords are made is made once, and nobody else may read it."""
    cache = project / "cache"

    first, second = provision._secret(cache), provision._secret(cache)

    assert first == second
    assert len(first) == 32
    assert (cache / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in cache.iterdir()] == ["secret"]
    assert provision._secret(project / "other") != first
