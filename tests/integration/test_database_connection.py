from sqlalchemy import text
async def test_smoke(create_test_agent, async_session):
    """Smoke."""
    a = await create_test_agent()
    assert a.version == 1
async def test_two(plant_db):
    """Clone."""
    async with plant_db.session("agent-a") as s:
        assert (await s.execute(text("select current_user"))).scalar() == "plant_app"
