"""Choosing the driver's module and opening connections with it, in bounded time and with typed errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, cast

from plant.core.config import Driver
from plant.core.drivers.backend import Backend, Target
from plant.core.drivers.failures import translate_connect
from plant.core.errors import ConfigurationError


def backend_for(driver: Driver) -> Backend:
    """The driver's module; raises ConfigurationError if the driver is not installed."""
    try:
        return cast("Backend", import_module(f"plant.core.drivers.on_{driver}"))
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the URL asks for the driver {driver}, which is not installed: install it, or name the other driver.",
            field="url",
        ) from error


def opener(target: Target, backend: Backend) -> Callable[..., Awaitable[Any]]:
    """A function for SQLAlchemy's `async_creator_fn`: opens a connection or raises ConnectFailed or
    ConnectTimeout.
    """

    async def opened(*_: Any, **arguments: Any) -> Any:
        try:
            async with asyncio.timeout(target.connect_timeout):
                return await backend.connect(target, arguments)
        except Exception as error:
            raise translate_connect(error, target.address, target.connect_timeout) from error

    return opened
