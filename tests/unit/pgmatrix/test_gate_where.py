"""Saying where: cells and sessions in few words, and never fewer than there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.gate.where import listed, place, sessions
from pgmatrix.matrix import Cell, Driver, Matrix

THREE = Matrix(majors=(15, 16, 18), drivers=(Driver.ASYNCPG, Driver.PSYCOPG), layers={"rls": ("a",), "audit": ("b",)})
CELLS = {str(cell): cell for cell in THREE.cells}
NAMES = tuple(str(session) for session in THREE.sessions)


def cells(text: str) -> list[Cell]:
    """The cells of `15a 16p`."""
    drivers = {"a": Driver.ASYNCPG, "p": Driver.PSYCOPG}
    return [Cell(major=int(word[:-1]), driver=drivers[word[-1]]) for word in text.split()]


@pytest.mark.parametrize(
    ("some", "among", "words"),
    [
        ("15p 16p", "15a 15p 16a 16p", "on psycopg, on 15 and 16"),
        ("16a 16p", "15a 15p 16a 16p", "only on 16"),
        ("16p", "15a 15p 16a 16p", "only on pg16-psycopg"),
        ("15a 15p 16a 16p", "15a 15p 16a 16p", "on every cell"),
        ("15a 16p", "15a 15p 16a 16p", "on pg15-asyncpg and pg16-psycopg"),
        ("16p 15a", "15a 15p 16a 16p", "on pg15-asyncpg and pg16-psycopg"),
        ("15a 15p 16a", "15a 15p 16a 16p", "on pg15-asyncpg, pg15-psycopg and pg16-asyncpg"),
        ("15p 16p 18p", "15a 15p 16a 16p 18a 18p", "on psycopg, on 15, 16 and 18"),
        ("15p 16p", "15a 15p 16a 16p 18a 18p", "on psycopg, only on 15 and 16"),
        ("15a 15p 16a 16p", "15a 15p 16a 16p 18a 18p", "only on 15 and 16"),
        ("16a", "16a 16p", "on asyncpg, on 16"),
        ("16a", "15a 16a", "only on 16"),
        ("16a", "16a", "on pg16-asyncpg"),
        ("16a 16p", "16a 16p", "on every cell"),
        ("16p 15p", "15p 16p 16a", "on psycopg, on 15 and 16"),
    ],
)
def test_a_place_is_said_as_a_person_would(some: str, among: str, words: str) -> None:
    """Whole drivers and whole majors are said as such; what is neither is listed."""
    assert place(cells(some), cells(among)) == words


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (list("abcdef"), "a, b, c, d, e and f"),
        (list("abcdefg"), "a, b, c, d, e, f and 1 more"),
        (list("abcdefgh"), "a, b, c, d, e, f and 2 more"),
    ],
)
def test_a_list_ends_before_it_tires(names: list[str], words: str) -> None:
    """Six are named; of more the number of the rest is said."""
    assert listed(names) == words


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (NAMES, "all 12 sessions"),
        (["pg15-asyncpg-rls"], "pg15-asyncpg-rls"),
        ([name for name in NAMES if "pg15" in name], "all of pg15"),
        ([name for name in NAMES if "pg15" not in name], "8 of 12 sessions (all of pg16 and all of pg18)"),
        ([name for name in NAMES if "psycopg" in name], "all of psycopg"),
        ([name for name in NAMES if "rls" in name], "rls on every cell"),
        (["pg16-psycopg-rls", "pg15-psycopg-rls", "pg18-psycopg-rls"], "rls on psycopg, on 15, 16 and 18"),
        (["pg15-asyncpg-rls", "pg15-asyncpg-audit"], "all of pg15-asyncpg"),
        (
            [*(name for name in NAMES if "rls" in name), "pg15-asyncpg-audit"],
            "7 of 12 sessions (all of rls and pg15-asyncpg-audit)",
        ),
        (["pg15-asyncpg-rls", "pg16-psycopg-audit"], "pg15-asyncpg-rls and pg16-psycopg-audit"),
        (["pg99-asyncpg-rls"], "pg99-asyncpg-rls"),
        (["b", "a"], "a and b"),
        ([], ""),
    ],
)
def test_sessions_are_said_in_few_words(chosen: list[str], words: str) -> None:
    """Whole majors, drivers, cells and layers first, and the rest by name."""
    assert sessions(chosen, NAMES) == words


SEVEN = Matrix(majors=(15, 16), drivers=(Driver.ASYNCPG, Driver.PSYCOPG), layers=dict.fromkeys("abcdefg", ("x",)))
MANY = tuple(str(session) for session in SEVEN.sessions)


@pytest.mark.parametrize(
    ("without", "words"),
    [
        (["pg16-asyncpg-g"], "27 of 28 sessions (all of pg15, all of pg16-psycopg and all of pg16-asyncpg but g)"),
        (
            ["pg16-asyncpg-a", "pg16-asyncpg-g"],
            "26 of 28 sessions (all of pg15, all of pg16-psycopg and all of pg16-asyncpg but a and g)",
        ),
        (
            ["pg16-asyncpg-a", "pg16-asyncpg-b", "pg16-asyncpg-g"],
            "25 of 28 sessions (all of pg15, all of pg16-psycopg, pg16-asyncpg-c, pg16-asyncpg-d, pg16-asyncpg-e and"
            " pg16-asyncpg-f)",
        ),
        (
            ["pg15-psycopg-a", "pg16-asyncpg-g"],
            "26 of 28 sessions (all of pg15-asyncpg, all of pg16-psycopg, all of pg15-psycopg but a and"
            " all of pg16-asyncpg but g)",
        ),
    ],
)
def test_what_is_left_out_is_said_where_that_is_shorter(without: list[str], words: str) -> None:
    """Of a cell that is meant but for one or two sessions those are named."""
    assert sessions([name for name in MANY if name not in without], MANY) == words


def test_one_of_one_is_said_by_its_name() -> None:
    """A table of one session has no `all`."""
    assert sessions(["pg15-asyncpg-rls"], ["pg15-asyncpg-rls"]) == "pg15-asyncpg-rls"


def test_what_is_no_session_is_listed() -> None:
    """Files from elsewhere are said by their names."""
    assert sessions(["a.xml", "b.xml"], ["a.xml", "b.xml", "c.xml"]) == "a.xml and b.xml"


@given(st.sets(st.sampled_from(NAMES), min_size=1), st.sets(st.sampled_from(NAMES), min_size=1))
def test_other_sessions_are_said_otherwise(some: set[str], others: set[str]) -> None:
    """Two sets of sessions that read the same are the same, unless there were too many to name them."""
    first, second = sessions(some, NAMES), sessions(others, NAMES)

    assert first != second or some == others or " more" in first
