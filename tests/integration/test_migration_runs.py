"""Layer 2, beyond the contract: migrations by whichever way and role they are run, and what a failing one leaves."""

from __future__ import annotations

import asyncio
from argparse import Namespace

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pgmatrix.databases.database import Database as Clone
from plant.core.errors import ConfigurationError, InsufficientPrivilege, LockTimeout, StatementRefused
from plant.database import migrate
from plant.database.bootstrap import bootstrap, bootstrap_sync
from tests.fixtures import catalog
from tests.fixtures.bare import Bare
from tests.fixtures.databases import APP, Superuser

HOLD = text("SELECT pg_advisory_lock(hashtextextended('plant.migrate', 0))")
LET_GO = text("SELECT pg_advisory_unlock(hashtextextended('plant.migrate', 0))")


async def test_migrator_and_superuser_make_the_same(bare: Bare, async_session: AsyncSession) -> None:
    """A database migrated by the migrator equals one migrated by the superuser, owners and grants included."""
    await bare.up()

    assert await bare.snapshot() == await catalog.snapshot(async_session)


async def test_wait_for_another_migrator_is_bounded(bare: Bare) -> None:
    """While another migrates, upgrade gives up with LockTimeout after lock_wait and has changed nothing."""
    before = await bare.snapshot()
    await bare.admin.execute(HOLD)
    async with asyncio.timeout(5):
        with pytest.raises(LockTimeout) as up:
            await migrate.upgrade(bare.url, lock_wait=0.02)
        with pytest.raises(LockTimeout) as down:
            await migrate.downgrade(bare.url, "base", lock_wait=0.02)
    after = await bare.snapshot()
    await bare.admin.execute(LET_GO)
    await asyncio.to_thread(migrate.upgrade_sync, bare.url, "001")
    later = await migrate.current(bare.url)
    await asyncio.to_thread(migrate.downgrade_sync, bare.url, "base")

    assert (up.value.sqlstate, down.value.sqlstate) == ("55P03", "55P03")
    assert after == before
    assert (later, await migrate.current(bare.url)) == ("001", None)


async def test_wait_for_a_table_is_bounded(bare: Bare) -> None:
    """A migration that meets a locked table gives up after lock_wait, so that readers do not queue behind it."""
    await bare.up("003")
    before = await bare.snapshot()
    await bare.admin.execute(text("BEGIN"))
    await bare.admin.execute(text("LOCK TABLE plant.skill IN ACCESS SHARE MODE"))
    with pytest.raises(LockTimeout) as caught:
        await migrate.upgrade(bare.url, "004", lock_wait=0.02)
    await bare.admin.execute(text("ROLLBACK"))

    assert caught.value.sqlstate == "55P03"
    assert await bare.snapshot() == before


async def test_failing_migration_changes_nothing(bare: Bare) -> None:
    """An upgrade that fails in its third revision leaves no trace of the first two."""
    await bare.admin.execute(text("CREATE TABLE plant.team ()"))
    before = await bare.snapshot()
    with pytest.raises(StatementRefused) as caught:
        await bare.up()

    assert caught.value.sqlstate == "42P07"
    assert await bare.snapshot() == before
    assert await migrate.current(bare.url) is None


async def test_offline_scripts_of_ranges_make_the_same(bare: Bare, async_session: AsyncSession) -> None:
    """Scripts of ranges, run one after another, equal the migrations, and those down to base leave nothing."""
    before = await bare.snapshot()
    for script in ("001", "001:003", "003:head"):
        await bare.run_script(migrate.sql(script))
    up = await bare.snapshot()
    for script in ("005:002", "002:base"):
        await bare.run_script(migrate.sql(script, down=True))

    assert up == await catalog.snapshot(async_session)
    assert await bare.snapshot() == before


async def test_alembic_command_makes_the_same(
    bare: Bare, async_session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The `alembic` command in the repository migrates the database of `-x url=` or PLANT_URL, up and down."""
    before = await bare.snapshot()
    given = Config(toml_file="pyproject.toml", cmd_opts=Namespace(x=[f"url={bare.url}"]))
    await asyncio.to_thread(command.upgrade, given, "head")
    up = await bare.snapshot()
    monkeypatch.setenv("PLANT_URL", bare.url)
    await asyncio.to_thread(command.downgrade, Config(toml_file="pyproject.toml", cmd_opts=Namespace(x=None)), "base")

    assert up == await catalog.snapshot(async_session)
    assert await bare.snapshot() == before


async def test_application_may_not_migrate(pg_clone: Clone, superuser: Superuser) -> None:
    """plant_app can neither upgrade nor downgrade, and can tell the revision."""
    app = pg_clone.url(APP)
    async with superuser() as admin:
        before = await catalog.snapshot(admin)
        for attempt in (migrate.upgrade(app), migrate.downgrade(app, "base")):
            with pytest.raises(InsufficientPrivilege) as caught:
                await attempt
            assert caught.value.sqlstate == "42501"
        after = await catalog.snapshot(admin)

    assert after == before
    assert await migrate.current(app) == "005"


async def test_unknown_revision_is_refused(bare: Bare) -> None:
    """A revision that does not exist is a ConfigurationError that names those that do."""
    caught = []
    for attempt in (migrate.upgrade(bare.url, "999"), migrate.downgrade(bare.url, "999")):
        with pytest.raises(ConfigurationError) as online:
            await attempt
        caught.append(online.value)
    with pytest.raises(ConfigurationError) as offline:
        migrate.sql("999")

    for error in (*caught, offline.value):
        assert error.field == "revision"
        assert str(error) == (
            "Can't locate revision identified by '999': name one of 001 to 005, head or base, or a range of them."
        )


async def test_database_without_bootstrap_is_refused(pg_empty: Clone) -> None:
    """Where bootstrap has not run, upgrade says so and makes nothing."""
    with pytest.raises(ConfigurationError) as caught:
        await migrate.upgrade(pg_empty.url())

    assert caught.value.field == "url"
    assert str(caught.value) == (
        "the database has no schema plant with its owner role and extensions: "
        "run `python -m plant bootstrap` on it once, as superuser."
    )
    assert await migrate.current(pg_empty.url()) is None


async def test_bootstrap_again_changes_nothing(pg_clone: Clone, superuser: Superuser) -> None:
    """A second bootstrap, of a migrated database too, leaves every object as it was."""
    async with superuser() as admin:
        before = await catalog.snapshot(admin)
        await asyncio.to_thread(bootstrap_sync, pg_clone.url())
        after = await catalog.snapshot(admin)

    assert after == before


async def test_bootstrap_refuses_what_it_cannot_prepare(pg_empty: Clone) -> None:
    """No superuser, or an extension the server lacks: bootstrap says which, and has made nothing."""
    with pytest.raises(ConfigurationError) as powerless:
        await bootstrap(pg_empty.url(APP))
    with pytest.raises(ConfigurationError) as lacking:
        await bootstrap(pg_empty.url(), extensions=["vector", "no-such-extension"])

    assert (str(powerless.value), powerless.value.field) == (
        "bootstrap needs a superuser, but plant_app is none: connect as one.",
        "url",
    )
    assert (str(lacking.value), lacking.value.field) == (
        "the server does not offer the extension no-such-extension: install its package on the server.",
        "extensions",
    )
    with pytest.raises(ConfigurationError, match="run `python -m plant bootstrap`"):
        await migrate.upgrade(pg_empty.url())
