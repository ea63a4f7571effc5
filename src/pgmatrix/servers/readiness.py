"""Owns the moment a server counts as ready: the cell's own driver has connected and run `select 1`.

No log is read and nothing is polled by the second.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pgmatrix.clients import ClientError, connect
from pgmatrix.errors import Attempt, ServerStartFailed
from pgmatrix.servers.protocol import Server

PAUSE = 0.01


def wait_until_ready(
    server: Server, *, timeout: float, died: Callable[[], str | None], log: Callable[[int], list[str]]
) -> float:
    """Seconds until `server` answered. `died` says why it no longer runs, or None; `log` gives its newest lines.

    Raises ServerStartFailed at once when it died, or after `timeout` seconds.
    """
    start = time.monotonic()
    last = "no answer"
    while time.monotonic() - start < timeout:
        gone = died()
        if gone is not None:
            raise _failed(server, gone, log)
        try:
            _select_one(server, timeout)
        except ClientError as error:
            last = error.wanted
            time.sleep(PAUSE)
        else:
            return time.monotonic() - start
    raise _failed(server, f"not ready within {timeout:g} s: {last}", log)


def _select_one(server: Server, timeout: float) -> None:
    client = connect(server, timeout=timeout)
    try:
        client.execute("select 1")
    finally:
        client.close()


def _failed(server: Server, why: str, log: Callable[[int], list[str]]) -> ServerStartFailed:
    tried = [Attempt(what=f"{server.provider} server", why=why)]
    tried += [Attempt(what="log", why=line) for line in log(50)]
    return ServerStartFailed(
        f"PostgreSQL {server.cell.major} did not become ready",
        tried=tried,
        do_next="read its log above; raise start-timeout if the machine is only slow",
    )
