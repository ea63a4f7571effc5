"""Owns the server on which faults are tried one after the other: a broken template for each, and nothing left of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pgmatrix.clients import Client, ClientError, connect, quote_text
from pgmatrix.config import ProviderName
from pgmatrix.databases.names import clone_name, clone_pattern
from pgmatrix.databases.stock import clone
from pgmatrix.databases.template import drop
from pgmatrix.errors import FaultError
from pgmatrix.provision import Provision
from pgmatrix.teeth import catalog
from pgmatrix.teeth.faults import Fault


class Ground:
    """One server with a sound template. Raises FaultError for faults that cannot be injected or change nothing."""

    def __init__(self, provision: Provision) -> None:
        self.provision = provision
        self._numbers = 0
        self._spoiled_by = ""
        with self._client() as admin:
            self._cluster = catalog.cluster(admin)
            name = self._new(admin)
            with self._client(name) as client:
                self._sound = catalog.definitions(client)
            drop(admin, name)

    @contextlib.contextmanager
    def broken(self, fault: Fault) -> Iterator[str]:
        """The name of the template to clone from: a broken copy where the fault has SQL, else the sound one.

        No connection is open inside, so that the process may be forked.
        """
        if fault.undo and self.provision.server.provider is ProviderName.EXTERNAL:
            raise FaultError(
                f"the fault {fault.name} changes roles or settings of the whole server, and this one is external",
                do_next="run it with --pg-provider embedded or container",
            )
        if self._spoiled_by:
            raise FaultError(f"was not tried, because the fault {self._spoiled_by} has left the server changed")
        try:
            yield self._break(fault) if fault.sql else self.provision.template
        finally:
            self._mend(fault)

    def _break(self, fault: Fault) -> str:
        with self._client() as admin:
            name = self._new(admin)
            with self._client(name) as client:
                self._run(client, fault.name, fault.sql)
                changed = catalog.definitions(client) != self._sound
            if not changed and catalog.cluster(admin) == self._cluster:
                raise FaultError(
                    f"the SQL of the fault {fault.name} changed nothing in the catalog",
                    do_next="give it statements that break something",
                )
        return name

    def _mend(self, fault: Fault) -> None:
        with self._client() as admin:
            self._run(admin, fault.name, fault.undo)
            pattern = quote_text(clone_pattern(self.provision.token))
            for (name,) in admin.execute(f"select datname from pg_database where datname like {pattern}"):
                drop(admin, name)
            if catalog.cluster(admin) != self._cluster:
                self._spoiled_by = fault.name
                raise FaultError(
                    f"the fault {fault.name} left roles or settings of the server changed",
                    do_next="add to its undo what takes that back",
                )

    def _new(self, admin: Client) -> str:
        name = clone_name(self.provision.token, "broken", self._numbers)
        self._numbers += 1
        clone(admin, name, self.provision.template)
        return name

    @staticmethod
    def _run(client: Client, fault: str, statements: tuple[str, ...]) -> None:
        for statement in statements:
            try:
                client.execute(statement)
            except ClientError as error:
                raise FaultError(
                    f"the server refuses SQL of the fault {fault}: {error.wanted}: {statement}",
                    do_next="correct the statement",
                ) from error

    @contextlib.contextmanager
    def _client(self, database: str | None = None) -> Iterator[Client]:
        client = connect(self.provision.server, database=database)
        try:
            yield client
        finally:
            client.close()
