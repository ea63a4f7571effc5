"""Row-level security, forced, on every table: an agent sees and writes its own rows, no agent sees nothing."""

from __future__ import annotations

from alembic import op

revision = "004"
down_revision = "003"
branch_labels = None
depends_on = None

TABLES = ("base_entity", "skill", "industry", "job_role", "team", "agent")

AGENT = "nullif(current_setting('app.current_agent_id', true), '')"
# The sub-select is evaluated once a query, not once a row, and indexes can use its result.
OWN = f"governance_agent_id = (SELECT {AGENT})"
# Where rows are written one by one, the plain expression is the cheaper of the two.
WRITTEN = f"governance_agent_id = {AGENT}"

POLICIES = {
    "select": f"FOR SELECT USING ({OWN})",
    "insert": f"FOR INSERT WITH CHECK ({WRITTEN})",
    "update": f"FOR UPDATE USING ({OWN}) WITH CHECK ({WRITTEN})",
    "delete": f"FOR DELETE USING ({OWN})",
}


def upgrade() -> None:
    """The application may read, insert and update; deleting and truncating it may not."""
    for table in TABLES:
        op.execute(f"ALTER TABLE plant.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE plant.{table} FORCE ROW LEVEL SECURITY")
        for name, definition in POLICIES.items():
            op.execute(f"CREATE POLICY {table}_{name} ON plant.{table} {definition}")
        op.execute(f"GRANT SELECT, INSERT, UPDATE ON plant.{table} TO plant_app")
    op.execute("GRANT SELECT ON plant.alembic_version TO plant_app")


def downgrade() -> None:
    """Rows stay; the application loses all access, because nothing would keep agents apart."""
    op.execute("REVOKE SELECT ON plant.alembic_version FROM plant_app")
    for table in TABLES:
        op.execute(f"REVOKE SELECT, INSERT, UPDATE ON plant.{table} FROM plant_app")
        for name in POLICIES:
            op.execute(f"DROP POLICY {table}_{name} ON plant.{table}")
        op.execute(f"ALTER TABLE plant.{table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE plant.{table} DISABLE ROW LEVEL SECURITY")
