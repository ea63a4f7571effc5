"""The audit trail: versions and their hashes, one hash chain per governance agent, sealed at COMMIT."""

from __future__ import annotations

from alembic import op

from plant.database.migrations import capture_005 as capture
from plant.database.migrations import content_005 as content

revision = "005"
down_revision = "004"
branch_labels = None
depends_on = None

LOG = """
CREATE TABLE plant.audit_log (
    governance_agent_id text NOT NULL,
    seq bigint NOT NULL,
    created_at timestamptz NOT NULL,
    transaction_id bigint NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    entity_type text NOT NULL,
    entity_id uuid NOT NULL,
    version integer NOT NULL,
    version_hash text NOT NULL,
    content jsonb NOT NULL,
    prev_hash text NOT NULL,
    hash text NOT NULL,
    CONSTRAINT pk_audit_log PRIMARY KEY (governance_agent_id, seq)
)
"""

HEAD = """
CREATE TABLE plant.audit_head (
    governance_agent_id text NOT NULL,
    seq bigint NOT NULL,
    hash text NOT NULL,
    CONSTRAINT pk_audit_head PRIMARY KEY (governance_agent_id)
)
"""

# A queue that is empty between transactions: nothing of it is worth a write-ahead log.
PENDING = """
CREATE UNLOGGED TABLE plant.audit_pending (
    transaction_id bigint NOT NULL,
    entity_id uuid NOT NULL,
    version integer NOT NULL,
    governance_agent_id text NOT NULL,
    entity_type text NOT NULL,
    action text NOT NULL,
    actor text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    awaits_child boolean NOT NULL DEFAULT true,
    version_hash text NOT NULL,
    content jsonb NOT NULL,
    CONSTRAINT pk_audit_pending PRIMARY KEY (transaction_id, entity_id, version, governance_agent_id)
)
"""

# The one that finds a single entry is the youngest, as in 001.
INDEXES = (
    "CREATE INDEX ix_audit_log_governance_agent_id_created_at ON plant.audit_log (governance_agent_id, created_at)",
    """ALTER TABLE plant.audit_log ADD CONSTRAINT uq_audit_log_governance_agent_id_entity_id_version
        UNIQUE (governance_agent_id, entity_id, version)""",
)

# Entities that are older than the trail enter it as they are.
ADOPT = (
    """INSERT INTO plant.audit_pending (transaction_id, governance_agent_id, entity_id, entity_type, version, action,
                                        actor, version_hash, content, awaits_child)
       SELECT plant.audit_transaction(), b.governance_agent_id, b.id, b.entity_type, b.version, 'adopt',
              plant.audit_actor(), plant.content_hash(plant.entity_content(b)), plant.entity_content(b), false
         FROM plant.base_entity b WHERE plant.entity_content(b) IS NOT NULL""",
    """UPDATE plant.base_entity b SET version_hash = plant.content_hash(plant.entity_content(b))
        WHERE plant.entity_content(b) IS NOT NULL""",
    "SET CONSTRAINTS plant.audit_seal IMMEDIATE",
    "SET CONSTRAINTS plant.audit_seal DEFERRED",
)

FUNCTIONS = {
    "audit_transaction()": capture.TRANSACTION,
    "audit_actor()": capture.ACTOR,
    f"audit_canonical({capture.CANONICAL_TYPES})": capture.CANONICAL,
    "audit_link(text, text)": capture.LINK,
    "refuse_direct()": capture.REFUSE_DIRECT,
    **{f"{table}_content(plant.base_entity, plant.{table})": sql for table, sql in content.CONTENTS.items()},
    "entity_content(plant.base_entity)": content.ENTITY_CONTENT,
    "content_hash(jsonb)": content.CONTENT_HASH,
    "base_entity_version()": content.VERSION,
    **{f"{table}_capture()": sql for table, sql in capture.CAPTURES.items()},
    "audit_seal()": capture.SEAL,
    "audit_verify(text)": capture.VERIFY,
}
# Who may execute one of these could make it a trigger of his own table and so write entries.
DEFINERS = ("base_entity_version", *(f"{table}_capture" for table in content.OWN), "audit_seal")

ENTITY_TRIGGERS = {
    "base_entity": {
        "20_version": "BEFORE UPDATE {on} FOR EACH ROW WHEN (NEW.version IS NOT NULL AND NEW.updated_at IS NOT NULL) "
        "EXECUTE FUNCTION plant.base_entity_version()",
    },
    **{
        table: {
            f"30_capture_{event}": f"AFTER {event.upper()} {{on}} REFERENCING NEW TABLE AS changed FOR EACH STATEMENT "
            f"EXECUTE FUNCTION plant.{table}_capture()"
            for event in ("insert", "update")
        }
        for table in content.OWN
    },
}
# Inside a trigger the depth is at least one: what the triggers above write passes, a statement by hand does not.
BY_HAND = "FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION plant.refuse_direct()"
FOR_GOOD = "FOR EACH STATEMENT EXECUTE FUNCTION plant.refuse()"
AUDIT_TRIGGERS = {
    "audit_log": {
        "10_direct": f"BEFORE INSERT {{on}} {BY_HAND}",
        "10_refuse": f"BEFORE UPDATE OR DELETE OR TRUNCATE {{on}} {FOR_GOOD}",
    },
    "audit_head": {
        "10_direct": f"BEFORE INSERT OR UPDATE {{on}} {BY_HAND}",
        "10_refuse": f"BEFORE DELETE OR TRUNCATE {{on}} {FOR_GOOD}",
    },
    "audit_pending": {
        "10_direct": f"BEFORE INSERT OR UPDATE OR DELETE {{on}} {BY_HAND}",
        "10_refuse": f"BEFORE TRUNCATE {{on}} {FOR_GOOD}",
    },
}
SEAL = """CREATE CONSTRAINT TRIGGER audit_seal AFTER INSERT OR UPDATE ON plant.base_entity
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION plant.audit_seal()"""

AGENT = "nullif(current_setting('app.current_agent_id', true), '')"
# Read once a query where many rows are read, once a row where one is written: each is the cheaper way there.
POLICIES = {
    "audit_log": (f"governance_agent_id = (SELECT {AGENT})", f"governance_agent_id = {AGENT}"),
    "audit_head": (f"governance_agent_id = {AGENT}",) * 2,
    "audit_pending": ("transaction_id = plant.audit_transaction()",) * 2,
}


def upgrade() -> None:
    """Existing entities are adopted before the guards close; the owner sees them while row security is not forced."""
    for statement in (LOG, HEAD, PENDING, *INDEXES):
        op.execute(statement)
    for signature, statement in FUNCTIONS.items():
        op.execute(statement)
        if signature.partition("(")[0] in DEFINERS:
            op.execute(f"REVOKE ALL ON FUNCTION plant.{signature} FROM PUBLIC")
    # The captures read the parent anyway and look at its type on the way.
    for table in content.OWN:
        op.execute(f"DROP TRIGGER {table}_10_guard_type ON plant.{table}")
    op.execute(SEAL)
    op.execute("ALTER TABLE plant.base_entity ENABLE ALWAYS TRIGGER audit_seal")
    _force(on=False)
    for statement in ADOPT:
        op.execute(statement)
    _force(on=True)
    for table, triggers in (ENTITY_TRIGGERS | AUDIT_TRIGGERS).items():
        for name, definition in triggers.items():
            op.execute(f"CREATE TRIGGER {table}_{name} {definition.format(on=f'ON plant.{table}')}")
            op.execute(f"ALTER TABLE plant.{table} ENABLE ALWAYS TRIGGER {table}_{name}")
    for table, (visible, written) in POLICIES.items():
        _secure(table, visible, written)
    op.execute("GRANT SELECT ON plant.audit_log, plant.audit_head TO plant_app")


def downgrade() -> None:
    """Entities keep their rows, versions and hashes; the trail itself is gone: export it first."""
    op.execute("DROP TRIGGER audit_seal ON plant.base_entity")
    for table, triggers in ENTITY_TRIGGERS.items():
        for name in triggers:
            op.execute(f"DROP TRIGGER {table}_{name} ON plant.{table}")
    for table in content.OWN:
        op.execute(
            f"CREATE TRIGGER {table}_10_guard_type BEFORE INSERT ON plant.{table} FOR EACH ROW "
            "EXECUTE FUNCTION plant.guard_type()"
        )
        op.execute(f"ALTER TABLE plant.{table} ENABLE ALWAYS TRIGGER {table}_10_guard_type")
    for table in POLICIES:
        op.execute(f"DROP TABLE plant.{table}")
    for signature in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION plant.{signature}")


def _force(*, on: bool) -> None:
    for table in ENTITY_TRIGGERS:
        op.execute(f"ALTER TABLE plant.{table} {'' if on else 'NO '}FORCE ROW LEVEL SECURITY")


def _secure(table: str, visible: str, written: str) -> None:
    op.execute(f"ALTER TABLE plant.{table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE plant.{table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY {table}_select ON plant.{table} FOR SELECT USING ({visible})")
    op.execute(f"CREATE POLICY {table}_insert ON plant.{table} FOR INSERT WITH CHECK ({written})")
    op.execute(f"CREATE POLICY {table}_update ON plant.{table} FOR UPDATE USING ({visible}) WITH CHECK ({written})")
    op.execute(f"CREATE POLICY {table}_delete ON plant.{table} FOR DELETE USING ({visible})")
