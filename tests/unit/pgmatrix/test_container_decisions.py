"""What the container provider decides without an engine: addresses, orders, scripts, owners, logs."""

from __future__ import annotations

import json
import pickle
from hashlib import sha256
from pathlib import Path

import pytest

from pgmatrix.errors import Attempt
from pgmatrix.matrix import Cell
from pgmatrix.servers.container import order, sdk
from pgmatrix.servers.container.address import Reach, Search, candidates, explain, message, ping, reach
from pgmatrix.servers.container.engine import Engine, EngineError, unframe
from pgmatrix.servers.container.images import Image, Snapshots
from pgmatrix.servers.container.order import Naming, Room, choose_room, compose, image_name
from pgmatrix.servers.container.owner import Owner, current_owner
from pgmatrix.servers.container.script import DATA, SEED, first_start, restored_start
from pgmatrix.servers.protocol import ServerSpec

EVERYWHERE = "0.0.0.0"  # noqa: S104 - expected, not bound
CELL = Cell.parse("pg16-asyncpg")
SPEC = ServerSpec(cell=CELL, settings={"fsync": "off", "work_mem": "5MB"}, connections=20, locale="C.UTF-8")
IMAGE = Image(id="sha256:1", entrypoint=("docker-entrypoint.sh",), volumes=("/var/lib/postgresql/data",), labels={})


def test_chosen_host_alone(tmp_path: Path) -> None:
    """Who sets DOCKER_HOST gets that engine or none."""
    assert candidates({"DOCKER_HOST": "tcp://there:2375"}, tmp_path) == ("tcp://there:2375",)


def test_usual_sockets(tmp_path: Path) -> None:
    """Docker's sockets are asked before podman's, the system's before the user's."""
    assert candidates({"XDG_RUNTIME_DIR": "/run/user/7"}, tmp_path) == (
        "unix:///var/run/docker.sock",
        "unix:///run/user/7/docker.sock",
        f"unix://{tmp_path}/.docker/run/docker.sock",
        "unix:///run/user/7/podman/podman.sock",
        "unix:///run/podman/podman.sock",
    )


@pytest.mark.parametrize("by", ["config", "environment"])
def test_context(tmp_path: Path, by: str) -> None:
    """The current docker context names the engine, whether the file or the environment chose it."""
    folder = tmp_path / ".docker"
    meta = folder / "contexts/meta" / sha256(b"mine").hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": "unix:///mine.sock"}}}))
    (folder / "config.json").write_text(json.dumps({"currentContext": "mine"} if by == "config" else {}))
    environ = {} if by == "config" else {"DOCKER_CONTEXT": "mine"}

    assert candidates(environ, tmp_path) == ("unix:///mine.sock",)


def test_undefined_context(tmp_path: Path) -> None:
    """A context without an address is not passed over in silence."""
    found = candidates({"DOCKER_CONTEXT": "lost"}, tmp_path)

    assert found == ("context://lost",)
    assert ping(found[0], 1) == "the docker context of this name has no address"


def test_unknown_scheme() -> None:
    """An address of a kind we cannot clean up through is refused, and the kinds that work are named."""
    assert ping("ssh://me@there", 1) == "ssh is not supported; use unix, tcp, http, https"


def test_explain_leaves_out_absent_sockets() -> None:
    """Where a socket exists and does not answer, the absent ones are not mentioned; else the first one is."""
    absent = Attempt(what="unix:///a", why="no such file or directory")
    dead = Attempt(what="unix:///b", why="connection refused")

    assert explain(Search(address=None, tried=(absent, dead))) == (
        "no Docker engine answers at unix:///b: connection refused"
    )
    assert explain(Search(address=None, tried=(absent, absent))) == (
        "no Docker engine answers at unix:///a: no such file or directory"
    )


@pytest.mark.parametrize(
    ("address", "environ", "wanted"),
    [
        ("unix:///var/run/docker.sock", {}, Reach(publish="127.0.0.1", host="127.0.0.1")),
        ("tcp://localhost:2375", {}, Reach(publish="127.0.0.1", host="127.0.0.1")),
        ("tcp://docker:2375", {}, Reach(publish=EVERYWHERE, host="docker")),
        ("unix:///x", {"TESTCONTAINERS_HOST_OVERRIDE": "vm"}, Reach(publish=EVERYWHERE, host="vm")),
    ],
)
def test_reach(address: str, environ: dict[str, str], wanted: Reach) -> None:
    """A port is published on loopback, unless the engine is on another machine."""
    assert reach(address, environ) == wanted


def test_message() -> None:
    """An engine's answer becomes one line, whatever it is."""
    assert message(b'{"message": "no\\n such image"}') == "no such image"
    assert message(b"<html>") == "<html>"
    assert message(b"") == "nothing said"


def test_first_start() -> None:
    """A first start goes through the image's own entry point, on a data folder outside of its volume."""
    start = first_start(SPEC, in_memory=True, entrypoint=("entry.sh",), password="pw")

    assert start.entrypoint[-3:] == ("first", DATA, SEED)
    assert start.command[:2] == ("entry.sh", "postgres")
    assert start.command[2:] == (
        *("-c", "max_connections=33", "-c", "fsync=off", "-c", "work_mem=5MB"),
        *("-c", "listen_addresses=*", "-c", "port=5432"),
    )
    assert start.environment == {
        "PGDATA": DATA,
        "POSTGRES_USER": "postgres",
        "POSTGRES_PASSWORD": "pw",
        "POSTGRES_HOST_AUTH_METHOD": "scram-sha-256",
        "POSTGRES_INITDB_ARGS": "--locale=C.UTF-8 --encoding=UTF8 --no-sync --wal-segsize=1"
        " --auth-local=trust --auth-host=scram-sha-256",
    }


def test_restored_start() -> None:
    """A start from a snapshot runs the server as its user, on disk where the seed is, without a password."""
    start = restored_start(SPEC, in_memory=False)

    assert start.entrypoint[-3:] == ("restored", SEED, SEED)
    assert start.command[:3] == ("postgres", "-D", SEED)
    assert (start.user, start.environment) == ("postgres", {"PGDATA": SEED})


def test_order_hides_password() -> None:
    """The order for a container covers the image's volumes, and its repr has no password."""
    start = first_start(SPEC, in_memory=True, entrypoint=(), password="hidden-pw")
    naming = Naming(name="n", owner=current_owner(), label="pg16-asyncpg-rls")
    order = compose(IMAGE, start, Room(size=2**30, reason=""), naming)

    assert order.tmpfs == {"/var/lib/postgresql/data": "size=1m"}
    assert order.shared_memory == 2**30
    assert compose(IMAGE, start, Room(size=0, reason=""), naming).shared_memory == 2**31
    assert order.labels["org.pgmatrix.label"] == "pg16-asyncpg-rls"
    assert "hidden-pw" not in repr(order)


def test_image_name() -> None:
    """The major is put into the name, and testcontainers' prefix before it."""
    name = "pgvector/pgvector:pg{major}"

    assert image_name(name, CELL, {}) == "pgvector/pgvector:pg16"
    assert image_name(name, CELL, {"TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX": "mirror/"}) == (
        "mirror/pgvector/pgvector:pg16"
    )


@pytest.mark.parametrize(
    ("spare", "memory", "size", "reason"),
    [
        (8 * 2**30, True, 2 * 2**30, "in memory (/dev/shm of the container, at most 2048 MB)"),
        (2**29, True, 0, "on the engine's disk: its memory has 512 MB to spare, 1024 are wanted"),
        (8 * 2**30, False, 0, "on the engine's disk: memory is switched off"),
    ],
)
def test_room(monkeypatch: pytest.MonkeyPatch, spare: int, memory: bool, size: int, reason: str) -> None:
    """Data goes into a bounded share of the memory, or on disk where that is too little; it says why."""
    monkeypatch.setattr(order, "_available", lambda: spare)
    monkeypatch.setattr(Engine, "memory", lambda _: spare)

    assert choose_room(Engine("unix:///x"), memory=memory) == Room(size=size, reason=reason)


def test_owner_round_trip() -> None:
    """An owner survives its labels, and labels of no owner give none."""
    here = current_owner()

    assert Owner.of(here.labels()) == here
    assert Owner.of(here.labels("builder")) is None
    assert Owner.of(dict.fromkeys(here.labels(), "")) is None


@pytest.mark.parametrize(
    ("change", "dead"),
    [
        ({}, False),
        ({"started": "1"}, True),
        ({"boot": "another"}, True),
        ({"boot": ""}, False),
        ({"host": "elsewhere", "started": "1"}, False),
        ({"namespace": "another", "started": "1"}, False),
    ],
)
def test_owner_is_dead(change: dict[str, str], dead: bool) -> None:
    """Only a process that must have been on this machine, in this namespace, is judged dead."""
    here = current_owner()
    values = {name: getattr(here, name) for name in Owner.__slots__} | {"boot": "this"}
    judge = Owner(**values)

    assert Owner(**(values | change)).is_dead(judge) is dead


def test_passwords() -> None:
    """A password follows from secret and nonce alone, and each secret has snapshots of its own."""
    engine = Engine("unix:///x")
    one, same, other = (Snapshots(engine, secret) for secret in (b"a", b"a", b"b"))

    assert one.password("n") == same.password("n")
    assert len({one.password("n"), one.password("m"), other.password("n")}) == 3
    assert one.repository == same.repository != other.repository


def test_unframe() -> None:
    """A log in frames loses them; a terminal's log, which has none, stays as it is."""
    framed = b"\x01\0\0\0\0\0\0\x03ab\n\x02\0\0\0\0\0\0\x02c\n"

    assert unframe(framed) == b"ab\nc\n"
    assert unframe(b"plain text\n") == b"plain text\n"
    assert unframe(b"") == b""


def test_engine_error() -> None:
    """An engine's error keeps its status across processes and says what to do."""
    error = pickle.loads(pickle.dumps(EngineError("POST /x: HTTP 500: no", status=500)))  # noqa: S301 - ours

    assert (error.wanted, error.status) == ("POST /x: HTTP 500: no", 500)
    assert str(error) == (
        "POST /x: HTTP 500: no\n  do    see whether the engine is well (`docker info`), and read its own log"
    )


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without testcontainers the refusal says what to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    assert sdk.missing() == "testcontainers is not installed; pip install 'pgmatrix[container]'"
