"""The external provider, against a server with TCP, passwords and a foreign locale: it is left as it was found."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from pgmatrix.clients import connect, installed_drivers
from pgmatrix.config import ProviderName
from pgmatrix.databases.database import Database
from pgmatrix.databases.names import clone_name, private_name
from pgmatrix.databases.stock import clone
from pgmatrix.errors import (
    BudgetExceeded,
    ConfigError,
    IdentityMismatch,
    PgMatrixError,
    ServerUnavailable,
    TemplateFailed,
)
from pgmatrix.matrix import Cell, Driver
from pgmatrix.provision import Provision, provision
from pgmatrix.servers.embedded import EmbeddedProvider
from pgmatrix.servers.guard import Guard
from tests.servers.foreign import PASSWORD, Foreign, dsn_variables, foreign_server
from tests.servers.ground import CELL, DRIVER, Ground, ground, until
from tests.servers.project import ROLE, load_project, write_project
from tests.servers.victims import victim


@pytest.fixture(scope="module")
def foreign(embedded: EmbeddedProvider, guard: Guard) -> Iterator[Foreign]:
    """A PostgreSQL 16 that somebody else runs."""
    with ground() as place, foreign_server(place, embedded, guard) as found:
        yield found


@pytest.fixture(autouse=True)
def untouched(foreign: Foreign) -> Iterator[list[str]]:
    """After every test here the server holds what it held before: no database and no role more or less."""
    before = foreign.contents()
    yield before
    assert until(lambda: foreign.contents() == before), foreign.contents()


@contextmanager
def session(folder: Path, dsn: str, cell: Cell = CELL, workers: int = 2) -> Iterator[Provision]:
    config = load_project(folder, **dsn_variables(dsn, cell.major))
    found = provision(config, cell, workers=workers, label="test")
    try:
        yield found
    finally:
        found.close()


def test_a_session_uses_a_server_over_tcp(foreign: Foreign, project: Path, driver: Driver) -> None:
    """Each driver gets a template and clones in UTF-8 and byte order, its role's password works, and all of it goes."""
    with session(project, foreign.dsn, replace(CELL, driver=driver)) as found:
        client = connect(found.server)
        clone(client, clone_name(found.token, "gw0", 0), found.template)
        client.close()
        database = Database(name=clone_name(found.token, "gw0", 0), server=found.server)
        as_role = connect(replace(found.server, user=ROLE, password=_password(database)), database=database.name)
        rows = as_role.execute("select id, current_user::text from thing order by id")
        as_role.close()
        there = foreign.contents()

    assert rows == [(n, ROLE) for n in (1, 2, 3)]
    assert set(there) > {found.template, database.name, ROLE}
    assert (found.facts.encoding, found.facts.collation) == ("UTF8", "C")
    assert (found.facts.provider, found.facts.reason) == (ProviderName.EXTERNAL, "asked for")


def test_sessions_may_begin_at_the_same_moment(foreign: Foreign, project: Path) -> None:
    """Six sessions of both drivers, none of whose roles or templates exist yet, all begin, and share what they make."""
    cells = [replace(CELL, driver=driver) for driver in installed_drivers()] * 6
    together = Barrier(6)

    def begin(cell: Cell) -> str:
        together.wait(60)
        try:
            with session(project, foreign.dsn, cell, workers=1) as found:
                together.wait(60)
                return found.template
        except PgMatrixError:
            together.abort()  # nobody waits for one who will not come
            raise

    with ThreadPoolExecutor(6) as pool:
        begun = [pool.submit(begin, cell) for cell in cells[:6]]
        errors = [one.exception() for one in begun]

    assert errors == [None] * 6
    assert len({one.result() for one in begun}) == len(installed_drivers())


def _password(database: Database) -> str:
    return database.dsn(ROLE).split(":")[2].split("@")[0]


def test_a_login_that_is_no_superuser_will_do(foreign: Foreign, tmp_path: Path) -> None:
    """A login that may make databases and roles is enough where the extensions are trusted."""
    write_project(tmp_path, extensions=["uuid-ossp"])
    with session(tmp_path, foreign.guest_dsn) as found:
        assert not found.facts.superuser
        assert found.facts.settings["fsync"] == "off"


def test_another_major_is_refused(foreign: Foreign, project: Path) -> None:
    """A 16 behind PGMATRIX_DSN_15 is refused with what was asked and what was found."""
    with pytest.raises(IdentityMismatch) as caught, session(project, foreign.dsn, Cell(major=15, driver=DRIVER)):
        pass

    lines = str(caught.value).splitlines()
    assert lines[0] == f"the external server is not what pg15-{DRIVER} claims"
    assert lines[1] == f"  tried asked for PostgreSQL 15: it is {foreign.ask('show server_version')[0]}"
    assert lines[-1] == "  do    point PGMATRIX_DSN_15 at a PostgreSQL 15 with these extensions"


def test_a_missing_extension_is_refused(foreign: Foreign, tmp_path: Path) -> None:
    """A server without an extension of the table is refused before anything is made there."""
    write_project(tmp_path, extensions=["vector", "no_such_extension"])
    with pytest.raises(IdentityMismatch) as caught, session(tmp_path, foreign.dsn):
        pass

    assert "  tried extension no_such_extension: is not available there" in str(caught.value).splitlines()


def test_a_silent_address_is_reported(project: Path) -> None:
    """An address where nobody listens gives one error that names it, without the password."""
    dsn = "postgresql://somebody:hidden@127.0.0.1:1/postgres?password=hidden"
    with pytest.raises(ServerUnavailable) as caught, session(project, dsn):
        pass

    text = str(caught.value)
    assert text.startswith("the server of PGMATRIX_DSN_16 does not answer\n  tried Server(")
    assert "Connect call failed" in text or "refused" in text
    assert "hidden" not in text
    assert text.endswith("do    start it, correct PGMATRIX_DSN_16, or unset it")


def test_a_wrong_password_is_reported(foreign: Foreign, project: Path) -> None:
    """A wrong password gives the server's own words and not the password."""
    dsn = foreign.server.url(password="wrong-guess")
    with pytest.raises(ServerUnavailable) as caught, session(project, dsn):
        pass

    assert "password authentication failed" in str(caught.value)
    assert "wrong-guess" not in str(caught.value)


@pytest.mark.parametrize(
    ("dsn", "text"),
    [
        ("mysql://me@there/db", "PGMATRIX_DSN_16 is not a PostgreSQL URL"),
        ("postgresql://me@there:many/db", "PGMATRIX_DSN_16 has an impossible host or port"),
    ],
)
def test_an_impossible_address_is_refused(project: Path, dsn: str, text: str) -> None:
    """An address that names no PostgreSQL is refused with how to write one."""
    with pytest.raises(ConfigError, match=text), session(project, dsn):
        pass


def test_too_few_connections_are_refused(foreign: Foreign, project: Path) -> None:
    """A server that grants fewer connections than the workers can open is refused before the first test."""
    with pytest.raises(BudgetExceeded) as caught, session(project, foreign.dsn, workers=8):
        pass

    assert str(caught.value) == (
        "248 connections are needed and the external server grants 147\n"
        "  do    raise max_connections there, use fewer workers (-n), or lower connections-per-worker"
    )


def test_a_role_of_somebody_else_is_refused(foreign: Foreign, project: Path) -> None:
    """A role of the table that pgmatrix did not make is refused, and stays."""
    foreign.ask(f"create role {ROLE}")
    try:
        with pytest.raises(ConfigError) as caught, session(project, foreign.dsn):
            pass
        still_there = ROLE in foreign.contents()
    finally:
        foreign.ask(f"drop role {ROLE}")

    assert still_there
    assert str(caught.value) == (
        f"the external server has roles that pgmatrix did not make: {ROLE}\n"
        f"  tried role {ROLE}: exists there and may be in use\n"
        "  do    use a server without them, or drop them there if nobody needs them"
    )


def test_a_template_that_raises_leaves_nothing(foreign: Foreign, tmp_path: Path) -> None:
    """A template callable that makes a role and then raises is reported; its database and role go."""
    text = f"""
from pgmatrix.clients import connect, installed_drivers
def build(database):
    connect(database.server).execute("create role {ROLE}")
    raise LookupError("the third migration is missing")
"""
    write_project(tmp_path, template=text)
    failing = pytest.raises(TemplateFailed, match="LookupError: the third migration is missing")
    with failing, session(tmp_path, foreign.dsn):
        pass


def test_a_template_without_its_roles_is_refused(foreign: Foreign, tmp_path: Path) -> None:
    """A template callable that does not make the table's roles is refused by their name."""
    write_project(tmp_path, template="def build(database):\n    pass\n")
    with pytest.raises(IdentityMismatch) as caught, session(tmp_path, foreign.dsn):
        pass

    assert str(caught.value) == (
        "the template does not hold the roles of the table\n"
        f"  tried role {ROLE}: is missing\n"
        "  do    correct the template callable"
    )


def test_two_sessions_share_a_template_and_the_last_one_cleans(foreign: Foreign, project: Path) -> None:
    """Two sessions at a time work with one template; the first to end leaves it and the role to the other."""
    with session(project, foreign.dsn) as first:
        with session(project, foreign.dsn) as second:
            both = foreign.ask("select datname from pg_database where datname like 'pgmx\\_t\\_%'")
        after_one = foreign.contents()

    assert first.template == second.template
    assert first.token != second.token
    assert both == [first.template]
    assert {first.template, ROLE} <= set(after_one)


def test_orphans_of_a_dead_session_are_swept(foreign: Foreign, project: Path) -> None:
    """A clone and a half-built template of a session that is gone are dropped by the next one; a living one's stay."""
    dead = [clone_name("deadbeef", "gw0", 3), private_name("ab" * 16, "deadbeef")]
    with session(project, foreign.dsn) as living:
        alive = clone_name(living.token, "gw0", 0)
        for name in (*dead, alive):
            foreign.ask(f"create database {name}")
        with session(project, foreign.dsn):
            there = foreign.contents()

    assert not set(dead) & set(there)
    assert alive in there


@pytest.mark.parametrize("doing", ["waiting", "cloning", "building"])
def test_a_killed_session_leaves_nothing(
    foreign: Foreign, ground: Ground, tmp_path: Path, untouched: list[str], doing: str
) -> None:
    """Killed with SIGKILL while it waits, clones or builds its template, a session's databases and roles go in 5 s."""
    write_project(tmp_path)
    with victim(tmp_path, {**ground.environ, **dsn_variables(foreign.dsn)}) as owner:
        if doing == "building":
            reached = until(lambda: any(name.startswith("pgmx_b_") for name in foreign.contents()), 10, pause=0.001)
        else:
            reached = owner.wait().facts["token"] != ""
        if doing == "cloning":
            owner.tell("clone")
            reached = owner.line().startswith("pgmx_c_")
        owner.kill()

    assert reached
    assert until(lambda: foreign.contents() == untouched, 5), foreign.contents()
    assert ground.has_nothing_left(1), ground.leftovers()


def test_the_password_is_in_no_command_line(foreign: Foreign, ground: Ground, project: Path) -> None:
    """While a session runs, no process shows the server's password on its command line."""
    with victim(project, {**ground.environ, **dsn_variables(foreign.dsn)}) as owner:
        owner.wait()
        shown = [words for words in (path.read_bytes() for path in _command_lines()) if PASSWORD.encode() in words]
        code = owner.end()

    assert shown == []
    assert code == 0


def _command_lines() -> list[Path]:
    return [path for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
