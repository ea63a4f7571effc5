"""Owns how pgmatrix runs a module of its own in a process of its own: this interpreter, this import path.

What the parent can import the child can, also where a relative PYTHONPATH or a tool made that so.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

_PROGRAM = """
import json, runpy, sys
sys.path[:] = json.loads(sys.argv.pop(1))
runpy.run_module(sys.argv[1], run_name="__main__")
"""


def module_argv(name: str) -> list[str]:
    """The command line that runs module `name` like `python -m`, wherever it is started."""
    paths = [str(Path(path).absolute()) for path in sys.path]
    return [sys.executable, "-c", _PROGRAM, json.dumps(paths), name]
