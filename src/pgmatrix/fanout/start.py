"""Owns a project's first steps: a table, a template, one test and a noxfile that are green as they stand.

Adds tables to pyproject.toml and lines to .gitignore that are not there, writes files that are not there, and changes
nothing else.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from pgmatrix.clients import installed_drivers
from pgmatrix.config import load
from pgmatrix.errors import ConfigError
from pgmatrix.fanout.starters import starter, write_new
from pgmatrix.matrix import Driver, parse_drivers

FOLDER = Path("tests", "matrix")
IGNORED = ("__pycache__/", ".coverage", ".nox/", ".pgmatrix/", ".pytest_cache/")  # else every run has changed sources


def start(root: Path, *, drivers: str | None, postgres: str) -> Iterator[str]:
    """Write what is missing in the project at `root`; one line for each file. Raises ConfigError before the first."""
    chosen = _drivers(drivers)
    kind = str(chosen[0]) if len(chosen) == 1 else "both"
    text = _with_tables(root / "pyproject.toml", chosen, postgres)
    files = {
        FOLDER / "template.py": starter("template.py"),
        FOLDER / "test_example.py": starter(f"test_{kind}.py"),
        Path("noxfile.py"): starter("noxfile.py"),
    }
    yield _write_tables(root / "pyproject.toml", text)
    for place, content in files.items():
        yield f"wrote {place}" if write_new(root / place, content) else f"kept {place}: it was there"
    yield _ignore(root / ".gitignore")
    yield f"next: pip install nox pgmatrix; nox   or, here: python -m pytest {FOLDER}"


def _ignore(path: Path) -> str:
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    missing = [line for line in IGNORED if line not in before.split()]
    if not missing:
        return "kept .gitignore: it has the lines"
    end = "\n" if before and not before.endswith("\n") else ""
    path.write_text(before + end + "\n".join(missing) + "\n", encoding="utf-8")
    return f"{'added to' if before else 'wrote'} .gitignore: {' '.join(missing)}"


def _drivers(text: str | None) -> tuple[Driver, ...]:
    found = parse_drivers([name.strip() for name in text.split(",")]) if text else installed_drivers()
    if not found:
        raise ConfigError("no driver is installed here", do_next="say which: --drivers psycopg")
    return found


def _with_tables(path: Path, drivers: tuple[Driver, ...], postgres: str) -> str:
    """pyproject.toml as it will be: as it is, and the tables it lacks after it. Raises ConfigError."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    try:
        tools = tomllib.loads(before).get("tool", {})
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}", do_next="correct the line it names") from error
    added = ""
    if "pgmatrix" not in tools:
        majors = ", ".join(word.strip() for word in postgres.split(","))
        names = ", ".join(f'"{driver}"' for driver in drivers)
        added += starter("table.toml", majors=majors, drivers=names)
    if "run" not in tools.get("coverage", {}):
        added += starter("coverage.toml")
    return before.rstrip("\n") + ("\n\n" if before.strip() else "") + added if added else before


def _write_tables(path: Path, text: str) -> str:
    before = path.read_text(encoding="utf-8") if path.exists() else None
    if before == text:
        return "kept pyproject.toml: it has the tables"
    path.write_text(text, encoding="utf-8")
    try:
        load(path.parent)
    except ConfigError:
        path.unlink() if before is None else path.write_text(before, encoding="utf-8")
        raise
    return f"{'wrote' if before is None else 'added tables to'} pyproject.toml"
