"""What a project says about its gate: read from the table, checked against it, and refused with a text that helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgmatrix.config import load
from pgmatrix.errors import ConfigError
from pgmatrix.gate.policy import Policy, policy
from tests.unit.pgmatrix.builders import TABLE, a_project

RULES = ("skips", "flaky")


def read(folder: Path, text: str) -> Policy:
    """The policy of a project with that `[tool.pgmatrix.gate]`."""
    return policy(load(a_project(folder, f"{TABLE}\n[tool.pgmatrix.gate]\n{text}"), environ={}), RULES)


def test_a_project_that_says_nothing_has_every_rule(tmp_path: Path) -> None:
    """Without the table nothing is off, declared or demanded."""
    assert policy(load(a_project(tmp_path), environ={}), RULES) == Policy()
    assert read(tmp_path, "") == Policy()


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    """Rules off, previews, skips with reasons, demanded tests and minors, and cells whose speed is required."""
    found = read(
        tmp_path,
        'off = ["flaky"]\n'
        'preview = ["pg16-psycopg"]\n'
        'skips = {"tests/a.py::*" = "no time"}\n'
        "minimum-tests = {rls = 11}\n"
        'minimum-minor = {15 = "15.14", 16 = 10}\n'
        'require-perf = ["pg15-asyncpg"]\n',
    )

    assert found == Policy(
        off=("flaky",),
        preview=("pg16-psycopg",),
        skips={"tests/a.py::*": "no time"},
        minimum_tests={"rls": 11},
        minimum_minor={15: 14, 16: 10},
        require_perf=("pg15-asyncpg",),
    )


def test_speed_can_be_required_of_all_cells_or_none(tmp_path: Path) -> None:
    """True means every cell of the table."""
    every = ("pg15-asyncpg", "pg15-psycopg", "pg16-asyncpg", "pg16-psycopg")

    assert read(tmp_path, "require-perf = true").require_perf == every
    assert read(tmp_path, "require-perf = false").require_perf == ()


@pytest.mark.parametrize(
    ("text", "wanted", "do_next"),
    [
        (
            'of = ["skips"]',
            "unknown setting in [tool.pgmatrix.gate]: of",
            "choose from off, preview, skips, minimum-tests, minimum-minor, require-perf",
        ),
        ('off = ["skip", "x"]', "unknown rule in [tool.pgmatrix.gate]: skip, x", "choose from skips, flaky"),
        (
            'off = "skips"',
            "[tool.pgmatrix.gate] off = 'skips' cannot be used: a list of texts is expected",
            "correct it, or leave it out",
        ),
        (
            "off = [1]",
            "[tool.pgmatrix.gate] off = [1] cannot be used: a list of texts is expected",
            "correct it, or leave it out",
        ),
        (
            'preview = ["pg18-asyncpg"]',
            "unknown cell in [tool.pgmatrix.gate]: pg18-asyncpg",
            "choose from pg15-asyncpg, pg15-psycopg, pg16-asyncpg, pg16-psycopg",
        ),
        (
            'preview = ["16"]',
            "'16' is not a cell",
            "write pgMAJOR-DRIVER, such as pg16-asyncpg; drivers: asyncpg, psycopg",
        ),
        (
            'require-perf = ["pg18-asyncpg"]',
            "unknown cell in [tool.pgmatrix.gate]: pg18-asyncpg",
            "choose from pg15-asyncpg, pg15-psycopg, pg16-asyncpg, pg16-psycopg",
        ),
        (
            'skips = ["a"]',
            "[tool.pgmatrix.gate] skips = ['a'] cannot be used: a table is expected",
            "correct it, or leave it out",
        ),
        (
            'skips = {a = " "}',
            "[tool.pgmatrix.gate] skips = {'a': ' '} cannot be used: each pattern needs a reason",
            "correct it, or leave it out",
        ),
        (
            "skips = {a = 1}",
            "[tool.pgmatrix.gate] skips = {'a': 1} cannot be used: each pattern needs a reason",
            "correct it, or leave it out",
        ),
        ("minimum-tests = {pool = 1}", "unknown layer in [tool.pgmatrix.gate]: pool", "choose from rls, audit"),
        *(
            (
                f"minimum-tests = {{rls = {value}}}",
                f"[tool.pgmatrix.gate] minimum-tests = {{'rls': {shown}}} cannot be used:"
                " a whole number above zero is expected",
                "correct it, or leave it out",
            )
            for value, shown in (("0", "0"), ("true", "True"), ("1.5", "1.5"), ('"2"', "'2'"))
        ),
        (
            'minimum-minor = {15 = "16.3"}',
            "[tool.pgmatrix.gate] minimum-minor = {'15': '16.3'} cannot be used:"
            " invalid literal for int() with base 10: '16.3'",
            "correct it, or leave it out",
        ),
        (
            "minimum-minor = {x = 1}",
            "[tool.pgmatrix.gate] minimum-minor = {'x': 1} cannot be used: invalid literal for int() with base 10: 'x'",
            "correct it, or leave it out",
        ),
        (
            "minimum-minor = {15 = 0}",
            "[tool.pgmatrix.gate] minimum-minor = {'15': 0} cannot be used: a whole number above zero is expected",
            "correct it, or leave it out",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, wanted: str, do_next: str) -> None:
    """A name that does not exist, or a value of another kind, is named with what there is to choose from."""
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)

    assert (error.value.wanted, error.value.do_next) == (wanted, do_next)


def test_the_gate_is_a_table(tmp_path: Path) -> None:
    """Something else in its place is refused with the place."""
    with pytest.raises(ConfigError) as error:
        load(a_project(tmp_path, "[tool.pgmatrix]\ngate = 3\n"), environ={})

    assert str(error.value) == (
        "[tool.pgmatrix] gate = 3 cannot be used: a table is expected\n"
        "  do    correct [tool.pgmatrix] gate, or leave it out"
    )
