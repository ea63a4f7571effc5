"""SQL of revision 005, first half: what an entity's content is, as one jsonb, and when its version rises. Text only.

Nothing here may depend on a session's settings: moments become whole microseconds, vectors the hash of their binary
form.
"""

from __future__ import annotations

UNSETTLED = "0" * 64
AGENT = "current_setting('app.current_agent_id', true)"
BASE = """jsonb_build_object(
    'id', b.id, 'governance_agent_id', b.governance_agent_id, 'entity_type', b.entity_type,
    'external_id', b.external_id, 'name', b.name, 'description', b.description, 'status', b.status,
    'supersedes_id', b.supersedes_id, 'constitution_version', b.constitution_version,
    'alignment_status', b.alignment_status,
    'alignment_checked_at', (extract(epoch FROM b.alignment_checked_at) * 1000000)::bigint,
    'created_by', b.created_by, 'updated_by', b.updated_by, 'change_reason', b.change_reason,
    'tags', b.tags, 'attributes', b.attributes, 'parent_id', b.parent_id"""

OWN = {
    "skill": """'category', c.category, 'embedding_model', c.embedding_model,
    'embedding', encode(sha256(public.vector_send(c.embedding)), 'hex')""",
    "industry": "'code', c.code, 'regulated', c.regulated",
    "job_role": "'seniority', c.seniority, 'department', c.department",
    "team": "'mission', c.mission, 'capacity', c.capacity",
    "agent": """'skill_id', c.skill_id, 'job_role_id', c.job_role_id, 'industry_id', c.industry_id,
    'team_id', c.team_id""",
}

# The body is parsed when it is made, so no search path can change it, and a planner can inline it.
CONTENTS = {
    table: f"""
CREATE FUNCTION plant.{table}_content(b plant.base_entity, c plant.{table}) RETURNS jsonb
LANGUAGE sql STABLE RETURN {BASE}, {own})
"""
    for table, own in OWN.items()
}

BRANCHES = "\n".join(
    f"""    WHEN '{table}' THEN
        SELECT plant.{table}_content(b, c) INTO content FROM plant.{table} c
         WHERE c.governance_agent_id = b.governance_agent_id AND c.id = b.id;"""
    for table in OWN
)

# NULL for an entity whose own row is not there (yet).
ENTITY_CONTENT = f"""
CREATE FUNCTION plant.entity_content(b plant.base_entity) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    content jsonb;
BEGIN
    CASE b.entity_type
{BRANCHES}
    END CASE;
    RETURN content;
END $$
"""

CONTENT_HASH = """
CREATE FUNCTION plant.content_hash(content jsonb) RETURNS text
LANGUAGE sql STABLE RETURN encode(sha256(convert_to(content::text, 'UTF8')), 'hex')
"""

# One change may be two statements, first base_entity's, then the child's: the second joins the first's version while
# that waits for it in audit_pending. A hash that differs from the old one announces that a child's statement follows.
VERSION = f"""
CREATE FUNCTION plant.base_entity_version() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    acting text := coalesce({AGENT}, '');
    content jsonb;
    hash text;
    before plant.base_entity := OLD;
    altered boolean;
BEGIN
    before.version_hash := NEW.version_hash;
    IF OLD.version_hash = '{UNSETTLED}' AND NEW IS NOT DISTINCT FROM before THEN
        RETURN NEW;
    END IF;
    IF acting <> NEW.governance_agent_id THEN
        PERFORM set_config('app.current_agent_id', NEW.governance_agent_id, true);
    END IF;
    content := plant.entity_content(NEW);
    IF content IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation',
            MESSAGE = 'the entity has no row in ' || NEW.entity_type || ' and so cannot be changed',
            SCHEMA = 'plant', TABLE = 'base_entity', COLUMN = 'entity_type',
            CONSTRAINT = 'fk_base_entity_' || NEW.entity_type;
    END IF;
    hash := plant.content_hash(content);
    altered := NEW IS DISTINCT FROM before;
    IF altered OR NEW.version_hash <> OLD.version_hash THEN
        IF altered OR NEW.version_hash <> hash OR NOT EXISTS (
            SELECT FROM plant.audit_pending p
             WHERE p.transaction_id = plant.audit_transaction() AND p.entity_id = NEW.id
               AND p.version = NEW.version AND p.governance_agent_id = NEW.governance_agent_id AND p.awaits_child) THEN
            NEW.version := NEW.version + 1;
            NEW.updated_at := greatest(clock_timestamp(), NEW.updated_at);
            INSERT INTO plant.audit_pending (transaction_id, governance_agent_id, entity_id, entity_type, version,
                                             action, actor, version_hash, content)
            VALUES (plant.audit_transaction(), NEW.governance_agent_id, NEW.id, NEW.entity_type, NEW.version,
                    CASE WHEN NEW.status = 'deleted' AND OLD.status <> 'deleted' THEN 'delete' ELSE 'update' END,
                    plant.audit_actor(), hash, content);
        END IF;
    END IF;
    NEW.version_hash := CASE WHEN NEW.version_hash IS NOT NULL THEN hash END;
    IF acting <> NEW.governance_agent_id THEN
        PERFORM set_config('app.current_agent_id', acting, true);
    END IF;
    RETURN NEW;
END $$
"""
