"""The same trivial test with and without a transaction that is rolled back. Run by `rollback.py`, not collected."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

pytest_plugins = ["tests.fixtures.databases"]

NUMBERS = range(301)  # the first of each kind pays for what is made once


@pytest.mark.parametrize("number", NUMBERS)
async def test_with_session(async_session: AsyncSession, number: int) -> None:
    """One statement in a transaction that is rolled back."""
    found = await async_session.scalar(text("select 1"))

    assert found == 1


@pytest.mark.parametrize("number", NUMBERS)
async def test_without(number: int) -> None:
    """Nothing."""
    found = 1

    assert found == 1
