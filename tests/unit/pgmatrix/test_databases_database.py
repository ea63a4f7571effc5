"""What tests get: URLs of one database for the superuser and for roles, with passwords nobody has to keep."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.databases.database import Database, role_password
from pgmatrix.matrix import Cell
from tests.unit.pgmatrix.builders import a_server


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_a_url_names_the_cells_driver(driver: str) -> None:
    """The URL is SQLAlchemy's, with the driver of the cell; the DSN is libpq's."""
    database = Database(name="x", server=a_server(cell=Cell.parse(f"pg16-{driver}")))

    assert database.url() == f"postgresql+{driver}://postgres:s3cret@127.0.0.1:5433/x"
    assert database.dsn() == "postgresql://postgres:s3cret@127.0.0.1:5433/x"


def test_a_role_logs_in_with_a_password_of_its_own() -> None:
    """A role's URL has the role and a password derived for it, not the superuser's."""
    server = a_server()

    url = Database(name="x", server=server).url("plant_app")

    assert url == f"postgresql+asyncpg://plant_app:{role_password(server, 'plant_app')}@127.0.0.1:5433/x"
    assert "s3cret" not in url


def test_where_roles_are_trusted_they_need_no_password() -> None:
    """On a server that trusts local roles a role's URL has none."""
    server = a_server(roles_trusted=True, host="/run/pg", password="")

    assert Database(name="x", server=server).url("plant_app") == (
        "postgresql+asyncpg://plant_app@/x?host=%2Frun%2Fpg&port=5433"
    )


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_a_roles_password_depends_on_role_and_server_alone(secret: str, one: str, other: str) -> None:
    """It is 64 hexadecimal digits, the same every time, and different for every role and every server's secret."""
    server = a_server(password=secret)
    found = role_password(server, one)

    assert re.fullmatch(r"[0-9a-f]{64}", found)
    assert found == role_password(a_server(password=secret, port=1), one)
    assert (found == role_password(server, other)) == (one == other)
    assert found != role_password(a_server(password=secret + "x"), one)


def test_repr_holds_no_password() -> None:
    """A database printed by a failing assertion tells no password."""
    assert "s3cret" not in repr(Database(name="x", server=a_server()))
