"""Run in a session's environment, `python -m tests.perf.ready CELL`: one server with its template, timed.

Prints one JSON object: `seconds` until it was proven, or `absent`, why no provider could serve it here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pgmatrix.config import load
from pgmatrix.errors import ServerUnavailable
from pgmatrix.matrix import Cell
from pgmatrix.provision import provision


def main(cell: str) -> dict[str, object]:
    """Start a server for `cell` and end it. Raises PgMatrixError for what should not have happened."""
    try:
        found = provision(load(Path.cwd()), Cell.parse(cell), workers=0, label="bench")
    except ServerUnavailable as error:
        return {"absent": str(error).replace("\n", "; ")}
    found.close()
    return {"seconds": found.seconds, "storage": found.server.storage}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))  # noqa: T201
