"""Layer 5, beyond the contract: by which plans the trail is read, noted in the record to compare majors by."""

from __future__ import annotations

from sqlalchemy import select, text

from plant.core.database import Database
from plant.models.audit import AuditEntry
from plant.security import audit
from tests.fixtures.databases import AGENT_A, PlansOf
from tests.fixtures.locks import Observer
from tests.fixtures.plans import explaining
from tests.fixtures.tampering import IN_BULK, TRIGGERS_OFF


async def test_a_chain_is_read_in_the_order_of_its_key(
    plant_db: Database, observer: Observer, pg_plans: PlansOf
) -> None:
    """A part of a long chain is read from the primary key, without a sort; a range of time from its own index."""
    for statement in (*TRIGGERS_OFF, IN_BULK.format(agent=AGENT_A, count=10_000), "ANALYZE plant.audit_log"):
        await observer.run(statement)
    recent = select(AuditEntry.seq).where(AuditEntry.created_at >= text("timestamptz '2026-01-07 00:00:00+00'"))

    async with plant_db.session(AGENT_A) as session:
        with explaining(plant_db.engine) as seen:
            found = [entry.seq async for entry in audit.entries(session, AGENT_A, first=5001, last=5010)]
            await session.scalars(recent.order_by(AuditEntry.created_at))

    chain, range_of_time = (one.explained for one in seen)
    shape = pg_plans("audit chain by sequence", chain)
    assert found == list(range(5001, 5011))
    assert "using pk_audit_log on audit_log" in shape
    assert "Sort" not in shape
    assert "ix_audit_log_governance_agent_id_created_at" in pg_plans("audit entries by time", range_of_time)
