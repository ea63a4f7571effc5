"""Whom PostgreSQL runs as: ourselves, or for root an unprivileged account that exists."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pgmatrix.errors import NoUnprivilegedUser
from pgmatrix.servers import nameless
from pgmatrix.servers.account import Account, find_account


def users(monkeypatch: pytest.MonkeyPatch, uid: int, **known: int) -> None:
    """Let us be `uid` on a machine with these users."""
    entries = {name: SimpleNamespace(pw_name=name, pw_uid=number, pw_gid=number) for name, number in known.items()}
    by_id = {entry.pw_uid: entry for entry in entries.values()}
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(os, "getegid", lambda: uid)
    monkeypatch.setattr(pwd, "getpwnam", entries.__getitem__)
    monkeypatch.setattr(pwd, "getpwuid", by_id.__getitem__)
    monkeypatch.setattr(pwd, "getpwall", lambda: list(entries.values()))


def test_an_ordinary_user_runs_it_as_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not root changes to nobody, whatever is asked for."""
    users(monkeypatch, 1000, me=1000, postgres=70)

    account = find_account("postgres")

    assert account == Account(uid=1000, gid=1000, switch=False)
    assert account.popen == {}


@pytest.mark.parametrize(
    ("known", "wanted", "uid"),
    [
        ({"postgres": 70, "nobody": 65534}, "", 70),
        ({"nobody": 65534}, "", 65534),
        ({"postgres": 70, "ci": 1001}, "ci", 1001),
    ],
)
def test_root_changes_to_an_unprivileged_user(
    monkeypatch: pytest.MonkeyPatch, known: dict[str, int], wanted: str, uid: int
) -> None:
    """Root runs it as the user that is asked for, else as postgres, else as nobody."""
    users(monkeypatch, 0, root=0, **known)

    account = find_account(wanted)

    assert account == Account(uid=uid, gid=uid, switch=True)
    assert account.popen == {"user": uid, "group": uid, "extra_groups": []}


@pytest.mark.parametrize(
    ("wanted", "tried"),
    [
        ("", ["user postgres: does not exist", "user nobody: does not exist"]),
        ("root", ["user root: is root"]),
        ("ghost", ["user ghost: does not exist"]),
    ],
)
def test_root_alone_is_refused(monkeypatch: pytest.MonkeyPatch, wanted: str, tried: list[str]) -> None:
    """Where no unprivileged user is found the error lists whom it looked for, and says what to set."""
    users(monkeypatch, 0, root=0)

    with pytest.raises(NoUnprivilegedUser) as error:
        find_account(wanted)

    assert error.value.wanted == ("PostgreSQL does not run as root, and no unprivileged user was found to run it as")
    assert [str(attempt) for attempt in error.value.tried] == tried
    assert error.value.do_next == "set PGMATRIX_RUN_AS to an existing user, or run as an ordinary user"


def test_an_id_without_a_name_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command is run as it is under an id with a name, else through the program that gives it one."""
    users(monkeypatch, 4242, me=1000)

    named = Account(uid=1000, gid=1000, switch=False).named(["initdb", "-D", "x"])
    nobody = Account(uid=4242, gid=4242, switch=False).named(["initdb", "-D", "x"])

    assert named == ["initdb", "-D", "x"]
    assert nobody == [sys.executable, "-I", "-S", nameless.__file__, "initdb", "-D", "x"]


def test_a_folder_is_given_only_where_the_account_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder changes hands when somebody else is to work in it."""
    given: list[tuple[Path, int, int]] = []
    monkeypatch.setattr(os, "chown", lambda path, uid, gid: given.append((path, uid, gid)))

    Account(uid=1, gid=2, switch=False).own(tmp_path)
    Account(uid=3, gid=4, switch=True).own(tmp_path)

    assert given == [(tmp_path, 3, 4)]
