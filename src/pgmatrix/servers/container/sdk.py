"""Owns what goes through testcontainers and the Docker SDK below it: running a container, pulling an image.

Both are imported here alone and only when used; without the extra `container` the rest of the package works.
Never starts testcontainers' reaper: its image may be out of reach, and our own watchdog does its work.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pgmatrix.servers.container.script import PORT, Start

# Seconds without a sign of life after which a pull is given up.
_SILENCE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerOrder:
    """A container to run; `shared_memory` in bytes. `repr` hides how it starts, with the password in it."""

    image: str
    name: str
    publish: str
    start: Start = field(repr=False)
    labels: Mapping[str, str]
    tmpfs: Mapping[str, str]
    shared_memory: int


class SdkError(Exception):
    """The SDK, the engine or a registry said no; the text is theirs, in one line."""


def missing() -> str | None:
    """Why containers cannot be run from this Python, or None."""
    if importlib.util.find_spec("testcontainers") is None:
        return "testcontainers is not installed; pip install 'pgmatrix[container]'"
    return None


def run(address: str, order: ContainerOrder) -> None:
    """Create and start a container. Raises SdkError; a container may exist then, under the order's name."""
    core = importlib.import_module("testcontainers.core.container")
    with _errors(), _without_reaper():
        container = core.DockerContainer(order.image, docker_client_kw=_client(address))
        try:
            container.image = order.image  # an exact id: no registry prefix before it
            container.env = dict(order.start.environment)
            container.ports = {f"{PORT}/tcp": (order.publish, None)}
            container.tmpfs = dict(order.tmpfs)
            container.with_name(order.name).with_command(list(order.start.command))
            container.with_kwargs(
                entrypoint=list(order.start.entrypoint),
                user=order.start.user or None,
                labels=dict(order.labels),
                shm_size=order.shared_memory,
                healthcheck={"test": ["NONE"]},
            )
            container.start()
        finally:
            container.get_docker_client().client.close()


def pull(address: str, image: str, *, timeout: float) -> None:
    """Pull `image` with the user's own credentials, in at most about `timeout` seconds. Raises SdkError."""
    docker = importlib.import_module("docker")
    deadline = time.monotonic() + timeout
    with (
        _errors(),
        contextlib.closing(docker.from_env(**(_client(address) | {"timeout": _SILENCE}))) as client,
    ):
        for line in client.api.pull(image, stream=True, decode=True):
            if "error" in line:
                raise SdkError(_one_line(line["error"]))
            if time.monotonic() > deadline:
                raise SdkError(f"not pulled within {timeout:g} s")


def _client(address: str) -> dict[str, Any]:
    return {"environment": dict(os.environ) | {"DOCKER_HOST": address}, "timeout": 60}


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    docker = importlib.import_module("docker.errors")
    requests = importlib.import_module("requests")
    try:
        yield
    except (docker.DockerException, requests.RequestException, OSError) as error:
        raise SdkError(_one_line(getattr(error, "explanation", None) or error)) from error


@contextlib.contextmanager
def _without_reaper() -> Iterator[None]:
    config = importlib.import_module("testcontainers.core.config").testcontainers_config
    before, config.ryuk_disabled = config.ryuk_disabled, True
    try:
        yield
    finally:
        config.ryuk_disabled = before


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
