"""Server parameters: what is asked for, whether two spellings mean the same, and how many workers pay."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.errors import BudgetExceeded
from pgmatrix.servers import tuning
from pgmatrix.servers.tuning import (
    BASE,
    PAYS,
    RESERVED,
    check_budget,
    differences,
    settings_for,
    usable_cores,
    with_workers,
    workers_for,
)

SIZES = (("B", 1), ("kB", 2**10), ("MB", 2**20), ("GB", 2**30), ("TB", 2**40))
TIMES = (("us", 1), ("ms", 1000), ("s", 10**6), ("min", 6 * 10**7), ("h", 36 * 10**8), ("d", 864 * 10**8))


def test_settings_hold_what_a_throw_away_server_needs() -> None:
    """Every server is asked not to wait for the disk, and for room for the session's connections and our own."""
    settings = settings_for(16, {}, 40)

    assert settings == dict(BASE) | {"max_connections": str(40 + RESERVED)}
    assert {settings[name] for name in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum")} == {"off"}


@pytest.mark.parametrize(("major", "known"), [(15, False), (17, False), (18, True), (19, True)])
def test_parameters_of_newer_majors_are_asked_of_these_alone(major: int, known: bool) -> None:
    """A parameter that exists from a major on is set from that major on."""
    assert ("io_method" in settings_for(major, {}, 1)) is known


def test_the_projects_settings_win() -> None:
    """What the table asks for replaces what we would choose, and adds to it."""
    settings = settings_for(16, {"jit": "on", "work_mem": "64MB", "max_connections": "7"}, 40)

    assert (settings["jit"], settings["work_mem"], settings["max_connections"]) == ("on", "64MB", "7")


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ("32MB", "32768kB"),
        ("1GB", "1024MB"),
        ("8192B", "8kB"),
        ("1TB", "1024GB"),
        ("1h", "60min"),
        ("1d", "24h"),
        ("5000ms", "5s"),
        ("500us", "500us"),
        ("false", "off"),
        ("True", "on"),
        ("UTC", "utc"),
        (" 1 min ", "60s"),
    ],
)
def test_two_spellings_of_one_value_are_no_difference(wanted: str, shown: str) -> None:
    """A value is the same in any unit and in any word for on and off."""
    assert differences({"x": wanted}, {"x": shown}) == []


@given(st.integers(1, 10**6), st.sampled_from([SIZES, TIMES]), st.data())
def test_a_value_is_the_same_in_every_unit(
    number: int, family: tuple[tuple[str, int], ...], data: st.DataObject
) -> None:
    """An amount in a unit equals the same amount in any smaller unit of its kind, and no other amount."""
    place = data.draw(st.integers(0, len(family) - 1))
    smaller = data.draw(st.integers(0, place))
    factor = family[place][1] // family[smaller][1]
    same, more = f"{number * factor}{family[smaller][0]}", f"{number * factor + 1}{family[smaller][0]}"
    wanted = {"x": f"{number}{family[place][0]}"}

    assert differences(wanted, {"x": same}) == []
    assert differences(wanted, {"x": more}) == [f"x: wanted {wanted['x']}, found {more}"]


def test_a_difference_says_both_values() -> None:
    """Each difference is one line with the parameter, what was wanted and what was found."""
    lines = differences({"fsync": "off", "jit": "off", "io_method": "sync"}, {"fsync": "on", "jit": "off"})

    assert lines == ["fsync: wanted off, found on", "io_method: wanted sync, found nothing"]


@pytest.mark.parametrize(
    ("tests", "seconds", "cores", "sessions", "workers"),
    [
        (0, 0.0, 8, 1, 0),
        (250, 5.0, 2, 1, 0),  # saves less than a fifth
        (250, 20.0, 2, 1, 2),
        (250, 5.0, 8, 1, 6),
        (1, 100.0, 8, 1, 0),
        (10, 0.4, 8, 1, 0),
        (12, 100.0, 8, 1, 8),
        (3, 100.0, 8, 1, 3),
        (12, 100.0, 8, 4, 2),
        (12, 100.0, 2, 2, 0),
        (12, 100.0, 2, 0, 2),
    ],
)
def test_workers_are_as_many_as_pay(tests: int, seconds: float, cores: int, sessions: int, workers: int) -> None:
    """Few or quick tests get no worker; long ones as many as there are tests and cores for this session."""
    assert workers_for(tests, seconds, cores=cores, sessions=sessions) == workers


@given(st.integers(0, 200), st.floats(0, 600), st.integers(1, 64), st.integers(1, 8))
def test_workers_are_never_one_nor_more_than_there_is_for_them(
    tests: int, seconds: float, cores: int, sessions: int
) -> None:
    """One worker never pays; no more are taken than tests or this session's cores; and what is taken saves a fifth."""
    workers = workers_for(tests, seconds, cores=cores, sessions=sessions)
    room = max(1, cores // sessions)

    assert workers == 0 or 2 <= workers <= min(tests, room)
    assert workers == 0 or with_workers(workers, seconds, room=room) <= PAYS * seconds


def test_usable_cores_are_those_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cores are those the process may use, or where the system cannot tell, all there are."""
    monkeypatch.setattr(tuning.os, "sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    allowed = usable_cores()
    monkeypatch.delattr(tuning.os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 9)

    assert (allowed, usable_cores()) == (3, 9)


def test_a_server_with_too_few_connections_is_refused() -> None:
    """A server that grants less than the workers can open is an error with both numbers and three ways out."""
    check_budget(97, 97, where="the external server")
    with pytest.raises(BudgetExceeded) as error:
        check_budget(98, 97, where="the external server")

    assert str(error.value) == (
        "98 connections are needed and the external server grants 97\n"
        "  do    raise max_connections there, use fewer workers (-n), or lower connections-per-worker"
    )
