"""Owns the search for a container engine: which addresses there are, which answers, and why others do not.

Standard library only and quick: an address is asked one `/_ping` and all together get a second.
"""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pgmatrix.errors import Attempt
from pgmatrix.servers.container.cleanup import request

PATIENCE = 1.0
_SCHEMES = ("unix", "tcp", "http", "https")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a search found: the address of an engine that answers, or every address asked and what it said."""

    address: str | None
    tried: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """On which address of the engine's machine a container's port is published, and by which name reached."""

    publish: str
    host: str


def candidates(environ: Mapping[str, str], home: Path) -> tuple[str, ...]:
    """Addresses to ask, in order: what the user chose alone, else the usual sockets of Docker and podman."""
    if environ.get("DOCKER_HOST"):
        return (environ["DOCKER_HOST"],)
    chosen = _context_address(environ, home)
    if chosen:
        return (chosen,)
    runtime = environ.get("XDG_RUNTIME_DIR")
    own = [f"{runtime}/docker.sock", f"{runtime}/podman/podman.sock"] if runtime else []
    paths = ["/var/run/docker.sock", *own[:1], str(home / ".docker/run/docker.sock"), *own[1:]]
    return tuple(f"unix://{path}" for path in [*paths, "/run/podman/podman.sock"])


def find_engine(environ: Mapping[str, str] = os.environ, home: Path | None = None) -> Search:
    """The first address that answers within PATIENCE seconds for all of them."""
    deadline = time.monotonic() + PATIENCE
    tried: list[Attempt] = []
    for address in candidates(environ, home or Path.home()):
        why = ping(address, max(0.05, deadline - time.monotonic()))
        if why is None:
            return Search(address=address, tried=tuple(tried))
        tried.append(Attempt(what=address, why=why))
    return Search(address=None, tried=tuple(tried))


def ping(address: str, timeout: float) -> str | None:
    """Why no engine answers at `address` within `timeout` seconds, or None."""
    scheme = urlsplit(address).scheme
    if scheme == "context":
        return "the docker context of this name has no address"
    if scheme not in _SCHEMES:
        return f"{scheme or 'an address without scheme'} is not supported; use {', '.join(_SCHEMES)}"
    try:
        status, body = request(address, "GET", "/_ping", timeout=timeout)
    except TimeoutError:
        return f"no answer within {timeout:.1f} s"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except http.client.HTTPException as error:
        return f"not an engine: {type(error).__name__}"
    return None if status == 200 else f"HTTP {status}: {message(body)}"


def explain(search: Search) -> str:
    """One line on a search that found nothing; where a socket is there, absent ones are not named."""
    telling = [attempt for attempt in search.tried if attempt.why != "no such file or directory"]
    shown = telling or search.tried[:1]
    return "; ".join(f"no Docker engine answers at {attempt}" for attempt in shown)


def reach(address: str, environ: Mapping[str, str] = os.environ) -> Reach:
    """Loopback for an engine on this machine. One elsewhere must publish on its network to be reached."""
    override = environ.get("TESTCONTAINERS_HOST_OVERRIDE") or environ.get("TC_HOST")
    parts = urlsplit(address)
    host = override or ("127.0.0.1" if parts.scheme == "unix" else parts.hostname or "127.0.0.1")
    if host in _LOOPBACK:
        return Reach(publish="127.0.0.1", host="127.0.0.1")
    return Reach(publish="0.0.0.0", host=host)  # noqa: S104 - another machine's, behind a random password


def message(body: bytes) -> str:
    """What an engine's answer says, in one line."""
    try:
        text = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        text = body.decode(errors="replace")
    return " ".join(text.split()) or "nothing said"


def _context_address(environ: Mapping[str, str], home: Path) -> str | None:
    folder = Path(environ.get("DOCKER_CONFIG") or home / ".docker")
    name = environ.get("DOCKER_CONTEXT") or _json(folder / "config.json").get("currentContext")
    if not name or name == "default":
        return None
    # The engine's client names a context's folder by the hash of its name.
    meta = _json(folder / "contexts" / "meta" / sha256(str(name).encode()).hexdigest() / "meta.json")
    address = meta.get("Endpoints", {}).get("docker", {}).get("Host")
    return str(address) if address else f"context://{name}"


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
