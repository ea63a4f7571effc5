"""Owns the way from a cell to a proven server with a sealed template inside, and back to nothing.

Puts providers, snapshots, templates, roles and proofs together; decides none of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgmatrix.children import module_argv
from pgmatrix.clients import Client, connect
from pgmatrix.config import Config, ProviderName
from pgmatrix.databases import roles
from pgmatrix.databases.names import new_token
from pgmatrix.databases.template import Recipe, ensure_template, server_values
from pgmatrix.matrix import Cell
from pgmatrix.servers import identity
from pgmatrix.servers.cache import Cache, cache_root, explained
from pgmatrix.servers.choose import Choice, choose
from pgmatrix.servers.embedded import EmbeddedProvider
from pgmatrix.servers.external import ExternalProvider
from pgmatrix.servers.guard import Guard
from pgmatrix.servers.identity import Facts
from pgmatrix.servers.protocol import Lease, Provider, Server, ServerSpec
from pgmatrix.servers.tuning import settings_for

log = logging.getLogger("pgmatrix")
KEPT_SNAPSHOTS = 16  # 30 to 50 MB each; a run of four cells uses four


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """A proven server with a template: what workers need to know, and how to end it. `seconds` is what it took."""

    server: Server
    template: str
    token: str
    facts: Facts
    seconds: float
    close: Callable[[], None]
    keep: Callable[[Sequence[str]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """The template that is wanted: how it is made, the key of its content, and whose session asks."""

    recipe: Recipe
    key: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keeping:
    """What turns a server's end into its stay."""

    lease: Lease
    guard: Guard

    def keep(self, databases: Sequence[str]) -> str:
        """Leave the server running for a person; one line that says so and how to end it."""
        how = self.lease.keep(databases)
        self.guard.forget()
        return f"kept {', '.join(databases)} on a running server; to end it: {how}"


def providers(config: Config, guard: Guard) -> Iterator[Provider]:
    """The providers in the order of `auto`, each made when it is asked for: an external server needs no cache."""
    from pgmatrix.servers.container.provider import ContainerProvider

    cache = cache_root(config["cache"])
    yield ExternalProvider(dsns=config.dsns)
    if config["provider"] in (ProviderName.AUTO, ProviderName.CONTAINER):
        secret = _secret(cache)
        yield ContainerProvider(image=config["image"], guard=guard.command, secret=secret, cache=cache)
    yield EmbeddedProvider(cache=cache, guard=guard, extensions=config["extensions"], run_as=config["run-as"])


def choose_for(config: Config, cell: Cell, guard: Guard) -> Choice:
    """The provider that serves `cell` here, and why. Raises ServerUnavailable."""
    return choose(cell, config["provider"], providers(config, guard))


def provision(config: Config, cell: Cell, *, workers: int, label: str) -> Provision:
    """A server for `cell` that `workers` may share, with the project's template. Raises PgMatrixError.

    When it raises, nothing of it is left running.
    """
    start = time.monotonic()
    connections = max(1, workers) * (config["connections-per-worker"] + 1)
    spec = ServerSpec(
        cell=cell,
        settings=settings_for(cell.major, config["settings"], connections),
        connections=connections,
        start_timeout=config["start-timeout"],
        label=label,
        memory=config["memory"],
    )
    with contextlib.ExitStack() as stack:
        guard = Guard()
        stack.callback(guard.close)
        choice = choose_for(config, cell, guard)
        recipe = Recipe.of(config)
        order = _Order(recipe=recipe, key=recipe.key(choice.provider.build(cell), spec), token=new_token())
        lease = _lease(choice, spec, order, Cache(cache_root(config["cache"]), "locks"))
        stack.callback(lease.stop)
        client = stack.enter_context(_client(lease.server))
        before = identity.measure(client, lease.server, spec.settings, "template1")
        identity.prove(before, lease.server, wanted=spec.settings, extensions=config["extensions"])
        identity.prove_budget(before, connections)
        template = _template(stack, client, guard, lease.server, order)
        facts = identity.measure(client, lease.server, spec.settings, template)
        identity.prove(facts, lease.server, wanted=spec.settings, extensions=config["extensions"])
        identity.prove_encoding(facts, lease.server)
        return Provision(
            server=lease.server,
            template=template,
            token=order.token,
            facts=facts,
            seconds=time.monotonic() - start,
            close=stack.pop_all().close,
            keep=_Keeping(lease=lease, guard=guard).keep,
        )


def _lease(choice: Choice, spec: ServerSpec, order: _Order, locks: Cache) -> Lease:
    """A server, from the snapshot of the order's key, which one of those who want it makes first."""
    provider = choice.provider
    if not provider.keeps_snapshots:
        return provider.start(spec, key=None, reason=choice.reason)
    if not provider.has(order.key):
        with locks.locked(order.key):
            if not provider.has(order.key):
                _make_snapshot(provider, spec, order)
    return provider.start(spec, key=order.key, reason=choice.reason)


def _make_snapshot(provider: Provider, spec: ServerSpec, order: _Order) -> None:
    lease = provider.start(spec, key=None, reason="to build the template")
    try:
        with _client(lease.server) as client:
            ensure_template(client, lease.server, order.recipe, order.key, order.token)
        lease.save(order.key)
        provider.prune(KEPT_SNAPSHOTS)
    finally:
        lease.stop()


def _template(stack: contextlib.ExitStack, client: Client, guard: Guard, server: Server, order: _Order) -> str:
    """The template on a started server, and the promise to remove what is ours from a server that stays."""
    names, token = order.recipe.roles, order.token
    if server.provider is ProviderName.EXTERNAL:
        made = roles.enter(client, token=token, names=names)
        removal = {"server": server_values(server), "token": token, "roles": names, "made": made}
        stack.callback(guard.command(module_argv("pgmatrix.databases.removal"), json.dumps(removal)))
        stack.callback(roles.leave, client, token=token, names=names, made=made)
    template = ensure_template(client, server, order.recipe, order.key, token)
    identity.prove_roles(client, names)
    roles.adopt(client, server, names)
    return template


@contextlib.contextmanager
def _client(server: Server) -> Iterator[Client]:
    client = connect(server)
    try:
        yield client
    finally:
        client.close()


def _secret(cache: Path) -> bytes:
    """A random secret of this cache, made once, readable by its owner alone: passwords of containers come from it."""
    path = cache / "secret"
    if not path.is_file():
        with explained(cache, "keep a secret"):
            cache.mkdir(parents=True, exist_ok=True)
            private = cache / f".secret.{secrets.token_hex(4)}"
            private.touch(mode=0o600)
            private.write_bytes(secrets.token_bytes(32))
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(private)
            private.unlink()
    return hashlib.sha256(path.read_bytes()).digest()
