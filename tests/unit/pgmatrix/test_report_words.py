"""The words all reports share: times and counts for people, and text that nothing can take for more than text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.records import Outcome
from pgmatrix.report.words import Tone, clean, count, duration, moment, one_line, outcome_tone, tone
from pgmatrix.verdict import State

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(ANY_TEXT)
def test_cleaned_text_is_text_alone(text: str) -> None:
    """No control character, surrogate, invisible or direction-turning character is left, and UTF-8 can carry it."""
    dangerous = set("\u061c\u200b\u200e\u200f\u202a\u202e\u2028\u2029\u2066\u2069\ufeff")

    assert not [one for one in clean(text) if unicodedata.category(one) in ("Cc", "Cs") and one not in "\n\t"]
    assert not dangerous & set(clean(text))
    assert clean(text).encode().decode() == clean(text)
    assert "\n" not in one_line(text)
    assert "\t" not in one_line(text)


@given(ANY_TEXT)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """What is clean stays as it is."""
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [a-1] <b> & 'c'", "plain [a-1] <b> & 'c'"),
        ("grün 🦊 多", "grün 🦊 多"),
        ("a\r\nb\tc\n", "a\nb\tc\n"),
        ("a\rb\x00\x07\x7f", "a␍b␀␇␡"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x\x1b]8;;http://e\x1b\\y", "xy"),
        ("a\x1bzb", "a␛zb"),
        ("\x85\x9b31m", "\\u0085\\u009b31m"),
        ("gnp\u202egnp\ud800\ufeff", "gnp\\u202egnp\\ud800\\ufeff"),
    ],
)
def test_what_is_no_text_is_made_visible(text: str, shown: str) -> None:
    """Colours go, other control characters get a picture or their number, and everything else stays."""
    assert clean(text) == shown


def test_one_line_is_one_line() -> None:
    """Newlines and tabs have pictures where there is room for one line only."""
    assert one_line("a\nb\tc") == "a␊b␉c"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0 ms"),
        (0.0042, "4 ms"),
        (0.0996, "0.10 s"),
        (0.41, "0.41 s"),
        (0.9996, "1.0 s"),
        (7.94, "7.9 s"),
        (59.96, "1 min 0 s"),
        (132.2, "2 min 12 s"),
        (3599.6, "1 h 0 min"),
        (3900.0, "1 h 5 min"),
    ],
)
def test_a_time_is_for_people(seconds: float, shown: str) -> None:
    """A time has the unit and the digits that say something."""
    assert duration(seconds) == shown


def test_counts_and_moments_read_well() -> None:
    """One is singular, thousands are grouped; a time that is not known is a dash."""
    assert [count(number, "test") for number in (0, 1, 2644)] == ["0 tests", "1 test", "2,644 tests"]
    assert (moment(1_795_642_300.0), moment(0.0)) == ("2026-11-25 21:31 UTC", "-")


def test_only_green_and_passed_look_good() -> None:
    """No other state is shown as a session that may ship, and no other outcome as a test that passed."""
    assert [state for state in State if tone(state) is Tone.GOOD] == [State.GREEN]
    assert [state for state in State if tone(state) is Tone.IDLE] == [State.NOT_RUN]
    assert [outcome for outcome in Outcome if outcome_tone(outcome) is Tone.GOOD] == [Outcome.PASSED]
    assert {outcome_tone(Outcome.FAILED), outcome_tone(Outcome.ERROR), tone(State.CRASHED)} == {Tone.BAD}
