"""Owns the removal of what dead processes left in an engine: their containers and their half-built snapshots.

Touches only what carries our labels and whose owner is known to be dead.
"""

from __future__ import annotations

from pgmatrix.servers.container_images import BUILDER, SNAPSHOT, names_of
from pgmatrix.servers.container_lease import KEPT
from pgmatrix.servers.container_owner import PREFIX, Owner, current_owner
from pgmatrix.servers.docker_engine import Engine


def sweep(engine: Engine) -> list[str]:
    """Remove what dead owners left; what was removed, for people to read. Raises EngineError."""
    here = current_owner()
    swept = []
    for container in engine.containers(f"{PREFIX}owner-pid"):
        owner = Owner.of(container.get("Labels") or {})
        name = container["Names"][0].lstrip("/")
        if not name.startswith(KEPT) and owner is not None and owner.is_dead(here):
            engine.remove(container["Id"])
            swept.append(f"container {name} of dead process {owner.pid}")
    for image in engine.images(SNAPSHOT):
        owner = Owner.of(image.get("Labels") or {}, BUILDER)
        unnamed = not names_of(image)
        if unnamed and owner is not None and owner.is_dead(here) and engine.remove_image(image["Id"]):
            swept.append(f"unfinished snapshot of dead process {owner.pid}")
    return swept
