"""All faults of plant, in the contract's order."""

from __future__ import annotations

from pgmatrix.teeth.faults import Fault
from tests.faults import audit, connection, migrations, pgvector, pooling, rls, transactions

FAULTS: tuple[Fault, ...] = (
    *connection.FAULTS,
    *migrations.FAULTS,
    *rls.FAULTS,
    *pgvector.FAULTS,
    *audit.FAULTS,
    *pooling.FAULTS,
    *transactions.FAULTS,
)
