"""Owns which images are here: those servers start from, pulled if need be, and the snapshots made of them.

A failed pull is remembered for some minutes: the sessions of a run shall not each wait for the same registry.
A snapshot is committed without a name and named at the end: under its name it is complete.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pgmatrix.servers.container import sdk
from pgmatrix.servers.container.engine import Engine
from pgmatrix.servers.container.owner import PREFIX, current_owner

SNAPSHOT = f"{PREFIX}snapshot"
NONCE = f"{PREFIX}nonce"
BUILDER = "builder"
FORGET_AFTER = 300.0  # seconds a failed pull is believed
PULL_TIMEOUT = 600.0
REPOSITORY = "pgmatrix-snapshot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image of the engine: its id and what of its configuration matters here."""

    id: str
    entrypoint: tuple[str, ...]
    volumes: tuple[str, ...]
    labels: Mapping[str, str]

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Image:
        """From what an engine says about an image."""
        config = facts.get("Config") or {}
        return cls(
            id=facts["Id"],
            entrypoint=tuple(config.get("Entrypoint") or ()),
            volumes=tuple(config.get("Volumes") or ()),
            labels=dict(config.get("Labels") or {}),
        )


def find_or_pull(engine: Engine, name: str, cache: Path) -> Image | str:
    """The image `name`, pulled if need be; or why it cannot be had, in one line. Raises EngineError."""
    facts = engine.image(name)
    if facts is None:
        why = _pull(engine, name, cache / "pulls")
        if why is not None:
            return f"image {name} is not here and cannot be pulled: {why}"
        facts = engine.image(name)
    if facts is None:
        return f"image {name} was pulled and is not here; another process removed it"
    return Image.read(facts)


def _pull(engine: Engine, name: str, folder: Path) -> str | None:
    file = folder / f"{sha256(f'{engine.address} {name}'.encode()).hexdigest()[:16]}.json"
    remembered = _remembered(file)
    if remembered is not None:
        return remembered
    try:
        sdk.pull(engine.address, name, timeout=PULL_TIMEOUT)
    except sdk.SdkError as error:
        _remember(file, str(error))
        return str(error)
    return None


def _remembered(file: Path) -> str | None:
    try:
        failure = json.loads(file.read_text(encoding="utf-8"))
        age = time.time() - float(failure["at"])
        why = str(failure["why"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not 0 <= age < FORGET_AFTER:
        return None
    return f"{why} (tried {age:.0f} s ago; again in {FORGET_AFTER - age:.0f} s, or remove {file})"


def _remember(file: Path, why: str) -> None:
    # Only saves time: where the cache cannot be written the next session simply asks again.
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        private = file.with_suffix(f".{os.getpid()}")
        private.write_text(json.dumps({"at": time.time(), "why": why}), encoding="utf-8")
        private.replace(file)


class Snapshots:
    """The snapshots of one engine that this user's `secret` opens. Methods raise EngineError."""

    def __init__(self, engine: Engine, secret: bytes) -> None:
        self._engine = engine
        self._secret = secret
        # Another user of the engine, or this one after the cache was removed, could not log in to these.
        self.repository = f"{REPOSITORY}-{sha256(secret).hexdigest()[:8]}"

    def password(self, nonce: str) -> str:
        """The superuser's password in servers of this nonce; the nonce alone does not tell it."""
        return hmac.new(self._secret, nonce.encode(), sha256).hexdigest()

    def find(self, key: str) -> Image | None:
        """Snapshot `key`, if it is here."""
        facts = self._engine.image(f"{self.repository}:{key}")
        return None if facts is None else Image.read(facts)

    def commit(self, container: str, key: str, nonce: str) -> None:
        """Make the files of a stopped container snapshot `key`. Of two builders the first one's stays."""
        labels = {SNAPSHOT: key, NONCE: nonce} | current_owner().labels(BUILDER)
        # The container's own labels do not hold for the image: neither its owner nor its test session.
        labels |= dict.fromkeys(current_owner().labels(), "") | {"org.testcontainers.session-id": ""}
        changes = [f"LABEL {json.dumps(name)}={json.dumps(value)}" for name, value in labels.items()]
        image = self._engine.commit(container, [*changes, 'ENV POSTGRES_PASSWORD=""'])
        if self.find(key) is not None:
            self._engine.remove_image(image)
        else:
            self._engine.tag(image, self.repository, key)
