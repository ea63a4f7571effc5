"""tests.mutants.project: which modules are mutated, and the copy that is mutated instead of the checkout."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.mutants import project
from tests.mutants.score import Score


def test_every_pattern_of_the_table_names_a_module() -> None:
    """Nothing in [tool.mutmut] is left over from a file that was moved."""
    table = tomllib.loads((project.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]

    assert [pattern for pattern in table["only_mutate"] if not list(project.ROOT.glob(pattern))] == []


def test_modules_have_their_import_names() -> None:
    """A file below src is known by the name it is imported by, a package by its own."""
    found = project.mutated()

    assert found["plant.core.retry"] == Path("src/plant/core/retry.py")
    assert all((project.ROOT / path).is_file() for path in found.values())
    assert not any(name.startswith("src") or name.endswith("__init__") for name in found)


@pytest.mark.parametrize(
    ("modules", "files", "tests"),
    [
        (["plant.core.retry"], ["src/plant/core/retry.py"], ["tests/unit/plant"]),
        (
            ["pgmatrix.matrix", "plant.core.retry"],
            ["src/pgmatrix/matrix.py", "src/plant/core/retry.py"],
            ["tests/unit/pgmatrix", "tests/unit/plant"],
        ),
    ],
)
def test_the_copy_mutates_what_was_chosen(
    tmp_path: Path, modules: list[str], files: list[str], tests: list[str]
) -> None:
    """Its table names the chosen files and their packages' unit tests; all else in it is the project's."""
    (tmp_path / "copy" / "mutants").mkdir(parents=True)
    project.make_copy(tmp_path / "copy", modules)
    made = tomllib.loads((tmp_path / "copy" / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    ours = tomllib.loads((project.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]

    assert made["mutmut"] == ours["mutmut"] | {"only_mutate": files, "pytest_add_cli_args_test_selection": tests}
    assert made["pytest"] == ours["pytest"]
    assert (tmp_path / "copy" / files[0]).read_bytes() == (project.ROOT / files[0]).read_bytes()
    assert not (tmp_path / "copy" / "mutants").exists()


def test_scores_are_read_from_what_mutmut_left(tmp_path: Path) -> None:
    """Each module has one, also where mutmut found nothing to mutate."""
    meta = tmp_path / "mutants" / "src/plant/core/retry.py.meta"
    meta.parent.mkdir(parents=True)
    meta.write_text('{"exit_code_by_key": {"a": 1, "b": 0}}')

    assert list(project.read_scores(tmp_path, ["plant.core.retry", "plant.core.values"])) == [
        Score(module="plant.core.retry", killed=1, survivors=("b",)),
        Score(module="plant.core.values"),
    ]
