"""The rules of this folder hold: what connects or starts a process fails, what asyncio needs works."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

Failed: type[BaseException] = pytest.fail.Exception


def _connect() -> None:
    with socket.socket() as ours:
        ours.connect(("127.0.0.1", 1))


def _connect_unix() -> None:
    with socket.socket(socket.AF_UNIX) as ours:
        ours.connect_ex("/nowhere")


@pytest.mark.parametrize(
    ("attempt", "name"),
    [
        (_connect, "a connection (socket.connect)"),
        (_connect_unix, "a connection (socket.connect_ex)"),
        (lambda: subprocess.run([sys.executable, "-V"], check=False), "a process (Popen.__init__)"),
        (lambda: os.fork(), "a process (os.fork)"),
        (lambda: os.system("true"), "a process (os.system)"),  # noqa: S605
        (lambda: os._exit(0), "the end of all tests (os._exit)"),
    ],
)
def test_a_connection_or_a_process_fails_the_test(attempt: Callable[[], object], name: str) -> None:
    """A unit test that connects or starts a process fails, and the failure names the call."""
    with pytest.raises(Failed) as failure:
        attempt()

    assert f"a unit test wanted {name}" in str(failure.value)


@pytest.fixture(scope="module")
def helper() -> Iterator[ThreadPoolExecutor]:
    """A thread that was there before the test."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        yield pool


def test_who_was_there_before_goes_on(helper: ThreadPoolExecutor) -> None:
    """A thread of somebody else's connects as ever, while the test's own does not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()

        def connect() -> bool:
            with socket.socket() as ours:
                ours.connect(address)
            return True

        by_another = helper.submit(connect).result()
        with ThreadPoolExecutor(1) as own, pytest.raises(Failed):
            own.submit(connect).result()

    assert by_another


def test_asyncio_still_runs() -> None:
    """An event loop, which wakes itself through a socket pair, still starts and ends."""

    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    found = asyncio.run(answer())

    assert found == 42
