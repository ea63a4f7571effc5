"""Promise: a failure shows what the server logged about that test's databases, and about no other test's."""

from __future__ import annotations

from tests.plugin.conftest import Nest

TESTS = """\
import pytest
from pgmatrix.clients import ClientError, connect


def ask(database, sql):
    client = connect(database.server, database=database.name)
    try:
        return client.execute(sql)
    except ClientError:
        return None
    finally:
        client.close()


def test_that_passes(pg_clone):
    ask(pg_clone, "select 'of the passing test' from nowhere")


def test_one(pg_clone):
    ask(pg_clone, "select 'of test one' from nowhere")
    assert False


def test_two(pg_database, pg_empty):
    ask(pg_database, "do $$ begin raise warning 'of test two, shared'; end $$")
    ask(pg_empty, "do $$ begin raise warning 'of test two, empty'; end $$")
    assert False


def test_three(pg_database):
    assert False


def test_four():
    assert False
"""


def test_a_failure_shows_its_own_log_lines(nest: Nest) -> None:
    """Each failing test shows its own lines, of all its databases; none shows another's, also in a shared database."""
    nest.write("test_layer.py", TESTS)
    result = nest.run()
    text = result.stdout.str()
    parts = (text.partition(f"_ test_{name} _") for name in ("one", "two", "three", "four"))
    one, two, three, four = (part[2].partition("\n____")[0].partition("\n====")[0] for part in parts)

    result.assert_outcomes(passed=1, failed=4)
    assert "of the passing test" not in text
    assert '42P01 relation "nowhere" does not exist' in one
    assert "statement: select 'of test one' from nowhere" in one
    assert "of test two" not in one
    assert "of test two, shared" in two
    assert "of test two, empty" in two
    assert "of test one" not in two
    assert "PostgreSQL log of this test -" in three
    assert "of test" not in three.replace("log of this test", "")
    assert "PostgreSQL log of this test" not in four
