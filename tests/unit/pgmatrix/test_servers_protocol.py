"""A server's URL reaches it with any driver, whatever its names hold; its repr tells no password."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgmatrix.servers.protocol import short_runtime_directory
from tests.unit.pgmatrix.builders import a_server


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, "postgresql://postgres:s3cret@127.0.0.1:5433/postgres"),
        ({"password": ""}, "postgresql://postgres@127.0.0.1:5433/postgres"),
        ({"host": "db.example"}, "postgresql://postgres:s3cret@db.example:5433/postgres"),
        ({"host": "::1"}, "postgresql://postgres:s3cret@[::1]:5433/postgres"),
        ({"host": "fe80::1%eth0"}, "postgresql://postgres:s3cret@[fe80::1%25eth0]:5433/postgres"),
        ({"host": "/run/pg sql"}, "postgresql://postgres:s3cret@/postgres?host=%2Frun%2Fpg%20sql&port=5433"),
        (
            {"user": "a@b:c/d", "password": "p@:/?#[]%"},
            "postgresql://a%40b%3Ac%2Fd:p%40%3A%2F%3F%23%5B%5D%25@127.0.0.1:5433/postgres",
        ),
        ({"database": "a/b?c d"}, "postgresql://postgres:s3cret@127.0.0.1:5433/a%2Fb%3Fc%20d"),
        (
            {"options": {"sslmode": "require", "application_name": "a b+c"}},
            "postgresql://postgres:s3cret@127.0.0.1:5433/postgres?sslmode=require&application_name=a%20b%2Bc",
        ),
    ],
)
def test_url_holds_everything_percent_encoded(changes: dict[str, object], url: str) -> None:
    """The URL has login, place, database and options, and what is special in them is percent-encoded."""
    assert a_server(**changes).url() == url


def test_url_of_another_database_and_role() -> None:
    """A URL can be had for another database and another login, with or without a password."""
    server = a_server()

    assert server.url(database="x", user="app", password="pw") == "postgresql://app:pw@127.0.0.1:5433/x"
    assert server.url(user="app", password="") == "postgresql://app@127.0.0.1:5433/postgres"


def test_a_socket_folder_is_added_to_the_other_options() -> None:
    """A server on a socket keeps its options beside the folder and the port."""
    server = a_server(host="/run", password="", options={"sslmode": "disable"})

    assert server.url() == "postgresql://postgres@/postgres?sslmode=disable&host=%2Frun&port=5433"


def test_repr_hides_what_is_secret() -> None:
    """A server printed by accident tells neither its password nor an option that may be one."""
    text = repr(a_server(password="s3cret", options={"sslpassword": "k3y"}))

    assert "s3cret" not in text
    assert "k3y" not in text
    assert "127.0.0.1" in text


def test_a_socket_must_fit_its_path() -> None:
    """A folder whose sockets would pass the 107 bytes a socket's path may have is too long, counted in bytes."""
    assert short_runtime_directory(Path("/tmp"))  # noqa: S108 - nothing is written
    assert not short_runtime_directory(Path("/" + "x" * 80))
    assert not short_runtime_directory(Path("/" + "é" * 40))
