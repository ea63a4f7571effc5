"""A small pytest plugin: `--stress-seed N` runs the tests in the random order that belongs to N.

Inert without the option. All tests are shuffled together, so that neighbours in a file are torn apart too.
"""

from __future__ import annotations

import random

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--stress-seed", type=int, metavar="N", help="run all tests in the random order of this seed")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Which order it is."""
    seed = config.getoption("--stress-seed")
    return [] if seed is None else [f"random order: --stress-seed {seed}"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Shuffle what was collected; the same seed and the same tests give the same order."""
    seed = config.getoption("--stress-seed")
    if seed is not None:
        items.sort(key=lambda item: item.nodeid)
        random.Random(seed).shuffle(items)  # noqa: S311 (an order is no secret)
