"""A test's log lines are found in a large log, wherever its newest part begins."""

from __future__ import annotations

import time

import pytest

from pgmatrix.clients import Client, ClientError
from pgmatrix.plugin.logs import log_lines
from pgmatrix.servers.protocol import Server
from tests.servers.ground import until


def test_a_cut_in_the_middle_of_a_letter_hides_nothing(server: Server, client: Client) -> None:
    """With more than a megabyte of letters of four bytes in the log, the newest line is found at each of four cuts."""
    found = []
    for number in range(4):
        since = time.time()
        client.execute("do $$ begin for n in 1..5 loop raise warning '%', repeat('𝔘', 70000); end loop; end $$")
        client.execute(f"do $$ begin raise warning 'the end {number}{'.' * number}'; end $$")
        end = f"the end {number}{'.' * number}"
        found.append(until(lambda: any(end in line for line in log_lines(server, {"postgres"}, since))))  # noqa: B023

    assert found == [True] * 4


def test_a_statement_that_failed_is_shown_with_its_text(server: Server, client: Client) -> None:
    """An error is shown with its SQLSTATE, message and statement, and not to who asks for another database."""
    since = time.time()
    with pytest.raises(ClientError):
        client.execute("select 'here' from nowhere")
    lines = log_lines(server, {"postgres"}, since)

    assert any(
        'postgres: ERROR 42P01 relation "nowhere" does not exist' in line
        and "\n    statement: select 'here' from nowhere" in line
        for line in lines
    )
    assert log_lines(server, {"another"}, since) == ["nothing"]
