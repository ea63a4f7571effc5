"""Owns the merged coverage of a run: one data file for each session, their union, and the thresholds by path.

Never reports a figure without saying which sessions' data it lacks. Wraps coverage.py, which does the measuring.
"""

from __future__ import annotations

import bisect
import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import coverage

from pgmatrix.errors import RecordError

TOTAL = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathCoverage:
    """Percent of lines and branches covered below a path; `wanted` is its threshold, `files` how many it matched.

    `by_cell` is the percent of lines alone that each cell's own sessions ran.
    """

    path: str
    percent: float
    wanted: float
    files: int
    by_cell: Mapping[str, float] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether the threshold is reached; a path that matches no file never is."""
        return self.files > 0 and self.percent >= self.wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The coverage of a run. `missing` are the sessions without data, `paths` the thresholds of the table."""

    percent: float
    paths: tuple[PathCoverage, ...]
    missing: tuple[str, ...]
    html: Path | None
    xml: Path | None


def merge(
    folder: Path, root: Path, sessions: Sequence[str], thresholds: Mapping[str, float], *, pages: bool = True
) -> Merged:
    """Combine the data files below `folder`/coverage, keep them, and report beside them (JSON, with `pages` HTML, XML).

    `root` is the project, whose pyproject.toml configures coverage. A damaged or empty data file counts as missing.
    Raises RecordError.
    """
    files = {path.name: path for path in (folder / "coverage").glob("*") if path.is_file() and _has_data(path)}
    found = [str(files[name]) for name in sessions if name in files]
    missing = tuple(name for name in sessions if name not in files)
    if not found:
        return Merged(percent=0.0, paths=(), missing=missing, html=None, xml=None)
    try:
        with _inside(root):
            lines = _write_reports(folder, root, found, pages=pages)
    except coverage.CoverageException as error:
        raise RecordError(
            f"the coverage data in {folder} cannot be merged: {error}",
            do_next="report from the sources that were measured, or run the sessions again",
        ) from error
    report = json.loads((folder / "coverage.json").read_text(encoding="utf-8"))
    measured = {path: values["summary"] for path, values in report["files"].items()}
    by_cell = {path: _lines_by_cell(values, lines.get(path, {})) for path, values in report["files"].items()}
    html, xml = folder / "html" / "index.html", folder / "coverage.xml"
    return Merged(
        percent=percent(measured.values()),
        paths=tuple(by_path(measured, path, wanted, by_cell) for path, wanted in thresholds.items()),
        missing=missing,
        html=html if html.is_file() else None,
        xml=xml if xml.is_file() else None,
    )


def _write_reports(
    folder: Path, root: Path, found: Sequence[str], *, pages: bool
) -> dict[str, Mapping[int, Sequence[str]]]:
    """Combine and report; by whom (contexts, which are sessions) each line of each file was run."""
    data = coverage.Coverage(data_file=str(folder / "merged.coverage"), config_file=str(root / "pyproject.toml"))
    data.combine(found, strict=True, keep=True)
    data.save()
    if pages:
        data.html_report(directory=str(folder / "html"), title="Merged coverage")
        data.xml_report(outfile=str(folder / "coverage.xml"))
    data.json_report(outfile=str(folder / "coverage.json"))
    kept = data.get_data()
    return {path: kept.contexts_by_lineno(path) for path in kept.measured_files()}


def _lines_by_cell(file: Mapping[str, Any], contexts: Mapping[int, Sequence[str]]) -> dict[str, int]:
    """Of one file, how many lines each cell ran. A line inside a statement counts as its first."""
    statements = sorted([*file["executed_lines"], *file["missing_lines"]])
    ran: dict[str, set[int]] = {}
    for line, names in contexts.items():
        first = bisect.bisect_right(statements, line) - 1
        for name in names if first >= 0 else ():
            ran.setdefault(name.rpartition("-")[0], set()).add(first)
    return {cell: len(found) for cell, found in ran.items() if cell}


def _has_data(path: Path) -> bool:
    return bool(measured_files(path))


def measured_files(path: Path) -> tuple[str, ...]:
    """The files that a data file has measured, as it names them; none if it is damaged."""
    data = coverage.CoverageData(str(path))
    try:
        data.read()
        return tuple(sorted(data.measured_files()))
    except coverage.CoverageException:
        return ()
    finally:
        data.close()


def by_path(
    measured: Mapping[str, Mapping[str, Any]],
    path: str,
    wanted: float,
    by_cell: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
) -> PathCoverage:
    """The coverage of one path of the table: a file, a folder ending in a slash, or `total`.

    `by_cell` has, for each file, how many lines each cell ran.
    """
    names = [
        name for name in measured if path == TOTAL or name == path or (path.endswith("/") and name.startswith(path))
    ]
    return PathCoverage(
        path=path,
        percent=percent(measured[name] for name in names),
        wanted=wanted,
        files=len(names),
        by_cell=_share(
            [by_cell.get(name, {}) for name in names], sum(measured[name]["num_statements"] for name in names)
        ),
    )


def _share(files: Sequence[Mapping[str, int]], lines: int) -> dict[str, float]:
    """Percent of `lines` that each cell ran in these files."""
    ran: Counter[str] = Counter()
    for one in files:
        ran.update(one)
    return {cell: 100.0 * ran[cell] / lines if lines else 100.0 for cell in sorted(ran)}


def percent(summaries: Any) -> float:
    """Covered lines and branches of all statements and branches, in percent; 100 where there is nothing to cover."""
    covered = total = 0
    for summary in summaries:
        covered += summary["covered_lines"] + summary.get("covered_branches", 0)
        total += summary["num_statements"] + summary.get("num_branches", 0)
    return 100.0 * covered / total if total else 100.0


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
