"""Owns one container: its start under guard, the proof that PostgreSQL answers, its snapshot, its end."""

from __future__ import annotations

import logging
import secrets
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pgmatrix.clients import ClientError, connect
from pgmatrix.config import ProviderName
from pgmatrix.errors import Attempt, CacheError, ServerStartFailed
from pgmatrix.servers.container import address, cleanup, sdk
from pgmatrix.servers.container.engine import Engine, EngineError
from pgmatrix.servers.container.images import Snapshots
from pgmatrix.servers.container.owner import KEPT
from pgmatrix.servers.container.script import PORT, SAVE_SIGNAL, SUPERUSER
from pgmatrix.servers.container.sdk import ContainerOrder
from pgmatrix.servers.protocol import Server, ServerSpec
from pgmatrix.servers.readiness import PAUSE, wait_until_ready

Withdraw = Callable[[], None]
Guard = Callable[[Sequence[str]], Withdraw]

_log = logging.getLogger(__name__)
_SAVE_TIMEOUT = 120.0
_CHECK_EVERY = 0.1  # seconds between two looks at a container that should be running
_APPEARS_WITHIN = 1.0  # an interrupted request to create a container may still be carried out
_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))


class ContainerLease:
    """A running container and its server. `nonce` is what its password is made from."""

    def __init__(self, *, engine: Engine, snapshots: Snapshots, nonce: str, restored: bool) -> None:
        self.name = f"pgmatrix-{secrets.token_hex(8)}"
        self.restored = restored
        self.server: Server
        self._engine = engine
        self._snapshots = snapshots
        self._nonce = nonce
        self._withdraw: list[Withdraw] = []
        self._exists = False
        self._checked = 0.0

    def run(self, guard: Guard, order: ContainerOrder) -> None:
        """Run the container; `guard` knows how to remove it before it exists. Raises ServerStartFailed."""
        argv = [sys.executable, "-I", "-S", cleanup.__file__, self.name, self._engine.address]
        self._withdraw.append(guard(argv))
        try:
            sdk.run(self._engine.address, order)
        except sdk.SdkError as error:
            raise ServerStartFailed(
                f"a container of image {order.image} could not be started",
                tried=[Attempt(what=f"engine at {self._engine.address}", why=str(error))],
                do_next="look whether the engine is well (`docker info`), or choose another provider",
            ) from error
        self._exists = True

    def open(self, spec: ServerSpec, *, reason: str, storage: str) -> None:
        """Wait until the cell's own driver has run `select 1`. Raises ServerStartFailed or EngineError."""
        deadline = time.monotonic() + spec.start_timeout
        host, port = self._address(spec)
        self.server = Server(
            cell=spec.cell,
            provider=ProviderName.CONTAINER,
            host=host,
            port=port,
            user=SUPERUSER,
            password=self._snapshots.password(self._nonce),
            reason=reason,
            storage=storage,
        )
        settled = self.restored
        while True:
            left = max(0.0, deadline - time.monotonic())
            wait_until_ready(self.server, timeout=round(left, 1), died=self._died, log=self.log_tail)
            if settled or _has_settled(self.server):
                return
            time.sleep(PAUSE)

    def save(self, key: str) -> None:
        """Stop PostgreSQL, keep the container's files as snapshot `key`, remove it. Raises CacheError."""
        try:
            self._engine.signal(self.name, SAVE_SIGNAL)
            code = self._engine.wait(self.name, _SAVE_TIMEOUT)
            if code != 0:
                log = [Attempt(what="log", why=line) for line in self.log_tail(20)]
                raise CacheError(
                    f"snapshot {key} was not made: the server or the copy of its data ended with code {code}",
                    tried=log,
                    do_next="free some room on the engine's disk (`docker system df`), and try again",
                )
            self._snapshots.commit(self.name, key, self._nonce)
        except EngineError as error:
            raise CacheError(
                f"snapshot {key} was not made",
                tried=[Attempt(what="container engine", why=error.wanted)],
                do_next="free some room on the engine's disk (`docker system df`), and try again",
            ) from error
        finally:
            self.stop()

    def stop(self) -> None:
        """Remove the container with all it wrote; if that fails it is logged and left to the guard."""
        if not self._withdraw:
            return
        try:
            self._engine.remove(self.name, wait=0.0 if self._exists else _APPEARS_WITHIN)
        except EngineError as error:
            _log.warning("%s; it is tried again when this process ends", error.wanted)
            return
        self._leave()

    def keep(self, databases: Sequence[str]) -> str:
        """Rename the container so that no sweep takes it, and leave it to the person."""
        kept = f"{KEPT}{self.name}"
        self._engine.rename(self.name, kept)
        self.name = kept
        self._leave()
        return f"docker rm -f -v {kept}"

    def log_tail(self, lines: int) -> list[str]:
        """The newest lines of the container's log."""
        return self._engine.log_tail(self.name, lines)

    def _leave(self) -> None:
        while self._withdraw:
            self._withdraw.pop()()

    def _address(self, spec: ServerSpec) -> tuple[str, int]:
        facts = self._engine.container(self.name) or {}
        network: dict[str, Any] = facts.get("NetworkSettings") or {}
        published = (network.get("Ports") or {}).get(f"{PORT}/tcp")
        if not published:
            why = self._died() or "the engine published no port"
            raise ServerStartFailed(
                f"PostgreSQL {spec.cell.major} did not start in its container",
                tried=[
                    Attempt(what="container", why=why),
                    *(Attempt(what="log", why=line) for line in self.log_tail(50)),
                ],
                do_next="read its log above; a setting the server does not know keeps it from starting",
            )
        host, port = address.reach(self._engine.address).host, int(published[0]["HostPort"])
        networks = (network.get("Networks") or {}).values()
        inside = next((each["IPAddress"] for each in networks if each.get("IPAddress")), "")
        if inside and _in_container() and not _listens(host, port):
            return inside, PORT  # we and the new container are neighbours on the engine's network
        return host, port

    def _died(self) -> str | None:
        now = time.monotonic()
        if now - self._checked < _CHECK_EVERY:
            return None
        self._checked = now
        facts = self._engine.container(self.name)
        if facts is None:
            return "its container was removed"
        state = facts["State"]
        if state["Status"] in ("created", "running"):
            return None
        reason = ", out of memory" if state["OOMKilled"] else ""
        return f"its container ended with exit code {state['ExitCode']}{reason}"


def _has_settled(server: Server) -> bool:
    """Whether two connections found the same server: a first start ends with a restart in some images."""
    try:
        return _started_at(server) == _started_at(server)
    except ClientError:
        return False


def _started_at(server: Server) -> object:
    client = connect(server)
    try:
        return client.execute("select pg_postmaster_start_time()")
    finally:
        client.close()


def _in_container() -> bool:
    return any(mark.exists() for mark in _MARKS)


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
