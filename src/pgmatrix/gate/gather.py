"""Owns reading what a verdict is made of: a run's folder, or a JUnit file from elsewhere. Trusts nothing it finds.

What cannot be read is said in the evidence, for the rules to object to; only a folder that is no run's is an error.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pgmatrix import __version__, coverage, junit, plain, records
from pgmatrix.config import Config
from pgmatrix.errors import RecordError
from pgmatrix.gate.evidence import Evidence
from pgmatrix.gate.policy import Policy
from pgmatrix.junit import JUnit
from pgmatrix.perf import results as perf
from pgmatrix.records import Record
from pgmatrix.revision import revision
from pgmatrix.verdict import RunView, Scope

_RECORD = 256_000_000  # bytes; a record of 200,000 results has a fifth of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run was started for: its id, empty where the plan does not say, and its sessions as they are spelled."""

    run: str = ""
    sessions: tuple[str, ...]


def read_plan(folder: Path) -> Plan:
    """The plan of a run's folder. Raises RecordError."""
    path = folder / "plan.json"
    try:
        if not path.is_file():
            raise ValueError("it has no plan.json")
        return plain.loads(Plan, path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(
            f"{folder} is not the folder of a run: {error}", do_next="name one below .pgmatrix/runs"
        ) from error


def of_run(folder: Path, config: Config, policy: Policy, *, pages: bool = False) -> tuple[Evidence, RunView]:
    """The evidence in a run's `folder` against the table of `config`; with `pages` coverage's own reports are made too.

    Raises RecordError where it is no run's.
    """
    plan = read_plan(folder)
    files = list(_own_files(folder, "records", ".json"))
    found = _Records()
    for name, path in files:
        found.take(name, path, folder)
    names = tuple(str(session) for session in config.matrix.sessions)
    strangers = [f"records/{name}.json" for name, _ in files if name not in names]
    strangers += [f"the plan's session {name!r}" for name in plan.sessions if name not in names]
    run = plan.run or folder.name
    merged, coverage_problem = _coverage(folder, config, policy, pages=pages)
    speed, perf_problem = _perf(folder)
    known = {name: record for name, record in found.records.items() if name in names}
    evidence = Evidence(
        sessions=names,
        files=config.matrix.layers,
        run=run,
        commit=revision(config.root).commit,
        asked=frozenset(plan.sessions),
        thresholds=config["coverage"],
        records=known,
        damaged={name: why for name, why in found.damaged.items() if name in names},
        twice={name: tuple(paths) for name, paths in found.paths.items() if len(paths) > 1 and name in names},
        junit={name: _junit(folder, name) for name in known},
        strangers=tuple(strangers),
        coverage=merged,
        coverage_problem=coverage_problem,
        perf=speed,
        perf_problem=perf_problem,
        policy=policy,
    )
    return evidence, _run_view(evidence, folder, config)


def _own_files(folder: Path, kind: str, suffix: str) -> Iterator[tuple[str, Path]]:
    """The files of one kind by the session in their name; a name of ours never begins with a dot."""
    for path in sorted((folder / kind).glob(f"[!.]*{suffix}")):
        yield path.name.removesuffix(suffix), path


class _Records:
    """The records of a folder: each under its session, what cannot be read under its file's name."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.damaged: dict[str, str] = {}
        self.paths: dict[str, list[str]] = {}

    def take(self, name: str, path: Path, folder: Path) -> None:
        """Read one file."""
        problem = _unreadable(path, folder)
        if problem:
            self.damaged[name] = problem
            return
        try:
            record = records.read(path)
        except RecordError as error:
            self.damaged[name] = error.wanted
            return
        self.paths.setdefault(record.session, []).append(f"records/{path.name}")
        if record.session == name:
            self.records[name] = record
        else:
            self.damaged[name] = f"records/{path.name} holds the record of {record.session}"


def _unreadable(path: Path, folder: Path) -> str:
    """Why a file is not even opened: it is elsewhere, no file, or larger than any of ours."""
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # links in a circle
        inside = False
    if not inside:
        return f"{path.name} leads out of the run's folder"
    if not path.is_file():
        return f"{path.name} is not a file"
    if path.stat().st_size > _RECORD:
        return f"{path.name} is larger than {_RECORD // 1_000_000} MB"
    return ""


def _junit(folder: Path, name: str) -> JUnit | str:
    path = folder / "junit" / f"{name}.xml"
    problem = _unreadable(path, folder)
    if problem:
        return problem
    try:
        return junit.read(path)
    except RecordError as error:
        return error.wanted


def _coverage(folder: Path, config: Config, policy: Policy, *, pages: bool) -> tuple[coverage.Merged | None, str]:
    """The merged coverage of the cells that count: a preview neither blocks nor helps."""
    names = [str(one) for one in config.matrix.sessions if str(one.cell) not in policy.preview]
    outside = [path.name for path in (folder / "coverage").glob("*") if _unreadable(path, folder)]
    if outside:
        return None, f"coverage/{outside[0]} leads out of the run's folder, or is no file"
    try:
        merged = coverage.merge(folder, config.root, names, config["coverage"], pages=pages)
    except RecordError as error:
        return None, error.wanted
    html, xml = (path and path.relative_to(folder) for path in (merged.html, merged.xml))
    return replace(merged, html=html, xml=xml), ""


def _perf(folder: Path) -> tuple[perf.PerfRun | None, str]:
    path = perf.path_of(folder)
    if not path.exists():
        return None, ""
    problem = _unreadable(path, folder)
    if problem:
        return None, problem
    try:
        return perf.read(path), ""
    except RecordError as error:
        return None, error.wanted


def _run_view(evidence: Evidence, folder: Path, config: Config) -> RunView:
    found = list(evidence.records.values())
    inside = folder.resolve().is_relative_to(config.root.resolve())
    return RunView(
        run=evidence.run,
        scope=Scope.MATRIX,
        folder=str(folder.resolve().relative_to(config.root.resolve()) if inside else folder),
        commit=evidence.commit,
        dirty=any(record.dirty for record in found),
        started=min((record.started for record in found), default=0.0),
        ended=max((record.ended for record in found), default=0.0),
        judged=time.time(),
        pgmatrix=__version__,
        cells=tuple(map(str, config.matrix.cells)),
        layers=tuple(config.matrix.layers),
    )


def of_file(path: Path, policy: Policy) -> tuple[Evidence, RunView]:
    """The evidence of one JUnit file, whoever wrote it: its tests and nothing else are judged. Raises RecordError."""
    found = junit.read(path)
    name = path.name
    record = Record(
        run="",
        session=name,
        started=0.0,
        ended=sum(test.seconds for test in found.tests),
        exit_code=int(found.bad > 0),
        workers=0,
        workers_reason="not known",
        ready_seconds=0.0,
        tests=found.tests,
        collected=len(found.tests),
    )
    evidence = Evidence(
        scope=Scope.FILE,
        sessions=(name,),
        records={name: record},
        junit={name: found},
        policy=Policy(off=policy.off, skips=policy.skips),
    )
    return evidence, RunView(
        run="",
        scope=Scope.FILE,
        commit="",
        folder=str(path),
        dirty=False,
        started=0.0,
        ended=0.0,
        judged=time.time(),
        pgmatrix=__version__,
        cells=(),
        layers=(),
    )
