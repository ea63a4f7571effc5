"""industry, job_role, team, and agent with its references, none of which can cross governance agents."""

from __future__ import annotations

from alembic import op

revision = "003"
down_revision = "002"
branch_labels = None
depends_on = None

INDUSTRY = """
CREATE TABLE plant.industry (
    governance_agent_id text NOT NULL,
    id uuid NOT NULL,
    code text,
    regulated boolean NOT NULL DEFAULT false,
    CONSTRAINT pk_industry PRIMARY KEY (governance_agent_id, id),
    CONSTRAINT fk_industry_governance_agent_id_id_base_entity FOREIGN KEY (governance_agent_id, id)
        REFERENCES plant.base_entity (governance_agent_id, id) ON DELETE RESTRICT,
    CONSTRAINT ck_industry_code CHECK (char_length(code) BETWEEN 1 AND 200)
)
"""

JOB_ROLE = """
CREATE TABLE plant.job_role (
    governance_agent_id text NOT NULL,
    id uuid NOT NULL,
    seniority text NOT NULL DEFAULT 'mid',
    department text,
    CONSTRAINT pk_job_role PRIMARY KEY (governance_agent_id, id),
    CONSTRAINT fk_job_role_governance_agent_id_id_base_entity FOREIGN KEY (governance_agent_id, id)
        REFERENCES plant.base_entity (governance_agent_id, id) ON DELETE RESTRICT,
    CONSTRAINT ck_job_role_seniority CHECK (seniority IN ('junior', 'mid', 'senior', 'lead')),
    CONSTRAINT ck_job_role_department CHECK (char_length(department) BETWEEN 1 AND 200)
)
"""

TEAM = """
CREATE TABLE plant.team (
    governance_agent_id text NOT NULL,
    id uuid NOT NULL,
    mission text,
    capacity integer,
    CONSTRAINT pk_team PRIMARY KEY (governance_agent_id, id),
    CONSTRAINT fk_team_governance_agent_id_id_base_entity FOREIGN KEY (governance_agent_id, id)
        REFERENCES plant.base_entity (governance_agent_id, id) ON DELETE RESTRICT,
    CONSTRAINT ck_team_mission CHECK (char_length(mission) BETWEEN 1 AND 10000),
    CONSTRAINT ck_team_capacity CHECK (capacity BETWEEN 1 AND 10000)
)
"""

AGENT = """
CREATE TABLE plant.agent (
    governance_agent_id text NOT NULL,
    id uuid NOT NULL,
    skill_id uuid NOT NULL,
    job_role_id uuid NOT NULL,
    industry_id uuid NOT NULL,
    team_id uuid,
    CONSTRAINT fk_agent_governance_agent_id_id_base_entity FOREIGN KEY (governance_agent_id, id)
        REFERENCES plant.base_entity (governance_agent_id, id) ON DELETE RESTRICT,
    CONSTRAINT fk_agent_governance_agent_id_skill_id_skill FOREIGN KEY (governance_agent_id, skill_id)
        REFERENCES plant.skill (governance_agent_id, id) ON DELETE RESTRICT,
    CONSTRAINT fk_agent_governance_agent_id_job_role_id_job_role FOREIGN KEY (governance_agent_id, job_role_id)
        REFERENCES plant.job_role (governance_agent_id, id) ON DELETE RESTRICT,
    CONSTRAINT fk_agent_governance_agent_id_industry_id_industry FOREIGN KEY (governance_agent_id, industry_id)
        REFERENCES plant.industry (governance_agent_id, id) ON DELETE RESTRICT,
    CONSTRAINT fk_agent_governance_agent_id_team_id_team FOREIGN KEY (governance_agent_id, team_id)
        REFERENCES plant.team (governance_agent_id, id) ON DELETE RESTRICT
)
"""

TABLES = ("industry", "job_role", "team", "agent")


def upgrade() -> None:
    """Referenced tables first; each gets the same guards as skill."""
    for statement in (INDUSTRY, JOB_ROLE, TEAM, AGENT):
        op.execute(statement)
    for column in ("skill_id", "job_role_id", "industry_id", "team_id"):
        op.execute(f"CREATE INDEX ix_agent_governance_agent_id_{column} ON plant.agent (governance_agent_id, {column})")
    # The youngest, as in 001.
    op.execute("ALTER TABLE plant.agent ADD CONSTRAINT pk_agent PRIMARY KEY (governance_agent_id, id)")
    for table in TABLES:
        for name, definition in _triggers(table).items():
            op.execute(f"CREATE TRIGGER {table}_{name} {definition}")
            op.execute(f"ALTER TABLE plant.{table} ENABLE ALWAYS TRIGGER {table}_{name}")


def downgrade() -> None:
    """Their rows in base_entity stay."""
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE plant.{table}")


def _triggers(table: str) -> dict[str, str]:
    return {
        "00_agent": f"BEFORE INSERT ON plant.{table} FOR EACH ROW "
        "WHEN (NEW.governance_agent_id IS NULL) EXECUTE FUNCTION plant.require_agent()",
        "10_guard_key": f"BEFORE UPDATE ON plant.{table} FOR EACH ROW EXECUTE FUNCTION plant.guard_key()",
        "10_guard_type": f"BEFORE INSERT ON plant.{table} FOR EACH ROW EXECUTE FUNCTION plant.guard_type()",
        "10_refuse": f"BEFORE DELETE OR TRUNCATE ON plant.{table} FOR EACH STATEMENT EXECUTE FUNCTION plant.refuse()",
    }
