"""What is only read: connecting, checking out, one row, a thousand rows, a chain, the nearest vectors."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import select, text

from pgmatrix.perf.contender import Contender
from pgmatrix.perf.results import Role
from plant.core.database import Database as Plant
from plant.core.reading import by_id
from plant.ml.search import search
from plant.models import Industry, Skill
from plant.security.audit import verify, verify_in_server
from tests.perf.measure import MeasurementFailed
from tests.perf.plant.bare import open_bare
from tests.perf.workloads.stage import APP, CHAIN, CHAINED, LARGE, QUERIES, RANGE, RANGES, K, Stage
from tests.perf.workloads.ways import BARE, PLANT, Way, by_client, pgbench

ONE = text("SELECT 1")
JOINED = "SELECT * FROM plant.base_entity JOIN plant.skill USING (governance_agent_id, id) WHERE id = $1"
ENTRIES = "SELECT * FROM plant.audit_log ORDER BY seq"
NEAREST = "SELECT id FROM plant.skill ORDER BY embedding <=> $1::vector LIMIT 10"


def connect(stage: Stage) -> Iterator[Contender]:
    """A new connection, ready for use, and closed again."""

    async def by_plant(_: int) -> None:
        async with stage.connecting.engine.connect() as connection:
            await connection.invalidate()

    async def bare(_: int) -> None:
        await (await open_bare(stage.guarded, APP)).close()

    size = "one connection with pgvector's codec, opened and closed"
    yield Way(workload="connect", variant=PLANT, stage=stage, work=by_plant, size=size)
    yield Way(workload="connect", variant=BARE, role=Role.BARE, stage=stage, work=bare, size=size)


def checkout(stage: Stage) -> Iterator[Contender]:
    """SELECT 1 on a connection from the pool, beside the same on one that is open."""

    async def by_plant(_: int) -> None:
        async with stage.plant.engine.connect() as connection:
            await connection.execute(ONE)

    size = "a connection from the pool, SELECT 1, given back clean"
    yield Way(workload="checkout", variant=PLANT, stage=stage, work=by_plant, size=size)
    work = by_client(stage, lambda raw, _: raw.run("SELECT 1"))
    yield Way(workload="checkout", variant=BARE, role=Role.BARE, stage=stage, work=work, size=size)
    yield pgbench(stage, "checkout", "SELECT 1;\n", size=size)


def point_read(stage: Stage) -> Iterator[Contender]:
    """One skill by id, embedding included, of many; with row-level security and without."""
    query = str(by_id(Skill).compile(dialect=stage.plant.engine.dialect))
    size = f"one of {stage.number:,} skills by its id, in a transaction of an agent"

    def through(plant: Callable[[], Plant]) -> Any:
        async def once(_: int) -> None:
            if await plant().get(Skill, random.choice(stage.readable), agent=LARGE) is None:
                raise MeasurementFailed("a skill that is there was not found")

        return once

    explained = ("SELECT * FROM plant.base_entity JOIN plant.skill USING (governance_agent_id, id) WHERE id = $1",)
    plan = (LARGE, (explained[0], [stage.readable[0]]))
    yield Way(
        workload="point-read", variant=PLANT, stage=stage, work=through(lambda: stage.plant), explained=plan, size=size
    )
    work = by_client(stage, lambda raw, _: raw.read(LARGE, query, random.choice(stage.readable)))
    yield Way(workload="point-read", variant=BARE, role=Role.BARE, stage=stage, work=work, size=size)
    free = through(lambda: stage.unguarded)
    yield Way(workload="point-read", variant="rls-off", role=Role.LIMIT, stage=stage, work=free, size=size)
    yield pgbench(stage, "point-read", _point_script(stage), size=size)


def _point_script(stage: Stage) -> str:
    return (
        f"BEGIN;\nSELECT set_config('app.current_agent_id', '{LARGE}', true);\n"
        f"{JOINED.replace('$1', repr(str(stage.readable[0])))};\nCOMMIT;\n"
    )


def range_read(stage: Stage) -> Iterator[Contender]:
    """A thousand entities of an agent."""
    statement = select(Industry).where(Industry.governance_agent_id == RANGES).limit(RANGE)
    literal = statement.compile(dialect=stage.plant.engine.dialect, compile_kwargs={"literal_binds": True})
    size = f"{RANGE:,} industries, joined with what they inherit"

    async def by_plant(_: int) -> None:
        async with stage.plant.session(RANGES) as session:
            if len((await session.scalars(statement)).all()) != RANGE:
                raise MeasurementFailed(f"a range has not {RANGE} rows")

    plan = (RANGES, (str(literal), ()))
    yield Way(workload="range-read", variant=PLANT, stage=stage, work=by_plant, explained=plan, size=size)
    work = by_client(stage, lambda raw, _: raw.together(RANGES, (str(literal), ())))
    yield Way(workload="range-read", variant=BARE, role=Role.BARE, stage=stage, work=work, size=size)
    script = f"BEGIN;\nSELECT set_config('app.current_agent_id', '{RANGES}', true);\n"
    yield pgbench(stage, "range-read", script + " ".join(str(literal).split()) + ";\nCOMMIT;\n", size=size)


def chain_verify(stage: Stage) -> Iterator[Contender]:
    """A chain of a thousand entries judged here, and in the server; beside reading its rows."""
    size = f"a chain of {CHAIN:,} entries"

    def by(judge: Any) -> Any:
        async def once(_: int) -> None:
            async with stage.plant.session(CHAINED) as session:
                verdict = await judge(session, CHAINED)
            if not verdict.intact or verdict.entries != CHAIN:
                raise MeasurementFailed(f"the chain was judged wrongly: {verdict}")

        return once

    plan = (CHAINED, (ENTRIES, ()))
    yield Way(workload="chain-verify", variant=PLANT, stage=stage, work=by(verify), explained=plan, size=size)
    server = by(verify_in_server)
    yield Way(workload="chain-verify", variant="in-server", role=Role.LIMIT, stage=stage, work=server, size=size)
    work = by_client(stage, lambda raw, _: raw.together(CHAINED, (ENTRIES, ())))
    yield Way(workload="chain-verify", variant=BARE, role=Role.BARE, stage=stage, work=work, size=size)


def nearest(stage: Stage) -> Iterator[Contender]:
    """The ten nearest of an agent's vectors by the index, with their recall, beside the exact scan."""
    size = f"the {K} nearest of {stage.number:,} vectors"
    right = stage.right

    def by(exact: bool, figures: dict[str, float]) -> Any:
        async def once(_: int) -> None:
            number = random.randrange(QUERIES)
            async with stage.plant.session(LARGE) as session:
                found = await search(session, stage.queries[number], k=K, exact=exact)
            hits = len({match.id for match in found} & right[number])
            figures["searches"] = figures.get("searches", 0) + 1
            figures["hits"] = figures.get("hits", 0) + hits
            figures["recall"] = figures["hits"] / figures["searches"] / K

        return once

    for variant, role, exact in ((PLANT, Role.SUBJECT, False), ("exact", Role.LIMIT, True)):
        figures: dict[str, float] = {}
        yield Way(
            workload="search",
            variant=variant,
            role=role,
            stage=stage,
            work=by(exact, figures),
            figures=figures,
            explained=(LARGE, (NEAREST, [stage.queries[0]])),
            size=size,
        )
    work = by_client(stage, lambda raw, _: raw.together(LARGE, (NEAREST, [random.choice(stage.queries)])))
    yield Way(workload="search", variant=BARE, role=Role.BARE, stage=stage, work=work, size=size)
