"""The repository as a whole: its top level, its pins, and that it names no machine and no package index."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, files, ignored

TOP = {"noxfile.py", "pyproject.toml", "src", "tests", "constraints", "README.md"}
TOP |= {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"}
PYTHONS = ("3.11", "3.12", "3.13")
PINNED = sorted((ROOT / "constraints").glob("*.txt"))
# Put together here, so that this file does not hold what it looks for.
MACHINE = ("/ro" + "ot/",)
INDEX = re.compile(
    r"(?:https?|file)://[^\s\"'`)>]*/(?:simple|pypi|packages)\b"
    r"|--(?:extra-)?index-url[ =](?:https?|file):"
    r"|https?://[^\s/@\"']+:[^\s/@\"']+@"
)


def test_the_top_level_is_fixed() -> None:
    """Beside dot-files there is nothing at the top but what belongs there."""
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    found = {name for name in found if not any(fnmatch.fnmatch(name, pattern) for pattern in ignored())}

    assert found - TOP == set()
    assert {"noxfile.py", "pyproject.toml", "src", "tests", "constraints", "README.md", "LICENSE"} <= found


@pytest.mark.parametrize("words", MACHINE, ids=lambda words: words.strip("/").replace("/", "-"))
def test_no_file_names_a_place_on_one_machine(words: str) -> None:
    """No file has a path that only one machine has."""
    assert [str(path.relative_to(ROOT)) for path in files() if words.encode() in path.read_bytes()] == []


def test_no_file_names_a_package_index() -> None:
    """Where packages come from is the user's to say: no file has an index's address, or a login in an address."""
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files()
        for match in INDEX.finditer(path.read_bytes().decode("utf-8", errors="replace"))
    ]

    assert found == []


def test_the_search_finds_what_it_looks_for() -> None:
    """The pattern for addresses knows those it must not find in the repository."""
    scheme = "https" + "://"
    bad = [f"{scheme}pypi.org/simple", f"{scheme}mirror.example/all/pypi/x", f"{scheme}user:word@host.example/x"]
    good = [f"{scheme}github.com/pgvector/pgvector", f"{scheme}www.postgresql.org/docs/16/", "--no-emit-index-url"]

    assert all(INDEX.search(text) for text in bad)
    assert not any(INDEX.search(text) for text in good)


def pins(name: str) -> dict[str, str]:
    """What a file of constraints pins, by project."""
    lines = (ROOT / "constraints" / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("==", 1) for line in lines if "==" in line and not line.lstrip().startswith("#"))


def test_every_environment_is_pinned_for_every_python() -> None:
    """Each driver and the developers' environment has its pins for each Python, and there are the lowest ones."""
    expected = {f"{name}-py{python}.txt" for name in ("asyncpg", "psycopg", "dev") for python in PYTHONS}

    assert {path.name for path in PINNED} == expected | {"lowest.txt"}


@pytest.mark.parametrize("path", PINNED, ids=lambda path: path.stem)
def test_pins_are_versions_and_nothing_else(path: Path) -> None:
    """Each line pins one project to one version, perhaps for some systems only; no address, no path, no option."""
    text = path.read_text(encoding="utf-8")
    line = re.compile(r"[A-Za-z0-9._-]+(\[[a-z0-9,._-]+\])?==[A-Za-z0-9.+!]+( ; [^@/]+)?")

    assert [one for one in text.splitlines() if one.strip() and not line.fullmatch(one.rstrip())] == []


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("driver", "other"), [("asyncpg", "psycopg"), ("psycopg", "asyncpg")])
def test_an_environment_holds_one_driver(driver: str, other: str, python: str) -> None:
    """The pins of a driver's environment have that driver, and nothing of the other."""
    found = pins(f"{driver}-py{python}.txt")

    assert driver in found
    assert [name for name in found if name.startswith(other)] == []


@pytest.mark.parametrize("python", PYTHONS)
def test_what_environments_share_is_pinned_alike(python: str) -> None:
    """A library that several environments of one Python hold has one version in all, so that cells can be compared."""
    found = [pins(f"{name}-py{python}.txt") for name in ("asyncpg", "psycopg", "dev")]
    shared = set.intersection(*(set(one) for one in found))

    assert {name: {one[name] for one in found} for name in shared if len({one[name] for one in found}) > 1} == {}
