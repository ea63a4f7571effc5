"""Owns one worker: a pytest session that collects the contract once and then, fault by fault, runs it in forks.

It has a server of its own, so that faults tried side by side know nothing of each other.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from pgmatrix import plugin
from pgmatrix.errors import FaultError, PgMatrixError
from pgmatrix.plugin.controller import Controller
from pgmatrix.plugin.worker import Handover, Worker
from pgmatrix.teeth.check import Contract, layer_by_test, layers_of, name_of
from pgmatrix.teeth.child import Injected, fork
from pgmatrix.teeth.faults import Fault
from pgmatrix.teeth.ground import Ground
from pgmatrix.teeth.outcomes import Trial

_OF_TEMPLATE = {"pg_clone", "pg_database"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a worker must know: where faults and `warm` are (`module:attribute`), the contract, pytest's arguments."""

    faults: str
    contract: Contract
    arguments: tuple[str, ...]
    warm: str
    timeout: float
    log: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A worker's first word: its server is there. `facts` are what it was measured to be."""

    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A worker's last word, where it is not simply done."""

    why: str


def load(reference: str) -> Any:
    """What is at `module:attribute`."""
    module, _, attribute = reference.partition(":")
    return getattr(importlib.import_module(module), attribute)


def work(pipe: Connection, order: Order) -> None:
    """The body of a worker's process. Everything it prints, and its tests print, goes to the log."""
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    loop = Loop(pipe, order)
    fixed = ["-p", "no:cacheprovider", "-s", "-q", "--tb=native", "--disable-warnings"]
    try:
        pytest.main([*fixed, *order.arguments], plugins=[plugin, loop])
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        if not loop.done:
            sys.stdout.flush()
            sys.stderr.flush()
            tail = order.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-12:]
            pipe.send(Failed(why="\n".join(["its pytest session ended before the last fault:", *tail])))


class Loop:
    """The pytest plugin that runs the collected tests once for each fault asked for."""

    def __init__(self, pipe: Connection, order: Order) -> None:
        self._pipe = pipe
        self._order = order
        self._faults = {fault.name: fault for fault in load(order.faults)}
        self._layers = layer_by_test(order.contract)
        self.done = False

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """No stock of clones, and so no thread, in the process that forks."""
        config.pluginmanager.unregister(name=Worker.name)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of pytest's own: faults come in, trials go out."""
        missing = self._layers.keys() - {name_of(item.nodeid) for item in session.items}
        if session.testsfailed or missing:
            raise session.Failed(f"not collected: {', '.join(sorted(missing))}")
        controller: Any = session.config.pluginmanager.get_plugin(Controller.name)
        ground = Ground(controller.start())
        self._pipe.send(Ready(facts=ground.provision.facts.values()))
        if self._order.warm:
            load(self._order.warm)()
        gc.collect()
        gc.freeze()
        while (name := self._asked()) is not None:
            self._pipe.send(self._try(session, ground, self._faults[name]))
        self.done = True
        return True

    def _asked(self) -> str | None:
        try:
            name: str | None = self._pipe.recv()
        except EOFError:  # who asked is gone
            return None
        return name

    def _try(self, session: pytest.Session, ground: Ground, fault: Fault) -> Trial:
        items = self._affected(session.items, fault)
        start, red, problem = time.monotonic(), {}, ""
        try:
            unseen = fault.reds - {name_of(item.nodeid) for item in items}
            if unseen:
                raise FaultError(f"the template is broken, and it is not used by {', '.join(sorted(unseen))}")
            with ground.broken(fault) as template:
                red = fork(self._injected(session, items, ground, fault, template).run, timeout=self._order.timeout)
        except PgMatrixError as error:
            red, problem = {}, error.wanted
        return Trial(fault=fault.name, red=red, ran=len(items), seconds=time.monotonic() - start, problem=problem)

    def _affected(self, items: Sequence[pytest.Item], fault: Fault) -> list[pytest.Item]:
        """The tests of the fault's layers, without those that cannot see it: a broken template shows in clones."""
        layers = layers_of(fault, self._order.contract)
        return [
            item
            for item in items
            if self._layers.get(name_of(item.nodeid)) in layers
            and (not fault.is_in_template or _OF_TEMPLATE & set(getattr(item, "fixturenames", ())))
        ]

    def _injected(
        self, session: pytest.Session, items: Sequence[pytest.Item], ground: Ground, fault: Fault, template: str
    ) -> Injected:
        provision = ground.provision
        return Injected(
            session=session,
            items=items,
            handover=Handover(
                server=provision.server,
                template=template,
                token=provision.token,
                facts=provision.facts.values(),
                stock=2,
                worker="red",
            ),
            changes=fault.changes,
            reference=f"{self._order.faults}={fault.name}",
        )
