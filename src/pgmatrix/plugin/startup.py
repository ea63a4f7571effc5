"""Owns what a process does before its tests are collected, so that starting costs less: libraries are imported before
coverage's tracer watches every line of them, and the garbage collector waits until what stays has been made.

Changes nothing that a test can see but what is in `sys.modules`.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterable

import pytest

from pgmatrix.errors import ConfigError
from pgmatrix.matrix import Driver


class Startup:
    """From the first moment of pytest until its tests are collected; `end` is the way out where that never comes."""

    name = "pgmatrix-startup"

    def __init__(self, names: Iterable[str], driver: Driver) -> None:
        self._names = tuple(name.replace("{driver}", driver) for name in names)
        self._paused = False

    def begin(self) -> None:
        """Pause the collector, and import. Raises ConfigError."""
        self._paused = gc.isenabled()
        gc.disable()
        for name in self._names:
            try:
                importlib.import_module(name)
            except ImportError as error:
                self.end()
                raise ConfigError(
                    f"cannot import {name}, which [tool.pgmatrix] preload names: {error}",
                    do_next="install it in this environment, or leave it out of preload",
                ) from error

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        """What has been imported and collected stays: never look at it again."""
        if self._paused:
            gc.freeze()
        self.end()

    def end(self) -> None:
        """Let the collector work again."""
        if self._paused:
            gc.enable()
        self._paused = False

    def pytest_unconfigure(self) -> None:
        """Also where no test was ever collected."""
        self.end()
