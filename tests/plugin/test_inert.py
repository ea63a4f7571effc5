"""Promise: in a project without the table the plugin does nothing."""

from __future__ import annotations

from tests.plugin.conftest import Nest


def test_a_project_without_the_table_does_not_notice(nest: Nest) -> None:
    """Without the table there is no header, no server, and nothing of pgmatrix is imported but its hooks."""
    nest.write("pyproject.toml", "[tool.other]\n")
    nest.write(
        "test_layer.py",
        "import sys\n"
        "def test_plain():\n"
        "    loaded = {'pgmatrix.provision', 'pgmatrix.plugin.controller', 'asyncpg', 'psycopg'}\n"
        "    assert not loaded & set(sys.modules)\n",
    )
    result = nest.run()
    with_workers = nest.run("-n", "1")

    result.assert_outcomes(passed=1)
    with_workers.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("pgmatrix*")
    assert not (nest.path / ".pytest_cache" / "v" / "pgmatrix").exists()


def test_its_fixtures_say_what_is_missing(nest: Nest) -> None:
    """A fixture of the plugin, asked for without the table, says that the table is missing."""
    nest.write("pyproject.toml", "")
    result = nest.run("test_layer.py::test_clone")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*this project has no [[]tool.pgmatrix[]] table in its pyproject.toml*", "*do    add one*"]
    )
