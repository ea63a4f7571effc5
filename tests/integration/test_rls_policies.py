"""Placeholder for timing."""
from sqlalchemy import text
import pytest
@pytest.mark.parametrize("n", range(10))
async def test_one(async_session, n):
    """x"""
    assert (await async_session.execute(text("select 1"))).scalar() == 1
