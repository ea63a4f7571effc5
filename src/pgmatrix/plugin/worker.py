"""Owns databases in the process that runs tests: the worker's own, clones from its stock, and their log lines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytest

from pgmatrix.clients import connect
from pgmatrix.databases.build import server_from
from pgmatrix.databases.database import Database
from pgmatrix.databases.stock import Stock
from pgmatrix.databases.template import server_values
from pgmatrix.plugin.logs import log_lines
from pgmatrix.provision import Provision
from pgmatrix.servers.protocol import Server

FAILED = pytest.StashKey[bool]()
USED = pytest.StashKey["list[str]"]()
KEPT = pytest.StashKey["list[str]"]()
_CLONING = ("pg_clone",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What a process that runs tests must know of the session's server. Travels through xdist's own pipe."""

    server: Server
    template: str
    token: str
    facts: dict[str, Any]
    stock: int
    worker: str = "main"
    ready_seconds: float = field(default=0.0)

    @classmethod
    def of(cls, provision: Provision, stock: int) -> Handover:
        """The handover of a provision."""
        return cls(
            server=provision.server,
            template=provision.template,
            token=provision.token,
            facts=provision.facts.values(),
            stock=stock,
            ready_seconds=provision.seconds,
        )

    def to_json(self) -> str:
        """As text, password included: it goes through xdist's pipe and nowhere else."""
        values = {name: getattr(self, name) for name in ("template", "token", "facts", "stock", "ready_seconds")}
        return json.dumps(values | {"server": server_values(self.server)})

    @classmethod
    def from_json(cls, text: str, worker: str) -> Handover:
        """What `to_json` wrote, for the worker of that name."""
        values = json.loads(text)
        return cls(**{**values, "server": server_from(values["server"]), "worker": worker})


class Worker:
    """Serves the fixtures of one process. `handover` is asked for when the first database is.

    Where it will refuse (`served` is false), it is asked by the tests that need it and not before.
    """

    name = "pgmatrix-worker"

    def __init__(self, handover: Callable[[], Handover], *, keep: bool, served: bool = True) -> None:
        self._handover = handover
        self._served = served
        self._keep = keep
        self._shared: Database | None = None
        self._stock: Stock | None = None
        self._remaining = 0

    @classmethod
    def of_xdist(cls, config: pytest.Config) -> Worker:
        """The worker that an xdist controller with pgmatrix started."""
        text = config.workerinput.get("pgmatrix")  # type: ignore[attr-defined]
        worker = config.workerinput["workerid"]  # type: ignore[attr-defined]

        def handover() -> Handover:
            if text is None:
                raise pytest.UsageError(
                    "no server was started for this run: none of its paths is in a layer of [tool.pgmatrix]\n"
                    "  do    add the file to a layer, or run it without -n"
                )
            return Handover.from_json(text, worker)

        return cls(handover, keep=config.getoption("--keep-databases"), served=text is not None)

    @cached_property
    def handover(self) -> Handover:
        """The session's server, as the controller proved it."""
        return self._handover()

    @property
    def server(self) -> Server:
        """The session's server."""
        return self.handover.server

    @property
    def stock(self) -> Stock:
        """This process's stock of clones."""
        if self._stock is None:
            order = self.handover
            self._stock = Stock(
                lambda: connect(order.server),
                template=order.template,
                token=order.token,
                worker=order.worker,
                size=order.stock,
            )
            self._stock.expect(self._remaining)
        return self._stock

    def shared(self) -> Database:
        """This process's own migrated database, the same every time."""
        if self._shared is None:
            self._shared = self._database(self.stock.take())
        return self._shared

    def clone(self) -> Database:
        """A migrated database nobody has used."""
        return self._database(self.stock.take())

    def empty(self) -> Database:
        """A database with nothing in it."""
        return self._database(self.stock.take_empty())

    def lend(self, node: pytest.Item, database: Database) -> None:
        """Note that a test uses a database, for its log lines."""
        node.stash[USED].append(database.name)

    def give_back(self, node: pytest.Item, database: Database) -> None:
        """Drop a test's database, or keep it if the test failed and that was asked for."""
        if self._keep and node.stash.get(FAILED, False):
            node.stash.setdefault(KEPT, []).append(database.name)
        else:
            self.stock.give_back(database.name)

    def _database(self, name: str) -> Database:
        return Database(name=name, server=self.server)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count the tests that will ask for a clone, so that no clone is made in vain."""
        names = [set(getattr(item, "fixturenames", ())) for item in session.items]
        self._remaining = sum(bool(found & set(_CLONING)) for found in names)
        self._remaining += any("pg_database" in found for found in names)
        if self._remaining and self._served and not session.config.option.collectonly:
            self.stock.expect(self._remaining)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note when a test starts, for its log lines."""
        item.stash[USED] = []
        item.stash[_STARTED] = time.time()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the server's log lines to a failure, and remember it."""
        report = yield
        if report.failed:
            item.stash[FAILED] = True
            names = self._databases_of(item)
            if names:
                lines = log_lines(self.server, names, item.stash[_STARTED])
                report.sections.append(("PostgreSQL log of this test", "\n".join(lines)))
        if report.when == "teardown" and KEPT in item.stash:
            kept: list[str] = item.stash[KEPT]
            report.user_properties.append(("pgmatrix_kept", ",".join(kept)))
        return report

    def _databases_of(self, item: pytest.Item) -> set[str]:
        shared = {self._shared.name} if self._shared and "pg_database" in getattr(item, "fixturenames", ()) else set()
        used: list[str] = item.stash[USED]
        return shared | set(used)

    def pytest_sessionfinish(self) -> None:
        """End the stock's thread."""
        if self._stock is not None:
            self._stock.close()


_STARTED = pytest.StashKey[float]()


def worker_of(config: pytest.Config) -> Worker:
    """The worker of this process. Raises UsageError in a project without the table."""
    found = config.pluginmanager.get_plugin(Worker.name)
    if not isinstance(found, Worker):
        raise pytest.UsageError("this project has no [tool.pgmatrix] table in its pyproject.toml\n  do    add one")
    return found
