"""Promise: whatever ends pytest, five seconds later nothing of its server is left."""

from __future__ import annotations

import os
import signal

import pytest

from tests.plugin.conftest import Nest
from tests.servers.ground import until

SLOW = """

def test_slow(request, pg_clone):
    note(request, pg_clone)
    ask(pg_clone, "select pg_sleep(60)")
"""


@pytest.mark.parametrize("args", [[], ["-n", "2"]], ids=["serial", "workers"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_nothing_is_left(nest: Nest, number: signal.Signals, args: list[str]) -> None:
    """Killed, terminated or interrupted while a test waits for the server, pytest leaves no process and no folder."""
    nest.write("test_layer.py", (nest.path / "test_layer.py").read_text() + SLOW)
    process = nest.start("-k", "slow", *args)
    reached = until(lambda: (nest.path / "seen").is_file(), 20)
    running = nest.ground.leftovers()
    # An interrupt comes from a terminal, which sends it to the workers too.
    (os.killpg if number is signal.SIGINT else os.kill)(process.pid, number)
    gone = nest.has_nothing_left(5.0)
    left = nest.ground.leftovers()
    process.wait(timeout=20)

    assert reached
    assert running
    assert gone, left
    assert process.returncode == (2 if number is signal.SIGINT else -number)
