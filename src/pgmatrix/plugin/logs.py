"""Owns the server's log lines of one test: read over SQL, so that it works for every server that is ours.

Costs nothing while tests pass.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from pgmatrix.clients import ClientError, connect
from pgmatrix.config import ProviderName
from pgmatrix.servers.protocol import Server

_TAIL = 1_000_000
_QUERY = (
    "select pg_read_binary_file('log/server.json', greatest(0, size - {tail}), {tail}, true)"
    " from pg_stat_file('log/server.json')"
)


def log_lines(server: Server, databases: Collection[str], since: float) -> list[str]:
    """What the server logged about `databases` since `since` (Unix seconds), newest last; or why it cannot be read."""
    if server.provider is ProviderName.EXTERNAL:
        return ["the log of an external server is not ours to read"]
    try:
        client = connect(server)
    except ClientError as error:
        return [f"the server does not answer: {error.wanted}"]
    try:
        tail = bytes(client.execute(_QUERY.format(tail=_TAIL))[0][0])
    except ClientError as error:
        return [f"the log cannot be read: {error.wanted}"]
    finally:
        client.close()
    # As bytes, for the tail may begin in the middle of a character, which a server would refuse to send as text.
    return select_lines(tail.decode("utf-8", errors="replace"), databases, since) or ["nothing"]


def select_lines(text: str, databases: Collection[str], since: float) -> list[str]:
    """The entries of a jsonlog `text` that are about `databases` and not older than `since`, one readable line each."""
    entries = [_parse(line) for line in text.splitlines()]
    return [
        _readable(entry)
        for entry in entries
        if entry.get("dbname") in databases and _seconds(entry.get("timestamp", "")) >= since - 0.001
    ]


def _parse(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _seconds(stamp: str) -> float:
    try:
        moment = datetime.strptime(stamp.removesuffix(" UTC"), "%Y-%m-%d %H:%M:%S.%f")
    except ValueError:
        return 0.0
    return moment.replace(tzinfo=UTC).timestamp()


def _readable(entry: dict[str, Any]) -> str:
    parts = [entry.get("timestamp", "")[11:23], f"[{entry.get('pid')}]", f"{entry.get('user')}:"]
    parts += [entry.get("error_severity", ""), entry.get("state_code", ""), entry.get("message", "")]
    for name in ("detail", "hint", "context", "statement"):
        if entry.get(name):
            parts.append(f"\n    {name}: {entry[name]}")
    return " ".join(str(part) for part in parts if part)
