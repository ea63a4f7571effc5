"""Owns the removal of containers and snapshots: what dead processes left in an engine, and what is too much.

Touches only what carries our labels, and of others' only what belongs to a process known to be dead.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pgmatrix.servers.container.engine import Engine, EngineError
from pgmatrix.servers.container.images import BUILDER, REPOSITORY, SNAPSHOT
from pgmatrix.servers.container.owner import KEPT, PREFIX, Owner, current_owner

_log = logging.getLogger(__name__)


def sweep(engine: Engine) -> list[str]:
    """Remove what dead owners left; what was removed, for people to read. Raises EngineError."""
    here = current_owner()
    return [*_sweep_containers(engine, here), *_sweep_images(engine, here)]


def prune(engine: Engine, keep: int, repository: str = REPOSITORY) -> list[str]:
    """Remove the snapshots of such repositories but the `keep` newest; their names. Those in use stay."""
    found = sorted(engine.images(SNAPSHOT), key=lambda image: int(image["Created"]), reverse=True)
    names = [name for image in found for name in _names(image) if name.startswith(repository)]
    return [name for name in names[max(0, keep) :] if engine.remove_image(name)]


def _sweep_containers(engine: Engine, here: Owner) -> list[str]:
    swept = []
    for container in engine.containers(f"{PREFIX}owner-pid"):
        owner = Owner.of(container.get("Labels") or {})
        name = next(iter(container.get("Names") or [container["Id"]])).lstrip("/")
        if name.startswith(KEPT) or owner is None or not owner.is_dead(here):
            continue
        try:
            engine.remove(container["Id"])
        except EngineError as error:  # no reason not to start our own
            _log.warning("%s", error.wanted)
        else:
            swept.append(f"container {name} of dead process {owner.pid}")
    return swept


def _sweep_images(engine: Engine, here: Owner) -> list[str]:
    swept = []
    for image in engine.images(SNAPSHOT):
        owner = Owner.of(image.get("Labels") or {}, BUILDER)
        unnamed = not _names(image)
        if unnamed and owner is not None and owner.is_dead(here) and engine.remove_image(image["Id"]):
            swept.append(f"unfinished snapshot of dead process {owner.pid}")
    return swept


def _names(image: Mapping[str, Any]) -> list[str]:
    """The names of an image in a summary; none for one that was never named."""
    return [name for name in image.get("RepoTags") or () if name != "<none>:<none>"]
