"""What the README says of the reports is so."""

from __future__ import annotations

import re
from pathlib import Path

from pgmatrix.progress import line
from pgmatrix.records import write
from pgmatrix.report import files, html, junit_xml, schema
from tests.unit.pgmatrix.builders import a_record, results
from tests.unit.pgmatrix.samples import troubled

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
(SECTION,) = re.findall(r"\n## Reports\n(.*?)\n## ", README, re.DOTALL)


def test_the_files_are_those_that_are_written(tmp_path: Path) -> None:
    """The table's files and what a run's folder gets are the same, beside the summary that the history keeps."""
    files.write(tmp_path, troubled())

    named = set(re.findall(r"^\| `([a-z.]+)` \|", SECTION, re.MULTILINE))
    assert named == {path.name for path in tmp_path.iterdir()} - {"summary.json"}


def test_the_line_of_a_session_looks_like_that(tmp_path: Path) -> None:
    """The README's line of progress is what such a session prints."""
    (sample,) = re.findall(r"```text\n(.*?)\n```", SECTION)
    tests = tuple(results("passed")[0].__class__(test=f"t.py::{n}", outcome="passed", seconds=0) for n in range(114))
    for number in range(16):
        write(tmp_path, a_record(session=f"pg16-asyncpg-l{number}", ended=1000.0 + number))
    write(tmp_path, a_record(tests=tests, started=1100.0, ended=1108.2))
    (tmp_path / "plan.json").write_text(f'{{"sessions": {list(map(str, range(28)))}}}'.replace("'", '"'))

    assert line(tmp_path, "pg16-asyncpg-rls") == sample


def test_names_and_addresses_are_as_written() -> None:
    """The class name, the address of a session and the place of the schema are those the README gives."""
    assert "`pg16-asyncpg-rls.tests.test_x`" in SECTION
    assert 'classname="pg16-asyncpg-rls.tests.integration.test_rls_0"' in junit_xml.render(troubled())
    assert "#session=pg16-asyncpg-rls" in SECTION
    assert 'href="#session=pg16-asyncpg-rls"' in html.render(troubled())
    assert "python -m pgmatrix.report.schema" in SECTION
    assert schema.__name__ == "pgmatrix.report.schema"
