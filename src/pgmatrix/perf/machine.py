"""Owns what figures depend on beside the code: the machine and its disk."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pgmatrix.servers.tuning import usable_cores

SYNCS = 30
PAGE = 8192


def machine_facts() -> dict[str, str]:
    """What makes two runs comparable, in words. No name of a host: a CI's machines have another one each time."""
    return {
        "processor": _processor(),
        "cores": str(usable_cores()),
        "memory": f"{_memory_gigabytes()} GB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": f"{platform.python_implementation()} {'.'.join(platform.python_version_tuple()[:2])}",
    }


def digest(values: Mapping[str, str] | Sequence[object]) -> str:
    """Twelve digits that differ where the values do."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:12]


def load_average() -> str:
    """How busy the machine is without us."""
    return f"{os.getloadavg()[0]:.1f}"


def syncs(folder: Path) -> list[float]:
    """Seconds of each of some writes of one page, durably, in `folder`: what a commit must wait for there.

    Raises OSError.
    """
    path = folder / f".pgmatrix-sync-{os.getpid()}"
    found = []
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for number in range(SYNCS):
            os.pwrite(descriptor, b"x" * PAGE, number * PAGE)
            start = time.perf_counter()
            os.fdatasync(descriptor)
            found.append(time.perf_counter() - start)
    finally:
        os.close(descriptor)
        path.unlink()
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory_gigabytes() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
