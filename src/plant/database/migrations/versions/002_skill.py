"""skill, with its 384-dimensional embedding and the index that searches it by cosine."""

from __future__ import annotations

from alembic import op

revision = "002"
down_revision = "001"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE plant.skill (
    governance_agent_id text NOT NULL,
    id uuid NOT NULL,
    category text NOT NULL,
    embedding public.vector(384),
    embedding_model text,
    CONSTRAINT fk_skill_governance_agent_id_id_base_entity FOREIGN KEY (governance_agent_id, id)
        REFERENCES plant.base_entity (governance_agent_id, id) ON DELETE RESTRICT,
    CONSTRAINT ck_skill_category CHECK (category IN ('technical', 'soft_skill', 'domain_expertise')),
    CONSTRAINT ck_skill_embedding CHECK (public.vector_negative_inner_product(embedding, embedding) < 0
        AND public.vector_negative_inner_product(embedding, embedding) > '-infinity'),
    CONSTRAINT ck_skill_embedding_model CHECK (char_length(embedding_model) BETWEEN 1 AND 200)
)
"""

# Shared by every child of base_entity: its key is the parent's and never changes.
GUARD_KEY = """
CREATE FUNCTION plant.guard_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id IS DISTINCT FROM OLD.id THEN
        PERFORM plant.refuse_column(tg_table_name, 'id', 'is immutable');
    ELSIF NEW.governance_agent_id IS DISTINCT FROM OLD.governance_agent_id THEN
        PERFORM plant.refuse_column(tg_table_name, 'governance_agent_id', 'is immutable');
    END IF;
    RETURN NEW;
END $$
"""

REFUSE_TYPE = """
CREATE FUNCTION plant.refuse_type(table_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation',
        MESSAGE = 'the base_entity row is of another entity_type than ' || table_name
            || ', or of an earlier transaction',
        SCHEMA = 'plant', TABLE = table_name, COLUMN = 'id', CONSTRAINT = 'fk_' || table_name || '_entity_type';
END $$
"""

# The discriminator and the child's table must agree. A missing parent is left to the foreign key.
GUARD_TYPE = """
CREATE FUNCTION plant.guard_type() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM plant.base_entity b
                WHERE b.governance_agent_id = NEW.governance_agent_id AND b.id = NEW.id
                  AND b.entity_type <> tg_table_name) THEN
        PERFORM plant.refuse_type(tg_table_name);
    END IF;
    RETURN NEW;
END $$
"""

TRIGGERS = {
    "skill_00_agent": "BEFORE INSERT ON plant.skill FOR EACH ROW "
    "WHEN (NEW.governance_agent_id IS NULL) EXECUTE FUNCTION plant.require_agent()",
    "skill_10_guard_key": "BEFORE UPDATE ON plant.skill FOR EACH ROW EXECUTE FUNCTION plant.guard_key()",
    "skill_10_guard_type": "BEFORE INSERT ON plant.skill FOR EACH ROW EXECUTE FUNCTION plant.guard_type()",
    "skill_10_refuse": "BEFORE DELETE OR TRUNCATE ON plant.skill FOR EACH STATEMENT EXECUTE FUNCTION plant.refuse()",
}


def upgrade() -> None:
    """Types and operator classes of the extension are named with their schema, whatever the search path."""
    op.execute(TABLE)
    op.execute("CREATE INDEX ix_skill_governance_agent_id_category ON plant.skill (governance_agent_id, category)")
    op.execute("CREATE INDEX ix_skill_embedding ON plant.skill USING hnsw (embedding public.vector_cosine_ops)")
    # The youngest, as in 001.
    op.execute("ALTER TABLE plant.skill ADD CONSTRAINT pk_skill PRIMARY KEY (governance_agent_id, id)")
    op.execute(GUARD_KEY)
    op.execute(REFUSE_TYPE)
    op.execute(GUARD_TYPE)
    for name, definition in TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {definition}")
        op.execute(f"ALTER TABLE plant.skill ENABLE ALWAYS TRIGGER {name}")


def downgrade() -> None:
    """The skills' rows in base_entity stay."""
    op.execute("DROP TABLE plant.skill")
    op.execute("DROP FUNCTION plant.guard_type()")
    op.execute("DROP FUNCTION plant.refuse_type(text)")
    op.execute("DROP FUNCTION plant.guard_key()")
