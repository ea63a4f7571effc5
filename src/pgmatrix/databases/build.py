"""Runs a project's template callable in a process of its own: `python -m pgmatrix.databases.build`.

Reads its order as JSON from standard input; reports failure by traceback and exit code.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pgmatrix.config import ProviderName
from pgmatrix.databases.database import Database
from pgmatrix.matrix import Cell
from pgmatrix.servers.protocol import Server


def server_from(values: dict[str, Any]) -> Server:
    """The server that `template.server_values` described."""
    fixed = {"cell": Cell.parse(values["cell"]), "provider": ProviderName(values["provider"])}
    return Server(**{**values, **fixed})


def main() -> None:
    """Import the callable from the current folder and call it; await it if it is a coroutine function."""
    threading.Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    order = json.load(sys.stdin)
    sys.path.insert(0, str(Path.cwd()))
    module, _, function = order["callable"].partition(":")
    target = getattr(importlib.import_module(module), function)
    result = target(Database(name=order["database"], server=server_from(order["server"])))
    if inspect.isawaitable(result):
        asyncio.run(_wait(result))


def _end_with(parent: int) -> None:
    """End when who ordered the template has died: nobody wants it any more."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


async def _wait(result: Any) -> None:
    await result


if __name__ == "__main__":
    main()
