"""Merged coverage: the union of real data files, which sessions it lacks, and thresholds by path."""

from __future__ import annotations

from pathlib import Path

import coverage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.coverage import Merged, PathCoverage, by_path, merge, percent
from pgmatrix.errors import RecordError

PYPROJECT = """
[tool.coverage.run]
branch = true
relative_files = true
[tool.coverage.html]
show_contexts = true
"""
SOURCE = "def f(x):\n    if x:\n        return 1\n    return 2\n"
ONE, TWO = "pg15-asyncpg-rls", "pg16-psycopg-rls"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project of two modules; the run's folder is in it."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    for name in ("src/pkg/a.py", "src/pkg/deep/b.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SOURCE, encoding="utf-8")
    (tmp_path / "run" / "coverage").mkdir(parents=True)
    return tmp_path


def measured(root: Path, session: str, arcs: dict[str, list[tuple[int, int]]]) -> Path:
    """The data file of a session in which these jumps from line to line happened."""
    path = root / "run" / "coverage" / session
    data = coverage.CoverageData(str(path))
    data.set_context(session)
    data.add_arcs(arcs)
    data.write()
    data.close()
    return path


WHOLE = [(-1, 1), (1, -1), (-1, 2), (2, 3), (3, -1), (2, 4), (4, -1)]
HALF = [(-1, 1), (1, -1), (-1, 2), (2, 3), (3, -1)]
OTHER_HALF = [(-1, 1), (1, -1), (-1, 2), (2, 4), (4, -1)]


def test_the_figure_is_that_of_the_union(root: Path) -> None:
    """What one session or another covered is covered; thresholds are judged on that."""
    measured(root, ONE, {"src/pkg/a.py": HALF, "src/pkg/deep/b.py": HALF})
    measured(root, TWO, {"src/pkg/a.py": OTHER_HALF})

    merged = merge(root / "run", root, [ONE, TWO], {"src/pkg/a.py": 100, "src/pkg/": 95, "src/none.py": 0, "total": 80})

    # Each module has 4 lines and 2 branches; of b.py one line and one branch were not reached.
    assert merged.percent == pytest.approx(100 * 10 / 12)
    assert [(one.path, round(one.percent, 1), one.files, one.met) for one in merged.paths] == [
        ("src/pkg/a.py", 100.0, 1, True),
        ("src/pkg/", 83.3, 2, False),
        ("src/none.py", 100.0, 0, False),
        ("total", 83.3, 2, True),
    ]
    assert merged.missing == ()


def test_data_and_reports_are_kept(root: Path) -> None:
    """Merging leaves every session's data where it was, and HTML, XML and JSON beside it; it can be done again."""
    path = measured(root, ONE, {"src/pkg/a.py": WHOLE})

    first = merge(root / "run", root, [ONE], {})
    second = merge(root / "run", root, [ONE], {})

    assert path.is_file()
    assert first == second
    assert first.html == root / "run" / "html" / "index.html"
    assert first.xml == root / "run" / "coverage.xml"
    assert all(report.is_file() for report in (first.html, first.xml, root / "run" / "coverage.json") if report)


def test_the_current_folder_stays_the_same(root: Path) -> None:
    """Wherever a report is asked for, it ends there."""
    measured(root, ONE, {"src/pkg/a.py": WHOLE})
    before = Path.cwd()

    merge(root / "run", root, [ONE], {})

    assert Path.cwd() == before


def test_sessions_without_data_are_named(root: Path) -> None:
    """A session whose data file is absent, empty or damaged is missing, and the others are merged."""
    measured(root, ONE, {"src/pkg/a.py": WHOLE})
    measured(root, "pg16-asyncpg-rls", {})
    (root / "run" / "coverage" / "pg15-psycopg-rls").write_bytes(b"half a file")
    (root / "run" / "coverage" / "pg15-psycopg-audit").touch()

    merged = merge(root / "run", root, [ONE, TWO, "pg16-asyncpg-rls", "pg15-psycopg-rls", "pg15-psycopg-audit"], {})

    assert merged.missing == (TWO, "pg16-asyncpg-rls", "pg15-psycopg-rls", "pg15-psycopg-audit")
    assert merged.percent == 100.0


def test_data_of_no_planned_session_is_not_counted(root: Path) -> None:
    """A data file that no session of the plan left behind adds nothing."""
    measured(root, ONE, {"src/pkg/a.py": HALF})
    measured(root, TWO, {"src/pkg/a.py": OTHER_HALF})

    assert merge(root / "run", root, [ONE], {}).percent < 100


def test_no_data_is_no_coverage(root: Path) -> None:
    """A run without any data has covered nothing and written no report."""
    merged = merge(root / "run", root, [ONE], {"total": 95})

    assert merged == Merged(percent=0.0, paths=(), missing=(ONE,), html=None, xml=None)


def test_sources_that_are_gone_are_an_error(root: Path) -> None:
    """Data whose sources are not there cannot be reported, and the error says so."""
    measured(root, ONE, {"src/pkg/a.py": WHOLE})
    (root / "src/pkg/a.py").unlink()

    with pytest.raises(RecordError) as error:
        merge(root / "run", root, [ONE], {})

    assert error.value.wanted.startswith(f"the coverage data in {root / 'run'} cannot be merged: No source for code")
    assert error.value.do_next == "report from the sources that were measured, or run the sessions again"


def summary(lines: int, covered: int, branches: int = 0, taken: int = 0) -> dict[str, int]:
    """What coverage says of a file."""
    return {
        "num_statements": lines,
        "covered_lines": covered,
        "num_branches": branches,
        "covered_branches": taken,
    }


def test_a_path_is_a_file_a_folder_or_all() -> None:
    """A folder is meant with its slash and holds what is below it; a name without one is a file's."""
    files = {"src/a.py": summary(10, 10), "src/ab/c.py": summary(10, 0), "src/ab.py": summary(10, 5)}

    found = {path: by_path(files, path, 50) for path in ("src/a.py", "src/ab/", "src/ab", "src/", "total")}

    assert {path: (round(one.percent), one.files) for path, one in found.items()} == {
        "src/a.py": (100, 1),
        "src/ab/": (0, 1),
        "src/ab": (100, 0),
        "src/": (50, 3),
        "total": (50, 3),
    }
    assert [path for path, one in found.items() if one.met] == ["src/a.py", "src/", "total"]


def test_a_path_that_matches_nothing_is_never_met() -> None:
    """A threshold of a path without a file is not met, though it be zero: a renamed file must not pass."""
    assert not by_path({}, "src/renamed.py", 0).met
    assert not by_path({}, "total", 0).met


@pytest.mark.parametrize(("reached", "met"), [(94.999, False), (95.0, True), (100.0, True)])
def test_a_threshold_is_not_rounded(reached: float, met: bool) -> None:
    """Almost there is not there."""
    assert PathCoverage(path="x", percent=reached, wanted=95, files=1).met is met


def test_nothing_to_cover_is_covered() -> None:
    """A file without statements does not count against anybody."""
    assert percent([]) == 100.0
    assert percent([summary(0, 0)]) == 100.0
    assert percent([{"num_statements": 4, "covered_lines": 1}]) == 25.0


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 20), st.integers(0, 20)), max_size=6))
def test_percent_counts_lines_and_branches_alike(rows: list[tuple[int, int, int, int]]) -> None:
    """The percentage lies between 0 and 100, is 100 only if nothing was missed, and does not depend on the order."""
    summaries = [summary(a + b, a, c + d, c) for a, b, c, d in rows]
    missed = sum(b + d for _, b, _, d in rows)

    found = percent(summaries)

    assert 0 <= found <= 100
    assert (found == 100) == (missed == 0)
    assert percent(reversed(summaries)) == pytest.approx(found)


def test_each_cell_has_its_own_share_of_lines(root: Path) -> None:
    """What the sessions of one cell ran is said apart, in lines; sessions of one cell are taken together."""
    measured(root, ONE, {"src/pkg/a.py": HALF, "src/pkg/deep/b.py": HALF})
    measured(root, "pg15-asyncpg-audit", {"src/pkg/a.py": OTHER_HALF})
    measured(root, TWO, {"src/pkg/a.py": [(-1, 1), (1, -1)]})
    names = [ONE, TWO, "pg15-asyncpg-audit"]

    merged = merge(root / "run", root, names, {"src/pkg/a.py": 0, "src/pkg/deep/": 0, "total": 0, "src/none/": 0})

    assert [dict(one.by_cell) for one in merged.paths] == [
        {"pg15-asyncpg": 100.0, "pg16-psycopg": 25.0},
        {"pg15-asyncpg": 75.0},
        {"pg15-asyncpg": 87.5, "pg16-psycopg": 12.5},
        {},
    ]


def test_a_line_inside_a_statement_counts_as_its_first(root: Path) -> None:
    """A statement over several lines is one line of the share, whichever of them was noted."""
    text = "x = [\n    1,\n    2,\n]\ny = 1\n"
    (root / "src/pkg/a.py").write_text(text, encoding="utf-8")
    measured(root, ONE, {"src/pkg/a.py": [(-1, 2), (2, 3), (3, -1)]})

    (path,) = merge(root / "run", root, [ONE], {"src/pkg/a.py": 0}).paths

    assert path.by_cell == {"pg15-asyncpg": 50.0}


def test_pages_are_left_out_on_demand(root: Path) -> None:
    """For a verdict alone no HTML and no XML is made; what an earlier report made is still named."""
    measured(root, ONE, {"src/pkg/a.py": WHOLE})

    alone = merge(root / "run", root, [ONE], {}, pages=False)
    merge(root / "run", root, [ONE], {})
    after = merge(root / "run", root, [ONE], {}, pages=False)

    assert (alone.html, alone.xml) == (None, None)
    assert (after.html, after.xml) == (root / "run" / "html" / "index.html", root / "run" / "coverage.xml")
