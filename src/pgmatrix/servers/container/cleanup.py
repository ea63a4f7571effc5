"""Owns the way to a container engine's HTTP interface, and the removal of a container through it.

Run as a script, `cleanup.py NAME ADDRESS`, it removes a container and its volumes for a process
that was killed. Standard library alone: a watchdog runs it when nothing else is left.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import sys
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

# An engine that was told to create a container just before its client was killed creates it a moment later.
_APPEARS_WITHIN = 2.0
_PAUSE = 0.1
_TIMEOUT = 20.0


class Connection(http.client.HTTPConnection):
    """One HTTP connection to the engine at `unix:///path`, `tcp://host:port`, or either with http(s)."""

    def __init__(self, address: str, timeout: float) -> None:
        self._parts = urlsplit(address)
        super().__init__(self._parts.hostname or "localhost", self._parts.port, timeout=timeout)

    def connect(self) -> None:
        """Connect, through TLS where DOCKER_TLS_VERIFY or https asks for it. Raises OSError."""
        if self._parts.scheme == "unix":
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._parts.path)
            return
        secure = self._parts.scheme == "https" or bool(os.environ.get("DOCKER_TLS_VERIFY"))
        port = self._parts.port or (2376 if secure else 2375)
        self.sock = socket.create_connection((self.host, port), self.timeout)
        if secure:
            self.sock = _tls().wrap_socket(self.sock, server_hostname=self.host)


def request(address: str, method: str, path: str, *, timeout: float = _TIMEOUT) -> tuple[int, bytes]:
    """Status and body of one request without a body. Raises OSError or http.client.HTTPException."""
    connection = Connection(address, timeout)
    try:
        connection.request(method, path, headers={"Host": "engine", "Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def remove_container(address: str, name: str, *, wait: float = 0.0) -> bool:
    """Kill and remove a container and its volumes; whether it is gone.

    One that is not there yet is awaited for `wait` seconds. Raises OSError where the engine does not answer.
    """
    path = f"/containers/{quote(name, safe='')}?force=1&v=1"
    deadline = time.monotonic() + wait
    while True:
        status, _ = request(address, "DELETE", path)
        # 409: another removal is under way; 500: it was being started. Both pass.
        if status in (200, 204) or (status == 404 and time.monotonic() >= deadline):
            return True
        if status != 404 and time.monotonic() >= deadline + _TIMEOUT:
            return False
        time.sleep(_PAUSE)


def main() -> None:
    """Remove the container the arguments name."""
    name, address = sys.argv[1:]
    if not remove_container(address, name, wait=_APPEARS_WITHIN):
        sys.exit(f"container {name} could not be removed; try: docker rm -f -v {name}")


def _tls() -> ssl.SSLContext:
    folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    authority = folder / "ca.pem"
    context = ssl.create_default_context(cafile=str(authority) if authority.is_file() else None)
    if (folder / "cert.pem").is_file():
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


if __name__ == "__main__":
    main()
