"""Plain values: what fits is read, what does not fit is refused with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pytest

from pgmatrix import plain


class Colour(StrEnum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """A value within."""

    number: float
    colour: Colour = Colour.RED


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    """A value of every kind."""

    text: str
    flag: bool = False
    whole: int = 0
    many: tuple[Inner, ...] = ()
    named: Mapping[str, int] = field(default_factory=dict)
    maybe: Inner | None = None
    rows: tuple[tuple[float, int], ...] = ()
    anything: Any = None


def test_every_kind_reads_back() -> None:
    """Text, flags, numbers, choices, tuples, mappings, optional values and values within values go there and back."""
    value = Outer(
        text="ů\ud83d",
        flag=True,
        whole=-3,
        many=(Inner(number=0.5, colour=Colour.BLUE), Inner(number=1.0)),
        named={"a": 1},
        maybe=Inner(number=2.0),
        rows=((0.5, 1), (1.5, 2)),
        anything=[1, {"b": None}],
    )

    assert plain.loads(Outer, plain.dumps(value)) == value
    assert plain.loads(Outer, '{"text": "x"}') == Outer(text="x")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Expecting property name"),
        ("3", "an object is expected, not 3"),
        ("{}", "text is missing"),
        ('{"text": 3}', "text: text is expected, not 3"),
        ('{"text": "", "flag": 1}', "flag: true or false is expected, not 1"),
        ('{"text": "", "whole": true}', "whole: a whole number is expected, not True"),
        ('{"text": "", "whole": 1.5}', "whole: a whole number is expected, not 1.5"),
        ('{"text": "", "many": 3}', "many: a list is expected, not 3"),
        ('{"text": "", "many": [{"number": "x"}]}', "many: number: a number is expected, not 'x'"),
        ('{"text": "", "many": [{"number": true}]}', "many: number: a number is expected, not True"),
        ('{"text": "", "many": [{"number": 1e999}]}', "many: number: inf is out of range"),
        ('{"text": "", "many": [{"number": NaN}]}', "NaN is no number of JSON"),
        ('{"text": "", "named": []}', "named: an object is expected, not []"),
        ('{"text": "", "named": {"a": "b"}}', "named: a: a whole number is expected, not 'b'"),
        ('{"text": "", "maybe": {"number": 1, "colour": "green"}}', "maybe: colour: 'green' is none of red, blue"),
        ('{"text": "", "maybe": {"number": 1, "colour": []}}', "maybe: colour: [] is none of red, blue"),
        ('{"text": ["' + "x" * 99 + '"]}', "text: text is expected, not ['" + "x" * 62 + "..."),
        ('{"text": "", "rows": [[1, 2, 3]]}', "rows: a list of 2 is expected, not [1, 2, 3]"),
        ('{"text": "", "rows": [3]}', "rows: a list of 2 is expected, not 3"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
    ids=lambda text: text[:40],
)
def test_what_does_not_fit_is_refused_with_its_place(text: str, why: str) -> None:
    """A value of another type, one that is missing, and one without end are named."""
    with pytest.raises(ValueError) as error:
        plain.loads(Outer, text)

    assert str(error.value).startswith(why)


def test_a_number_of_a_thousand_digits_is_refused() -> None:
    """What no float can hold is out of range, not an overflow."""
    with pytest.raises(ValueError, match=r"number: 1000.* is out of range"):
        plain.loads(Inner, '{"number": 1' + "0" * 1000 + "}")


def test_infinite_numbers_are_not_written() -> None:
    """JSON has no infinity."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        plain.dumps(Inner(number=float("inf")))
