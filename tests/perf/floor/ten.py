"""Ten tests that ask a server for nothing, through SQLAlchemy and a driver."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


@pytest.fixture(scope="session")
async def engine(url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on the session's database."""
    made = create_async_engine(url)
    yield made
    await made.dispose()


@pytest.mark.parametrize("number", range(10))
async def test_select_one(engine: AsyncEngine, number: int) -> None:
    """The server answers."""
    async with engine.connect() as connection:
        found = await connection.scalar(text("select 1"))

    assert found == 1
