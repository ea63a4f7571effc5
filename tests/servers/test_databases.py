"""Templates and clones on a real server: complete, sealed, isolated, handed over from stock, and gone afterwards."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pgmatrix.clients import Client, ClientError, connect
from pgmatrix.databases.names import clone_name, clone_pattern, new_token
from pgmatrix.databases.stock import Stock, clone
from pgmatrix.databases.template import Recipe, drop, ensure_template
from pgmatrix.errors import ConfigError, DatabaseError
from pgmatrix.servers.protocol import Lease, Server
from tests.servers.ground import CELL, MAJORS, spec_for, until
from tests.servers.project import TEMPLATE, load_project, write_project


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The recipe of the smallest project."""
    return Recipe.of(load_project(write_project(tmp_path_factory.mktemp("project"))))


@pytest.fixture(scope="module")
def template(server: Server, recipe: Recipe) -> Iterator[str]:
    """A template on the shared server."""
    client = connect(server)
    name = ensure_template(client, server, recipe, "ab" * 16, new_token())
    yield name
    drop(client, name)
    client.close()


@pytest.fixture
def token(client: Client) -> Iterator[str]:
    """A session of this test's own; its clones are dropped at the end."""
    made = new_token()
    yield made
    for name in clones(client, made):
        drop(client, name)


@pytest.fixture
def make_stock(server: Server, template: str, token: str) -> Iterator[Callable[..., Stock]]:
    """Makes stocks of clones of the template, closed at the end."""
    made: list[Stock] = []

    def make(size: int = 2, opened: Callable[[], Client] = lambda: connect(server), of: str = template) -> Stock:
        made.append(Stock(opened, template=of, token=token, worker="gw0", size=size))
        return made[-1]

    yield make
    for stock in made:
        stock.close()


def clones(client: Client, token: str) -> list[str]:
    pattern = clone_pattern(token)
    rows = client.execute(f"select datname::text from pg_database where datname like '{pattern}' order by 1")
    return [name for (name,) in rows]


def things(server: Server, name: str, sql: str = "select count(*) from thing") -> list[tuple[object, ...]]:
    client = connect(server, database=name)
    try:
        return client.execute(sql)
    finally:
        client.close()


def test_a_sealed_template_refuses_everybody(server: Server, client: Client, template: str) -> None:
    """Nobody can connect to a sealed template, the superuser neither; it is marked as a template."""
    with pytest.raises(ClientError, match="not currently accepting connections") as caught:
        connect(server, database=template)
    marks = client.execute(f"select datistemplate, datallowconn from pg_database where datname = '{template}'")

    assert caught.value.sqlstate in ("55000", None)
    assert marks == [(True, False)]


@pytest.mark.parametrize("major", MAJORS)
def test_clones_are_isolated(running: Callable[[int], Lease], recipe: Recipe, major: int) -> None:
    """What one clone commits, drops or adds is in no other clone and not in the template."""
    server, token = running(major).server, new_token()
    client = connect(server)
    template = ensure_template(client, server, recipe, "cd" * 16, token)
    names = [clone_name(token, "gw0", number) for number in range(3)]
    for name in names[:2]:
        clone(client, name, template)
    things(server, names[0], "delete from thing where id > 1")
    things(server, names[1], "create table other (id int)")
    clone(client, names[2], template)
    counts = [things(server, name)[0][0] for name in names]
    tables = [things(server, name, "select to_regclass('other') is null")[0][0] for name in names]
    for name in (*names, template):
        drop(client, name)
    client.close()

    assert counts == [1, 3, 3]
    assert tables == [True, False, True]


def test_a_clone_never_meets_a_connected_template(server: Server, recipe: Recipe, client: Client) -> None:
    """Eight sessions that build and clone one template at once all succeed: one built it, and nobody was in it."""
    tokens = [new_token() for _ in range(8)]

    def build_and_clone(token: str) -> tuple[str, str]:
        own = connect(server)
        try:
            template = ensure_template(own, server, recipe, "ef" * 16, token)
            name = clone_name(token, "gw0", 0)
            clone(own, name, template)
            return template, name
        finally:
            own.close()

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(build_and_clone, tokens))
    counts = [things(server, name)[0][0] for _, name in made]
    private = client.execute("select datname from pg_database where datname like 'pgmx\\_b\\_%'")
    for name in {name for pair in made for name in pair}:
        drop(client, name)

    assert len({template for template, _ in made}) == 1
    assert counts == [3] * 8
    assert private == []


LINGERING = TEMPLATE.replace(
    "    finally:\n        client.close()",
    """        import json, os, subprocess, sys, time
        from pgmatrix.databases.template import server_values
        program = "import json, sys; from pgmatrix.clients import connect; "
        program += "from pgmatrix.databases.build import server_from; server = server_from(json.loads(sys.argv[1])); "
        program += "connect(server, database=sys.argv[2]).execute('select pg_sleep(30)')"
        order = [json.dumps(server_values(database.server)), database.name]
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.Popen([sys.executable, "-c", program, *order], stdin=-3, stdout=-3, stderr=-3, env=environ)
        asked = "select 1 from pg_stat_activity where query like '%pg_sleep(30)%' and pid <> pg_backend_pid()"
        for _ in range(1000):
            if client.execute(asked):
                break
            time.sleep(0.01)
        else:
            raise LookupError("nobody lingers")
    finally:
        client.close()""",
)


def test_who_lingers_in_a_template_is_sent_away(server: Server, client: Client, tmp_path: Path) -> None:
    """A connection that the template callable left open is ended when the template is sealed, and cloning works."""
    lingering = Recipe.of(load_project(write_project(tmp_path, template=LINGERING)))
    token = new_token()
    template = ensure_template(client, server, lingering, "12" * 16, token)
    clone(client, clone_name(token, "gw0", 0), template)
    inside = client.execute(f"select count(*) from pg_stat_activity where datname = '{template}'")
    for name in (clone_name(token, "gw0", 0), template):
        drop(client, name)

    assert inside == [(0,)]


def test_a_warm_stock_asks_the_server_nothing(
    server: Server, client: Client, token: str, make_stock: Callable[..., Stock]
) -> None:
    """Two clones are handed over while the stock's connection is frozen; the third has to wait for the server."""
    backends: list[int] = []

    def opened() -> Client:
        made = connect(server)
        backends.append(int(made.execute("select pg_backend_pid()")[0][0]))
        return made

    stock = make_stock(2, opened)
    stock.expect(3)
    warm = until(lambda: len(stock._ready) == 2)
    os.kill(backends[0], signal.SIGSTOP)
    try:
        names = [stock.take(), stock.take()]
        third: list[str] = []
        waiting = threading.Thread(target=lambda: third.append(stock.take()))
        waiting.start()
        waiting.join(0.3)
        served = bool(third)
    finally:
        os.kill(backends[0], signal.SIGCONT)
    waiting.join(10)

    assert warm
    assert not served
    assert len({*names, *third}) == 3
    assert sorted({*names, *third}) == clones(client, token)


def test_a_stock_is_never_larger_than_the_demand(client: Client, token: str, make_stock: Callable[..., Stock]) -> None:
    """With one clone expected a stock of four holds one, and what is given back is dropped."""
    stock = make_stock(4)
    stock.expect(1)
    name = stock.take()
    made = clones(client, token)
    stock.give_back(name)

    assert made == [name]
    assert until(lambda: clones(client, token) == [])


def test_names_are_unique_and_empty_databases_are_empty(
    server: Server, client: Client, token: str, make_stock: Callable[..., Stock]
) -> None:
    """Clones and empty databases taken in turn have names of their own; an empty one holds nothing of the template."""
    stock = make_stock(2)
    stock.expect(4)
    names = [stock.take(), stock.take_empty(), stock.take(), stock.take_empty()]
    tables = [things(server, name, "select to_regclass('thing') is not null")[0][0] for name in names]

    assert len(set(names)) == 4
    assert tables == [True, False, True, False]


def test_a_failing_clone_is_an_error(make_stock: Callable[..., Stock]) -> None:
    """A template that is gone gives the server's words to who waits and to who asks later; nobody waits for ever."""
    stock = make_stock(2, of="pgmx_t_missing")
    for _ in range(2):
        with pytest.raises(DatabaseError) as caught:
            stock.take()

        text = str(caught.value)
        assert text.startswith(
            'cannot clone the template pgmx_t_missing: template database "pgmx_t_missing" does not exist'
        )
        assert text.endswith("do    see the server's log; a full disk and a lost server look like this")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_unforeseen_failure_keeps_nobody_waiting(make_stock: Callable[..., Stock]) -> None:
    """Whatever ends the stock's thread, who waits for a clone gets an error."""

    def opened() -> Client:
        raise SystemExit

    with pytest.raises(DatabaseError, match="cannot clone the template"):
        make_stock(2, opened).take()


def test_sources_that_match_nothing(tmp_path: Path) -> None:
    """A pattern of sources that matches no file is refused: it would make a template that never changes."""
    write_project(tmp_path)
    (tmp_path / "things.py").unlink()
    with pytest.raises(ConfigError, match=r"template-sources pattern 'things.py' matches no file below"):
        Recipe.of(load_project(tmp_path)).key("a build", spec_for(CELL))
