"""Owns the container provider: PostgreSQL in a container of Docker's or podman's engine, one per server.

Random passwords, loopback ports chosen by the engine, no volume, no network of our own. A snapshot is an
image that holds a data folder; a server started from it copies that folder into memory.
"""

from __future__ import annotations

import logging
import secrets
from pathlib import Path

from pgmatrix.config import ProviderName
from pgmatrix.errors import CacheError, ServerUnavailable
from pgmatrix.matrix import Cell
from pgmatrix.servers.container import address, script, sdk
from pgmatrix.servers.container.engine import Engine, EngineError
from pgmatrix.servers.container.images import NONCE, Image, Snapshots, find_or_pull
from pgmatrix.servers.container.lease import ContainerLease, Guard
from pgmatrix.servers.container.order import Naming, Room, choose_room, compose, image_name
from pgmatrix.servers.container.owner import current_owner
from pgmatrix.servers.container.script import Start
from pgmatrix.servers.container.sdk import ContainerOrder
from pgmatrix.servers.container.sweep import prune, sweep
from pgmatrix.servers.protocol import Lease, ServerSpec

_log = logging.getLogger(__name__)


class ContainerProvider:
    """PostgreSQL from an image.

    `image` may hold `{major}`. `secret` is the user's own; passwords are made from it. `guard` is given a
    command to run if this process dies, and returns what withdraws it.
    """

    name = ProviderName.CONTAINER
    keeps_snapshots = True

    def __init__(self, *, image: str, cache: Path, secret: bytes, guard: Guard) -> None:
        self._image = image
        self._cache = cache
        self._secret = secret
        self._guard = guard
        self._engine: Engine | None = None
        self._images: dict[int, Image | str] = {}

    def refusal(self, cell: Cell) -> str | None:
        """Why no container can be had for the cell's major, or None. Quick unless it has to pull one."""
        why = sdk.missing()
        if why is not None:
            return why
        try:
            found = self._find_image(cell)
        except (ServerUnavailable, EngineError) as error:
            return error.wanted
        return found if isinstance(found, str) else None

    def build(self, cell: Cell) -> str:
        """The image's id. Raises ServerUnavailable or EngineError."""
        return self._wanted_image(cell).id

    def has(self, key: str) -> bool:
        """Whether the engine holds a snapshot `key` of ours. Raises ServerUnavailable or EngineError."""
        return self._snapshots().find(key) is not None

    def prune(self, keep: int) -> list[str]:
        """Remove all snapshots but the `keep` newest; the names. Raises ServerUnavailable or EngineError."""
        sweep(self._found_engine())
        return prune(self._found_engine(), keep)

    def start(self, spec: ServerSpec, *, key: str | None, reason: str) -> Lease:
        """Run a container. Raises ServerError or CacheError; nothing of it is left then."""
        engine, snapshots = self._found_engine(), self._snapshots()
        image = self._wanted_image(spec.cell) if key is None else self._snapshot(key)
        nonce = secrets.token_hex(16) if key is None else image.labels[NONCE]
        for line in sweep(engine):
            _log.warning("swept %s", line)
        room = choose_room(engine, memory=spec.memory)
        lease = ContainerLease(engine=engine, snapshots=snapshots, nonce=nonce, restored=key is not None)
        start = _start(spec, room, image, None if lease.restored else snapshots.password(nonce))
        try:
            lease.run(self._guard, self._order(spec, lease, image, start, room))
            name = image_name(self._image, spec.cell)
            lease.open(spec, reason=f"{reason}; image {name}", storage=room.reason)
        except BaseException:
            lease.stop()
            raise
        return lease

    def _order(self, spec: ServerSpec, lease: ContainerLease, image: Image, start: Start, room: Room) -> ContainerOrder:
        publish = address.reach(self._found_engine().address).publish
        naming = Naming(name=lease.name, owner=current_owner(), label=spec.label, publish=publish)
        return compose(image, start, room, naming)

    def _found_engine(self) -> Engine:
        if self._engine is None:
            search = address.find_engine()
            if search.address is None:
                raise ServerUnavailable(
                    address.explain(search),
                    tried=search.tried,
                    do_next="start Docker or podman, set DOCKER_HOST, or choose another provider",
                )
            self._engine = Engine(search.address)
        return self._engine

    def _find_image(self, cell: Cell) -> Image | str:
        if cell.major not in self._images:
            name = image_name(self._image, cell)
            self._images[cell.major] = find_or_pull(self._found_engine(), name, self._cache)
        return self._images[cell.major]

    def _wanted_image(self, cell: Cell) -> Image:
        found = self._find_image(cell)
        if isinstance(found, str):
            raise ServerUnavailable(
                f"PostgreSQL {cell.major} has no image: {found}",
                do_next="set PGMATRIX_IMAGE to an image the engine can get, or choose another provider",
            )
        return found

    def _snapshot(self, key: str) -> Image:
        found = self._snapshots().find(key)
        if found is None:
            raise CacheError(f"the engine holds no snapshot {key}", do_next="start without it, and save it again")
        return found

    def _snapshots(self) -> Snapshots:
        return Snapshots(self._found_engine(), self._secret)


def _start(spec: ServerSpec, room: Room, image: Image, password: str | None) -> Start:
    in_memory = room.size > 0
    if password is None:
        return script.restored_start(spec, in_memory=in_memory)
    return script.first_start(spec, in_memory=in_memory, entrypoint=image.entrypoint, password=password)
