"""A process for tests to kill: `python -m tests.servers.victim CELL` in a project's folder.

Provisions a server as the plugin does, says `ready` and its address, then does as it is told, a line at a time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pgmatrix.clients import connect
from pgmatrix.config import load
from pgmatrix.databases.stock import Stock
from pgmatrix.databases.template import server_values
from pgmatrix.errors import PgMatrixError
from pgmatrix.matrix import Cell
from pgmatrix.provision import provision


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Provision; then `clone` until killed, or `end` well."""
    try:
        found = provision(load(Path.cwd()), Cell.parse(sys.argv[1]), workers=2, label="victim")
    except PgMatrixError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    facts = {"server": server_values(found.server), "template": found.template, "token": found.token}
    _say(json.dumps(facts))
    for line in sys.stdin:
        if line == "clone\n":
            stock = Stock(
                lambda: connect(found.server), template=found.template, token=found.token, worker="gw0", size=4
            )
            stock.expect(10_000)
            while True:
                _say(stock.take())
        break
    found.close()


if __name__ == "__main__":
    main()
