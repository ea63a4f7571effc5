"""Owns what a container is asked to be: its image, its labels, its memory, and where its port is published.

Decides only; `docker_sdk` runs it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pgmatrix.matrix import Cell
from pgmatrix.servers.container.engine import Engine
from pgmatrix.servers.container.images import Image
from pgmatrix.servers.container.owner import PREFIX, Owner
from pgmatrix.servers.container.script import Start
from pgmatrix.servers.container.sdk import ContainerOrder
from pgmatrix.servers.storage import NEEDED, SHARE

LABEL = f"{PREFIX}label"
# What parallel queries and index builds share (maintenance_work_mem of it): the engine's default of 64 MB is soon full.
# A limit: memory is taken only as it is used.
_QUERIES = 2 * 2**30
CREATED = f"{PREFIX}created"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Bytes of memory a container's data may take (0: it stays on the engine's disk), and why."""

    size: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How a container is called and labelled, and on which address its port is published."""

    name: str
    owner: Owner
    label: str
    publish: str = field(default="127.0.0.1")


def image_name(template: str, cell: Cell, environ: Mapping[str, str] = os.environ) -> str:
    """The image of `cell`; testcontainers' prefix for a registry of one's own goes before it."""
    prefix = environ.get("TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX", "")
    return prefix + template.replace("{major}", str(cell.major))


def choose_room(engine: Engine, *, memory: bool) -> Room:
    """SHARE of the memory the engine's machine can spare, if that holds NEEDED bytes. Raises EngineError."""
    if not memory:
        return Room(size=0, reason="on the engine's disk: memory is switched off")
    spare = _available() if engine.is_local and sys.platform == "linux" else engine.memory()
    size = int(spare * SHARE)
    if size < NEEDED:
        wanted = int(NEEDED / SHARE)
        found = f"{spare // 2**20} MB to spare, {wanted // 2**20} are wanted"
        return Room(size=0, reason=f"on the engine's disk: its memory has {found}")
    return Room(size=size, reason=f"in memory (/dev/shm of the container, at most {size // 2**20} MB)")


def compose(image: Image, start: Start, room: Room, naming: Naming) -> ContainerOrder:
    """The order for a container of `image`."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return ContainerOrder(
        image=image.id,
        name=naming.name,
        publish=naming.publish,
        start=start,
        labels=naming.owner.labels() | {LABEL: naming.label, CREATED: created},
        shared_memory=room.size or _QUERIES,
        # Over each volume the image declares: else the engine makes a volume that nobody uses.
        tmpfs=dict.fromkeys(image.volumes, "size=1m"),
    )


def _available() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
