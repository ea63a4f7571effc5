"""Judging what lies on disk: a run's folder, whatever is wrong with it, is a verdict or a clear error, never a pass."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import coverage
import pytest

from pgmatrix import __version__
from pgmatrix.__main__ import main
from pgmatrix.config import Config, load
from pgmatrix.errors import RecordError
from pgmatrix.gate import gather
from pgmatrix.gate.evidence import Evidence
from pgmatrix.gate.judge import IDS, judge
from pgmatrix.gate.policy import Policy
from pgmatrix.junit import JUnit
from pgmatrix.matrix import Session
from pgmatrix.perf import results as perf
from pgmatrix.records import Outcome, Record, TestResult, record_path, write
from pgmatrix.revision import Revision
from pgmatrix.verdict import RunView, Scope, Verdict
from tests.unit.pgmatrix.builders import a_perf_run, a_project
from tests.unit.pgmatrix.evidence import NAMES, green_record, result

ONE = "pg16-asyncpg-rls"
TABLE = """
[tool.pgmatrix]
[tool.pgmatrix.layers]
rls = ["tests/test_rls.py"]
audit = ["tests/audit/"]
"""


def junit_text(tests: tuple[TestResult, ...]) -> str:
    """The JUnit file of these tests, all passed."""
    cases = "".join(f'<testcase classname="{one.test.partition("::")[0]}" name="{one.test}"/>' for one in tests)
    return f'<testsuites><testsuite tests="{len(tests)}">{cases}</testsuite></testsuites>'


def a_run(folder: Path, *, run: str = "run-1") -> Path:
    """The folder of a green run, made in a project without git and without coverage."""
    for name in NAMES:
        record = green_record(name, run=run, commit="")
        write(folder, record)
        path = folder / "junit" / f"{name}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(junit_text(record.tests), encoding="utf-8")
    (folder / "plan.json").write_text(json.dumps({"run": run, "sessions": list(NAMES)}), encoding="utf-8")
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that is no git repository, and the current folder."""
    for name in [name for name in os.environ if name.startswith("PGMATRIX_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gather, "revision", lambda root: Revision())
    return a_project(tmp_path, TABLE)


@pytest.fixture
def config(project: Path) -> Config:
    """The project's configuration."""
    return load(project, environ={})


def judged(folder: Path, config: Config) -> Verdict:
    """The verdict on a folder."""
    return judge(*gather.of_run(folder, config, Policy()))


def said(folder: Path, config: Config) -> list[str]:
    """The reasons against a folder, without its own path."""
    found = judged(folder, config)
    assert found.ship is not bool(found.reasons)
    return [f"[{one.rule}] {one.text}".replace(str(folder), "RUN") for one in found.reasons]


def test_a_whole_green_folder_ships(project: Path, config: Config) -> None:
    """Records and JUnit files of every session of the table are enough where no thresholds are set."""
    found = judged(a_run(project / "runs" / "x"), config)

    assert found.reasons == ()
    assert found.ship
    assert found.headline == "ship: 8 of 8 sessions green, 16 tests passed"
    assert (found.run.run, found.run.scope, found.run.folder) == ("run-1", Scope.MATRIX, "runs/x")
    assert (found.run.started, found.run.ended, found.run.dirty) == (1000.0, 1003.0, False)
    assert found.run.cells == ("pg15-asyncpg", "pg15-psycopg", "pg16-asyncpg", "pg16-psycopg")
    assert found.run.layers == ("rls", "audit")


def test_a_run_that_has_no_id_is_known_by_its_folder(project: Path, config: Config) -> None:
    """A plan that names no run means the folder it lies in."""
    folder = a_run(project / "run-1")
    (folder / "plan.json").write_text(json.dumps({"sessions": list(NAMES)}), encoding="utf-8")

    assert judged(folder, config).ship
    assert said(a_run_of_no_id(project / "other"), config)[0].startswith("[same-run] all 8 sessions: its record is of")


def a_run_of_no_id(folder: Path) -> Path:
    """A green run whose plan has no id and whose folder has another name."""
    a_run(folder)
    (folder / "plan.json").write_text(json.dumps({"sessions": list(NAMES)}), encoding="utf-8")
    return folder


def cut(path: Path) -> None:
    """Leave the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def changed(folder: Path, **changes: object) -> None:
    """Change values of one record as they stand on disk."""
    path = record_path(folder, ONE)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def twice(folder: Path) -> None:
    """Put a copy of one record beside it."""
    (folder / "records" / "pg16-asyncpg-rls-copy.json").write_bytes(record_path(folder, ONE).read_bytes())


def elsewhere(folder: Path) -> None:
    """Replace a record by a link that leads out of the folder."""
    path = record_path(folder, ONE)
    target = folder.parent / "elsewhere.json"
    path.rename(target)
    path.symlink_to(target)


def circle(folder: Path) -> None:
    """Replace a record by a link to itself."""
    path = record_path(folder, ONE)
    path.unlink()
    path.symlink_to(path)


def exchanged(folder: Path) -> None:
    """Put the record of another session in the place of one."""
    record_path(folder, ONE).write_bytes(record_path(folder, "pg16-asyncpg-audit").read_bytes())


def huge(folder: Path) -> None:
    """Make a record larger than any of ours."""
    with record_path(folder, ONE).open("wb") as file:
        file.truncate(256_000_001)


def a_folder(folder: Path) -> None:
    """Put a folder in the place of a record."""
    record_path(folder, ONE).unlink()
    record_path(folder, ONE).mkdir()


BEFORE = "[record] pg16-asyncpg-rls: no record: "
AFTER = "; run it again"
NOT = f"{BEFORE}RUN/records/pg16-asyncpg-rls.json is not a record: "
RLS_JUNIT = "[junit] pg16-asyncpg-rls: its JUnit file cannot be used: "
BOMB = '<!DOCTYPE a [<!ENTITY b "b">]><testsuite><testcase name="&b;"/></testsuite>'


@pytest.mark.parametrize(
    ("spoil", "reasons"),
    [
        (lambda run: record_path(run, ONE).unlink(), ["[record] pg16-asyncpg-rls: no record, though it was to run"]),
        (lambda run: cut(record_path(run, ONE)), [f"{NOT}Unterminated string"]),
        (lambda run: record_path(run, ONE).write_bytes(b""), [f"{NOT}Expecting value"]),
        (lambda run: record_path(run, ONE).write_bytes(b"\xff\xfe\x00"), [f"{NOT}'utf-8' codec can't decode"]),
        (lambda run: record_path(run, ONE).write_text("[" * 100_000), [f"{NOT}it is nested too deeply"]),
        (lambda run: record_path(run, ONE).write_text("null"), [f"{NOT}an object is expected"]),
        (
            lambda run: changed(run, schema=3),
            [f"{BEFORE}RUN/records/pg16-asyncpg-rls.json has schema 3, this pgmatrix"],
        ),
        (lambda run: changed(run, schema=None), [f"{NOT}schema is missing"]),
        (lambda run: changed(run, schema="2"), [f"{NOT}schema: a whole number is expected"]),
        (lambda run: changed(run, exit_code="0"), [f"{NOT}exit_code: a whole number is expected"]),
        (lambda run: changed(run, tests=None), [f"{NOT}tests: a list is expected"]),
        (
            lambda run: changed(run, tests=[{"test": "a", "outcome": "ok", "seconds": 1}]),
            [f"{NOT}tests: outcome: 'ok'"],
        ),
        (lambda run: changed(run, ended=float("nan")), [f"{NOT}NaN is no number"]),
        (lambda run: changed(run, dirty="no"), [f"{NOT}dirty: true or false is expected"]),
        (
            exchanged,
            [
                f"{BEFORE}records/pg16-asyncpg-rls.json holds the record of pg16-asyncpg-audit{AFTER}",
                "[one-record] pg16-asyncpg-audit: 2 records: records/pg16-asyncpg-audit.json and"
                " records/pg16-asyncpg-rls.json; remove the one that does not count",
            ],
        ),
        (
            twice,
            [
                "[one-record] pg16-asyncpg-rls: 2 records: records/pg16-asyncpg-rls-copy.json and"
                " records/pg16-asyncpg-rls.json; remove the one that does not count",
                "[strangers] records/pg16-asyncpg-rls-copy.json: is of no session of the table",
            ],
        ),
        (elsewhere, [f"{BEFORE}pg16-asyncpg-rls.json leads out of the run's folder{AFTER}"]),
        (circle, [f"{BEFORE}pg16-asyncpg-rls.json l"]),
        (huge, [f"{BEFORE}pg16-asyncpg-rls.json is larger than 256 MB{AFTER}"]),
        (a_folder, [f"{BEFORE}pg16-asyncpg-rls.json is not a file{AFTER}"]),
        (
            lambda run: changed(run, session="../../x"),
            [f"{BEFORE}records/pg16-asyncpg-rls.json holds the record of ../../x"],
        ),
        (lambda run: (run / "records" / "x.json").write_text("{"), ["[strangers] records/x.json: is of no session"]),
        (lambda run: (run / "junit" / f"{ONE}.xml").unlink(), [f"{RLS_JUNIT}pg16-asyncpg-rls.xml is not a file"]),
        (lambda run: cut(run / "junit" / f"{ONE}.xml"), [f"{RLS_JUNIT}RUN/junit/pg16-asyncpg-rls.xml is not a JUnit"]),
        (
            lambda run: (run / "junit" / f"{ONE}.xml").write_text(BOMB),
            [f"{RLS_JUNIT}RUN/junit/pg16-asyncpg-rls.xml is not a JUnit file: it declares a document type"],
        ),
        (lambda run: perf.path_of(run).write_text("{}"), ["[perf] perf: RUN/perf.json is no performance run: "]),
        (lambda run: perf.path_of(run).mkdir(), ["[perf] perf: perf.json is not a file; measure again"]),
        (
            lambda run: (run / "plan.json").write_text(json.dumps({"run": "run-1", "sessions": [*NAMES, "../x"]})),
            ["[strangers] the plan's session '../x': is of no session of the table"],
        ),
        (
            lambda run: (run / "plan.json").write_text(json.dumps({"run": "run-2", "sessions": list(NAMES)})),
            ["[same-run] all 8 sessions: its record is of the run run-1, not of run-2; run it again"],
        ),
        (
            lambda run: [(run / "records" / f"{name}.json").unlink() for name in NAMES],
            ["[record] all 8 sessions: no record, though it was to run"],
        ),
        (lambda run: (run / "records" / ".partial.json").write_text("{"), []),
        (lambda run: perf.write(run, a_perf_run()), []),
    ],
)
def test_a_spoiled_folder_has_its_reasons(
    project: Path, config: Config, spoil: Callable[[Path], object], reasons: list[str]
) -> None:
    """Each thing that can be wrong with a run's folder is said in one line; what is not wrong is not."""
    folder = a_run(project / "run")
    spoil(folder)
    found = said(folder, config)

    assert len(found) == len(reasons), found
    assert [one[: len(start)] for one, start in zip(found, reasons, strict=True)] == reasons


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (None, "it has no plan.json"),
        ("", "Expecting value"),
        ("[]", "an object is expected, not []"),
        ("{}", "sessions is missing"),
        ('{"sessions": 3}', "sessions: a list is expected, not 3"),
        ('{"sessions": [3]}', "sessions: text is expected, not 3"),
        ('{"sessions": [], "run": 3}', "run: text is expected, not 3"),
    ],
)
def test_a_folder_that_is_no_run_is_an_error(project: Path, config: Config, plan: str | None, why: str) -> None:
    """An empty folder, or one of something else, is refused before anything is judged."""
    folder = project / "empty"
    folder.mkdir()
    if plan is not None:
        (folder / "plan.json").write_text(plan, encoding="utf-8")

    with pytest.raises(RecordError) as error:
        judged(folder, config)

    assert error.value.wanted.startswith(f"{folder} is not the folder of a run: {why}")
    assert error.value.do_next == "name one below .pgmatrix/runs"


def test_a_folder_of_another_project_does_not_ship(project: Path, config: Config) -> None:
    """Records of other layers count for nothing: every session is missing, every file is a stranger."""
    folder = project / "other"
    for name in ("pg16-asyncpg-models", "pg16-psycopg-models"):
        write(folder, green_record(ONE, session=name, commit=""))
    (folder / "plan.json").write_text(json.dumps({"sessions": ["pg16-asyncpg-models"]}), encoding="utf-8")

    assert [one.partition(";")[0] for one in said(folder, config)] == [
        "[record] all 8 sessions: not part of this run",
        "[strangers] records/pg16-asyncpg-models.json: is of no session of the table",
        "[strangers] records/pg16-psycopg-models.json: is of no session of the table",
        "[strangers] the plan's session 'pg16-asyncpg-models': is of no session of the table",
    ]


def test_thresholds_without_data_do_not_ship(project: Path) -> None:
    """Where the table sets thresholds, a folder without coverage data is objected to."""
    a_project(project, f"{TABLE}\n[tool.pgmatrix.coverage]\ntotal = 90\n")
    folder = a_run(project / "run")

    assert said(folder, load(project, environ={})) == [
        "[coverage-data] all 8 sessions: it left no coverage data; run it with --cov",
        "[coverage] coverage of total: not measured; run the sessions with --cov",
    ]


@pytest.mark.parametrize("spoil", ["not sqlite", ""])
def test_damaged_coverage_data_counts_as_missing(project: Path, spoil: str) -> None:
    """A data file that is no database, or empty, is no data."""
    a_project(project, f"{TABLE}\n[tool.pgmatrix.coverage]\ntotal = 90\n")
    folder = a_run(project / "run")
    (folder / "coverage").mkdir()
    (folder / "coverage" / ONE).write_text(spoil, encoding="utf-8")

    assert said(folder, load(project, environ={}))[0].startswith("[coverage-data] all 8 sessions: it left no coverage")


def test_coverage_data_from_outside_is_not_opened(project: Path) -> None:
    """A link that leads out of the folder spoils the coverage, and is named."""
    a_project(project, f"{TABLE}\n[tool.pgmatrix.coverage]\ntotal = 90\n")
    folder = a_run(project / "run")
    (folder / "coverage").mkdir()
    (folder / "coverage" / ONE).symlink_to(project / "pyproject.toml")

    assert said(folder, load(project, environ={}))[0] == (
        f"[coverage-data] coverage: coverage/{ONE} leads out of the run's folder, or is no file;"
        " run the sessions again, on the sources that are judged"
    )


def with_coverage(project: Path) -> tuple[Path, Config]:
    """A run of one session's coverage data: half of a module's four lines, of which a quarter is asked."""
    table = (
        f'{TABLE}\n[tool.pgmatrix.coverage]\n"src/m.py" = 25\ntotal = 90\n[tool.coverage.run]\nrelative_files = true\n'
    )
    a_project(project, table)
    (project / "src").mkdir()
    (project / "src" / "m.py").write_text("a = 1\nb = 2\nc = 3\nd = 4\n", encoding="utf-8")
    folder = a_run(project / "run")
    (folder / "coverage").mkdir()
    data = coverage.CoverageData(str(folder / "coverage" / ONE))
    data.set_context(ONE)
    data.add_lines({"src/m.py": [1, 2]})
    data.write()
    data.close()
    return folder, load(project, environ={})


def test_pages_are_made_where_they_are_asked_for(project: Path) -> None:
    """Coverage's own reports are named by where they are in the run's folder; without `pages` there are none."""
    folder, config = with_coverage(project)

    without, _ = gather.of_run(folder, config, Policy())
    assert not (folder / "html").exists()
    evidence, _ = gather.of_run(folder, config, Policy(), pages=True)
    pages = evidence.coverage

    assert without.coverage is not None
    assert (without.coverage.html, without.coverage.xml) == (None, None)
    assert pages is not None
    assert (pages.html, pages.xml) == (Path("html/index.html"), Path("coverage.xml"))
    assert all((folder / path).is_file() for path in (pages.html, pages.xml) if path)
    assert [(one.path, one.percent, one.met) for one in pages.paths] == [
        ("src/m.py", 50.0, True),
        ("total", 50.0, False),
    ]


def test_the_evidence_holds_all_that_the_folder_and_the_table_say(project: Path) -> None:
    """Its speed, the table's files and thresholds, and what the project's policy is."""
    folder, config = with_coverage(project)
    perf.write(folder, a_perf_run())
    seen: list[Path] = []
    policy = Policy(preview=("pg16-psycopg",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gather, "revision", lambda root: seen.append(root) or Revision(commit="c" * 40))
        evidence, _ = gather.of_run(folder, config, policy)

    assert evidence.perf == a_perf_run()
    assert evidence.perf_problem == ""
    assert evidence.files == config.matrix.layers
    assert evidence.thresholds == {"src/m.py": 25, "total": 90}
    assert (evidence.policy, evidence.commit, seen) == (policy, "c" * 40, [config.root])
    assert evidence.coverage_problem == ""


def test_a_preview_neither_blocks_nor_helps_coverage(project: Path) -> None:
    """Coverage is asked of the cells that count alone."""
    a_project(project, f"{TABLE}\n[tool.pgmatrix.coverage]\ntotal = 90\n")
    folder = a_run(project / "run")
    evidence, _ = gather.of_run(folder, load(project, environ={}), Policy(preview=("pg16-psycopg",)))

    assert evidence.coverage is not None
    assert [name for name in NAMES if name not in evidence.coverage.missing] == [
        "pg16-psycopg-rls",
        "pg16-psycopg-audit",
    ]


def test_a_run_elsewhere_keeps_its_whole_path(tmp_path_factory: pytest.TempPathFactory, config: Config) -> None:
    """A folder outside of the project is named as it was given."""
    folder = a_run(tmp_path_factory.mktemp("elsewhere"))

    assert judged(folder, config).run.folder == str(folder)


def test_the_commit_of_the_checkout_is_what_is_judged(
    project: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of a commit that has been left behind are stale."""
    monkeypatch.setattr(gather, "revision", lambda root: Revision(commit="b" * 40))

    assert said(a_run(project / "run"), config) == [
        "[same-commit] all 8 sessions: it ran on commit (none), judged is bbbbbbbbbbbb;"
        " run it on the commit that is to ship"
    ]


def test_the_command_says_ship(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A green run is exit code 0; the verdict is kept beside the run, the same as printed with --json."""
    folder = a_run(project / "run")

    assert main(["gate", str(folder)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "ship: 8 of 8 sessions green, 16 tests passed"
    assert main(["gate", str(folder), "--json"]) == 0
    printed = Verdict.from_json(capsys.readouterr().out)
    assert printed == Verdict.from_json((folder / "verdict.json").read_text(encoding="utf-8"))
    assert printed.ship
    assert {"report.html", "report.md", "junit.xml", "verdict.json"} <= {path.name for path in folder.iterdir()}


def test_the_command_says_why_not(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that may not ship is exit code 1, the reasons before the verdict; a CI system's summary is added to."""
    folder = a_run(project / ".pgmatrix" / "runs" / "run-1")
    record_path(folder, ONE).unlink()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project / "summary.md"))

    assert main(["gate"]) == 1
    out = capsys.readouterr().out
    assert "pg16-asyncpg-rls: no record, though it was to run [record]\n    see its output, run it again\n" in out
    assert out.splitlines()[-1] == "do not ship: 1 reason; 7 of 8 sessions green, 14 tests passed"
    assert "no record, though it was to run" in (project / "summary.md").read_text(encoding="utf-8")


def test_the_command_refuses_what_is_no_run(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing can be judged it is exit code 2, and the error says what to do."""
    (project / "empty").mkdir()

    for place in ("empty", "nowhere"):
        assert main(["gate", place]) == 2
        assert capsys.readouterr().err == (
            f"pgmatrix: {project / place} is not the folder of a run: it has no plan.json\n"
            "  do    name one below .pgmatrix/runs\n"
        )
    assert main(["gate"]) == 2
    assert capsys.readouterr().err == "pgmatrix: no run is recorded here\n  do    nox -s integration\n"


def test_the_command_refuses_a_folder_that_cannot_be_read(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system refuses is an error with its reason."""
    folder = a_run(project / "run")

    def refuse(*args: object, **options: object) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(gather, "of_run", refuse)

    assert main(["gate", str(folder)]) == 2
    assert capsys.readouterr().err == (
        f"pgmatrix: {folder} cannot be judged: no\n  do    make it readable and writable\n"
    )


def test_the_command_lists_its_rules(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each rule is a line with what it demands, and whether it is off."""
    a_project(project, f'{TABLE}\n[tool.pgmatrix.gate]\noff = ["flaky"]\n')

    assert main(["gate", "--rules"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == list(IDS)
    assert "record: every session of the table left a record that can be read" in lines
    assert [line for line in lines if line.endswith(" (off)")] == [
        "flaky: no test passed only when it was run again (off)"
    ]


def test_the_command_refuses_a_wrong_policy(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule that does not exist cannot be switched off."""
    a_project(project, f'{TABLE}\n[tool.pgmatrix.gate]\noff = ["everything"]\n')

    assert main(["gate", str(a_run(project / "run"))]) == 2
    assert capsys.readouterr().err.startswith("pgmatrix: unknown rule in [tool.pgmatrix.gate]: everything\n")


@pytest.mark.parametrize(
    ("text", "code", "last"),
    [
        (junit_text((result("t::a"),)), 0, "ship: 1 of 1 sessions green, 1 tests passed"),
        (
            '<testsuite><testcase classname="t" name="a"><failure message="E"/></testcase></testsuite>',
            1,
            "do not ship: 1 reason; 0 of 1 sessions green, 0 tests passed",
        ),
        ("<testsuite/>", 1, "do not ship: 1 reason; 0 of 1 sessions green, 0 tests passed"),
    ],
)
def test_a_junit_file_from_elsewhere_is_judged(
    project: Path, capsys: pytest.CaptureFixture[str], text: str, code: int, last: str
) -> None:
    """`gate FILE.xml` judges the tests of a file that any pytest wrote, and leaves nothing beside it."""
    path = project / "r.xml"
    path.write_text(text, encoding="utf-8")

    assert main(["gate", str(path)]) == code
    assert capsys.readouterr().out.splitlines()[-1] == last
    assert sorted(one.name for one in project.iterdir()) == ["pyproject.toml", "r.xml"]


def test_a_file_that_is_no_junit_is_an_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bomb is exit code 2, not a verdict."""
    path = project / "r.xml"
    path.write_text(BOMB, encoding="utf-8")

    assert main(["gate", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"pgmatrix: {path} is not a JUnit file: it declares a document type, which could hold entities without end\n"
        "  do    run the tests again, with --junitxml\n"
    )


@pytest.mark.parametrize(("inside", "outcome", "code"), [("<failure/>", Outcome.FAILED, 1), ("", Outcome.PASSED, 0)])
def test_a_file_s_evidence_holds_its_tests_and_nothing_of_the_table(
    project: Path, monkeypatch: pytest.MonkeyPatch, inside: str, outcome: Outcome, code: int
) -> None:
    """Only what is off and which skips are declared counts of the policy; a record is made of the tests alone."""
    path = project / "r.xml"
    path.write_text(f'<testsuite><testcase name="a" time="2">{inside}</testcase></testsuite>', encoding="utf-8")
    policy = Policy(off=("flaky",), skips={"a": "b"}, preview=("pg16-asyncpg",), require_perf=("pg16-asyncpg",))
    monkeypatch.setattr("time.time", lambda: 5.0)
    evidence, run = gather.of_file(path, policy)
    tests = (TestResult(test="a", outcome=outcome, seconds=2.0),)
    record = Record(
        run="",
        session="r.xml",
        started=0.0,
        ended=2.0,
        exit_code=code,
        workers=0,
        workers_reason="not known",
        ready_seconds=0.0,
        tests=tests,
        collected=1,
    )

    assert evidence == Evidence(
        scope=Scope.FILE,
        sessions=("r.xml",),
        records={"r.xml": record},
        junit={"r.xml": JUnit(tests=tests)},
        policy=Policy(off=("flaky",), skips={"a": "b"}),
    )
    assert run == RunView(
        run="",
        scope=Scope.FILE,
        folder=str(path),
        commit="",
        dirty=False,
        started=0.0,
        ended=0.0,
        judged=5.0,
        pgmatrix=__version__,
        cells=(),
        layers=(),
    )


def test_a_run_is_shown_as_its_records_tell(project: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """First start, last end, and whether any session ran on sources that were not committed."""
    folder = a_run(project / "run")
    changed(folder, started=900.0, ended=2000.0, dirty=True)
    monkeypatch.setattr("time.time", lambda: 5.0)
    _, run = gather.of_run(folder, config, Policy())

    assert run == RunView(
        run="run-1",
        scope=Scope.MATRIX,
        folder="run",
        commit="",
        dirty=True,
        started=900.0,
        ended=2000.0,
        judged=5.0,
        pgmatrix=__version__,
        cells=("pg15-asyncpg", "pg15-psycopg", "pg16-asyncpg", "pg16-psycopg"),
        layers=("rls", "audit"),
    )
    for path in (folder / "records").iterdir():
        path.unlink()
    _, empty = gather.of_run(folder, config, Policy())
    assert (empty.started, empty.ended, empty.dirty) == (0.0, 0.0, False)


def test_every_session_of_the_table_is_expected(config: Config) -> None:
    """What is expected is the table's, in its order."""
    assert tuple(map(str, config.matrix.sessions)) == NAMES
    assert Session.parse(ONE) in config.matrix.sessions
