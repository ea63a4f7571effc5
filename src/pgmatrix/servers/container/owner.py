"""Owns whose a container or image is: the labels that say it, and whether that process is dead.

Judges only what it can: a process of another machine or of another process namespace counts as alive.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pgmatrix.servers.watchdog import start_time

PREFIX = "org.pgmatrix."
KEPT = "kept-"  # a container with a name that starts so was left to a person


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process, told from all others: id and start time, in a namespace, since a boot, of a machine."""

    pid: str
    started: str
    host: str
    boot: str
    namespace: str

    def labels(self, role: str = "owner") -> dict[str, str]:
        """This owner as labels, in `role`."""
        return {f"{PREFIX}{role}-{name}": value for name, value in asdict(self).items()}

    @classmethod
    def of(cls, labels: Mapping[str, str], role: str = "owner") -> Owner | None:
        """The owner that `labels` name in `role`, if they do."""
        values = {name: labels.get(f"{PREFIX}{role}-{name}", "") for name in cls.__slots__}
        return cls(**values) if values["pid"].isdecimal() else None

    def is_dead(self, here: Owner) -> bool:
        """Whether this process is known to have ended, seen from process `here`."""
        if self.host != here.host:
            return False
        if self.boot != here.boot:
            return bool(self.boot and here.boot)
        return self.namespace == here.namespace and start_time(int(self.pid)) != self.started


def current_owner() -> Owner:
    """This process."""
    return Owner(
        pid=str(os.getpid()),
        started=start_time(os.getpid()),
        host=socket.gethostname(),
        boot=_read(Path("/proc/sys/kernel/random/boot_id")),
        namespace=_link(Path("/proc/self/ns/pid")),
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
