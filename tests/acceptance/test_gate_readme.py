"""What the README says of the gate: its example of a table is read, its example of a verdict is what is printed."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from pgmatrix.config import load
from pgmatrix.gate.judge import IDS
from pgmatrix.gate.policy import policy
from pgmatrix.records import Outcome
from pgmatrix.report.terminal import print_verdict
from tests.unit.pgmatrix.builders import a_project
from tests.unit.pgmatrix.evidence import NAMES, judged, result, with_tests, without

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "README.md").read_text(encoding="utf-8").partition("## The release gate\n")[2].partition("\n## ")[0]
NEW = "tests/test_rls.py::test_new"


def block(language: str) -> str:
    """The section's block of that language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)
    return str(found)


def test_the_table_can_be_written_as_the_readme_has_it(tmp_path: Path) -> None:
    """Every setting of the gate stands in the example, and the example is one."""
    table = '[tool.pgmatrix]\npostgres = [16, 18]\n[tool.pgmatrix.layers]\nrls = ["a"]\n'
    found = policy(load(a_project(tmp_path, table + block("toml")), environ={}), IDS)

    assert found.off == ("committed",)
    assert found.preview == ("pg18-asyncpg",)
    assert found.skips == {"tests/test_x.py::test_y": "why"}
    assert found.minimum_minor == {15: 14, 16: 10}
    assert found.require_perf == ("pg16-asyncpg",)
    assert found.minimum_tests == {"rls": 11}


def test_a_verdict_looks_as_the_readme_has_it() -> None:
    """The lines of the example are printed, in their order, for what they tell of."""
    psycopg = tuple(name for name in NAMES if name.endswith("psycopg-rls"))
    asyncpg = tuple(name for name in NAMES if name.endswith("asyncpg-rls"))
    found = judged(
        without(*(name for name in NAMES if name.endswith("audit"))),
        with_tests(*psycopg, add=(result(NEW, Outcome.FAILED),)),
        with_tests(*asyncpg, add=(result(NEW),)),
    )
    screen = Console(record=True, width=120, file=io.StringIO())

    print_verdict(screen, found)

    assert screen.export_text().endswith(block("text"))


def test_the_project_s_own_policy_is_one() -> None:
    """The gate of this repository demands the contract's tests of every layer, and switches nothing off."""
    config = load(ROOT, environ={})
    found = policy(config, IDS)

    assert sum(found.minimum_tests.values()) == 74
    assert set(found.minimum_tests) == set(config.matrix.layers)
    assert (found.off, found.skips, found.preview) == ((), {}, ())
