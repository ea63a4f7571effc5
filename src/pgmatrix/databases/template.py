"""Owns the template: what its content depends on, building it under a private name, sealing and renaming it.

A template under its final name is always complete. While it is built nobody waits on its final name but through an
advisory lock, which the server frees when a builder dies.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pgmatrix.children import module_argv
from pgmatrix.clients import Client, driver_version, quote_name, quote_text
from pgmatrix.config import Config
from pgmatrix.databases.names import lock_number, private_name, template_name
from pgmatrix.errors import Attempt, ConfigError, TemplateFailed
from pgmatrix.servers.protocol import Server, ServerSpec

_FORMAT = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the project's template is made: `callable` is `module:function`, run in `root` with a Database.

    `sources` are glob patterns of the files its content depends on, `timeout` the seconds the callable may take.
    Without a callable the template is empty.
    """

    root: Path
    callable: str
    sources: tuple[str, ...]
    roles: tuple[str, ...]
    timeout: float = 300.0

    @classmethod
    def of(cls, config: Config) -> Recipe:
        """The recipe in the table."""
        return cls(
            root=config.root,
            callable=config["template"],
            sources=config["template-sources"],
            roles=config["roles"],
            timeout=config["template-timeout"],
        )

    def key(self, build: str, spec: ServerSpec) -> str:
        """32 hexadecimal digits that change with the server build, its settings, the cell, every source and library."""
        digest = hashlib.sha256()
        driver = f"{spec.cell} {driver_version(spec.cell.driver)}"
        parts = [_FORMAT, build, driver, spec.locale, spec.encoding, self.callable, *self.roles]
        parts += [f"{name}={value}" for name, value in sorted(spec.settings.items()) if name != "max_connections"]
        for part in parts:
            digest.update(part.encode() + b"\0")
        for name in installed():
            digest.update(name.encode() + b"\0")
        for path in self.files():
            digest.update(str(path.relative_to(self.root)).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:32]

    def files(self) -> list[Path]:
        """The source files, sorted. Raises ConfigError for a pattern that matches nothing."""
        found: set[Path] = set()
        for pattern in self.sources:
            try:
                files = (path for path in self.root.glob(pattern) if path.is_file())
                matches = {path for path in files if "__pycache__" not in path.parts}
            except (NotImplementedError, ValueError, IndexError):  # an absolute path, or no pattern at all
                matches = set()
            if not matches:
                raise ConfigError(
                    f"template-sources pattern {pattern!r} matches no file below {self.root}",
                    do_next="correct [tool.pgmatrix] template-sources",
                )
            found |= matches
        return sorted(found)


def installed() -> list[str]:
    """Every distribution of this environment with its version, as its folder is called: a library makes DDL too."""
    folders = (Path(entry) for entry in dict.fromkeys(sys.path) if entry and Path(entry).is_dir())
    return sorted(path.name for folder in folders for path in folder.glob("*.dist-info"))


def ensure_template(client: Client, server: Server, recipe: Recipe, key: str, token: str) -> str:
    """The name of the template `key` on `server`, built now if it is not there. Raises TemplateFailed."""
    name = template_name(key)
    if _exists(client, name):
        return name
    lock = lock_number(name)
    client.execute(f"select pg_advisory_lock({lock})")
    try:
        if not _exists(client, name):
            _build(client, server, recipe, private_name(key, token), name)
    finally:
        client.execute(f"select pg_advisory_unlock({lock})")
    return name


def _exists(client: Client, name: str) -> bool:
    return bool(client.execute(f"select 1 from pg_database where datname = {quote_text(name)}"))


def _build(client: Client, server: Server, recipe: Recipe, private: str, final: str) -> None:
    create_empty(client, private)
    try:
        if recipe.callable:
            _call(server, recipe, private)
        _seal(client, private)
        client.execute(f"alter database {quote_name(private)} rename to {quote_name(final)}")
    except BaseException:
        drop(client, private)
        raise


def create_empty(client: Client, name: str) -> None:
    """An empty database in UTF-8 with byte order, the same on every server."""
    # The locale provider is named because a server of somebody else may have another one as its default.
    order = "template template0 encoding 'UTF8' locale_provider libc locale 'C'"
    client.execute(f"create database {quote_name(name)} {order}")


def drop(client: Client, name: str) -> None:
    """Drop a database of ours, template or not, whoever is connected."""
    if _exists(client, name):
        client.execute(f"alter database {quote_name(name)} with is_template false")
        client.execute(f"drop database {quote_name(name)} with (force)")


def _seal(client: Client, name: str) -> None:
    client.execute(f"alter database {quote_name(name)} with is_template true allow_connections false")
    client.execute(f"select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = {quote_text(name)}")


def _call(server: Server, recipe: Recipe, name: str) -> None:
    """Run the callable in a process of its own, so that neither its imports nor its coverage mix with the tests'."""
    order = {"callable": recipe.callable, "database": name, "server": server_values(server)}
    try:
        found = subprocess.run(
            module_argv("pgmatrix.databases.build"),
            input=json.dumps(order),
            capture_output=True,
            text=True,
            check=False,
            cwd=recipe.root,
            timeout=recipe.timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise TemplateFailed(
            f"the template callable {recipe.callable} did not end within {recipe.timeout:g} s",
            tried=_attempts(_text(error.stderr).strip().splitlines()),
            do_next="see what it waits for, or raise template-timeout; nothing of the unfinished template is left",
        ) from error
    if found.returncode != 0:
        raise TemplateFailed(
            f"the template callable {recipe.callable} failed",
            tried=_attempts(found.stderr.strip().splitlines()),
            do_next="correct it; nothing of the unfinished template is left",
        )


def _text(said: str | bytes | None) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said or ""


def _attempts(lines: Sequence[str]) -> list[Attempt]:
    return [Attempt(what="it", why=line) for line in lines[-12:]] or [Attempt(what="it", why="said nothing")]


def server_values(server: Server) -> dict[str, object]:
    """`server` as JSON can carry it; holds the password, so it goes through pipes only."""
    return {**asdict(server), "cell": str(server.cell), "options": dict(server.options)}
