"""The container provider against a real engine and the images it holds; nothing here is a stand-in."""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from pgmatrix.clients import ClientError, connect, installed_drivers
from pgmatrix.config import ProviderName
from pgmatrix.errors import CacheError, ServerStartFailed, ServerUnavailable
from pgmatrix.matrix import Cell
from pgmatrix.perf import usage
from pgmatrix.servers.container.engine import Engine
from pgmatrix.servers.container.images import Snapshots
from pgmatrix.servers.container.lease import ContainerLease
from pgmatrix.servers.container.owner import PREFIX
from pgmatrix.servers.container.provider import ContainerProvider
from pgmatrix.servers.container.script import DATA, SEED
from pgmatrix.servers.container.sweep import prune, sweep
from pgmatrix.servers.guard import Guard
from pgmatrix.servers.protocol import Server, ServerSpec
from pgmatrix.servers.tuning import settings_for

pytestmark = pytest.mark.docker

IMAGE = "pgvector/pgvector:pg{major}"
CELLS = [Cell(major=major, driver=driver) for major in (15, 16) for driver in installed_drivers()]
CELL = CELLS[-1]
Make = Callable[..., ContainerProvider]


@pytest.fixture(scope="module")
def secret(docker_engine: Engine) -> Iterator[bytes]:
    """A secret of this run alone: its snapshots are nobody else's, and are removed at the end."""
    made = secrets.token_bytes(32)
    yield made
    prune(docker_engine, 0, Snapshots(docker_engine, made).repository)


@pytest.fixture(scope="module")
def make_provider(secret: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Makes providers that share one guard, closed at the end."""
    guard = Guard()
    cache = tmp_path_factory.mktemp("cache")
    yield lambda image=IMAGE: ContainerProvider(image=image, cache=cache, secret=secret, guard=guard.command)
    guard.close()


@pytest.fixture(scope="module")
def provider(make_provider: Make) -> ContainerProvider:
    """A provider of the images that are here."""
    return make_provider()


@pytest.fixture
def leases() -> Iterator[list[ContainerLease]]:
    """Leases to be ended, whatever happens."""
    made: list[ContainerLease] = []
    yield made
    for lease in made:
        lease.stop()


def spec_for(cell: Cell, settings: Mapping[str, str] | None = None, **changes: object) -> ServerSpec:
    values = {"settings": settings_for(cell.major, settings or {}, 20), "connections": 20, "label": "test"}
    return ServerSpec(cell=cell, **(values | changes))  # type: ignore[arg-type]


def start(provider: ContainerProvider, spec: ServerSpec, key: str | None = None) -> ContainerLease:
    lease = provider.start(spec, key=key, reason="wanted by a test")
    assert isinstance(lease, ContainerLease)
    return lease


def ask(server: Server, sql: str, **login: str) -> list[tuple[object, ...]]:
    client = connect(server, **login)  # type: ignore[arg-type]
    try:
        return client.execute(sql)
    finally:
        client.close()


def settings_of(server: Server, *names: str) -> dict[str, object]:
    listed = ", ".join(f"'{name}'" for name in names)
    return dict(ask(server, f"select name, setting from pg_settings where name in ({listed})"))  # type: ignore[arg-type]


@pytest.mark.parametrize("memory", [True, False], ids=["memory", "disk"])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_cycle(
    provider: ContainerProvider, docker_engine: Engine, leases: list[ContainerLease], cell: Cell, memory: bool
) -> None:
    """A snapshot brings a database back in a new container, and each container leaves nothing."""
    key, spec = f"cycle-{cell}-{memory}".lower(), spec_for(cell, memory=memory)
    first = start(provider, spec)
    leases.append(first)
    ask(first.server, "create database kept")
    first.save(key)
    second = start(provider, spec, key)
    leases.append(second)
    databases = [name for (name,) in ask(second.server, "select datname from pg_database")]
    facts = docker_engine.container(second.name)
    folder = ask(second.server, "show data_directory")
    second.stop()
    second.stop()

    assert provider.has(key)
    assert "kept" in databases
    assert (first.restored, second.restored) == (False, True)
    assert folder == [(DATA if memory else SEED,)]
    assert facts is not None
    assert [mount for mount in facts["Mounts"] if mount["Type"] == "volume"] == []
    assert list(facts["NetworkSettings"]["Networks"]) == ["bridge"]
    assert [docker_engine.container(lease.name) for lease in (first, second)] == [None, None]


@pytest.fixture(scope="module")
def snapshot(provider: ContainerProvider) -> str:
    """A saved server of CELL."""
    key = "shared"
    start(provider, spec_for(CELL)).save(key)
    return key


@pytest.fixture(scope="module")
def lease(provider: ContainerProvider, snapshot: str) -> Iterator[ContainerLease]:
    """A running server of CELL, for tests that only look."""
    made = start(provider, spec_for(CELL, {"work_mem": "5MB"}), snapshot)
    yield made
    made.stop()


def test_server_facts(lease: ContainerLease) -> None:
    """The server says who runs it, why, and where its data is."""
    server = lease.server

    assert server.provider is ProviderName.CONTAINER
    assert server.reason == f"wanted by a test; image pgvector/pgvector:pg{CELL.major}"
    assert server.storage.startswith("in memory (/dev/shm of the container, at most ")
    assert (server.user, server.database, server.roles_trusted) == ("postgres", "postgres", False)


def test_settings(lease: ContainerLease) -> None:
    """Parameters asked for are in force, and so are locale and encoding."""
    found = settings_of(lease.server, "work_mem", "fsync", "server_encoding", "max_connections")

    assert found == {"work_mem": "5120", "fsync": "off", "server_encoding": "UTF8", "max_connections": "33"}
    assert ask(lease.server, "select datcollate, datctype from pg_database where datname = 'template1'") == [("C", "C")]


def test_its_cost_is_seen(lease: ContainerLease) -> None:
    """Processor time and memory of the server inside are measured from here, and grow with what it does."""
    client = connect(lease.server)
    try:
        postmaster = usage.postmaster_behind(*client.execute(f"select {usage.WHO}")[0])  # type: ignore[arg-type]
        before = usage.spent(postmaster, before=True)
        client.execute("select count(*) from generate_series(1, 2000000)")
        after, held = usage.spent(postmaster, before=False), usage.held(postmaster)
    finally:
        client.close()

    assert postmaster is not None
    assert before.server is not None
    assert after.server is not None
    assert after.server > before.server
    assert held.server is not None
    assert held.server > 1


def test_extensions(lease: ContainerLease) -> None:
    """Vector and uuid-ossp can be had."""
    names = ask(lease.server, "select name from pg_available_extensions where name in ('vector', 'uuid-ossp')")

    assert {name for (name,) in names} == {"uuid-ossp", "vector"}


def test_password(lease: ContainerLease, docker_engine: Engine) -> None:
    """Nobody enters without the password, which is in no repr, no log and no snapshot."""
    password = lease.server.password
    for wrong in ("wrong", "postgres"):
        with pytest.raises(ClientError, match="password authentication failed"):
            ask(Server(**{**facts_of(lease.server), "password": wrong}), "select 1")  # type: ignore[arg-type]

    assert len(password) == 64
    assert password not in repr(lease.server)
    assert password not in "\n".join(lease.log_tail(1000))
    assert password not in str(docker_engine.container(lease.name))


def facts_of(server: Server) -> dict[str, object]:
    return {name: getattr(server, name) for name in server.__slots__}


def test_snapshot_image(lease: ContainerLease, docker_engine: Engine) -> None:
    """A snapshot's image keeps neither the password nor the owner of the container it came from."""
    facts = docker_engine.container(lease.name)
    assert facts is not None
    image = docker_engine.image(facts["Image"])
    assert image is not None
    environment = dict(item.split("=", 1) for item in image["Config"]["Env"])
    labels = image["Config"]["Labels"]

    assert environment["POSTGRES_PASSWORD"] == ""
    assert labels[f"{PREFIX}owner-pid"] == ""
    assert labels[f"{PREFIX}builder-pid"] == str(os.getpid())
    assert facts["Config"]["Labels"][f"{PREFIX}owner-pid"] == str(os.getpid())
    assert facts["Config"]["Labels"][f"{PREFIX}label"] == "test"


def test_loopback_only(lease: ContainerLease, docker_engine: Engine) -> None:
    """The port is published on the loopback interface alone, on a number the engine chose."""
    facts = docker_engine.container(lease.name)

    assert facts is not None
    published = facts["NetworkSettings"]["Ports"]["5432/tcp"]
    assert [(each["HostIp"], each["HostPort"] != "5432") for each in published] == [("127.0.0.1", True)]


def test_build_is_image_id(provider: ContainerProvider, docker_engine: Engine) -> None:
    """The build is the image's id, so another image under the same name is another build."""
    facts = docker_engine.image(IMAGE.format(major=CELL.major))

    assert facts is not None
    assert provider.build(CELL) == facts["Id"]
    assert provider.refusal(CELL) is None


def test_save_again(provider: ContainerProvider, snapshot: str, leases: list[ContainerLease]) -> None:
    """A server that came from a snapshot can be saved as another one."""
    second = start(provider, spec_for(CELL), snapshot)
    leases.append(second)
    ask(second.server, "create database later")
    second.save("again")
    third = start(provider, spec_for(CELL), "again")
    leases.append(third)

    assert ("later",) in ask(third.server, "select datname from pg_database")


def test_unknown_snapshot(provider: ContainerProvider) -> None:
    """A key nobody saved is refused before anything starts."""
    with pytest.raises(CacheError) as caught:
        start(provider, spec_for(CELL), "never-saved")

    assert not provider.has("never-saved")
    assert str(caught.value) == (
        "the engine holds no snapshot never-saved\n  do    start without it, and save it again"
    )


def test_builders_race(
    provider: ContainerProvider, secret: bytes, docker_engine: Engine, leases: list[ContainerLease]
) -> None:
    """Of two builders of one key one wins, the snapshot works, and no nameless image stays."""
    pair = [start(provider, spec_for(CELL)) for _ in range(2)]
    leases += pair
    threads = [threading.Thread(target=lease.save, args=("raced",)) for lease in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = Snapshots(docker_engine, secret).find("raced")
    images = [image["Id"] for image in docker_engine.images(f"{PREFIX}snapshot=raced")]
    restored = start(provider, spec_for(CELL), "raced")
    leases.append(restored)

    assert found is not None
    assert images == [found.id]
    assert ask(restored.server, "select 1") == [(1,)]


def test_save_fails(provider: ContainerProvider, docker_engine: Engine, leases: list[ContainerLease]) -> None:
    """A server that is killed while it shuts down makes no snapshot, says so, and leaves nothing."""
    lease = start(provider, spec_for(CELL))
    leases.append(lease)
    docker_engine.signal(lease.name, "KILL")
    with pytest.raises(CacheError) as caught:
        lease.save("broken")

    assert str(caught.value).startswith("snapshot broken was not made\n  tried container engine: POST")
    assert "free some room on the engine's disk" in caught.value.do_next
    assert not provider.has("broken")
    assert docker_engine.container(lease.name) is None


def test_copy_fails(
    provider: ContainerProvider, snapshot: str, docker_engine: Engine, leases: list[ContainerLease]
) -> None:
    """Data that cannot be copied makes no snapshot; the error has the code and the words of the copy."""
    lease = start(provider, spec_for(CELL), snapshot)
    leases.append(lease)
    ask(lease.server, f"copy (select 1) to program 'cat > /dev/null; chmod 500 {SEED}'")
    with pytest.raises(CacheError) as caught:
        lease.save("uncopied")

    assert caught.value.wanted == (
        "snapshot uncopied was not made: the server or the copy of its data ended with code 1"
    )
    assert "Permission denied" in str(caught.value)
    assert f"{SEED}/" in str(caught.value)
    assert not provider.has("uncopied")
    assert docker_engine.container(lease.name) is None


def test_unknown_setting(provider: ContainerProvider, docker_engine: Engine) -> None:
    """A parameter the server does not know fails the start at once, with the server's own words."""
    before = time.monotonic()
    with pytest.raises(ServerStartFailed) as caught:
        start(provider, spec_for(CELL, {"no_such_parameter": "1"}))

    assert time.monotonic() - before < 30
    assert "no_such_parameter" in str(caught.value)
    assert f"PostgreSQL {CELL.major} did not" in caught.value.wanted
    assert ours(docker_engine) == []


def test_too_slow(provider: ContainerProvider, docker_engine: Engine) -> None:
    """A server that is not ready in time is given up, and its container removed."""
    with pytest.raises(ServerStartFailed) as caught:
        start(provider, spec_for(CELL, start_timeout=0.1))

    assert caught.value.wanted == f"PostgreSQL {CELL.major} did not become ready"
    assert "not ready within 0.1 s" in str(caught.value.tried[0])
    assert ours(docker_engine) == []


def ours(engine: Engine) -> list[str]:
    """The names of this process's containers that no fixture holds."""
    found = engine.containers(f"{PREFIX}owner-pid={os.getpid()}")
    kept = {"shared"}
    return [each["Names"][0] for each in found if each["Labels"].get(f"{PREFIX}snapshot") not in kept]


def test_keep(provider: ContainerProvider, snapshot: str, docker_engine: Engine, leases: list[ContainerLease]) -> None:
    """A kept server stays when its lease is over, until the command that was given ends it."""
    lease = start(provider, spec_for(CELL), snapshot)
    leases.append(lease)
    command = lease.keep(["postgres"])
    lease.stop()
    try:
        answer = ask(lease.server, "select 1")
    finally:
        subprocess.run(shlex.split(command), check=True, capture_output=True)

    assert answer == [(1,)]
    assert command == f"docker rm -f -v {lease.name}"
    assert docker_engine.container(lease.name) is None


def test_no_engine(make_provider: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where no engine answers, the refusal names the address and the reason, and a start is refused."""
    address = f"unix://{tmp_path}/nobody.sock"
    monkeypatch.setenv("DOCKER_HOST", address)
    provider = make_provider()
    with pytest.raises(ServerUnavailable) as caught:
        provider.start(spec_for(CELL), key=None, reason="")

    refusal = f"no Docker engine answers at {address}: no such file or directory"
    assert provider.refusal(CELL) == refusal
    assert str(caught.value) == (
        f"{refusal}\n  tried {address}: no such file or directory\n"
        "  do    start Docker or podman, set DOCKER_HOST, or choose another provider"
    )


@pytest.mark.parametrize("listens", [True, False], ids=["hung", "dead"])
def test_engine_that_does_not_answer(
    make_provider: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listens: bool
) -> None:
    """A hung engine costs a second, a dead one nothing, and the refusal says which it was."""
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        if listens:
            listener.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        before = time.monotonic()
        refusal = make_provider().refusal(CELL)
        taken = time.monotonic() - before

    why = "no answer within 1.0 s" if listens else "connection refused"
    assert refusal == f"no Docker engine answers at unix://{path}: {why}"
    assert taken < 1.5


def test_image_out_of_reach(make_provider: Make) -> None:
    """An image that cannot be pulled refuses the cell; the next provider believes it for a while."""
    image = "registry.invalid/nothing:pg{major}"
    first = make_provider(image).refusal(CELL)
    provider = make_provider(image)
    second = provider.refusal(CELL)
    with pytest.raises(ServerUnavailable) as caught:
        provider.build(CELL)

    opening = f"image registry.invalid/nothing:pg{CELL.major} is not here and cannot be pulled: "
    assert first is not None
    assert first.startswith(opening)
    assert second is not None
    assert second.startswith(f"{first} (tried 0 s ago; again in 300 s, or remove ")
    assert caught.value.wanted == f"PostgreSQL {CELL.major} has no image: {second}"
    assert "set PGMATRIX_IMAGE" in caught.value.do_next


def test_import_is_lazy() -> None:
    """Importing the provider imports neither the Docker SDK nor testcontainers."""
    heavy = "{'docker', 'testcontainers', 'requests'}"
    code = f"import sys, pgmatrix.servers.container; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout == "set()\n"


def test_prune(docker_engine: Engine, provider: ContainerProvider, leases: list[ContainerLease]) -> None:
    """Pruning removes the oldest snapshots and keeps the newest."""
    snapshots = Snapshots(docker_engine, secrets.token_bytes(32))
    repository = snapshots.repository
    lease = start(provider, spec_for(CELL))
    leases.append(lease)
    for key in ("older", "newer"):
        snapshots.commit(lease.name, key, "nonce")
        time.sleep(1.1)  # an image's age is told in seconds
    kept, left = prune(docker_engine, 1, repository), snapshots.find("newer")
    rest = prune(docker_engine, 0, repository)

    assert kept == [f"{repository}:older"]
    assert left is not None
    assert rest == [f"{repository}:newer"]


OWNER = """
import sys, time
from pathlib import Path
from pgmatrix.matrix import Cell
from pgmatrix.servers.container.provider import ContainerProvider
from pgmatrix.servers.guard import Guard
from pgmatrix.servers.protocol import ServerSpec
from pgmatrix.servers.tuning import settings_for

image, cache, cell, label, secret, guarded = sys.argv[1:]
cell = Cell.parse(cell)
guard = Guard().command if guarded == "yes" else lambda argv: lambda: None
provider = ContainerProvider(image=image, cache=Path(cache), secret=bytes.fromhex(secret), guard=guard)
spec = ServerSpec(cell=cell, settings=settings_for(cell.major, {}, 9), connections=9, label=label)
lease = provider.start(spec, key=None, reason="")
print("ready", flush=True)
time.sleep(60)
"""


def owner(tmp_path: Path, label: str, secret: bytes, guarded: str = "yes") -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", OWNER, IMAGE, str(tmp_path), str(CELL), label, secret.hex(), guarded]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def labelled(engine: Engine, label: str) -> list[dict[str, object]]:
    return engine.containers(f"{PREFIX}label={label}")


def gone_within(engine: Engine, label: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while labelled(engine, label):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("moment", ["as it is created", "before it is ready", "when it is ready"])
def test_owner_killed(docker_engine: Engine, secret: bytes, tmp_path: Path, moment: str) -> None:
    """Five seconds after its owner was killed, at whatever moment, a container is gone."""
    label = f"killed-{secrets.token_hex(4)}"
    with owner(tmp_path, label, secret) as process:
        deadline = time.monotonic() + 60
        while not labelled(docker_engine, label) and time.monotonic() < deadline:
            time.sleep(0.005)
        if moment == "before it is ready":
            time.sleep(0.4)
        if moment == "when it is ready":
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    appeared = gone_within(docker_engine, label, 5)
    time.sleep(1)

    assert appeared
    assert labelled(docker_engine, label) == []


def test_sweep(docker_engine: Engine, secret: bytes, tmp_path: Path, lease: ContainerLease) -> None:
    """A sweep removes the container of a dead owner that had no guard, and none of a living one."""
    label = f"swept-{secrets.token_hex(4)}"
    with owner(tmp_path, label, secret, guarded="no") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        alive = sweep(docker_engine)
        process.send_signal(signal.SIGKILL)
        process.wait()
    swept = sweep(docker_engine)

    assert [line for line in alive if str(process.pid) in line] == []
    assert [line.endswith(f" of dead process {process.pid}") for line in swept if str(process.pid) in line] == [True]
    assert labelled(docker_engine, label) == []
    assert docker_engine.container(lease.name) is not None
