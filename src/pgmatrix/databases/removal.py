"""Runs after a session on an external server died: `python -m pgmatrix.databases.removal`.

Reads what to remove as JSON from standard input. The watchdog starts it; nobody else needs to.
"""

from __future__ import annotations

import json
import sys

from pgmatrix.clients import connect
from pgmatrix.databases import roles
from pgmatrix.databases.build import server_from


def main() -> None:
    """Connect, and leave in the name of the session that could not."""
    order = json.load(sys.stdin)
    client = connect(server_from(order["server"]))
    try:
        roles.leave(client, token=order["token"], names=order["roles"], made=order["made"])
    finally:
        client.close()


if __name__ == "__main__":
    main()
