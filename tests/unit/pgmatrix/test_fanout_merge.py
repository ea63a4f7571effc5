"""Merging: everything of every job arrives, once, and whatever could mix two truths is refused with its name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import coverage
import pytest

from pgmatrix import records
from pgmatrix.__main__ import main
from pgmatrix.errors import RecordError
from pgmatrix.fanout.merge import Merge, merge
from pgmatrix.matrix import Session
from tests.unit.pgmatrix.builders import a_project, a_record

CELLS = ("pg15-asyncpg", "pg15-psycopg", "pg16-asyncpg", "pg16-psycopg")
SESSIONS = tuple(f"{cell}-{layer}" for cell in CELLS for layer in ("rls", "audit"))
COMMIT = "c0ffee" + "0" * 34


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of four cells and two layers, the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "one.py").write_text("a = 1\nb = 2\nc = 3\nd = 4\n", encoding="utf-8")
    return a_project(tmp_path)


def a_job(folder: Path, sessions: Sequence[str], *, measured: str = "src/one.py", **changes: object) -> Path:
    """What the job of one cell leaves: records, coverage data and JUnit files."""
    for number, session in enumerate(sessions):
        records.write(folder, a_record(**{"session": session, "commit": COMMIT, "run": "ci-7", **changes}))
        (folder / "junit").mkdir(exist_ok=True)
        (folder / "junit" / f"{session}.xml").write_text(f"<testsuites name='{session}'/>", encoding="utf-8")
        (folder / "coverage").mkdir(exist_ok=True)
        data = coverage.CoverageData(str(folder / "coverage" / session))
        data.add_lines({measured: [number + 1]})
        data.write()
        data.close()
    (folder / "plan.json").write_text(json.dumps({"sessions": list(sessions)}), encoding="utf-8")
    return folder


def jobs(project: Path) -> list[Path]:
    """The artifacts of four jobs, as they are unpacked side by side."""
    return [
        a_job(project / "artifacts" / f"records-{cell}", [one for one in SESSIONS if one.startswith(cell)])
        for cell in CELLS
    ]


def merged(project: Path, *sources: Path, into: str = "whole") -> Merge:
    """The merge of these folders in that project."""
    return merge(sources, project / into, planned=[Session.parse(one) for one in SESSIONS], root=project)


def files(folder: Path) -> dict[str, bytes]:
    """All files below a folder, by their place."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_folder_holds_what_all_jobs_left(project: Path) -> None:
    """Records, coverage data and JUnit files are those of the jobs, byte for byte, and the plan is the whole table."""
    made = merged(project, *jobs(project))

    left = {place: data for job in jobs(project / "again") for place, data in files(job).items() if "plan" not in place}
    found = files(made.folder)
    assert json.loads(found.pop("plan.json")) == {"run": "ci-7", "sessions": list(SESSIONS)}
    assert set(found) == set(left)
    assert {place: found[place] for place in found if "coverage" not in place} == {
        place: left[place] for place in left if "coverage" not in place
    }
    assert (made.run, made.commit, made.sessions) == ("ci-7", COMMIT, tuple(sorted(SESSIONS)))
    assert (made.left_out, made.damaged) == ((), ())


def test_a_folder_of_folders_is_searched(project: Path) -> None:
    """A folder into which artifacts were unpacked does instead of each of them."""
    places = jobs(project)

    made = merged(project, project / "artifacts")

    assert made.sources == tuple(places)
    assert made.sessions == tuple(sorted(SESSIONS))


def test_what_a_job_withheld_stays_missing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A cell without an artifact is planned all the same, and named."""
    places = jobs(project)

    code = main(["merge", *map(str, places[:-1]), "--into", "whole"])

    out = capsys.readouterr().out
    assert code == 0
    assert json.loads((project / "whole" / "plan.json").read_text(encoding="utf-8"))["sessions"] == list(SESSIONS)
    assert out == (
        f"whole: 6 records from 3 folders, commit {COMMIT}\nno record of pg16-psycopg-rls, pg16-psycopg-audit\n"
    )


def refused(project: Path, *sources: Path) -> str:
    """The error of a merge, after which nothing is left of it."""
    with pytest.raises(RecordError) as caught:
        merged(project, *sources)

    assert [path.name for path in project.glob("*whole*")] == []
    return str(caught.value)


def test_a_session_twice_is_refused_by_name(project: Path) -> None:
    """Two folders with one session: both are named, neither counts."""
    first, second = a_job(project / "a", SESSIONS[:2]), a_job(project / "b", SESSIONS[1:3])

    assert refused(project, first, second) == (
        "more than one folder has pg15-asyncpg-audit\n"
        f"  tried pg15-asyncpg-audit: in {first} and {second}\n"
        "  do    leave out the folder that does not count"
    )


def test_the_same_folder_twice_is_a_session_twice(project: Path) -> None:
    """A folder that is named itself and found below another counts once."""
    places = jobs(project)

    assert merged(project, project / "artifacts", places[0]).sources == tuple(places)


def test_other_coverage_of_a_session_is_a_duplicate_too(project: Path) -> None:
    """Coverage data alone, without a record beside it, does not slip in."""
    first, second = a_job(project / "a", SESSIONS[:1]), a_job(project / "b", SESSIONS[:2])
    records.record_path(second, SESSIONS[0]).unlink()

    assert refused(project, first, second).startswith(f"more than one folder has {SESSIONS[0]}\n")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"commit": "d" * 40},
            "the records are of more than one commit\n"
            f"  tried {COMMIT}: pg15-asyncpg-rls\n"
            f"  tried {'d' * 40}: pg15-psycopg-rls\n"
            "  do    run all jobs on one commit",
        ),
        (
            {"commit": ""},
            "the records are of more than one commit\n"
            f"  tried {COMMIT}: pg15-asyncpg-rls\n"
            "  tried no commit: pg15-psycopg-rls\n"
            "  do    run all jobs on one commit",
        ),
        (
            {"run": "ci-8"},
            "the records are of more than one run\n"
            "  tried ci-7: pg15-asyncpg-rls\n"
            "  tried ci-8: pg15-psycopg-rls\n"
            "  do    give all jobs the same PGMATRIX_RUN",
        ),
    ],
)
def test_two_truths_are_refused(project: Path, change: dict[str, str], text: str) -> None:
    """Records of two commits, or of two runs, are not one run."""
    first = a_job(project / "a", ["pg15-asyncpg-rls"])
    second = a_job(project / "b", ["pg15-psycopg-rls"], **change)

    assert refused(project, first, second) == text


def test_records_without_a_commit_are_refused(project: Path) -> None:
    """Where no record names a commit nobody knows that it is one."""
    job = a_job(project / "a", SESSIONS[:2], commit="")

    assert refused(project, job) == (
        "the records name no commit\n  do    run the jobs in a clone of the repository, with git"
    )


@pytest.mark.parametrize("kind", ["records", "coverage", "junit"])
def test_a_path_that_leaves_its_folder_is_refused(project: Path, kind: str) -> None:
    """A link to elsewhere is not followed, whatever it stands for."""
    job = a_job(project / "a", SESSIONS[:1])
    (project / "elsewhere").write_text("{}", encoding="utf-8")
    link = job / kind / {"records": "x.json", "coverage": "x", "junit": "x.xml"}[kind]
    link.symlink_to(project / "elsewhere")

    assert refused(project, job) == (
        f"{link} leaves {job}, or is no file\n  do    remove it: a run's folder holds its own files and nothing else"
    )


def test_links_in_a_circle_are_refused(project: Path) -> None:
    """A link to itself leads nowhere, and is no file."""
    job = a_job(project / "a", SESSIONS[:1])
    link = job / "records" / "x.json"
    link.symlink_to(link)

    assert refused(project, job).startswith(f"{link} leaves {job}, or is no file\n")


def test_a_target_that_cannot_be_written_is_an_error(project: Path) -> None:
    """Where there is a file in the way it is named, and nothing is left."""
    job = a_job(project / "a", SESSIONS[:1])
    (project / "file").write_text("", encoding="utf-8")

    with pytest.raises(RecordError) as caught:
        merged(project, job, into="file/whole")

    assert str(caught.value).startswith(f"{project / 'file' / 'whole'} cannot be written: ")
    assert str(caught.value).endswith("\n  do    make all files readable, or name another folder")


def test_a_whole_folder_that_is_elsewhere_is_refused(project: Path) -> None:
    """A link in place of the folder of records leaves just as well."""
    job, other = a_job(project / "a", SESSIONS[:1]), a_job(project / "b", SESSIONS[1:2])
    (other / "records" / f"{SESSIONS[1]}.json").rename(project / "kept.json")
    (other / "records").rmdir()
    (other / "records").symlink_to(job / "records")

    assert f"leaves {other}, or is no file" in refused(project, other)


@pytest.mark.parametrize("name", ["/etc/hostname", "../other/one.py", "src/../../one.py"])
def test_coverage_of_a_file_outside_the_project_is_refused(project: Path, name: str) -> None:
    """Reports would show the text of any file that coverage data names."""
    job = a_job(project / "a", SESSIONS[:1], measured=name)

    assert refused(project, job) == (
        f"{job / 'coverage' / SESSIONS[0]} has coverage of a file outside the project: {name}\n"
        "  do    set relative_files = true in [tool.coverage.run], or remove the file"
    )


def test_a_record_under_another_name_is_refused(project: Path) -> None:
    """A file named as one session that holds another is neither."""
    job = a_job(project / "a", SESSIONS[:1])
    path = records.record_path(job, SESSIONS[0]).rename(records.record_path(job, SESSIONS[1]))

    assert refused(project, job) == (
        f"{path} holds the record of {SESSIONS[0]}\n  do    give the file its session's name"
    )


def test_a_damaged_record_is_taken_over_for_the_gate_to_see(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A record that was cut off neither stops the merge nor vanishes."""
    job = a_job(project / "a", SESSIONS[:2])
    records.record_path(job, SESSIONS[1]).write_text('{"run": "ci-7', encoding="utf-8")

    assert main(["merge", "a", "--into", "whole"]) == 0
    assert f"cannot be read, taken over as it is: the record of {SESSIONS[1]}\n" in capsys.readouterr().out
    assert records.record_path(project / "whole", SESSIONS[1]).read_text(encoding="utf-8") == '{"run": "ci-7'


def test_what_is_no_session_s_file_is_left_out_and_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a crashed worker left beside the data is not merged, and said so; private files are passed over."""
    job = a_job(project / "a", SESSIONS[:1])
    (job / "coverage" / f"{SESSIONS[0]}.host.123.Xab").write_bytes(b"")
    (job / "records" / ".half").write_text("{", encoding="utf-8")
    (job / "records" / "notes.txt").write_text("hello", encoding="utf-8")

    main(["merge", "a", "--into", "whole"])

    out = capsys.readouterr().out
    assert "left out, no session's file: a/records/notes.txt\n" in out
    assert f"left out, no session's file: a/coverage/{SESSIONS[0]}.host.123.Xab\n" in out
    assert sorted(path.name for path in (project / "whole").glob("*/*")) == sorted(
        [f"{SESSIONS[0]}.json", SESSIONS[0], f"{SESSIONS[0]}.xml"]
    )


def test_a_performance_run_is_taken_along(project: Path) -> None:
    """The one job that measured speed has its file in the merged run."""
    places = jobs(project)
    (places[2] / "perf.json").write_text("{}", encoding="utf-8")

    assert (merged(project, *places).folder / "perf.json").read_text(encoding="utf-8") == "{}"


def test_two_performance_runs_are_refused(project: Path) -> None:
    """Ratios are of one machine: two files are not one measurement."""
    places = jobs(project)
    for place in places[1:3]:
        (place / "perf.json").write_text("{}", encoding="utf-8")

    assert refused(project, *places) == (
        f"more than one folder has a performance run: {places[1]}, {places[2]}\n"
        "  do    measure all cells in one job: their ratios are of one machine"
    )


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda folder: None, "{0} is not a folder\n  do    name a run's folder, or one that holds such"),
        (Path.mkdir, "no record can be read in {0}\n  do    name a run's folder, or one that holds such"),
        (
            lambda folder: (folder / "records").mkdir(parents=True),
            "no record can be read in {0}\n  do    name a run's folder, or one that holds such",
        ),
    ],
    ids=["nothing", "empty", "no-records"],
)
def test_a_source_without_records_is_refused(project: Path, make: object, text: str) -> None:
    """Nothing to merge is an error, never an empty run."""
    make(project / "a")  # type: ignore[operator]

    assert refused(project, project / "a") == text.format(project / "a")


def test_a_target_that_is_not_empty_is_refused(project: Path) -> None:
    """A run that is there is not added to; an empty folder will do."""
    places = jobs(project)
    (project / "whole").mkdir()
    merged(project, *places)
    before = files(project / "whole")

    with pytest.raises(RecordError) as caught:
        merged(project, *places)

    assert str(caught.value) == f"{project / 'whole'} is not empty\n  do    name a folder that is not there yet"
    assert files(project / "whole") == before
