"""plant.core.agents: whom a task acts as, and the SQL that tells it."""

from __future__ import annotations

import asyncio

import pytest

from plant.core.agents import acting_as, begin_info, checked_agent, current_agent, local_settings
from plant.core.errors import InvalidValue


@pytest.mark.parametrize("agent", ["a", "x" * 200, "o'brien\\", 'say "hi"; --', "日本"])
def test_any_text_of_a_sensible_length_names_an_agent(agent: str) -> None:
    """Quotes and backslashes included."""
    assert checked_agent(agent) == agent


@pytest.mark.parametrize(
    ("agent", "problem"),
    [
        ("", "is empty, but names whom to act as"),
        ("x" * 201, "has 201 characters, but at most 200 fit"),
        (5, "must be text, not int"),
        (None, "must be text, not NoneType"),
        ("a\x00", "contains a NUL character, which PostgreSQL cannot store"),
        ("a\ud800", "contains a lone surrogate, which is no character"),
    ],
)
def test_what_cannot_be_an_agent_is_refused(agent: object, problem: str) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidValue) as caught:
        checked_agent(agent)

    assert caught.value.field == "governance_agent_id"
    assert str(caught.value) == f"governance_agent_id {problem}. {InvalidValue.advice}"


def test_acting_as_ends_with_its_block() -> None:
    """Nested blocks restore the outer agent, after errors too."""
    with acting_as("outer"):
        with pytest.raises(KeyError), acting_as("inner"):
            raise KeyError
        assert current_agent.get() == "outer"
    assert current_agent.get() is None


async def test_tasks_do_not_share_their_agent() -> None:
    """Each task acts as its own."""

    async def act(agent: str) -> str | None:
        with acting_as(agent):
            await asyncio.sleep(0)
            return current_agent.get()

    assert tuple(await asyncio.gather(act("a"), act("b"))) == ("a", "b")


def test_a_sessions_agent_is_checked_when_it_is_made() -> None:
    """Not when its transaction begins."""
    with pytest.raises(InvalidValue, match="has 300"):
        begin_info("x" * 300, {}, pgbouncer=False)


def test_settings_are_sent_in_hexadecimal() -> None:
    """No quote or backslash in a value can end the literal."""
    assert local_settings({"app.a": "o'", "b": "é"}) == (
        "SELECT set_config('app.a', convert_from(decode('6f27', 'hex'), 'UTF8'), true), "
        "set_config('b', convert_from(decode('c3a9', 'hex'), 'UTF8'), true)"
    )
    assert local_settings({}) == ""
