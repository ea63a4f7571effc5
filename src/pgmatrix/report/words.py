"""Owns the words and marks all reports share: counts, times, what a state looks like, and text that is safe to show.

Test ids, messages and logs are other people's input: `clean` leaves nothing in them that a terminal, a browser or an
XML parser would take for more than text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from pgmatrix.records import Outcome
from pgmatrix.verdict import State

# Colours and cursor movements of terminals: CSI and OSC sequences, and two-character escapes.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
# What is never shown as it is: C0 and C1 controls but tab and newline, lone surrogates, non-characters, and what
# turns the direction of a text round or hides in it.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\uffff]"
)
_PICTURES = 0x2400


class Tone(StrEnum):
    """How a thing is shown: its colour, never without a mark or a word beside it."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    IDLE = "idle"


MARKS: Mapping[Tone, str] = MappingProxyType({Tone.GOOD: "✓", Tone.WARN: "!", Tone.BAD: "✗", Tone.IDLE: "·"})
_WARNING_STATES = (State.FLAKY, State.SKIPPED, State.XPASSED, State.UNPROVEN)
_OUTCOME_TONES = {
    Outcome.PASSED: Tone.GOOD,
    Outcome.FAILED: Tone.BAD,
    Outcome.ERROR: Tone.BAD,
    Outcome.XPASSED: Tone.WARN,
    Outcome.FLAKY: Tone.WARN,
    Outcome.SKIPPED: Tone.IDLE,
    Outcome.XFAILED: Tone.IDLE,
}


def tone(state: State) -> Tone:
    """How a session's state is shown. Bad: its tests prove nothing. Warn: they passed, and a rule objects."""
    if state is State.GREEN:
        return Tone.GOOD
    if state is State.NOT_RUN:
        return Tone.IDLE
    return Tone.WARN if state in _WARNING_STATES else Tone.BAD


def outcome_tone(outcome: Outcome) -> Tone:
    """How a test's outcome is shown."""
    return _OUTCOME_TONES[outcome]


def clean(text: str) -> str:
    """`text` without a terminal's escapes, its other control characters made visible; lines end in a newline."""
    if text.isascii() and text.isprintable():
        return text
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    return _UNSAFE.sub(_visible, text)


def one_line(text: str) -> str:
    """`text`, cleaned, with its newlines and tabs made visible too."""
    return clean(text).replace("\n", "␊").replace("\t", "␉")


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(_PICTURES + code)
    return "\N{SYMBOL FOR DELETE}" if code == 0x7F else f"\\u{code:04x}"


def count(number: int, thing: str) -> str:
    """`1 session`, `2 sessions`, `2,644 tests`."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


def duration(seconds: float) -> str:
    """A time for people: `4 ms`, `0.41 s`, `7.9 s`, `2 min 12 s`, `1 h 5 min`."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 0.9995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(timestamp: float) -> str:
    """A Unix time as `2026-11-25 21:34 UTC`; `-` where there is none."""
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M} UTC" if timestamp else "-"
