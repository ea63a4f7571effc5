"""A pytest plugin, written by hand: the fewest steps from a data folder to a server, with nothing checked."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SERVERS = json.loads(os.environ["PERF_SERVERS"])
MAJOR, DRIVER = os.environ["PERF_SESSION"].removeprefix("pg").split("-")[:2]
OPTIONS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "listen_addresses=")


def pytest_configure() -> None:
    """Import what the session's tests need anyway, as a session of ours has by the time its server is asked for."""
    importlib.import_module(DRIVER)


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """A copy of a data folder, PostgreSQL on it, and a driver that got an answer."""
    order = SERVERS[MAJOR]
    with tempfile.TemporaryDirectory(dir=order["place"]) as folder:
        data = Path(folder, "data")
        account = order["account"]
        if account:
            os.chown(folder, account["user"], account["group"])
        subprocess.run(["cp", "-R", "-p", order["data"], data], check=True, **account)
        options = [word for option in (*OPTIONS, f"unix_socket_directories={folder}") for word in ("-c", option)]
        argv = [order["postgres"], "-D", str(data), *options]
        server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **account)
        try:
            _wait(_CONNECT[DRIVER], folder)
            yield f"postgresql+{DRIVER}://postgres@/postgres?host={folder}&port=5432"
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait()


def _wait(connect: Callable[[str], None], folder: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            connect(folder)
        except Exception as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"PostgreSQL {MAJOR} does not answer") from error
            time.sleep(0.01)
        else:
            return


def _asyncpg(folder: str) -> None:
    driver = importlib.import_module("asyncpg")

    async def ask() -> None:
        connection = await driver.connect(host=folder, user="postgres", database="postgres")
        await connection.fetchval("select 1")
        await connection.close()

    asyncio.run(ask())


def _psycopg(folder: str) -> None:
    driver = importlib.import_module("psycopg")
    with driver.connect(host=folder, user="postgres", dbname="postgres") as connection:
        connection.execute("select 1")


_CONNECT = {"asyncpg": _asyncpg, "psycopg": _psycopg}
