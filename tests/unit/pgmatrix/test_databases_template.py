"""The template's recipe: its key changes with all it depends on; building is private, sealed, renamed, or undone."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pgmatrix.clients import ClientError
from pgmatrix.config import load
from pgmatrix.databases.build import server_from
from pgmatrix.databases.names import lock_number, private_name, template_name
from pgmatrix.databases.template import Recipe, create_empty, drop, ensure_template, server_values
from pgmatrix.errors import ConfigError, TemplateFailed
from pgmatrix.matrix import Cell
from tests.unit.pgmatrix.builders import FakeClient, a_project, a_server, a_spec

KEY, TOKEN = "ab" * 16, "0123abcd"


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A recipe over two files in two folders."""
    for name in ("src/models/a.py", "src/models/deep/b.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    return Recipe(root=tmp_path, callable="make:build", sources=("src/**/*.py",), roles=("app",))


def key(recipe: Recipe, build: str = "pg16", **spec: Any) -> str:
    """The recipe's key for a server build and an order."""
    return recipe.key(build, a_spec(**spec))


def test_the_recipe_is_what_the_table_says(tmp_path: Path) -> None:
    """Callable, sources and roles come from the table, the root is the project's."""
    lines = 'template = "make:build"\ntemplate-sources = ["*.py"]\nroles = ["app"]\n'
    config = load(a_project(tmp_path, f"[tool.pgmatrix]\n{lines}"), environ={})

    assert Recipe.of(config) == Recipe(root=tmp_path, callable="make:build", sources=("*.py",), roles=("app",))


def test_the_same_recipe_has_the_same_key(recipe: Recipe) -> None:
    """The key is 32 hexadecimal digits, and depends on neither how often it is asked for nor on file times."""
    before = key(recipe)
    (recipe.root / "src/models/a.py").write_text("src/models/a.py", encoding="utf-8")

    assert key(recipe) == before
    assert re.fullmatch(r"[0-9a-f]{32}", before)


def test_the_key_changes_with_every_source(recipe: Recipe) -> None:
    """A source that changes, moves, comes or goes gives another key."""
    first, second = recipe.root / "src/models/a.py", recipe.root / "src/models/deep/b.py"
    keys = [key(recipe)]

    for path in (first, second):
        path.write_text(f"changed {path.name}", encoding="utf-8")
        keys.append(key(recipe))
    first.rename(first.with_name("c.py"))
    keys.append(key(recipe))
    (recipe.root / "src/new.py").touch()
    keys.append(key(recipe))
    second.unlink()
    keys.append(key(recipe))

    assert len(set(keys)) == 6


def test_the_key_changes_with_server_cell_and_recipe(recipe: Recipe) -> None:
    """Another server build, cell, locale, encoding, setting, callable or role gives another key."""
    keys = [
        key(recipe),
        key(recipe, "pg16-other"),
        key(recipe, cell=Cell.parse("pg16-psycopg")),
        key(recipe, cell=Cell.parse("pg15-asyncpg")),
        key(recipe, locale="C.UTF-8"),
        key(recipe, encoding="LATIN1"),
        key(recipe, settings={"fsync": "on"}),
        key(recipe, settings={}),
        key(replace(recipe, callable="make:other")),
        key(replace(recipe, roles=("app", "owner"))),
    ]

    assert len(set(keys)) == len(keys)


def test_the_key_changes_with_every_library(
    recipe: Recipe, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes a template's DDL may be a library: one that comes, or another version, gives another key."""
    place = tmp_path_factory.mktemp("site-packages")
    monkeypatch.syspath_prepend(str(place))
    keys = [key(recipe)]
    for version in ("1.0", "1.1"):
        (place / f"migrator-{version}.dist-info").mkdir()
        keys.append(key(recipe))
        (place / f"migrator-{version}.dist-info").rmdir()

    assert len(set(keys)) == 3
    assert key(recipe) == keys[0]


def test_the_key_does_not_change_with_what_leaves_no_trace(recipe: Recipe) -> None:
    """How many connections a session wants, and who asks, says nothing about a template."""
    same = key(recipe, settings={"fsync": "off", "max_connections": "43"}, connections=99, label="x", memory=False)

    assert same == key(recipe)


@pytest.mark.parametrize("pattern", ["src/nowhere/*.py", "src/models", "/absolute/*.py", "."])
def test_a_pattern_that_matches_no_file_is_refused(recipe: Recipe, pattern: str) -> None:
    """A pattern without a file is an error, for a change it was to watch would go unseen."""
    with pytest.raises(ConfigError) as error:
        replace(recipe, sources=("src/**/*.py", pattern)).files()

    assert str(error.value) == (
        f"template-sources pattern {pattern!r} matches no file below {recipe.root}\n"
        "  do    correct [tool.pgmatrix] template-sources"
    )


def test_a_file_of_two_patterns_counts_once(recipe: Recipe) -> None:
    """Files are sorted, and each is there once."""
    files = replace(recipe, sources=("src/**/*.py", "src/models/*.py")).files()

    assert [path.name for path in files] == ["a.py", "b.py"]


class FakeBuild:
    """Stands for the process that runs the callable: it keeps its order and ends as told."""

    def __init__(self, *, code: int = 0, stderr: str = "") -> None:
        self.code, self.stderr = code, stderr
        self.order: dict[str, Any] = {}

    def __call__(self, argv: list[str], **options: Any) -> SimpleNamespace:
        self.argv, self.cwd = argv, options["cwd"]
        self.order = json.loads(options["input"])
        return SimpleNamespace(returncode=self.code, stderr=self.stderr)


def test_a_template_is_built_in_private_sealed_and_renamed(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a lock the callable fills a private database, which is sealed and only then gets its final name."""
    client, build = FakeClient(), FakeBuild()
    monkeypatch.setattr(subprocess, "run", build)

    name = ensure_template(client, a_server(), recipe, KEY, TOKEN)

    private = private_name(KEY, TOKEN)
    assert name == template_name(KEY)
    assert (build.order["callable"], build.order["database"], build.cwd) == ("make:build", private, recipe.root)
    assert build.argv[-1] == "pgmatrix.databases.build"
    assert server_from(build.order["server"]) == a_server()
    lock = lock_number(name)
    assert [sql for sql in client.statements if not sql.startswith("select 1 from")] == [
        f"select pg_advisory_lock({lock})",
        f"create database \"{private}\" template template0 encoding 'UTF8' locale_provider libc locale 'C'",
        f'alter database "{private}" with is_template true allow_connections false',
        f"select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{private}'",
        f'alter database "{private}" rename to "{name}"',
        f"select pg_advisory_unlock({lock})",
    ]


def test_a_template_that_is_there_is_taken(recipe: Recipe) -> None:
    """A template of that key is used as it is, without a lock."""
    client = FakeClient()
    client.databases.add(template_name(KEY))

    ensure_template(client, a_server(), recipe, KEY, TOKEN)

    assert len(client.statements) == 1


def test_without_a_callable_the_template_is_empty(recipe: Recipe) -> None:
    """A project without a callable gets an empty template, and no process."""
    client = FakeClient()

    ensure_template(client, a_server(), replace(recipe, callable=""), KEY, TOKEN)

    assert any("rename to" in sql for sql in client.statements)


def test_a_callable_that_fails_leaves_nothing(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the callable fails the error has its last words, and neither database nor lock is left."""
    client = FakeClient()
    lines = "\n".join(f"line {number}" for number in range(20))
    monkeypatch.setattr(subprocess, "run", FakeBuild(code=1, stderr=f"{lines}\nValueError: no\n"))

    with pytest.raises(TemplateFailed) as error:
        ensure_template(client, a_server(), recipe, KEY, TOKEN)

    assert error.value.wanted == "the template callable make:build failed"
    assert [attempt.why for attempt in error.value.tried][-2:] == ["line 19", "ValueError: no"]
    assert len(error.value.tried) == 12
    assert error.value.do_next == "correct it; nothing of the unfinished template is left"
    assert client.databases == set()
    assert client.statements[-1].startswith("select pg_advisory_unlock(")


def test_a_callable_that_fails_in_silence_is_told_so(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends badly and prints nothing is an error all the same."""
    monkeypatch.setattr(subprocess, "run", FakeBuild(code=-9))

    with pytest.raises(TemplateFailed, match="tried it: said nothing"):
        ensure_template(FakeClient(), a_server(), recipe, KEY, TOKEN)


def test_an_empty_database_is_the_same_on_every_server() -> None:
    """Encoding, locale and its provider are named, whatever the server's defaults are."""
    client = FakeClient()

    create_empty(client, "x")

    assert client.statements == [
        "create database \"x\" template template0 encoding 'UTF8' locale_provider libc locale 'C'"
    ]


def test_dropping_is_safe_for_templates_and_for_what_is_gone() -> None:
    """A sealed template is unsealed and dropped with its connections; nothing is done where nothing is."""
    client = FakeClient()
    client.databases.add("x")

    drop(client, "x")
    drop(client, "x")

    changes = [sql for sql in client.statements if not sql.startswith("select")]
    assert changes == ['alter database "x" with is_template false', 'drop database "x" with (force)']


def test_a_failure_of_the_server_is_not_hidden(recipe: Recipe) -> None:
    """A server that fails while a template is made is the error that arrives."""
    client = FakeClient()
    client.failure = ClientError("gone", sqlstate="57P01")

    with pytest.raises(ClientError, match="gone"):
        ensure_template(client, a_server(), recipe, KEY, TOKEN)


def test_a_server_survives_the_way_to_another_process() -> None:
    """What is sent through a pipe as JSON is the same server at the other end, password and options included."""
    server = a_server(options={"sslmode": "require"})

    assert server_from(json.loads(json.dumps(server_values(server)))) == server
