"""Starting, following and killing the processes of `victim.py`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pgmatrix.databases.build import server_from
from pgmatrix.matrix import Cell
from pgmatrix.servers.protocol import Server
from tests.servers.ground import CELL

ROOT = Path(__file__).parents[2]


class Victim:
    """A running victim."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.facts: dict[str, Any] = {}

    def wait(self) -> Victim:
        """Until its server is ready."""
        said = self.line()
        assert said, self.process.communicate()[1]
        self.facts = json.loads(said)
        return self

    @property
    def server(self) -> Server:
        """Its server."""
        return server_from(self.facts["server"])

    def tell(self, word: str) -> None:
        """Say one line to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def line(self) -> str:
        """The next line it says."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """SIGKILL, and reap it."""
        self.process.kill()
        self.process.communicate()

    def words(self) -> str:
        """What it says to standard error until it ends by itself."""
        return self.process.communicate("end\n", timeout=60)[1]

    def end(self) -> int:
        """Let it end well; its exit code."""
        self.process.communicate("end\n", timeout=60)
        return self.process.returncode


@contextmanager
def victim(
    project: Path, environ: Mapping[str, str], cell: Cell = CELL, within: Sequence[str] = ()
) -> Iterator[Victim]:
    """A victim in `project`, killed at the end if it still runs. `within` goes before its command line."""
    process = subprocess.Popen(
        [*within, sys.executable, "-m", "tests.servers.victim", str(cell)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=project,
        env={**environ, "PYTHONPATH": f"{ROOT}:{environ['PYTHONPATH']}"},
    )
    try:
        yield Victim(process)
    finally:
        process.kill()
        process.communicate()
