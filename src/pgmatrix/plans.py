"""Owns the shape of a query plan: what the planner chose, without costs, row counts, values and names of databases.

Reads what EXPLAIN (FORMAT JSON) returned; asks no server. Two plans of one shape do the same in the same order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_JOINS = {"Inner": "", "Left": "Left ", "Right": "Right ", "Full": "Full ", "Semi": "Semi ", "Anti": "Anti "}
_STRATEGIES = {"Hashed": "Hash", "Sorted": "Group", "Mixed": "Mixed"}
_RETURNS = re.compile(r" \(returns .*\)$")  # numbers of parameters, which later majors leave out
_SOURCES = ("Relation Name", "CTE Name", "Function Name", "Table Function Name", "Tuplestore Name")


def shape(explained: Any) -> str:
    """The shape of what EXPLAIN (FORMAT JSON) returned, as text or already parsed: a line for each node, indented.

    Raises ValueError for anything else.
    """
    try:
        parsed = json.loads(explained) if isinstance(explained, (str, bytes)) else explained
        (statement,) = parsed
        return "\n".join(_lines(statement["Plan"], 0))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"this is not what EXPLAIN (FORMAT JSON) returns: {error!r}") from error


def _lines(node: Mapping[str, Any], depth: int) -> Iterator[str]:
    name = f"{_RETURNS.sub('', node['Subplan Name'])}: " if "Subplan Name" in node else ""
    yield f"{'  ' * depth}{name}{_what(node)}{_where(node)}"
    for child in node.get("Plans", ()):
        yield from _lines(child, depth + 1)


def _what(node: Mapping[str, Any]) -> str:
    kind: str = node["Node Type"]
    if kind == "Aggregate":
        kind = f"{_STRATEGIES.get(node.get('Strategy', ''), '')}Aggregate"
    if kind == "ModifyTable":
        kind = node["Operation"]
    join = _JOINS.get(node.get("Join Type", "Inner"), "") if "Join Type" in node else ""
    parallel = "Parallel " if node.get("Parallel Aware") else ""
    return f"{parallel}{join}{kind}"


def _where(node: Mapping[str, Any]) -> str:
    using = f" using {node['Index Name']}" if "Index Name" in node else ""
    backward = " backward" if node.get("Scan Direction") == "Backward" else ""
    source = next((node[key] for key in _SOURCES if key in node), "")
    return f"{backward}{using}{f' on {source}' if source else ''}"
