"""Owns the copy of the project in which mutmut works, and starting it there; the checkout itself is never mutated."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pgmatrix.servers.tuning import usable_cores
from tests.mutants.score import Score, score

ROOT = Path(__file__).parents[2]
COPIED = ("src", "tests", "pyproject.toml", "README.md", "noxfile.py")


class MutmutFailed(Exception):
    """mutmut could not do its work; says what it printed last."""


def mutated(root: Path = ROOT) -> dict[str, Path]:
    """The modules that [tool.mutmut] only_mutate names, each with its file, relative to the project."""
    table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    files = [path.relative_to(root) for pattern in table["only_mutate"] for path in sorted(root.glob(pattern))]
    return {".".join(path.with_suffix("").parts[1:]).removesuffix(".__init__"): path for path in files}


def make_copy(folder: Path, modules: Sequence[str]) -> None:
    """Copy the project to `folder`, where mutmut will mutate these modules and run their packages' unit tests."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    known, packages = mutated(), sorted({module.partition(".")[0] for module in modules})
    config = folder / "pyproject.toml"
    head, _, tail = config.read_text(encoding="utf-8").partition("only_mutate = [")
    lines = [
        f"only_mutate = {json.dumps([str(known[module]) for module in modules])}",
        f"pytest_add_cli_args_test_selection = {json.dumps([f'tests/unit/{name}' for name in packages])}",
    ]
    config.write_text(head + "\n".join(lines) + tail.partition("]")[2], encoding="utf-8")


def run(folder: Path, jobs: int) -> None:
    """Let mutmut make and try all mutants. Raises MutmutFailed."""
    found = _mutmut(folder, "run", "--max-children", str(jobs))
    if found.returncode != 0:
        tail = "\n".join(found.stdout.replace("\r", "\n").splitlines()[-30:])
        raise MutmutFailed(f"mutmut ended with exit code {found.returncode}\n{tail}")


def read_scores(folder: Path, modules: Sequence[str]) -> Iterator[Score]:
    """What mutmut found out about each module; one in which it found nothing to mutate has no mutants."""
    known = mutated()
    for module in modules:
        path = folder / "mutants" / f"{known[module]}.meta"
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"] if path.is_file() else {}
        yield score(module, codes)


def differences(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """The change that each of these mutants is, as a unified diff."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        shown = pool.map(lambda name: _mutmut(folder, "show", name).stdout, names)
    return dict(zip(names, map(_diff, shown), strict=True))


def _diff(text: str) -> str:
    """What follows the header of file names."""
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith("@@")), 0)
    return "\n".join(lines[start:]).rstrip()


def _mutmut(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run mutmut in the copy; the properties of Hypothesis try the same examples on every mutant."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PGMATRIX_", "PYTEST_", "PYTHONPATH"))}
    return subprocess.run(
        [sys.executable, "-m", "mutmut", *words],
        cwd=folder,
        env=kept | {"CI": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
