"""Owns the words faults are written in: rewritten functions, engine arguments, rewritten SQL, rewritten revisions."""

from __future__ import annotations
import __future__

import functools
import importlib
import inspect
import shutil
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

from alembic.config import Config

from pgmatrix.errors import FaultError
from pgmatrix.teeth.faults import Change, Fault, Patch

ENGINE = "plant.core.database:create_async_engine"


def fault(
    name: str,
    breaks: str,
    *,
    reds: str,
    sql: str | Sequence[str] = (),
    undo: Sequence[str] = (),
    changes: Sequence[Change] = (),
) -> Fault:
    """A fault; `reds` are the tests' names without `test_`, apart by white space."""
    return Fault(
        name=name,
        breaks=breaks,
        reds=frozenset(f"test_{word}" for word in reds.split()),
        sql=(sql,) if isinstance(sql, str) else tuple(sql),
        undo=tuple(undo),
        changes=tuple(changes),
    )


def rewritten(target: str, *swaps: tuple[str, str]) -> Patch:
    """The function at `module:name` or `module:Class.name` with each text of its source, there once, swapped."""
    module, _, path = target.partition(":")

    def make(original: Any) -> Any:
        function = inspect.unwrap(original)
        source = textwrap.dedent(inspect.getsource(function))
        for old, new in swaps:
            source = _swapped(source, old, new, target)
        return _compiled(source, importlib.import_module(module), path, function)

    return Patch(target=target, make=make)


def _compiled(source: str, module: Any, path: str, function: FunctionType) -> Any:
    """The function that the source defines, in its own module's names and, for `super()`, in its class."""
    name = path.rpartition(".")[2]
    # A zero-argument super() needs the cell in which the compiler keeps the class.
    body = f"def _make(__class__):\n{textwrap.indent(source, '    ')}\n    return {name}\n"
    made: dict[str, Any] = {}
    code = compile(body, f"<fault in {function.__qualname__}>", "exec", __future__.annotations.compiler_flag)
    exec(code, vars(module), made)  # noqa: S102 - a function has no other way to get another text
    owner = functools.reduce(getattr, path.split(".")[:-1], module)
    return made["_make"](owner)


def _swapped(text: str, old: str, new: str, where: str) -> str:
    if text.count(old) != 1 or old == new:
        raise FaultError(
            f"{where} has {old!r} {text.count(old)} times", do_next="name a text that is there once, and another"
        )
    return text.replace(old, new)


def engine(**arguments: object) -> Patch:
    """plant's engines get these arguments, whatever the settings say."""

    def make(create: Callable[..., Any]) -> Callable[..., Any]:
        return lambda url, **given: create(url, **{**given, **arguments})

    return Patch(target=ENGINE, make=make)


def value(target: str, new: object) -> Patch:
    """Another value, whatever was there."""
    return Patch(target=target, make=lambda _: new)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """The migrations with one text of one revision's file, there once, swapped."""

    file: str
    old: str
    new: str

    def text(self, migrations: Path) -> str:
        """The revision's file, rewritten. Raises FaultError."""
        return _swapped(
            (migrations / "versions" / self.file).read_text(encoding="utf-8"), self.old, self.new, self.file
        )

    def apply(self) -> None:
        """Have Alembic read a copy of the migrations."""
        from plant.database import migrate

        source = Path(migrate.__file__).parent / "migrations"
        copy = Path(tempfile.mkdtemp(prefix="teeth-")) / "migrations"
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        (copy / "versions" / self.file).write_text(self.text(source), encoding="utf-8")
        original = migrate._config

        def config(*output: Any) -> Config:
            made = original(*output)
            made.set_main_option("script_location", str(copy))
            return made

        migrate._config = config


def function_sql(signature: str, *swaps: tuple[str, str]) -> str:
    """The SQL function made anew with each text of its definition swapped; one that is not there changes nothing."""
    text = f"pg_get_functiondef('plant.{signature}'::regprocedure)"
    for old, new in swaps:
        text = f"replace({text}, $old${old}$old$, $new${new}$new$)"
    return f"DO $fault$ BEGIN EXECUTE {text}; END $fault$"


def retyped(table: str, column: str, kind: str, *, using: str = "") -> str:
    """Another type for a column that the functions of entities' contents read: they are made anew around it."""
    change = f"ALTER TABLE plant.{table} ALTER COLUMN {column} TYPE {kind}{f' USING {using}' if using else ''}"
    return f"""
DO $fault$
DECLARE
    found record;
    definitions text[] := '{{}}';
    statement text;
BEGIN
    FOR found IN SELECT oid, oid::regprocedure::text AS name FROM pg_proc
                  WHERE pronamespace = 'plant'::regnamespace AND proname LIKE '%\\_content' AND prosqlbody IS NOT NULL
    LOOP
        definitions := definitions || pg_get_functiondef(found.oid)
            || format('ALTER FUNCTION %s OWNER TO plant_owner', found.name);
        EXECUTE 'DROP FUNCTION ' || found.name;
    END LOOP;
    {change};
    FOREACH statement IN ARRAY definitions LOOP
        EXECUTE statement;
    END LOOP;
END $fault$"""
