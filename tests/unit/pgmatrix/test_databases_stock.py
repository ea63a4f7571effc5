"""The stock of clones, over a client in memory: as many as can still be needed, each handed out once, none in vain."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pgmatrix.clients import ClientError
from pgmatrix.databases.stock import Stock, clone
from pgmatrix.errors import DatabaseError
from tests.unit.pgmatrix.builders import FakeClient


@contextmanager
def stock(client: FakeClient, size: int = 2) -> Iterator[Stock]:
    """A stock of that size over that client, closed at the end."""
    made = Stock(lambda: client, template="pgmx_t_ab", token="0123abcd", worker="gw0", size=size)
    try:
        yield made
    finally:
        made.close()


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it comes true within two seconds."""
    deadline = time.monotonic() + 2
    while not condition() and time.monotonic() < deadline:
        threading.Event().wait(0.001)
    return condition()


def creations(client: FakeClient) -> list[str]:
    """The statements that made a database."""
    return [sql for sql in client.statements if sql.startswith("create database")]


def test_a_clone_is_made_in_one_statement_by_copying_files() -> None:
    """A clone is a copy of the template's files."""
    client = FakeClient()

    clone(client, "x", "t")

    assert client.statements == ['create database "x" template "t" strategy file_copy']


def test_every_clone_is_handed_out_once() -> None:
    """Clones have names of their own, made from session, worker and number."""
    with stock(FakeClient()) as ours:
        ours.expect(3)
        found = [ours.take() for _ in range(3)]

    assert found == ["pgmx_c_0123abcd_gw0_0", "pgmx_c_0123abcd_gw0_1", "pgmx_c_0123abcd_gw0_2"]


def test_no_clone_is_made_in_vain() -> None:
    """The stock fills up to its size and never beyond what is still expected."""
    client = FakeClient()
    with stock(client, size=2) as ours:
        ours.expect(3)
        assert eventually(lambda: len(creations(client)) == 2)
        for _ in range(3):
            ours.take()

    assert len(creations(client)) == 3


def test_nothing_is_made_before_it_is_asked_for() -> None:
    """A stock that expects nothing makes nothing; a clone that was not expected is made when it is asked for."""
    client = FakeClient()
    with stock(client) as ours:
        ours.expect(0)
        before = len(creations(client))
        ours.take()

    assert (before, len(creations(client))) == (0, 1)


def test_an_empty_database_is_no_clone() -> None:
    """An empty database is made from nothing, and a waiting clone is not taken for it."""
    client = FakeClient()
    with stock(client, size=1) as ours:
        ours.expect(1)
        empty, full = ours.take_empty(), ours.take()

    made = {sql.split('"')[1]: sql for sql in creations(client)}
    assert "template template0" in made[empty]
    assert 'template "pgmx_t_ab"' in made[full]


def test_a_clone_is_not_taken_for_an_empty_database_that_is_waited_for() -> None:
    """A clone that was begun before somebody asked for an empty database is kept, and the empty one is made."""

    class Slow(FakeClient):
        def __init__(self) -> None:
            super().__init__()
            self.begun, self.go_on = threading.Event(), threading.Event()

        def execute(self, sql: str) -> list[tuple[object, ...]]:
            if sql.startswith("create database"):
                self.begun.set()
                assert self.go_on.wait(5)
            return super().execute(sql)

    client, found = Slow(), list[str]()
    with stock(client, size=1) as ours:
        ours.expect(1)
        assert client.begun.wait(5)
        asking = threading.Thread(target=lambda: found.append(ours.take_empty()))
        asking.start()
        assert eventually(lambda: len(ours._waiting) == 1)
        client.go_on.set()
        asking.join(5)
        clones = [ours.take()]

    assert (found, clones) == (["pgmx_c_0123abcd_gw0_1"], ["pgmx_c_0123abcd_gw0_0"])


def test_what_is_given_back_is_dropped() -> None:
    """A database that was given back goes away in the background."""
    client = FakeClient()
    with stock(client) as ours:
        name = ours.take()
        ours.give_back(name)

        assert eventually(lambda: name not in client.databases)


def test_a_test_that_waits_goes_before_tidying_up() -> None:
    """Clones are made before used ones are dropped."""
    client = FakeClient()
    client.databases.update({"old-1", "old-2"})
    with stock(client, size=0) as ours:
        ours.give_back("old-1")
        ours.give_back("old-2")
        name = ours.take()

        assert name in client.databases
        assert eventually(lambda: client.databases == {name})


def test_a_server_that_fails_is_an_error_for_who_waits_and_who_comes_later() -> None:
    """When a clone cannot be made the error has the template and the server's words, at once and from then on."""
    client = FakeClient()
    client.failure = ClientError("could not extend file: No space left on device", sqlstate="53100")
    with stock(client) as ours:
        for _ in range(2):
            with pytest.raises(DatabaseError) as error:
                ours.take()

            assert str(error.value) == (
                "cannot clone the template pgmx_t_ab: could not extend file: No space left on device\n"
                "  do    see the server's log; a full disk and a lost server look like this"
            )

    assert client.closed


def test_a_server_that_cannot_be_reached_is_an_error() -> None:
    """Where the stock's own connection fails the test learns it, and does not wait."""

    def refuse() -> FakeClient:
        raise ClientError("connection refused")

    ours = Stock(refuse, template="t", token="ab", worker="gw0", size=1)

    with pytest.raises(DatabaseError, match="cannot clone the template t: connection refused"):
        ours.take_empty()
    ours.close()


def test_who_asks_after_the_end_is_refused() -> None:
    """A stock that was closed answers with an error, and nobody waits for ever."""
    client = FakeClient()
    with stock(client) as ours:
        ours.take()

    with pytest.raises(DatabaseError, match="the stock has ended"):
        ours.take()
    assert client.closed


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_nobody_foresaw_does_not_make_a_test_wait() -> None:
    """An error that is not the server's ends the stock too, and who waits is told."""

    class Broken(FakeClient):
        def execute(self, sql: str) -> list[tuple[object, ...]]:
            raise RuntimeError("a mistake of ours")

    ours = Stock(Broken, template="t", token="ab", worker="gw0", size=1)

    with pytest.raises(DatabaseError, match="its thread ended with RuntimeError: a mistake of ours"):
        ours.take()
    ours.close()


def test_a_stock_nobody_used_closes_at_once() -> None:
    """Closing a stock that never started does nothing."""
    Stock(FakeClient, template="t", token="ab", worker="gw0", size=1).close()
