"""DSNs: every form a person may write is read as the server it names, and no error tells a password."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.clients import ClientError
from pgmatrix.config import ProviderName
from pgmatrix.errors import ConfigError, ServerUnavailable
from pgmatrix.matrix import Cell
from pgmatrix.servers import external
from pgmatrix.servers.external import ExternalLease, ExternalProvider, parse_dsn
from pgmatrix.servers.protocol import Server
from tests.unit.pgmatrix.builders import CELL, FakeClient, a_server, a_spec

hostile = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from("@:/?#[]%&=+ '\\"),
    min_size=1,
    max_size=10,
)
hosts = st.sampled_from(["localhost", "db.example", "127.0.0.1", "::1", "fe80::1%eth0", "/run/postgresql", "/Tmp/a b%"])
options = st.dictionaries(st.sampled_from(["sslmode", "application_name", "options"]), hostile, max_size=3)


@given(user=hostile, password=hostile, database=hostile, host=hosts, port=st.integers(1, 65535), options=options)
def test_a_url_reads_back_as_its_server(
    user: str, password: str, database: str, host: str, port: int, options: dict[str, str]
) -> None:
    """Reading a server's own URL gives its place, login, database and options, whatever they hold."""
    server = a_server(host=host, port=port, user=user, password=password, database=database, options=options)

    found = parse_dsn(server.url(), CELL)

    assert (found.host, found.port) == (host, port)
    assert (found.user, found.password, found.database) == (user, password, database)
    assert found.options == options


noise = st.text(alphabet="@:/?#[]%&=+ '\\\u00e9\u212a\t\n09aAzZ", max_size=12)


@given(
    scheme=st.sampled_from(["postgresql://", "postgres://", "mysql://", "", "postgresql:"]), before=noise, after=noise
)
def test_whatever_is_written_is_a_server_or_one_kind_of_error(scheme: str, before: str, after: str) -> None:
    """No text breaks the reader: it names a place that can be reached, or is refused without telling the password."""
    found, refused = _read(f"{scheme}{before}s3cret{after}")

    if found is not None:
        assert all((found.host, found.user, 0 < found.port < 65536))
    else:
        assert refused is not None
        assert "s3cret" not in str(refused)
        assert (refused.__cause__, bool(refused.do_next)) == (None, True)


def _read(dsn: str) -> tuple[Server | None, ConfigError | None]:
    try:
        return parse_dsn(dsn, CELL), None
    except ConfigError as error:
        return None, error


@pytest.mark.parametrize(
    ("dsn", "place"),
    [
        ("postgresql://", ("localhost", 5432, "postgres", "", "postgres")),
        ("postgres://u@h", ("h", 5432, "u", "", "postgres")),
        ("postgresql+asyncpg://u:p@h:6000/d", ("h", 6000, "u", "p", "d")),
        ("postgresql://u:p@/d?host=/run/pg&port=6000", ("/run/pg", 6000, "u", "p", "d")),
        ("postgresql://u@%2FRun%2FPg:6000/d", ("/Run/Pg", 6000, "u", "", "d")),
        ("postgresql://u@[::1]:6000/d", ("::1", 6000, "u", "", "d")),
        ("postgresql://[fe80::1%25eth0]/d", ("fe80::1%eth0", 5432, "postgres", "", "d")),
        ("postgresql://h/d?user=u&password=p&dbname=e", ("h", 5432, "u", "p", "e")),
        ("postgresql://u:p:q@h/d", ("h", 5432, "u", "p:q", "d")),
    ],
)
def test_every_form_libpq_takes_is_read(dsn: str, place: tuple[str, int, str, str, str]) -> None:
    """Host, port, login and database are found before the slash and in the query alike, which wins, as in libpq."""
    found = parse_dsn(dsn, CELL, reason="asked for")

    assert (found.host, found.port, found.user, found.password, found.database) == place
    assert (found.provider, found.reason, dict(found.options)) == (ProviderName.EXTERNAL, "asked for", {})


def test_a_login_in_the_query_does_not_outlive_a_role() -> None:
    """A role's URL has that role's login alone, also where the DSN gave its own in the query."""
    server = parse_dsn("postgresql://h/d?user=boss&password=s3cret&sslmode=require", CELL)

    url = server.url(user="plant_app", password="pw")

    assert url == "postgresql://plant_app:pw@h:5432/d?sslmode=require"


@pytest.mark.parametrize("dsn", ["mysql://h/d", "host=h dbname=d", "", "postgresqlx://h"])
def test_what_is_no_postgresql_url_is_refused(dsn: str) -> None:
    """Anything else is an error that names the variable and shows the form."""
    with pytest.raises(ConfigError) as error:
        parse_dsn(dsn, CELL)

    assert str(error.value) == (
        "PGMATRIX_DSN_16 is not a PostgreSQL URL\n  do    write postgresql://user:password@host:5432/postgres"
    )


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:s3cret@h:port/d",
        "postgresql://u:s3cret@h:70000/d",
        "postgresql://u:s3cret@h/d?port=0",
        "postgresql://u:s3cret@h/d?port=x",
        "postgresql://u:s3cret[@h/d",
        "postgresql://u:s3cret#@h/d",
    ],
)
def test_an_impossible_place_is_refused_without_its_password(dsn: str) -> None:
    """A host or port that cannot be is an error that says how to write it, and nothing of the URL is in it."""
    with pytest.raises(ConfigError) as error:
        parse_dsn(dsn, CELL)

    assert str(error.value) == (
        "PGMATRIX_DSN_16 has an impossible host or port\n"
        "  do    write a port from 1 to 65535, and percent-encode what is special in user and password"
    )
    assert error.value.__suppress_context__


def test_a_major_without_a_dsn_is_refused() -> None:
    """The provider serves the majors it has a DSN for, and names the variable of another."""
    provider = ExternalProvider(dsns={16: "postgresql://h"})

    assert provider.refusal(CELL) is None
    assert provider.refusal(Cell.parse("pg18-asyncpg")) == "PGMATRIX_DSN_18 is not set"


def test_nothing_of_it_is_kept() -> None:
    """An external server goes into no cache: it has no snapshot and refuses to become one."""
    provider = ExternalProvider(dsns={})

    with pytest.raises(ConfigError) as error:
        ExternalLease(a_server()).save("k")

    assert str(error.value) == "an external server cannot be kept as k\n  do    use another provider"
    assert (provider.has("k"), provider.keeps_snapshots, provider.build(CELL)) == (False, False, "external")


def test_a_server_that_answers_is_leased_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting connects once and closes; stopping leaves the server alone, and its log is not read."""
    client = FakeClient()
    monkeypatch.setattr(external, "connect", lambda server, timeout: client)

    lease = ExternalProvider(dsns={16: "postgresql://u:p@h/d"}).start(a_spec(), key=None, reason="asked for")
    lease.stop()

    assert (client.statements, client.closed) == (["select 1"], True)
    assert (lease.server.host, lease.restored, lease.log_tail(5)) == ("h", False, [])
    assert lease.keep(["a", "b"]) == 'drop database "a"; drop database "b", there'


def test_a_server_that_does_not_answer_is_an_error_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """A DSN that leads nowhere is an error that says which, why and what to do, and not the password."""

    def refuse(server: object, timeout: float) -> object:
        raise ClientError("connection refused")

    monkeypatch.setattr(external, "connect", refuse)
    with pytest.raises(ServerUnavailable) as error:
        ExternalProvider(dsns={16: "postgresql://u:s3cret@h/d"}).start(a_spec(), key=None, reason="")

    assert error.value.wanted == "the server of PGMATRIX_DSN_16 does not answer"
    assert error.value.tried[0].why == "connection refused"
    assert error.value.do_next == "start it, correct PGMATRIX_DSN_16, or unset it"
    assert "s3cret" not in str(error.value)
