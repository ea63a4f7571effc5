"""Quoting: whatever a name or a text holds, it cannot leave its quotes."""

from __future__ import annotations

import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.clients import driver_version, installed_drivers, quote_name, quote_text
from pgmatrix.matrix import Driver

hostile = st.text(alphabet=st.sampled_from(list("ab'\"\\;-/*$ \n%é")), max_size=12)


def _unquoted(quoted: str, mark: str) -> str:
    """What a server reads between the quotes, as its scanner does it; fails where the text ends before its end."""
    assert quoted[0] == mark
    inside, place = [], 1
    while place < len(quoted) - 1:
        if quoted[place] == mark:
            assert quoted[place + 1] == mark, "left its quotes"
            assert place + 1 < len(quoted) - 1, "left its quotes"
            place += 1
        inside.append(quoted[place])
        place += 1
    assert quoted[-1] == mark
    return "".join(inside)


@given(hostile)
def test_a_text_stays_within_its_quotes(text: str) -> None:
    """A quoted text is read back as itself and ends where it should."""
    assert _unquoted(quote_text(text), "'") == text


@given(hostile)
def test_a_name_stays_within_its_quotes(name: str) -> None:
    """A quoted name is read back as itself and ends where it should."""
    assert _unquoted(quote_name(name), '"') == name


@given(hostile, hostile)
def test_two_texts_are_never_quoted_alike(one: str, other: str) -> None:
    """Different texts have different literals."""
    assert (quote_text(one) == quote_text(other)) == (one == other)


def test_quoting_is_what_sql_says() -> None:
    """A quote is doubled, and nothing else is touched."""
    assert quote_text('it\'s \\ a "text"') == "'it''s \\ a \"text\"'"
    assert quote_name("a \"b\" 'c'") == '"a ""b"" \'c\'"'


def test_installed_drivers_are_found_without_importing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver counts as installed when its module can be found, in the order of the enumeration."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "psycopg" else None)

    assert installed_drivers() == (Driver.PSYCOPG,)


def test_the_version_of_a_driver_is_its_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver's version is what its distribution says."""
    monkeypatch.setattr("importlib.metadata.version", {"asyncpg": "0.32.0"}.__getitem__)

    assert driver_version(Driver.ASYNCPG) == "0.32.0"
