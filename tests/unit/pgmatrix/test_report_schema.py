"""The published schema: it is that of the classes, it accepts verdicts, and it refuses what is none."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from pgmatrix.report import schema
from pgmatrix.verdict import SCHEMA
from tests.unit.pgmatrix.samples import troubled, verdict

VALIDATOR = jsonschema.Draft202012Validator(schema.published())


def plain() -> dict[str, Any]:
    """A verdict as JSON values."""
    found: dict[str, Any] = json.loads(troubled().to_json())
    return found


def test_the_published_schema_is_that_of_the_classes() -> None:
    """The file in the package is what `python -m pgmatrix.report.schema` prints now."""
    assert schema.published() == schema.make()


def test_the_schema_is_one_itself() -> None:
    """It follows the dialect it names, and every reference in it leads somewhere."""
    jsonschema.Draft202012Validator.check_schema(schema.published())
    names = set(schema.published()["$defs"])

    assert schema.published()["$schema"] == schema.DIALECT
    assert {"Verdict", "Record", "TestResult", "State", "Outcome", "PerfRun", "PerfOutcome"} <= names


@pytest.mark.parametrize("made", [troubled, verdict])
def test_verdicts_follow_it(made: Any) -> None:
    """A verdict that ships and one with all kinds of trouble are valid."""
    VALIDATOR.validate(json.loads(made().to_json()))


def test_a_later_field_is_no_offence() -> None:
    """What later versions add to a class does not make a verdict invalid."""
    VALIDATOR.validate({**plain(), "mood": "good"})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["ship"], "yes"),
        (["schema"], SCHEMA + 1),
        (["sessions", 0, "state"], "fine"),
        (["sessions", 0, "record", "tests", 0, "outcome"], "ok"),
        (["sessions", 0, "record", "tests", 0, "seconds"], "1"),
        (["perf", "series", 0, "histogram", 0], [0.1]),
        (["coverage", "paths", 0, "by_cell"], []),
        (["reasons"], None),
    ],
)
def test_what_is_no_verdict_is_refused(path: list[Any], value: Any) -> None:
    """A wrong type, word, or version anywhere is invalid."""
    found: Any = plain()
    place = found
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value

    assert not VALIDATOR.is_valid(found)


@pytest.mark.parametrize("name", ["ship", "run", "sessions", "reasons", "rules"])
def test_what_makes_a_verdict_must_be_there(name: str) -> None:
    """A verdict without a decision, its sessions, its rules or its reasons is none."""
    found = plain()
    del found[name]

    assert not VALIDATOR.is_valid(found)
