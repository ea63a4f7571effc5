"""Owns what runs inside a container: the script that is its first process, and PostgreSQL's arguments.

Pure: composes words, starts nothing. The script is plain sh and needs only what any PostgreSQL image holds.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from pgmatrix.servers.protocol import ServerSpec
from pgmatrix.servers.tuning import RESERVED

PORT = 5432
SUPERUSER = "postgres"
# In memory: the tmpfs every container has, writable to all whatever the image holds, and no image's volume.
DATA = "/dev/shm/pgmatrix"  # noqa: S108 - a path inside the container
# Outside every volume and tmpfs, so that a commit of the container holds it.
SEED = "/var/lib/pgmatrix/seed"
SAVE_SIGNAL = "USR1"

# The first process. USR1: stop PostgreSQL cleanly, keep its data as seed, end with 0. An unexpected end
# prints the server's own log, which may be in memory and gone a moment later.
SCRIPT = r"""
set -eu
mode=$1 data=$2 seed=$3
shift 3
child= saving=
trap 'saving=1; kill -INT "$child"' USR1
trap '[ -z "$child" ] || kill -INT "$child"' INT TERM
if [ "$mode" = restored ] && [ "$data" != "$seed" ]; then
    mkdir -m 700 "$data"
    cp -a "$seed/." "$data/"
fi
"$@" &
child=$!
while :; do
    code=0
    wait "$child" || code=$?
    kill -0 "$child" 2>/dev/null || break
done
if [ -z "$saving" ] || [ "$code" -ne 0 ]; then
    for file in "$data"/log/* "$data"/pg_log/*; do
        [ ! -f "$file" ] || tail -n 50 "$file" >&2
    done
    exit "$code"
fi
rm -rf "$data/postmaster.opts" "$data/log" "$data/pg_log"
if [ "$data" != "$seed" ]; then
    mkdir -p "$seed"
    find "$seed" -mindepth 1 -delete
    cp -a "$data/." "$seed/"
fi
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How a container starts: first process, its arguments, environment, user ("": the image's own)."""

    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: dict[str, str]
    user: str = ""


def first_start(spec: ServerSpec, *, in_memory: bool, entrypoint: Sequence[str], password: str) -> Start:
    """An image's own first start through its `entrypoint`, on a data folder that is no image's volume."""
    data = DATA if in_memory else SEED
    return Start(
        entrypoint=_first_process("first", data),
        command=(*entrypoint, "postgres", *_options(spec)),
        environment={
            "PGDATA": data,
            "POSTGRES_USER": SUPERUSER,
            "POSTGRES_PASSWORD": password,
            "POSTGRES_HOST_AUTH_METHOD": "scram-sha-256",
            "POSTGRES_INITDB_ARGS": shlex.join(_initdb(spec)),
        },
    )


def restored_start(spec: ServerSpec, *, in_memory: bool) -> Start:
    """A start from the seed of a snapshot: copied into memory, or used where it is."""
    data = DATA if in_memory else SEED
    return Start(
        entrypoint=_first_process("restored", data),
        command=("postgres", "-D", data, *_options(spec)),
        environment={"PGDATA": data},
        user=SUPERUSER,
    )


def _first_process(mode: str, data: str) -> tuple[str, ...]:
    return ("sh", "-c", SCRIPT, "pgmatrix", mode, data, SEED)


def _initdb(spec: ServerSpec) -> list[str]:
    return [
        f"--locale={spec.locale}",
        f"--encoding={spec.encoding}",
        "--no-sync",
        "--wal-segsize=1",
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
    ]


def _options(spec: ServerSpec) -> list[str]:
    fixed = {"listen_addresses": "*", "port": str(PORT)}
    settings = {"max_connections": str(spec.connections + RESERVED)} | dict(spec.settings) | fixed
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
