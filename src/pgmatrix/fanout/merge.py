"""Owns making one run of several: the records, coverage data and JUnit files that jobs left apart, in one folder.

Copies and refuses; judges no result. What a job should have left and did not stays missing, for the gate to name.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgmatrix import coverage, records
from pgmatrix.errors import Attempt, RecordError, UnknownName
from pgmatrix.matrix import Session
from pgmatrix.perf import results

# Where a session's files are in the folder of a run, and what follows its name there.
KINDS = {"records": ".json", "coverage": "", "junit": ".xml"}
_SOURCE = "name a run's folder, or one that holds such"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of a session, as a job left it in the `folder` of its run."""

    session: str
    kind: str
    path: Path
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """What was merged: the run's id and commit, whose records, from which folders; `left_out` are no session's files,
    `damaged` are records that cannot be read and were taken over as they are."""

    folder: Path
    run: str
    commit: str
    sessions: tuple[str, ...]
    sources: tuple[Path, ...]
    left_out: tuple[Path, ...]
    damaged: tuple[str, ...]


def merge(sources: Sequence[Path], into: Path, *, planned: Sequence[Session], root: Path) -> Merge:
    """Copy what is in the run folders at or below `sources` to the new folder `into`, whole or not at all.

    `planned` are the sessions there should be, `root` is the project that coverage was measured of. Raises RecordError
    when there is no record, when two folders have one session, when runs or commits differ, and when a file, or a path
    in coverage data, leaves its folder.
    """
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise RecordError(f"{into} is not empty", do_next="name a folder that is not there yet")
    folders = list({folder.resolve(): folder for source in sources for folder in _run_folders(source)}.values())
    found = [part for folder in folders for part in _files(folder)]
    parts = [part for part in found if part.session]
    _refuse_twice(parts)
    read, damaged = _read([part for part in parts if part.kind == "records"])
    if not read:
        names = ", ".join(map(str, sources))
        raise RecordError(f"no record can be read in {names}", do_next=_SOURCE)
    run, commit = (_same(what, read) for what in ("run", "commit"))
    for part in parts:
        if part.kind == "coverage":
            _refuse_outside(part, root)
    speed = _performance(folders)
    try:
        _copy([*parts, *speed], into, {"run": run, "sessions": [str(session) for session in planned]})
    except OSError as error:
        raise RecordError(
            f"{into} cannot be written: {error}", do_next="make all files readable, or name another folder"
        ) from error
    return Merge(
        folder=into,
        run=run,
        commit=commit,
        sessions=tuple(sorted(record.session for record in read)),
        sources=tuple(folders),
        left_out=tuple(part.path for part in found if not part.session),
        damaged=damaged,
    )


def _run_folders(source: Path) -> list[Path]:
    """`source` if it is the folder of a run, else those in it, however artifacts were unpacked."""
    if not source.is_dir():
        raise RecordError(f"{source} is not a folder", do_next=_SOURCE)
    if _is_run(source):
        return [source]
    below = (path for pattern in ("*", "*/*", "*/*/*") for path in sorted(source.glob(pattern)))
    return [path for path in below if path.is_dir() and _is_run(path)]


def _is_run(folder: Path) -> bool:
    return any((folder / kind).is_dir() for kind in KINDS) and folder.name not in KINDS


def _files(folder: Path) -> Iterator[Part]:
    for kind, suffix in KINDS.items():
        for path in sorted((folder / kind).glob("[!.]*")):
            _refuse_elsewhere(path, folder)
            yield Part(session=_session(path, suffix), kind=kind, path=path, folder=folder)


def _refuse_elsewhere(path: Path, folder: Path) -> None:
    try:
        own = path.resolve().is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, RuntimeError):  # links in a circle
        own = False
    if not own:
        raise RecordError(
            f"{path} leaves {folder}, or is no file",
            do_next="remove it: a run's folder holds its own files and nothing else",
        )


def _performance(folders: Sequence[Path]) -> list[Part]:
    """The performance run, which measures its cells side by side: one job has it, or none."""
    found = [folder for folder in folders if results.path_of(folder).exists()]
    if len(found) > 1:
        raise RecordError(
            f"more than one folder has a performance run: {', '.join(map(str, found))}",
            do_next="measure all cells in one job: their ratios are of one machine",
        )
    for folder in found:
        _refuse_elsewhere(results.path_of(folder), folder)
    return [Part(session="", kind=".", path=results.path_of(folder), folder=folder) for folder in found]


def _session(path: Path, suffix: str) -> str:
    """The session whose file this is by its name, or nothing."""
    if not path.name.endswith(suffix):
        return ""
    try:
        return str(Session.parse(path.name.removesuffix(suffix)))
    except UnknownName:
        return ""


def _refuse_twice(parts: Iterable[Part]) -> None:
    folders: dict[str, list[Path]] = {}
    for part in parts:
        if part.folder not in folders.setdefault(part.session, []):
            folders[part.session].append(part.folder)
    twice = {session: where for session, where in folders.items() if len(where) > 1}
    if twice:
        raise RecordError(
            f"more than one folder has {', '.join(sorted(twice))}",
            tried=[Attempt(what=name, why=f"in {' and '.join(map(str, where))}") for name, where in twice.items()],
            do_next="leave out the folder that does not count",
        )


def _read(parts: Sequence[Part]) -> tuple[list[records.Record], tuple[str, ...]]:
    """The records, and the names of those that cannot be read."""
    read, damaged = [], []
    for part in parts:
        try:
            record = records.read(part.path)
        except RecordError:
            damaged.append(part.session)
            continue
        if record.session != part.session:
            raise RecordError(
                f"{part.path} holds the record of {record.session}", do_next="give the file its session's name"
            )
        read.append(record)
    return read, tuple(damaged)


def _same(what: str, read: Sequence[records.Record]) -> str:
    """The run's id or the commit that all records have. Raises RecordError."""
    sessions: dict[str, list[str]] = {}
    for record in read:
        sessions.setdefault(getattr(record, what), []).append(record.session)
    if len(sessions) > 1:
        raise RecordError(
            f"the records are of more than one {what}",
            tried=[Attempt(what=key or f"no {what}", why=", ".join(names)) for key, names in sessions.items()],
            do_next="give all jobs the same PGMATRIX_RUN" if what == "run" else "run all jobs on one commit",
        )
    (only,) = sessions
    if not only:
        raise RecordError(f"the records name no {what}", do_next="run the jobs in a clone of the repository, with git")
    return only


def _refuse_outside(part: Part, root: Path) -> None:
    """Reports read the files that the data names: none but the project's own."""
    outside = [name for name in coverage.measured_files(part.path) if not _is_below(root, name)]
    if outside:
        raise RecordError(
            f"{part.path} has coverage of a file outside the project: {outside[0]}",
            do_next="set relative_files = true in [tool.coverage.run], or remove the file",
        )


def _is_below(root: Path, name: str) -> bool:
    return (root / name).resolve().is_relative_to(root.resolve())


def _copy(parts: Sequence[Part], into: Path, plan: dict[str, object]) -> None:
    private = into.with_name(f".{into.name}.merging")
    shutil.rmtree(private, ignore_errors=True)
    for part in parts:
        target = private / part.kind / part.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(part.path, target)
    (private / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    if into.is_dir():
        into.rmdir()
    private.rename(into)
