"""Errors say what was wanted, what was tried and what to do, and survive the way between processes."""

from __future__ import annotations

import pickle

import pytest

from pgmatrix import errors
from pgmatrix.clients import ClientError
from pgmatrix.errors import Attempt, PgMatrixError, ServerUnavailable

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PgMatrixError)]


def test_text_has_what_was_wanted_tried_and_to_do() -> None:
    """The text is the wish, one line for each attempt, and the advice, in this order."""
    error = ServerUnavailable(
        "no provider can serve PostgreSQL 99",
        tried=[Attempt(what="embedded", why="no wheel"), Attempt(what="container", why="no engine")],
        do_next="choose 16",
    )

    text = str(error)

    assert text == (
        "no provider can serve PostgreSQL 99\n"
        "  tried embedded: no wheel\n"
        "  tried container: no engine\n"
        "  do    choose 16"
    )


def test_text_without_attempts_or_advice_is_the_wish_alone() -> None:
    """Nothing is printed for what is not there."""
    text = str(PgMatrixError("a wish"))

    assert text == "a wish"


def test_facts_are_attributes() -> None:
    """`wanted`, `tried` and `do_next` can be read, and `tried` cannot be changed from outside."""
    attempts = [Attempt(what="a", why="b")]
    error = PgMatrixError("x", tried=attempts, do_next="y")
    attempts.clear()

    assert (error.wanted, error.tried, error.do_next) == ("x", (Attempt(what="a", why="b"),), "y")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_survives_pickling(kind: type[PgMatrixError]) -> None:
    """An error that travelled between two processes has its type, its text and its facts."""
    error = kind("wanted", tried=[Attempt(what="this", why="that")], do_next="do")

    found = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here

    assert (type(found), str(found)) == (kind, str(error))
    assert found.tried == error.tried


def test_a_client_error_survives_pickling_with_its_sqlstate() -> None:
    """A client's error keeps its SQLSTATE between two processes."""
    error = ClientError("database is gone", sqlstate="3D000")

    found = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here

    assert (found.wanted, found.sqlstate) == ("database is gone", "3D000")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_tree_in_the_docstring_names_every_error_below_its_base(kind: type[PgMatrixError]) -> None:
    """The module's docstring is the tree: each class stands there once, deeper than its base, with its own words."""
    lines = (errors.__doc__ or "").splitlines()
    depths = {line.strip("│├└─ ").split(" ")[0]: len(line) - len(line.lstrip("│├└─ ")) for line in lines}
    base = kind.__base__

    assert kind.__name__ in depths
    if kind is not PgMatrixError:
        assert base is not None
        assert depths[kind.__name__] == depths[base.__name__] + 4
        summary = (kind.__doc__ or "").rstrip(".")
        assert any(kind.__name__ in line and summary.lower() in line.lower() for line in lines)
