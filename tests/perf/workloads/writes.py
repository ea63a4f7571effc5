"""What is written, each commit durable: one entity, many, COPY, an update, five statements, the audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import BigInteger, Column, DateTime, MetaData, Table, Text, Uuid, bindparam, func, select, update

from pgmatrix.perf.contender import Contender
from pgmatrix.perf.limits import Disk
from pgmatrix.perf.results import Role
from plant.core.bulk import bulk_insert, copy_in
from plant.core.reading import by_id
from plant.models import BaseEntity, Industry
from tests.perf.measure import MeasurementFailed
from tests.perf.plant.rows import BASE_COLUMNS, INDUSTRY_COLUMNS, columns, facts, industries
from tests.perf.workloads.stage import CLIENTS, SHARED, Stage
from tests.perf.workloads.ways import BARE, PLANT, Way, pgbench

MANY: Final = 100
COPIED: Final = 1_000
WRITERS: Final = (1, 8)
_numbers = count(1_000_000)
COPY_TABLE = Table(
    "perf_copy",
    MetaData(),
    Column("id", Uuid),
    Column("name", Text),
    Column("description", Text),
    Column("number", BigInteger),
    Column("at", DateTime(timezone=True)),
)
COPY_COLUMNS = tuple(column.name for column in COPY_TABLE.columns)
_table: Any = BaseEntity.__table__
CHANGE = update(_table).where(_table.c.id == bindparam("entity")).values(description=bindparam("text"))
UPDATE = "UPDATE plant.base_entity SET description = $1 WHERE id = $2"
_places = ", ".join(f"${number}" for number in range(1, len(BASE_COLUMNS) + 1))
INSERT_BASE = f"INSERT INTO plant.base_entity ({', '.join(BASE_COLUMNS)}) VALUES ({_places})"
INSERT_INDUSTRY = f"INSERT INTO plant.industry ({', '.join(INDUSTRY_COLUMNS)}) VALUES ($1, $2, $3, $4)"


def _new(number: int, agent: str) -> list[Industry]:
    return industries(facts(number, next(_numbers)), agent)


def _rows(made: list[Industry], as_json: Any) -> tuple[list[list[Any]], list[list[Any]]]:
    """The entities' rows for the bare driver."""
    base = [[_plain(row[name], as_json) for name in BASE_COLUMNS] for row in columns(made, BASE_COLUMNS)]
    return base, [[row[name] for name in INDUSTRY_COLUMNS] for row in columns(made, INDUSTRY_COLUMNS)]


def _plain(value: Any, as_json: Any) -> Any:
    return as_json(dict(value)) if isinstance(value, dict) else list(value) if isinstance(value, list) else value


def inserting(stage: Stage) -> Iterator[Contender]:
    """One new entity by the ORM, and a hundred in bulk: two tables, audited, committed."""
    agents = stage.agents

    async def one(client: int) -> None:
        async with stage.plant.session(agents[client]) as session:
            session.add(_new(1, agents[client])[0])

    async def many(client: int) -> None:
        made = _new(MANY, agents[client])
        async with stage.plant.session(agents[client]) as session:
            await bulk_insert(session, BaseEntity.__table__, columns(made, BASE_COLUMNS))  # type: ignore[arg-type]
            await bulk_insert(session, Industry.__table__, columns(made, INDUSTRY_COLUMNS))  # type: ignore[arg-type]

    def by_driver(number: int) -> Any:
        async def once(client: int) -> None:
            raw = stage.bare[client]
            base, own = _rows(_new(number, agents[client]), raw.json)
            if number == 1:
                await raw.together(agents[client], (INSERT_BASE, base[0]), (INSERT_INDUSTRY, own[0]))
            else:
                await raw.many(agents[client], (INSERT_BASE, base), (INSERT_INDUSTRY, own))

        return once

    for workload, work, number in (("orm-insert", one, 1), ("bulk-insert", many, MANY)):
        size = f"{number} new of kind industry, hashed, audited, one commit"
        yield Way(workload=workload, variant=PLANT, stage=stage, work=work, size=size)
        yield Way(workload=workload, variant=BARE, role=Role.BARE, stage=stage, work=by_driver(number), size=size)


def copying(stage: Stage) -> Iterator[Contender]:
    """COPY into a plain table: row-level security does not know it."""
    known = [(uuid4(), f"name {n}", "word " * 20, n, datetime.now(UTC)) for n in range(COPIED)]
    size = f"{COPIED:,} rows of five columns, one commit"
    payload = sum(len(str(row)) for row in known)

    async def by_plant(_: int) -> None:
        async with stage.plant.session() as session:
            if await copy_in(session, COPY_TABLE, COPY_COLUMNS, known) != COPIED:
                raise MeasurementFailed("COPY stored another number of rows")

    async def empty() -> None:
        await stage.bare[0].run("TRUNCATE public.perf_copy")

    async def bare(client: int) -> None:
        await stage.bare[client].copy([("perf_copy", COPY_COLUMNS, known)], schema="public")

    yield Way(workload="copy", variant=PLANT, stage=stage, work=by_plant, after=empty, size=size)
    yield Way(workload="copy", variant=BARE, role=Role.BARE, stage=stage, work=bare, after=empty, size=size)
    folder = stage.folder
    absent = "" if folder else "the disk of this server's data is not reachable from here"
    yield Disk(workload="copy", payload=payload, folder=folder or stage.here, absent=absent, size=size)


def updating(stage: Stage) -> Iterator[Contender]:
    """One entity read, changed and committed: its version goes up by one, its trail by an entry."""
    agents, entities = stage.agents, stage.entities
    numbers = count()

    async def by_plant(client: int) -> None:
        agent = agents[client]
        async with stage.plant.session(agent) as session:
            found = await session.scalar(by_id(Industry), {"entity_id": entities[agent][0]})
            if found is None:
                raise MeasurementFailed("an entity that is there was not found")
            found.description = f"text {next(numbers)}"

    read = "SELECT * FROM plant.base_entity JOIN plant.industry USING (governance_agent_id, id) WHERE id = $1"

    async def bare(client: int) -> None:
        entity = entities[agents[client]][0]
        change = (UPDATE + " RETURNING version", [f"text {next(numbers)}", entity])
        await stage.bare[client].together(agents[client], (read, [entity]), change)

    size = "an entity read, changed, its version raised, audited, one commit"
    plan = (agents[0], (UPDATE, ["text", entities[agents[0]][0]]))
    yield Way(workload="update", variant=PLANT, stage=stage, work=by_plant, explained=plan, size=size)
    yield Way(workload="update", variant=BARE, role=Role.BARE, stage=stage, work=bare, size=size)
    first = entities[agents[0]][0]
    script = f"BEGIN;\nSELECT set_config('app.current_agent_id', '{agents[0]}', true);\n"
    script += read.replace("$1", f"'{first}'") + ";\n"
    script += f"UPDATE plant.base_entity SET description = 'text ' || random() WHERE id = '{first}';\nCOMMIT;\n"
    yield pgbench(stage, "update", script, clients=(1,), size=size)  # one entity: more clients would only queue


def five(stage: Stage) -> Iterator[Contender]:
    """A transaction of five statements: two reads, an update, a count, a list."""
    agents, entities = stage.agents, stage.entities
    numbers = count()
    listed = select(Industry.name).order_by(Industry.id).limit(10)
    counted = select(func.count()).select_from(Industry)

    async def by_plant(client: int) -> None:
        agent = agents[client]
        async with stage.plant.session(agent) as session:
            found = await session.scalar(by_id(Industry), {"entity_id": entities[agent][0]})
            if found is None:
                raise MeasurementFailed("an entity that is there was not found")
            found.description = f"text {next(numbers)}"
            await session.flush()
            await session.scalar(counted.where(Industry.id == found.id))
            await session.scalars(listed.where(Industry.id == found.id))

    read = "SELECT * FROM plant.base_entity JOIN plant.industry USING (governance_agent_id, id) WHERE id = $1"
    joined = "FROM plant.base_entity AS b JOIN plant.industry AS i ON i.id = b.id WHERE i.id = $1"

    async def bare(client: int) -> None:
        entity = entities[agents[client]][0]
        await stage.bare[client].together(
            agents[client],
            (read, [entity]),
            (UPDATE, [f"text {next(numbers)}", entity]),
            ("SELECT version, updated_at FROM plant.base_entity WHERE id = $1", [entity]),
            (f"SELECT count(*) {joined}", [entity]),
            (f"SELECT b.name {joined} ORDER BY i.id LIMIT 10", [entity]),
        )

    size = "read, update, its new values, count, list; audited, one commit"
    yield Way(workload="transaction", variant=PLANT, stage=stage, work=by_plant, size=size)
    yield Way(workload="transaction", variant=BARE, role=Role.BARE, stage=stage, work=bare, size=size)


def appending(stage: Stage) -> Iterator[Contender]:
    """One statement, one new version, one entry: every writer on a chain of its own, and all on one."""
    own = [(agent, stage.entities[agent][0]) for agent in stage.agents]
    shared = [(SHARED, stage.shared[number]) for number in range(CLIENTS)]
    numbers = count()

    def through(chains: Any) -> Any:
        async def once(client: int) -> None:
            agent, entity = chains[client]
            async with stage.plant.session(agent) as session:
                await session.execute(CHANGE, {"entity": entity, "text": f"text {next(numbers)}"})

        return once

    def driven(chains: Any) -> Any:
        async def once(client: int) -> None:
            agent, entity = chains[client]
            await stage.bare[client].run(
                f"BEGIN; SELECT set_config('app.current_agent_id', '{agent}', true); UPDATE plant.base_entity"
                f" SET description = 'text {next(numbers)}' WHERE id = '{entity}'; COMMIT"
            )

        return once

    for workload, chains, where in (("audit-append", own, "of its own"), ("audit-append-shared", shared, "of all")):
        size = f"one change and its entry on a chain {where}, one commit"
        yield Way(workload=workload, variant=PLANT, stage=stage, work=through(chains), clients=WRITERS, size=size)
        bare = driven(chains)
        yield Way(workload=workload, variant=BARE, role=Role.BARE, stage=stage, work=bare, clients=WRITERS, size=size)
