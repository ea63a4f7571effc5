"""The proof of a server: what is measured, and every way in which it is not what the cell claims."""

from __future__ import annotations

from typing import Any

import pytest

from pgmatrix.config import ProviderName
from pgmatrix.errors import BudgetExceeded, IdentityMismatch
from pgmatrix.servers import identity
from pgmatrix.servers.identity import measure, prove, prove_budget, prove_encoding, prove_roles
from tests.unit.pgmatrix.builders import FakeClient, a_server, some_facts

WANTED = {"fsync": "off"}


def refusal(server_changes: dict[str, Any] | None = None, **facts: Any) -> str:
    """The text with which a server of those facts is refused."""
    server = a_server(**(server_changes or {}))
    with pytest.raises(IdentityMismatch) as error:
        prove(some_facts(**facts), server, wanted=WANTED, extensions=["vector"])
    return str(error.value)


def test_a_server_that_is_what_it_should_be_passes() -> None:
    """A server of the right major with extensions, encoding, collation and settings is accepted."""
    prove(some_facts(), a_server(), wanted=WANTED, extensions=["vector"])

    assert some_facts().pgvector == "0.8.5"


@pytest.mark.parametrize(
    ("facts", "tried"),
    [
        ({"server_version_num": 150018, "server_version": "15.18"}, "asked for PostgreSQL 16: it is 15.18"),
        ({"server_version_num": 170001, "server_version": "17.1"}, "asked for PostgreSQL 16: it is 17.1"),
        ({"extensions": {"plpgsql": "1.0"}}, "extension vector: is not available there"),
        ({"settings": {"fsync": "on"}}, "settings: fsync: wanted off, found on"),
        ({"settings": {}}, "settings: fsync: wanted off, found nothing"),
    ],
)
def test_each_difference_is_refused(facts: dict[str, Any], tried: str) -> None:
    """Every way to be another server is an error that says which way."""
    text = refusal(**facts)

    assert text.startswith("the container server is not what pg16-asyncpg claims\n")
    assert f"  tried {tried}\n" in text


def test_all_differences_are_told_at_once() -> None:
    """A server that is wrong in several ways is told so in one error."""
    text = refusal(server_version_num=150018, server_version="15.18", extensions={}, settings={})

    assert text.count("  tried ") == 3


@pytest.mark.parametrize(
    ("provider", "do_next"),
    [
        ("external", "point PGMATRIX_DSN_16 at a PostgreSQL 16 with these extensions"),
        ("container", "choose another image for PostgreSQL 16 with PGMATRIX_IMAGE (found 15)"),
        ("embedded", "report this: the embedded provider starts what it was asked for"),
    ],
)
def test_the_advice_fits_the_provider(provider: str, do_next: str) -> None:
    """What to do depends on who provides the server."""
    text = refusal({"provider": ProviderName(provider)}, server_version_num=150018)

    assert text.endswith(f"\n  do    {do_next}")


def test_settings_of_an_external_server_are_not_ours_to_judge() -> None:
    """An external server keeps its own settings; all else is proved of it too."""
    external = a_server(provider=ProviderName.EXTERNAL)

    prove(some_facts(settings={"fsync": "on"}), external, wanted=WANTED, extensions=["vector"])
    with pytest.raises(IdentityMismatch):
        prove(some_facts(extensions={}), external, wanted=WANTED, extensions=["vector"])


@pytest.mark.parametrize(
    ("facts", "tried"),
    [
        ({"encoding": "SQL_ASCII"}, "encoding UTF8: it is SQL_ASCII"),
        ({"collation": "en_US.utf8"}, "collation C: it is en_US.utf8"),
    ],
)
def test_a_template_must_spell_and_sort_alike_everywhere(facts: dict[str, Any], tried: str) -> None:
    """A template in another encoding or collation is refused, with what it is and what to do."""
    prove_encoding(some_facts(), a_server())
    with pytest.raises(IdentityMismatch) as error:
        prove_encoding(some_facts(**facts), a_server())

    assert str(error.value) == (
        "the template on the container server sorts or spells otherwise than everywhere else\n"
        f"  tried {tried}\n"
        "  do    do not change the database's encoding or collation in the template callable"
    )


def test_roles_must_exist_and_must_not_bypass_row_level_security() -> None:
    """A role that is missing, a superuser, or marked BYPASSRLS is refused by name; others pass."""
    rows = [("app", False, False), ("boss", True, False), ("sneak", False, True), ("other", True, True)]
    client = FakeClient({"from pg_roles": rows})

    prove_roles(client, ["app"])
    with pytest.raises(IdentityMismatch) as error:
        prove_roles(client, ["app", "ghost", "boss", "sneak"])

    assert str(error.value) == (
        "the template does not hold the roles of the table\n"
        "  tried role ghost: is missing\n"
        "  tried role boss: bypasses row-level security\n"
        "  tried role sneak: bypasses row-level security\n"
        "  do    correct the template callable"
    )


def test_the_budget_leaves_what_the_server_keeps_for_itself() -> None:
    """The connections a server reserves for superusers are not counted as granted."""
    prove_budget(some_facts(max_connections=100), 97)
    with pytest.raises(BudgetExceeded, match="98 connections are needed and the container server grants 97"):
        prove_budget(some_facts(max_connections=100), 98)


def test_measuring_asks_the_server_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts are what the server and the driver say; a setting the server does not know is left out."""
    monkeypatch.setattr(identity, "driver_version", lambda driver: "0.32.0")
    client = FakeClient(
        {
            "server_version_num": [(160014, "16.14")],
            "pg_encoding_to_char": [("UTF8", "C")],
            "select name, default_version": [("plpgsql", "1.0"), ("vector", "0.8.5")],
            "where comment like": [("uuid-ossp",)],
            "rolsuper": [(True,)],
            "current_setting('max_connections')": [("100",)],
            "unnest(array['fsync', 'made.up'])": [("fsync", "off"), ("made.up", None)],
        }
    )

    facts = measure(client, a_server(), {"fsync": "off", "made.up": "1"}, "it's")

    assert facts == some_facts(own_extensions=("uuid-ossp",))
    assert any("where datname = 'it''s'" in sql for sql in client.statements)
    assert facts.values()["own_extensions"] == ("uuid-ossp",)


def test_without_settings_none_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is wanted nothing is asked."""
    client = FakeClient()

    assert identity._shown(client, {}) == {}
    assert client.statements == []
