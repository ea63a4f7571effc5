"""base_entity, its guards against rewriting, and the check against cycles."""

from __future__ import annotations

from alembic import op

revision = "001"
down_revision = None
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE plant.base_entity (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    governance_agent_id text NOT NULL,
    entity_type text NOT NULL,
    external_id text,
    name text NOT NULL,
    description text,
    status text NOT NULL DEFAULT 'draft',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    version_hash text NOT NULL DEFAULT '0000000000000000000000000000000000000000000000000000000000000000',
    supersedes_id uuid,
    constitution_version text NOT NULL DEFAULT '1',
    alignment_status text NOT NULL DEFAULT 'unchecked',
    alignment_checked_at timestamptz,
    created_by text NOT NULL DEFAULT 'system',
    updated_by text,
    change_reason text,
    tags text[] NOT NULL DEFAULT '{}',
    attributes jsonb NOT NULL DEFAULT '{}',
    parent_id uuid,
    CONSTRAINT ck_base_entity_governance_agent_id CHECK (char_length(governance_agent_id) BETWEEN 1 AND 200),
    CONSTRAINT ck_base_entity_entity_type
        CHECK (entity_type IN ('skill', 'industry', 'job_role', 'team', 'agent')),
    CONSTRAINT ck_base_entity_external_id CHECK (char_length(external_id) BETWEEN 1 AND 200),
    CONSTRAINT ck_base_entity_name CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT ck_base_entity_description CHECK (char_length(description) BETWEEN 1 AND 10000),
    CONSTRAINT ck_base_entity_status
        CHECK (status IN ('draft', 'active', 'deprecated', 'archived', 'deleted')),
    CONSTRAINT ck_base_entity_created_at CHECK (isfinite(created_at)),
    CONSTRAINT ck_base_entity_updated_at CHECK (isfinite(updated_at) AND updated_at >= created_at),
    CONSTRAINT ck_base_entity_deleted_at CHECK ((status = 'deleted') = (deleted_at IS NOT NULL)),
    CONSTRAINT ck_base_entity_version CHECK (version >= 1),
    CONSTRAINT ck_base_entity_version_hash CHECK (version_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT ck_base_entity_supersedes_id CHECK (supersedes_id <> id),
    CONSTRAINT ck_base_entity_constitution_version CHECK (char_length(constitution_version) BETWEEN 1 AND 200),
    CONSTRAINT ck_base_entity_alignment_status CHECK (alignment_status IN ('unchecked', 'aligned', 'misaligned')),
    CONSTRAINT ck_base_entity_alignment_checked_at CHECK (isfinite(alignment_checked_at)),
    CONSTRAINT ck_base_entity_created_by CHECK (char_length(created_by) BETWEEN 1 AND 200),
    CONSTRAINT ck_base_entity_updated_by CHECK (char_length(updated_by) BETWEEN 1 AND 200),
    CONSTRAINT ck_base_entity_change_reason CHECK (char_length(change_reason) BETWEEN 1 AND 10000),
    CONSTRAINT ck_base_entity_tags CHECK (cardinality(tags) <= 100 AND coalesce(array_ndims(tags), 1) = 1
        AND array_position(tags, NULL) IS NULL),
    CONSTRAINT ck_base_entity_attributes CHECK (jsonb_typeof(attributes) = 'object'),
    CONSTRAINT ck_base_entity_parent_id CHECK (parent_id <> id)
)
"""

# The order matters: until a table has statistics, every index that begins with the agent looks equally good, and the
# planner takes the youngest. It must be the one that finds a row by its id.
INDEXES = (
    """CREATE INDEX ix_base_entity_governance_agent_id_entity_type_status
        ON plant.base_entity (governance_agent_id, entity_type, status)""",
    """CREATE INDEX ix_base_entity_governance_agent_id_parent_id
        ON plant.base_entity (governance_agent_id, parent_id)""",
    """CREATE INDEX ix_base_entity_governance_agent_id_created_at
        ON plant.base_entity (governance_agent_id, created_at)""",
    """ALTER TABLE plant.base_entity ADD CONSTRAINT uq_base_entity_governance_agent_id_external_id
        UNIQUE (governance_agent_id, external_id)""",
    """ALTER TABLE plant.base_entity ADD CONSTRAINT uq_base_entity_governance_agent_id_supersedes_id
        UNIQUE (governance_agent_id, supersedes_id)""",
    # A key of the id alone would tell whoever inserts a known id that another agent has it.
    "ALTER TABLE plant.base_entity ADD CONSTRAINT pk_base_entity PRIMARY KEY (governance_agent_id, id)",
    """ALTER TABLE plant.base_entity ADD CONSTRAINT fk_base_entity_governance_agent_id_parent_id_base_entity
        FOREIGN KEY (governance_agent_id, parent_id)
        REFERENCES plant.base_entity (governance_agent_id, id) ON DELETE RESTRICT""",
    """ALTER TABLE plant.base_entity ADD CONSTRAINT fk_base_entity_governance_agent_id_supersedes_id_base_entity
        FOREIGN KEY (governance_agent_id, supersedes_id)
        REFERENCES plant.base_entity (governance_agent_id, id) ON DELETE RESTRICT""",
)

# 42501 is one and the same error class on both drivers; P0001 is not.
REFUSE = """
CREATE FUNCTION plant.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
        MESSAGE = tg_op || ' on ' || tg_table_name || ' is refused, its rows are kept for good',
        SCHEMA = tg_table_schema, TABLE = tg_table_name;
END $$
"""

REFUSE_COLUMN = """
CREATE FUNCTION plant.refuse_column(table_name text, column_name text, rule text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
        MESSAGE = column_name || ' of ' || table_name || ' ' || rule,
        SCHEMA = 'plant', TABLE = table_name, COLUMN = column_name;
END $$
"""

# Row-level security is checked before NOT NULL and would call a missing agent a lack of privilege.
REQUIRE_AGENT = """
CREATE FUNCTION plant.require_agent() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'not_null_violation',
        MESSAGE = 'null value in column "governance_agent_id" of relation "' || tg_table_name
            || '" violates not-null constraint',
        SCHEMA = tg_table_schema, TABLE = tg_table_name, COLUMN = 'governance_agent_id';
END $$
"""

# Guards run with the caller's rights and path, which holds no schema where the application may create operators.
# A NULL never compares as chosen, so that the NOT NULL constraint has the word.
# One comparison lets good rows pass; only of a bad one is it asked which column is to blame.
GUARD_INSERT = """
CREATE FUNCTION plant.base_entity_guard_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.created_at, NEW.updated_at, NEW.deleted_at, NEW.version) IS DISTINCT FROM (now(), now(), NULL, 1) THEN
        IF NEW.created_at <> now() THEN
            PERFORM plant.refuse_column('base_entity', 'created_at', 'is set by the server');
        ELSIF NEW.updated_at <> now() THEN
            PERFORM plant.refuse_column('base_entity', 'updated_at', 'is set by the server');
        ELSIF NEW.deleted_at IS NOT NULL THEN
            PERFORM plant.refuse_column('base_entity', 'deleted_at', 'is set by the server');
        ELSIF NEW.version <> 1 THEN
            PERFORM plant.refuse_column('base_entity', 'version', 'starts at 1');
        END IF;
    END IF;
    IF NEW.status = 'deleted' THEN
        NEW.deleted_at := now();
    END IF;
    RETURN NEW;
END $$
"""

GUARD_UPDATE = """
CREATE FUNCTION plant.base_entity_guard_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.governance_agent_id, NEW.entity_type, NEW.created_at, NEW.created_by,
        NEW.supersedes_id, NEW.updated_at, NEW.deleted_at, NEW.version)
        IS DISTINCT FROM (OLD.id, OLD.governance_agent_id, OLD.entity_type, OLD.created_at, OLD.created_by,
        OLD.supersedes_id, OLD.updated_at, OLD.deleted_at, OLD.version) THEN
        IF NEW.id IS DISTINCT FROM OLD.id THEN
            PERFORM plant.refuse_column('base_entity', 'id', 'is immutable');
        ELSIF NEW.governance_agent_id IS DISTINCT FROM OLD.governance_agent_id THEN
            PERFORM plant.refuse_column('base_entity', 'governance_agent_id', 'is immutable');
        ELSIF NEW.entity_type IS DISTINCT FROM OLD.entity_type THEN
            PERFORM plant.refuse_column('base_entity', 'entity_type', 'is immutable');
        ELSIF NEW.created_at IS DISTINCT FROM OLD.created_at THEN
            PERFORM plant.refuse_column('base_entity', 'created_at', 'is immutable');
        ELSIF NEW.created_by IS DISTINCT FROM OLD.created_by THEN
            PERFORM plant.refuse_column('base_entity', 'created_by', 'is immutable');
        ELSIF NEW.supersedes_id IS DISTINCT FROM OLD.supersedes_id THEN
            PERFORM plant.refuse_column('base_entity', 'supersedes_id', 'is immutable');
        ELSIF NEW.updated_at <> OLD.updated_at THEN
            PERFORM plant.refuse_column('base_entity', 'updated_at', 'is set by the server');
        ELSIF NEW.deleted_at IS DISTINCT FROM OLD.deleted_at THEN
            PERFORM plant.refuse_column('base_entity', 'deleted_at', 'is set by the server');
        ELSIF NEW.version <> OLD.version THEN
            PERFORM plant.refuse_column('base_entity', 'version', 'is raised by the server');
        END IF;
    END IF;
    IF NEW.status <> OLD.status THEN
        NEW.deleted_at := CASE NEW.status WHEN 'deleted' THEN clock_timestamp() END;
    END IF;
    RETURN NEW;
END $$
"""

# An UPDATE locks the ancestors: of two transactions that would close a cycle between them, one waits or fails.
# A new row can only be in a cycle with rows of its own statement, which need no lock.
ACYCLIC = """
CREATE FUNCTION plant.base_entity_acyclic() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    link text := tg_argv[0];
    step uuid := CASE link WHEN 'parent_id' THEN NEW.parent_id ELSE NEW.supersedes_id END;
BEGIN
    WHILE step IS NOT NULL LOOP
        IF step = NEW.id THEN
            RAISE EXCEPTION USING ERRCODE = 'check_violation',
                MESSAGE = link || ' of base_entity makes the entity its own ancestor',
                SCHEMA = 'plant', TABLE = 'base_entity', COLUMN = link,
                CONSTRAINT = 'ck_base_entity_' || link || '_acyclic';
        END IF;
        IF tg_op = 'UPDATE' THEN
            PERFORM FROM plant.base_entity b
                WHERE b.governance_agent_id = NEW.governance_agent_id AND b.id = step FOR SHARE;
        END IF;
        step := (SELECT CASE link WHEN 'parent_id' THEN b.parent_id ELSE b.supersedes_id END
                   FROM plant.base_entity b
                  WHERE b.governance_agent_id = NEW.governance_agent_id AND b.id = step);
    END LOOP;
    RETURN NULL;
END $$
"""

TRIGGERS = {
    "base_entity_00_agent": "BEFORE INSERT ON plant.base_entity FOR EACH ROW "
    "WHEN (NEW.governance_agent_id IS NULL) EXECUTE FUNCTION plant.require_agent()",
    "base_entity_10_guard_insert": "BEFORE INSERT ON plant.base_entity FOR EACH ROW "
    "EXECUTE FUNCTION plant.base_entity_guard_insert()",
    "base_entity_10_guard_update": "BEFORE UPDATE ON plant.base_entity FOR EACH ROW "
    "EXECUTE FUNCTION plant.base_entity_guard_update()",
    "base_entity_10_refuse": "BEFORE DELETE OR TRUNCATE ON plant.base_entity FOR EACH STATEMENT "
    "EXECUTE FUNCTION plant.refuse()",
    "base_entity_40_parent": "AFTER INSERT OR UPDATE OF parent_id ON plant.base_entity FOR EACH ROW "
    "WHEN (NEW.parent_id IS NOT NULL) EXECUTE FUNCTION plant.base_entity_acyclic('parent_id')",
    "base_entity_40_supersedes": "AFTER INSERT ON plant.base_entity FOR EACH ROW "
    "WHEN (NEW.supersedes_id IS NOT NULL) EXECUTE FUNCTION plant.base_entity_acyclic('supersedes_id')",
}


def upgrade() -> None:
    """Triggers fire ALWAYS, also for sessions in replica role."""
    for statement in (TABLE, *INDEXES, REFUSE, REFUSE_COLUMN, REQUIRE_AGENT, GUARD_INSERT, GUARD_UPDATE, ACYCLIC):
        op.execute(statement)
    for name, definition in TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {definition}")
        op.execute(f"ALTER TABLE plant.base_entity ENABLE ALWAYS TRIGGER {name}")


def downgrade() -> None:
    """Removes the table with its rows, and every function made above."""
    op.execute("DROP TABLE plant.base_entity")
    op.execute("DROP FUNCTION plant.base_entity_acyclic()")
    op.execute("DROP FUNCTION plant.base_entity_guard_update()")
    op.execute("DROP FUNCTION plant.base_entity_guard_insert()")
    op.execute("DROP FUNCTION plant.require_agent()")
    op.execute("DROP FUNCTION plant.refuse_column(text, text, text)")
    op.execute("DROP FUNCTION plant.refuse()")
