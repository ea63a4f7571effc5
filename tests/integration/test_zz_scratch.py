import time
from plant.database.bootstrap import bootstrap
from plant.database.migrate import upgrade, downgrade, current, sql
async def test_m(pg_empty):
    def lap(what):
        nonlocal t; n=time.perf_counter(); print(f"{what}: {(n-t)*1000:.0f} ms"); t=n
    t=time.perf_counter()
    await bootstrap(pg_empty.url()); lap("boot")
    u=pg_empty.url("plant_migrator")
    await upgrade(u); lap("head")
    await downgrade(u,"base"); lap("base")
    prev="base"
    for r in ["001","002","003","004","005"]:
        await upgrade(u,r); lap("up "+r)
        await downgrade(u,prev); lap("down")
        await upgrade(u,r); lap("up "+r)
        prev=r
    await upgrade(u); lap("noop")
    await current(u); lap("current")
    sql(); lap("sql")
