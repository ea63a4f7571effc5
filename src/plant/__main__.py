"""`python -m plant`: bootstrap and migrate a database, verify, export and sign its audit trail.

It parses arguments and prints; all work is in the library. Exit code 0 for success, 1 for a chain that is not intact,
2 for everything that went wrong, with one line that says what to do.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from plant.core.config import Isolation, Settings
from plant.core.database import Database
from plant.core.errors import PlantError
from plant.database import migrate as migrations
from plant.database.bootstrap import bootstrap_sync
from plant.security import audit
from plant.security.audit_chain import Verdict
from plant.security.audit_checkpoint import Checkpoint, private_key, public_key
from plant.security.audit_export import export, verify_export

Result = TypeVar("Result")

app = typer.Typer(help="The data layer on PostgreSQL.", no_args_is_help=True, add_completion=False)
migrate_app = typer.Typer(help="Migrate the database, as plant_migrator.", no_args_is_help=True)
audit_app = typer.Typer(help="Verify, export and sign the audit trail, as plant_app.", no_args_is_help=True)
app.add_typer(migrate_app, name="migrate")
app.add_typer(audit_app, name="audit")

Url = Annotated[str, typer.Option(envvar="PLANT_URL", help="postgresql+asyncpg://user@host/db or +psycopg")]
Agent = Annotated[str, typer.Option(help="The governance agent whose chain it is.")]
Key = Annotated[Path, typer.Option(help="PEM file with an Ed25519 key.")]


@app.command()
def bootstrap(url: Url) -> None:
    """Create roles, extensions and the schema; once per database, as superuser."""
    bootstrap_sync(url)
    typer.echo("The database is ready for: python -m plant migrate up")


@migrate_app.command("up")
def migrate_up(url: Url, revision: str = "head") -> None:
    """Upgrade to a revision."""
    migrations.upgrade_sync(url, revision)
    typer.echo(f"The database is at revision {_run(migrations.current(url))}.")


@migrate_app.command("down")
def migrate_down(url: Url, revision: Annotated[str, typer.Argument(help="001 to 004, or base")]) -> None:
    """Downgrade to a revision; what the later revisions added is lost."""
    migrations.downgrade_sync(url, revision)
    typer.echo(f"The database is at revision {_run(migrations.current(url)) or 'base'}.")


@migrate_app.command("current")
def migrate_current(url: Url) -> None:
    """Print the revision the database is at."""
    typer.echo(_run(migrations.current(url)) or "base")


@migrate_app.command("sql")
def migrate_sql(revision: str = "head", down: bool = False) -> None:
    """Print the SQL script of the same migration; a range is written 001:003, downwards 005:base."""
    typer.echo(migrations.sql(revision, down=down))


@audit_app.command("verify")
def audit_verify(
    agent: Agent,
    url: Annotated[str, typer.Option(envvar="PLANT_URL")] = "",
    checkpoint: Annotated[Path | None, typer.Option(help="Checkpoints, one a line.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file with the signer's public key.")] = None,
    exported: Annotated[Path | None, typer.Option(help="Verify this export instead of a database.")] = None,
) -> None:
    """Recompute a chain, from the database or from an export."""
    public = public_key(key) if key else None
    if exported is not None:
        if public is None:
            raise typer.BadParameter("an export is proved by its signature: pass --key")
        with exported.open() as lines:
            return _report(verify_export(lines, public))
    marks = [Checkpoint.from_json(line) for line in checkpoint.read_text().splitlines()] if checkpoint else []
    return _report(_within(url, agent, lambda session: audit.verify(session, agent, checkpoints=marks, key=public)))


@audit_app.command("export")
def audit_export(url: Url, agent: Agent, key: Key, first: int = 1, last: int = audit.END) -> None:
    """Print entries `first` to `last` with their signed proof, one JSON object a line."""

    async def lines(session: Any) -> None:
        async for line in export(session, agent, private_key(key), first=first, last=last):
            typer.echo(line)

    _within(url, agent, lines)


@audit_app.command("checkpoint")
def audit_checkpoint(url: Url, agent: Agent, key: Key) -> None:
    """Verify a chain and print its signed end; keep it where the database's administrators cannot write."""
    typer.echo(_within(url, agent, lambda session: audit.checkpoint(session, agent, private_key(key))).to_json())


def _report(verdict: Verdict) -> None:
    name = verdict.governance_agent_id
    if verdict.intact:
        typer.echo(f"The chain of {name} is intact: {verdict.entries} entries.")
        return
    typer.echo(f"The chain of {name} is broken at entry {verdict.bad_seq}: {verdict.reason}.")
    raise typer.Exit(1)


def _within(url: str, agent: str, work: Callable[[Any], Coroutine[Any, Any, Result]]) -> Result:
    """Run `work(session)` in one read-only snapshot as the agent."""

    async def connected() -> Result:
        database = Database(Settings(url=url, read_url=None))
        try:
            async with database.session(agent, isolation=Isolation.REPEATABLE_READ, read_only=True) as session:
                return await work(session)
        finally:
            await database.close()

    return _run(connected())


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(work)


def main() -> NoReturn:
    """Entry point; a PlantError becomes one line on standard error."""
    try:
        app()
    except PlantError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)
    sys.exit(0)


if __name__ == "__main__":
    main()
