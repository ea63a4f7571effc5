"""Promise: what `preload` names is imported before coverage watches, and what cannot be is one clear error."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Nest
from tests.plugin.test_bad_input import assert_refused
from tests.servers.project import write_project


@pytest.mark.parametrize("plugins", [("pytest_cov.plugin",), ()], ids=["coverage last", "coverage first"])
def test_a_library_is_imported_before_the_tracer(
    nest: Nest, monkeypatch: pytest.MonkeyPatch, plugins: tuple[str, ...]
) -> None:
    """Whichever plugin is loaded first, coverage finds the library imported, and so did not watch it being imported."""
    write_project(nest.path, lines=['preload = ["library"]'])
    nest.write("library.py", "value = 1\n")
    if not plugins:
        monkeypatch.setenv("PYTEST_PLUGINS", "pytest_cov.plugin")
    words = [word for name in plugins for word in ("-p", name)]

    ran = nest.run(*words, "--cov=library", "--cov-report=term", "-k", "test_clone")

    assert ran.ret == 0
    ran.stderr.fnmatch_lines(["*Module library was previously imported, but not measured*"])


def test_a_library_that_is_not_there(nest: Nest) -> None:
    """The error names the module and the setting."""
    write_project(nest.path, lines=['preload = ["no_such_library"]'])

    assert_refused(
        nest.run(),
        [
            "cannot import no_such_library, which [[]tool.pgmatrix[]] preload names: No module named 'no_such_library'",
            "  do    install it in this environment, or leave it out of preload",
        ],
    )
