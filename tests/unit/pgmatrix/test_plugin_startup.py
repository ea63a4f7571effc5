"""What happens before tests are collected: imports that coverage need not watch, and no garbage collection."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgmatrix.errors import ConfigError
from pgmatrix.matrix import Driver
from pgmatrix.plugin.startup import Startup


@pytest.fixture
def collector() -> Iterator[None]:
    """A garbage collector that works and has frozen nothing, before and after."""
    gc.enable()
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.enable()


def test_libraries_are_imported_and_the_collector_waits(
    collector: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until tests are collected nothing is collected; what was made by then is never looked at again."""
    (tmp_path / "spoken_by_psycopg.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    startup = Startup(["spoken_by_{driver}"], Driver.PSYCOPG)

    startup.begin()
    waiting, imported = not gc.isenabled(), sys.modules.pop("spoken_by_psycopg", None)
    startup.pytest_collection_finish()

    assert waiting
    assert imported is not None
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_without_collection_the_collector_works_again(collector: None) -> None:
    """pytest that ends before it collected leaves the collector as it was."""
    startup = Startup([], Driver.ASYNCPG)

    startup.begin()
    startup.pytest_unconfigure()

    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_a_collector_that_was_off_stays_off(collector: None) -> None:
    """Who turned the collector off does not find it on."""
    gc.disable()
    startup = Startup([], Driver.ASYNCPG)

    startup.begin()
    startup.pytest_collection_finish()

    assert not gc.isenabled()


def test_a_library_that_is_not_there_is_named(collector: None) -> None:
    """The error says which module and which setting names it, and the collector works again."""
    with pytest.raises(ConfigError) as error:
        Startup(["no_such_library"], Driver.ASYNCPG).begin()

    assert str(error.value) == (
        "cannot import no_such_library, which [tool.pgmatrix] preload names: No module named 'no_such_library'\n"
        "  do    install it in this environment, or leave it out of preload"
    )
    assert gc.isenabled()
