"""Owns the published JSON Schema of a verdict: made from the classes themselves, so that it cannot say anything else.

`verdict.schema.json` in this package is what `make` gives; `python -m pgmatrix.report.schema` prints it.
"""

from __future__ import annotations

import inspect
import json
import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from importlib import resources
from typing import Any, Union, get_args, get_origin, get_type_hints

from pgmatrix.verdict import SCHEMA, Verdict

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN: Mapping[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Any: {},
}


def published() -> dict[str, Any]:
    """The schema as this package carries it."""
    text = resources.files("pgmatrix.report").joinpath("verdict.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def make() -> dict[str, Any]:
    """The schema of `Verdict.to_json()`. Names that are not in it may come with a later version of the same schema."""
    definitions: dict[str, Any] = {}
    root = _of(Verdict, definitions)
    definitions["Verdict"]["properties"]["schema"] = {"const": SCHEMA}
    return {"$schema": DIALECT, "title": f"A verdict of pgmatrix, schema {SCHEMA}", **root, "$defs": definitions}


def _of(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if is_dataclass(kind) or (isinstance(kind, type) and issubclass(kind, StrEnum)):
        name = _name(kind)
        if name not in definitions:
            definitions[name] = {}  # so that a class inside itself ends here
            definitions[name] = _object(kind, definitions) if is_dataclass(kind) else _enum(kind)
        return {"$ref": f"#/$defs/{name}"}
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple:
        return _list(inner, definitions)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _of(inner[1], definitions)}
    if origin in (types.UnionType, Union):
        return {"anyOf": [{"type": "null"} if one is type(None) else _of(one, definitions) for one in inner]}
    return dict(_PLAIN[kind])


def _name(kind: Any) -> str:
    name = str(kind.__name__)
    return name if name.startswith("Perf") or not kind.__module__.startswith("pgmatrix.perf.") else f"Perf{name}"


def _list(inner: tuple[Any, ...], definitions: dict[str, Any]) -> dict[str, Any]:
    if inner[-1] is Ellipsis:
        return {"type": "array", "items": _of(inner[0], definitions)}
    items = [_of(one, definitions) for one in inner]
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _object(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {
        "description": _doc(kind),
        "type": "object",
        "properties": {one.name: _of(hints[one.name], definitions) for one in fields(kind)},
        "required": [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING],
    }


def _enum(kind: Any) -> dict[str, Any]:
    return {"description": _doc(kind), "enum": [str(member) for member in kind]}


def _doc(kind: Any) -> str:
    return " ".join((inspect.getdoc(kind) or "").split())


if __name__ == "__main__":
    sys.stdout.write(json.dumps(make(), indent=1) + "\n")
