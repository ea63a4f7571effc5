"""The shape of a plan: what was chosen, and nothing that changes from run to run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.plans import shape

SCAN: dict[str, Any] = {
    "Node Type": "Index Scan",
    "Parallel Aware": False,
    "Scan Direction": "Forward",
    "Index Name": "pk_note",
    "Relation Name": "note",
    "Alias": "n",
    "Startup Cost": 0.15,
    "Total Cost": 8.17,
    "Plan Rows": 1,
    "Index Cond": "(id = 7)",
}


def explained(**plan: Any) -> list[dict[str, Any]]:
    """What EXPLAIN (FORMAT JSON) returns for a plan of that top node."""
    return [{"Plan": {"Node Type": "Result", **plan}}]


def test_a_scan_is_its_kind_its_index_and_its_table() -> None:
    """Costs, rows, aliases and conditions are left out."""
    assert shape(explained(**SCAN)) == "Index Scan using pk_note on note"


def test_text_and_parsed_json_have_one_shape() -> None:
    """One driver returns JSON as text, another as values."""
    plan = explained(**SCAN)

    assert shape(json.dumps(plan)) == shape(json.dumps(plan).encode()) == shape(plan)


@pytest.mark.parametrize(
    ("node", "line"),
    [
        ({"Node Type": "Seq Scan", "Relation Name": "note", "Parallel Aware": True}, "Parallel Seq Scan on note"),
        ({**SCAN, "Scan Direction": "Backward"}, "Index Scan backward using pk_note on note"),
        ({"Node Type": "Bitmap Index Scan", "Index Name": "ix"}, "Bitmap Index Scan using ix"),
        ({"Node Type": "Hash Join", "Join Type": "Inner"}, "Hash Join"),
        ({"Node Type": "Hash Join", "Join Type": "Left"}, "Left Hash Join"),
        ({"Node Type": "Nested Loop", "Join Type": "Anti"}, "Anti Nested Loop"),
        ({"Node Type": "Aggregate", "Strategy": "Plain"}, "Aggregate"),
        ({"Node Type": "Aggregate", "Strategy": "Hashed"}, "HashAggregate"),
        ({"Node Type": "Aggregate", "Strategy": "Sorted"}, "GroupAggregate"),
        ({"Node Type": "ModifyTable", "Operation": "Update", "Relation Name": "note"}, "Update on note"),
        ({"Node Type": "CTE Scan", "CTE Name": "near", "Alias": "x"}, "CTE Scan on near"),
        ({"Node Type": "Function Scan", "Function Name": "unnest"}, "Function Scan on unnest"),
        ({"Node Type": "Result", "Subplan Name": "InitPlan 3 (returns $2)"}, "InitPlan 3: Result"),
        ({"Node Type": "Limit", "Subplan Name": "CTE near"}, "CTE near: Limit"),
    ],
)
def test_what_is_said_of_a_node(node: dict[str, Any], line: str) -> None:
    """Each kind of node has the words EXPLAIN's own text has for it, without what majors number differently."""
    assert shape(explained(**node)) == line


def test_children_are_indented_below_their_node() -> None:
    """The shape is a tree in the order of the plan."""
    sort = {"Node Type": "Sort", "Sort Key": ["id"], "Plans": [SCAN]}

    assert shape(explained(**{"Node Type": "Limit", "Plans": [sort, {"Node Type": "Result"}]})) == (
        "Limit\n  Sort\n    Index Scan using pk_note on note\n  Result"
    )


@given(st.dictionaries(st.sampled_from(["Total Cost", "Plan Rows", "Plan Width", "Alias", "Filter"]), st.integers()))
def test_estimates_change_no_shape(noise: dict[str, int]) -> None:
    """Whatever the planner estimates, the shape is the same."""
    assert shape(explained(**{**SCAN, **noise})) == "Index Scan using pk_note on note"


@pytest.mark.parametrize("wrong", ["Seq Scan on note", "{}", "[]", [{}], [{"Plan": {}}], None, 7, [SCAN], "[1]"])
def test_what_is_no_plan_is_refused(wrong: object) -> None:
    """EXPLAIN's text, or anything else, is an error that says what is expected."""
    with pytest.raises(ValueError, match=r"^this is not what EXPLAIN \(FORMAT JSON\) returns: "):
        shape(wrong)
