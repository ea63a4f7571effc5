"""Owns the names of what pgmatrix makes on a server, and what they tell. Pure.

Every name starts with PREFIX, fits PostgreSQL's 63 bytes, needs no quoting, and says whose it is:
`pgmx_t_<key>` a sealed template, `pgmx_b_<key>_<token>` one being built, `pgmx_c_<token>_<worker>_<n>` a clone.
"""

from __future__ import annotations

import re
import secrets

PREFIX = "pgmx_"
LIMIT = 63
_TOKEN = re.compile(r"pgmx_(?:c_(?P<clone>[0-9a-f]+)_|b_[0-9a-f]+_(?P<build>[0-9a-f]+)$)")


def new_token() -> str:
    """Eight hexadecimal digits that tell one session from every other."""
    return secrets.token_hex(4)


def template_name(key: str) -> str:
    """The final name of the template with content key `key` (hexadecimal)."""
    return f"{PREFIX}t_{_hex(key)[:32]}"


def private_name(key: str, token: str) -> str:
    """The name of that template while the session `token` builds it."""
    return f"{PREFIX}b_{_hex(key)[:32]}_{_hex(token)}"


def clone_name(token: str, worker: str, number: int) -> str:
    """The name of a worker's clone: `worker` is an xdist id such as gw0, `number` counts from 0."""
    safe = re.sub(r"[^a-z0-9]", "", worker.lower())[:20] or "main"
    return f"{PREFIX}c_{_hex(token)}_{safe}_{number}"


def clone_pattern(token: str) -> str:
    """The LIKE pattern of every clone of the session `token` (an underscore matches itself only)."""
    return f"{PREFIX}c_{_hex(token)}_".replace("_", r"\_") + "%"


def build_pattern(token: str) -> str:
    """The LIKE pattern of every template the session `token` is building."""
    return f"{PREFIX}b_".replace("_", r"\_") + rf"%\_{_hex(token)}"


def token_of(name: str) -> str | None:
    """The session a clone or an unfinished template belongs to; None for any other name."""
    match = _TOKEN.match(name)
    return (match["clone"] or match["build"]) if match else None


def lock_number(text: str) -> int:
    """A signed 64-bit advisory lock key for `text` (FNV-1a), the same in every process."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value - 2**64 if value >= 2**63 else value


def _hex(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]+", text):
        raise ValueError(f"{text!r} is not hexadecimal")
    return text
