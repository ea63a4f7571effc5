"""Owns the requests pgmatrix makes of a container engine (Docker or podman): images, containers, snapshots.

Each request is a connection of its own, so nothing stays open. Running containers and pulling images, which
need credentials and networks, are `docker_sdk`'s.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit

from pgmatrix.errors import ServerError
from pgmatrix.servers.container.address import message
from pgmatrix.servers.container.cleanup import remove_container, request

_COMMIT_TIMEOUT = 300.0
_NO_QUERY: Mapping[str, str] = MappingProxyType({})


class EngineError(ServerError):
    """An engine refused a request or stopped answering. `status` is the HTTP status, 0 for no answer."""

    def __init__(self, wanted: str, *, status: int = 0) -> None:
        self.status = status
        super().__init__(wanted, do_next="see whether the engine is well (`docker info`), and read its own log")

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.wanted, self.status))


def _rebuild(wanted: str, status: int) -> EngineError:
    return EngineError(wanted, status=status)


class Engine:
    """An engine that answered at `address`. Every method raises EngineError."""

    def __init__(self, address: str) -> None:
        self.address = address

    @property
    def is_local(self) -> bool:
        """Whether the engine is reached through a socket of this machine."""
        return urlsplit(self.address).scheme == "unix"

    def image(self, name: str) -> dict[str, Any] | None:
        """What the engine knows about an image, or None where it has none of that name."""
        return cast("dict[str, Any] | None", self._get(f"/images/{quote(name, safe='/:@')}/json"))

    def images(self, label: str) -> list[dict[str, Any]]:
        """Summaries of the images that carry `label`."""
        return self._list("/images/json", {"label": [label]})

    def tag(self, image: str, repository: str, tag: str) -> None:
        """Give an image a name."""
        self._do("POST", f"/images/{image}/tag", {"repo": repository, "tag": tag})

    def remove_image(self, name: str) -> bool:
        """Remove an image or name; False where something still uses it or it is gone."""
        try:
            self._do("DELETE", f"/images/{quote(name, safe='/:@')}")
        except EngineError as error:
            if error.status in (404, 409):
                return False
            raise
        return True

    def container(self, name: str) -> dict[str, Any] | None:
        """What the engine knows about a container, or None where there is none of that name."""
        return cast("dict[str, Any] | None", self._get(f"/containers/{name}/json"))

    def containers(self, label: str) -> list[dict[str, Any]]:
        """Summaries of the containers, running or not, that carry `label`."""
        return self._list("/containers/json", {"label": [label]}, {"all": "1"})

    def rename(self, name: str, new: str) -> None:
        """Give a container another name."""
        self._do("POST", f"/containers/{name}/rename", {"name": new})

    def signal(self, name: str, number: str) -> None:
        """Send a signal to a container's first process."""
        self._do("POST", f"/containers/{name}/kill", {"signal": number})

    def wait(self, name: str, timeout: float) -> int:
        """The exit code of a container, once it has ended."""
        answer = self._do("POST", f"/containers/{name}/wait", timeout=timeout)
        return int(json.loads(answer)["StatusCode"])

    def commit(self, name: str, changes: Sequence[str]) -> str:
        """The id of a nameless image of a container's files, with `changes` (Dockerfile instructions)."""
        query = {"container": name, "changes": "\n".join(changes)}
        answer = self._do("POST", "/commit", query, timeout=_COMMIT_TIMEOUT)
        return str(json.loads(answer)["Id"])

    def log_tail(self, name: str, lines: int) -> list[str]:
        """The newest lines a container wrote, empty where it is gone."""
        try:
            query = {"stdout": "1", "stderr": "1", "tail": str(lines)}
            raw = self._do("GET", f"/containers/{name}/logs", query)
        except EngineError as error:
            if error.status in (404, 409):
                return []
            raise
        return unframe(raw).decode(errors="replace").splitlines()[-lines:]

    def remove(self, name: str, *, wait: float = 0.0) -> None:
        """Kill and remove a container and its volumes; one not there yet is awaited for `wait` seconds."""
        try:
            gone = remove_container(self.address, name, wait=wait)
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"container {name} could not be removed: {error}") from error
        if not gone:
            raise EngineError(f"container {name} could not be removed: the engine keeps refusing")

    def memory(self) -> int:
        """Bytes of memory of the engine's machine."""
        return int(json.loads(self._do("GET", "/info"))["MemTotal"])

    def _get(self, path: str) -> Any:
        try:
            return json.loads(self._do("GET", path))
        except EngineError as error:
            if error.status == 404:
                return None
            raise

    def _list(
        self, path: str, filters: Mapping[str, Sequence[str]], query: Mapping[str, str] = _NO_QUERY
    ) -> list[dict[str, Any]]:
        answer = self._do("GET", path, {"filters": json.dumps(filters)} | dict(query))
        return cast("list[dict[str, Any]]", json.loads(answer))

    def _do(self, method: str, path: str, query: Mapping[str, str] = _NO_QUERY, *, timeout: float = 60.0) -> bytes:
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            status, body = request(self.address, method, target, timeout=timeout)
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"{method} {path} at {self.address}: {error or type(error).__name__}") from error
        if status >= 400:
            raise EngineError(f"{method} {path} at {self.address}: HTTP {status}: {message(body)}", status=status)
        return body


def unframe(raw: bytes) -> bytes:
    """A log's bytes without the frames of its two streams: 8 bytes of header, the last 4 the length."""
    parts, at = [], 0
    while at + 8 <= len(raw):
        if raw[at] > 2 or raw[at + 1 : at + 4] != b"\0\0\0":
            return raw  # a terminal's log has no frames
        size = int.from_bytes(raw[at + 4 : at + 8], "big")
        parts.append(raw[at + 8 : at + 8 + size])
        at += 8 + size
    return b"".join(parts)
