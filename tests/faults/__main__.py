"""The command line: `python -m tests.faults [FAULT ...] [--cell CELL] [--layer NAME] [-j N]`."""

from __future__ import annotations

import sys
from pathlib import Path

from pgmatrix.teeth.command import Project, main
from tests.faults.contract import CONTRACT

PROJECT = Project(
    root=Path(__file__).parents[2],
    faults="tests.faults.catalogue:FAULTS",
    contract=CONTRACT,
    plugins=("pytest_asyncio.plugin",),
    warm="tests.faults.warm:warm",
)

if __name__ == "__main__":
    sys.exit(main(PROJECT))
