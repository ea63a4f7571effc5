"""Owns a worker's clones: a few kept ready, refilled and dropped in the background by one thread with one connection.

Clones only what the remaining tests can still need. Names come from `names`, the copy strategy from STRATEGY.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from pgmatrix.clients import Client, ClientError, quote_name
from pgmatrix.databases.names import clone_name
from pgmatrix.databases.template import create_empty, drop
from pgmatrix.errors import DatabaseError

STRATEGY = "file_copy"


class Stock:
    """Clones of one template for one worker. `connect` opens the connection the background thread works through."""

    def __init__(self, connect: Callable[[], Client], *, template: str, token: str, worker: str, size: int) -> None:
        self._connect = connect
        self._template = template
        self._token = token
        self._worker = worker
        self._size = size
        self._numbers = 0
        self._demand = 0
        self._waiting: deque[tuple[bool, Future[str]]] = deque()
        self._ready: deque[str] = deque()
        self._used: deque[str] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    def expect(self, clones: int) -> None:
        """Say how many more clones will be asked for; the stock is never filled beyond that."""
        with self._changed:
            self._demand = clones
            self._wake()

    def take(self) -> str:
        """A clone nobody has used. At once from a warm stock, else as soon as it is made. Raises DatabaseError."""
        with self._changed:
            self._demand = max(0, self._demand - 1)
            if self._ready:
                name = self._ready.popleft()
                self._wake()
                return name
            future = self._ask(empty=False)
        return future.result()

    def take_empty(self) -> str:
        """A database with nothing in it. Raises DatabaseError."""
        with self._changed:
            future = self._ask(empty=True)
        return future.result()

    def give_back(self, name: str) -> None:
        """Drop `name` in the background."""
        with self._changed:
            self._used.append(name)
            self._wake()

    def close(self) -> None:
        """End the thread. What is left on the server is its owner's to drop."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=30)

    def _ask(self, *, empty: bool) -> Future[str]:
        """Wait in line. Under the lock that found nothing ready: a clone made in between would go to nobody."""
        future: Future[str] = Future()
        self._waiting.append((empty, future))
        self._wake()
        return future

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="pgmatrix-stock", daemon=True)
            self._thread.start()
        if self._failure is not None:
            self._refuse_all(self._failure)
        self._changed.notify_all()

    def _run(self) -> None:
        client: Client | None = None
        why = "the stock has ended"
        try:
            client = self._connect()
            while self._step(client):
                pass
        except ClientError as error:
            why = error.wanted
        except BaseException as error:
            why = f"its thread ended with {type(error).__name__}: {error}"
            raise
        finally:
            with self._changed:  # also after what nobody foresaw: a test must not wait for ever
                self._failure = DatabaseError(
                    f"cannot clone the template {self._template}: {why}",
                    do_next="see the server's log; a full disk and a lost server look like this",
                )
                self._refuse_all(self._failure)
            if client is not None:
                with contextlib.suppress(ClientError):
                    client.close()

    def _refuse_all(self, failure: BaseException) -> None:
        while self._waiting:
            self._waiting.popleft()[1].set_exception(failure)

    def _step(self, client: Client) -> bool:
        """Do the most urgent thing: serve a waiting test, fill the stock, drop what was used, or wait."""
        with self._changed:
            while not (self._closing or self._waiting or self._used or self._lacking()):
                self._changed.wait()
            if self._closing:
                return False
            empty = self._waiting[0][0] if self._waiting else False
            used = None if self._waiting or self._lacking() else self._used.popleft()
        if used is not None:
            drop(client, used)
        else:
            self._hand_over(self._make(client, empty=empty), empty=empty)
        return True

    def _make(self, client: Client, *, empty: bool) -> str:
        name = clone_name(self._token, self._worker, self._numbers)
        self._numbers += 1
        if empty:
            create_empty(client, name)
        else:
            clone(client, name, self._template)
        return name

    def _hand_over(self, name: str, *, empty: bool) -> None:
        """Give a new database to who waits for its kind, else keep it ready."""
        with self._changed:
            for place, (wants_empty, future) in enumerate(self._waiting):
                if wants_empty == empty:
                    del self._waiting[place]
                    future.set_result(name)
                    return
            self._ready.append(name)

    def _lacking(self) -> bool:
        return len(self._ready) < min(self._size, self._demand)


def clone(client: Client, name: str, template: str) -> None:
    """Copy `template` to a new database `name`."""
    client.execute(f"create database {quote_name(name)} template {quote_name(template)} strategy {STRATEGY}")
