"""Roles on a server that stays: those that are not ours are refused, ours are marked and given passwords."""

from __future__ import annotations

import pytest

from pgmatrix.config import ProviderName
from pgmatrix.databases import roles
from pgmatrix.databases.database import role_password
from pgmatrix.databases.names import lock_number
from pgmatrix.errors import ConfigError
from tests.unit.pgmatrix.builders import FakeClient, a_server


def changes(client: FakeClient) -> list[str]:
    """The statements that change something."""
    return [sql for sql in client.statements if not sql.startswith("select")]


def test_a_role_of_somebody_else_is_refused() -> None:
    """A role of the table that exists and is not marked as ours is an error, and nothing is touched."""
    client = FakeClient(
        {"from pg_roles where rolname = 'app'": [(1,)], "shobj_description(oid, 'pg_authid') from pg_roles": [("",)]}
    )

    with pytest.raises(ConfigError) as error:
        roles.enter(client, token="ab", names=["app", "owner"])

    assert str(error.value) == (
        "the external server has roles that pgmatrix did not make: app\n"
        "  tried role app: exists there and may be in use\n"
        "  do    use a server without them, or drop them there if nobody needs them"
    )
    assert changes(client) == []


def test_entering_takes_its_locks_and_says_which_roles_are_missing() -> None:
    """A session holds the shared lock and its own; roles that nobody has yet will be ours."""
    client = FakeClient()

    missing = roles.enter(client, token="ab", names=["app", "owner"])

    assert missing == ["app", "owner"]
    assert client.statements[:3] == [
        f"select pg_advisory_lock_shared({lock_number(roles.MARK)})",
        f"select pg_advisory_lock({lock_number('ab')})",
        f"select pg_advisory_lock({lock_number(roles.ROLES)})",
    ]


@pytest.mark.parametrize(
    ("provider", "trusted", "statements"),
    [
        ("external", False, ["comment on role \"app\" is 'made by pgmatrix'", "alter role \"app\" password '{0}'"]),
        ("container", False, ["alter role \"app\" password '{0}'"]),
        ("embedded", True, []),
    ],
)
def test_roles_are_marked_and_given_passwords_where_needed(provider: str, trusted: bool, statements: list[str]) -> None:
    """On a server of somebody else a role is marked as ours; where roles are not trusted it gets its password."""
    client, server = FakeClient(), a_server(provider=ProviderName(provider), roles_trusted=trusted)

    roles.adopt(client, server, ["app"])

    turn = lock_number(roles.ROLES)
    assert client.statements == [
        f"select pg_advisory_lock({turn})",
        *(sql.format(role_password(server, "app")) for sql in statements),
        *[f"select pg_advisory_unlock({turn})"] * (2 if provider == "external" else 1),
    ]


def test_who_leaves_gives_up_its_locks_before_it_looks_for_others() -> None:
    """Else two that leave at the same moment each take the other for somebody who stays, and nobody tidies up."""
    client = FakeClient({"pg_try_advisory_lock": [(False,)]})

    roles.leave(client, token="ab", names=["app"], made=[])

    locks = [sql for sql in client.statements if "advisory" in sql]
    assert locks == [
        "select pg_advisory_unlock_all()",
        f"select pg_try_advisory_lock({lock_number(roles.MARK)})",
        "select pg_advisory_unlock_all()",
    ]
