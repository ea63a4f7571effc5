"""Owns where a verdict's reports are: written whole, beside the run they are about, all from the one value.

Renders nothing itself and prints nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pgmatrix.errors import ReportError
from pgmatrix.records import write_text
from pgmatrix.report import history, html, junit_xml, markdown
from pgmatrix.verdict import FILE_NAME, Verdict

HTML, MARKDOWN, JUNIT = "report.html", "report.md", "junit.xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The reports of one verdict."""

    html: Path
    markdown: Path
    junit: Path
    json: Path


def write(folder: Path, verdict: Verdict, *, runs: Path | None = None, step_summary: str = "") -> Files:
    """Write every report of `verdict` into `folder`, and its summary for the history of later runs.

    `runs` holds the folders of past runs (by default what `folder` is in). `step_summary` is the file that a CI system
    shows as the job's summary ($GITHUB_STEP_SUMMARY): the Markdown is added to it. Raises ReportError.
    """
    files = Files(html=folder / HTML, markdown=folder / MARKDOWN, junit=folder / JUNIT, json=folder / FILE_NAME)
    past = history.last(runs or folder.parent, now=verdict)
    text = markdown.render(verdict)
    try:
        history.write(folder, verdict)
        write_text(files.json, verdict.to_json())
        write_text(files.markdown, text)
        write_text(files.junit, junit_xml.render(verdict))
        write_text(files.html, html.render(verdict, past))
        if step_summary:
            with Path(step_summary).open("a", encoding="utf-8") as file:
                file.write(text + "\n")
    except OSError as error:
        raise ReportError(
            f"the reports of {folder} cannot be written: {error}", do_next="make room, or name a folder that is yours"
        ) from error
    return files
