"""SQL of revision 005, second half: what changes leave in audit_pending and how COMMIT seals it into the chain.

A chain is locked only while its transaction commits, agents in order, so that writers of one chain wait for each other
for a moment, writers of different chains never, and no transaction holds a chain while it waits for a row.
"""

from __future__ import annotations

from plant.database.migrations.content_005 import AGENT, OWN, UNSETTLED

DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
# Plans are kept for the session: one made while the tables were small must not scan them when they have grown.
BY_KEY = "SET enable_seqscan = off"

TRANSACTION = """
CREATE FUNCTION plant.audit_transaction() RETURNS bigint LANGUAGE sql STABLE RETURN pg_current_xact_id()::text::bigint
"""

# Inside a SECURITY DEFINER function current_user is its owner; the caller is the role that was set, else the login.
ACTOR = """
CREATE FUNCTION plant.audit_actor() RETURNS text LANGUAGE sql STABLE
RETURN coalesce(nullif(current_setting('role'), 'none'), session_user)
"""

# One JSON array in jsonb's own text form: unambiguous by JSON's grammar, and cheaper than a prefix for every field.
CANONICAL_TYPES = "text, bigint, timestamptz, bigint, text, text, text, uuid, integer, text, jsonb"
CANONICAL = """
CREATE FUNCTION plant.audit_canonical(governance_agent_id text, seq bigint, created_at timestamptz,
    transaction_id bigint, actor text, action text, entity_type text, entity_id uuid, version integer,
    version_hash text, content jsonb) RETURNS text LANGUAGE sql STABLE
RETURN CASE WHEN isfinite(created_at) THEN jsonb_build_array('plant.audit.1', governance_agent_id, seq,
    (extract(epoch FROM created_at) * 1000000)::bigint, transaction_id, actor, action, entity_type, entity_id, version,
    version_hash, content)::text END
"""

LINK = """
CREATE FUNCTION plant.audit_link(prev_hash text, canonical text) RETURNS text LANGUAGE sql STABLE
RETURN encode(sha256(convert_to(prev_hash || canonical, 'UTF8')), 'hex')
"""

REFUSE_DIRECT = """
CREATE FUNCTION plant.refuse_direct() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
        MESSAGE = tg_op || ' on ' || tg_table_name || ' is refused, only changes of entities write it',
        SCHEMA = tg_table_schema, TABLE = tg_table_name;
END $$
"""

# The entity of each changed row. OFFSET 0 keeps the join in this order: a plan is kept for the session, and one for
# the first statement's few rows would not fit many.
ENTITY = """CROSS JOIN LATERAL (
             SELECT b.entity_type, b.created_at, b.version, b.version_hash, plant.{table}_content(b, c) AS content
               FROM plant.base_entity b, plant.{table} c
              WHERE b.governance_agent_id = agent AND b.id = n.id AND c.governance_agent_id = agent AND c.id = n.id
             OFFSET 0) e"""

# New rows are taken together. A row whose hash the client left out, or had wrong, is then settled by itself.
INSERTED = f"""
            WITH made AS (
                INSERT INTO plant.audit_pending (transaction_id, entity_id, version, governance_agent_id, entity_type,
                                                 action, actor, version_hash, content, awaits_child)
                SELECT this, f.id, f.version, agent, '{{table}}', 'insert', actor, f.hash, f.content,
                       f.version_hash <> f.hash
                  FROM (SELECT n.id, e.version, e.version_hash, e.content, plant.content_hash(e.content) AS hash
                          FROM changed n {ENTITY}
                         WHERE n.governance_agent_id = agent AND e.entity_type = '{{table}}' AND e.created_at = now()
                        OFFSET 0) f
                RETURNING awaits_child
            )
            SELECT count(*), count(*) FILTER (WHERE m.awaits_child) INTO taken, unsettled FROM made m;
            IF taken < share.rows THEN
                PERFORM plant.refuse_type('{{table}}');
            END IF;
            IF unsettled > 0 THEN
                FOR row IN
                    SELECT n.id, p.version_hash AS hash FROM changed n CROSS JOIN LATERAL (
                        SELECT p.version_hash FROM plant.audit_pending p
                         WHERE p.transaction_id = this AND p.entity_id = n.id AND p.version = 1
                           AND p.governance_agent_id = agent AND p.awaits_child OFFSET 0) p
                     WHERE n.governance_agent_id = agent
                LOOP
                    UPDATE plant.base_entity b SET version_hash = row.hash
                     WHERE b.governance_agent_id = agent AND b.id = row.id;
                    UPDATE plant.audit_pending p SET awaits_child = false
                     WHERE p.transaction_id = this AND p.entity_id = row.id AND p.version = 1
                       AND p.governance_agent_id = agent;
                END LOOP;
            END IF;"""

UPDATED = f"""
            FOR row IN
                SELECT n.id, e.version, e.version_hash, e.content, plant.content_hash(e.content) AS hash
                  FROM changed n {ENTITY} WHERE n.governance_agent_id = agent
            LOOP
                IF row.version_hash <> row.hash THEN
                    UPDATE plant.base_entity b SET version_hash = row.hash
                     WHERE b.governance_agent_id = agent AND b.id = row.id RETURNING b.version INTO row.version;
                END IF;
                UPDATE plant.audit_pending p SET content = row.content, version_hash = row.hash, awaits_child = false
                 WHERE p.transaction_id = this AND p.entity_id = row.id AND p.version = row.version
                   AND p.governance_agent_id = agent AND p.awaits_child;
            END LOOP;"""

CAPTURE = f"""
CREATE FUNCTION plant.{{table}}_capture() RETURNS trigger {DEFINER} {BY_KEY} AS $$
DECLARE
    acting text := coalesce({AGENT}, '');
    agent text := acting;
    this bigint := plant.audit_transaction();
    actor text := plant.audit_actor();
    taken bigint;
    unsettled bigint;
    share record;
    row record;
BEGIN
    FOR share IN SELECT n.governance_agent_id AS agent, count(*) AS rows FROM changed n GROUP BY 1 ORDER BY 1 LOOP
        IF share.agent <> agent THEN
            agent := share.agent;
            PERFORM set_config('app.current_agent_id', agent, true);
        END IF;
        IF tg_op = 'INSERT' THEN{INSERTED}
        ELSE{UPDATED}
        END IF;
    END LOOP;
    IF agent <> acting THEN
        PERFORM set_config('app.current_agent_id', acting, true);
    END IF;
    RETURN NULL;
END $$
"""
CAPTURES = {table: CAPTURE.format(table=table) for table in OWN}

# Fires for every row of base_entity that was written; the first event seals all, the others find themselves sealed.
# Deferred triggers run as another role on 18 than before; nothing here asks for the current one.
SEAL = f"""
CREATE FUNCTION plant.audit_seal() RETURNS trigger {DEFINER} {BY_KEY} AS $$
DECLARE
    acting text := coalesce({AGENT}, '');
    entry plant.audit_pending;
    head plant.audit_head;
    hash text;
    found_it boolean := false;
    agent text := acting;
BEGIN
    IF agent <> NEW.governance_agent_id THEN
        agent := NEW.governance_agent_id;
        PERFORM set_config('app.current_agent_id', agent, true);
    END IF;
    IF NOT EXISTS (SELECT FROM plant.audit_log l WHERE l.governance_agent_id = NEW.governance_agent_id
                      AND l.entity_id = NEW.id AND l.version = NEW.version) THEN
        FOR entry IN
            WITH taken AS (
                DELETE FROM plant.audit_pending p WHERE p.transaction_id = plant.audit_transaction() RETURNING p.*
            )
            SELECT t.* FROM taken t ORDER BY t.governance_agent_id, t.created_at, t.version, t.entity_id
        LOOP
            IF head.governance_agent_id IS DISTINCT FROM entry.governance_agent_id THEN
                IF head.governance_agent_id IS NOT NULL THEN
                    UPDATE plant.audit_head h SET seq = head.seq, hash = head.hash
                     WHERE h.governance_agent_id = head.governance_agent_id;
                END IF;
                IF agent <> entry.governance_agent_id THEN
                    agent := entry.governance_agent_id;
                    PERFORM set_config('app.current_agent_id', agent, true);
                END IF;
                SELECT * INTO head FROM plant.audit_head h WHERE h.governance_agent_id = agent FOR UPDATE;
                IF NOT FOUND THEN
                    INSERT INTO plant.audit_head VALUES (agent, 0, '{UNSETTLED}') ON CONFLICT DO NOTHING;
                    SELECT * INTO head FROM plant.audit_head h WHERE h.governance_agent_id = agent FOR UPDATE;
                END IF;
            END IF;
            head.seq := head.seq + 1;
            hash := plant.audit_link(head.hash, plant.audit_canonical(entry.governance_agent_id, head.seq,
                entry.created_at, entry.transaction_id, entry.actor, entry.action, entry.entity_type, entry.entity_id,
                entry.version, entry.version_hash, entry.content));
            INSERT INTO plant.audit_log VALUES (entry.governance_agent_id, head.seq, entry.created_at,
                entry.transaction_id, entry.actor, entry.action, entry.entity_type, entry.entity_id, entry.version,
                entry.version_hash, entry.content, head.hash, hash);
            head.hash := hash;
            found_it := found_it OR entry.entity_id = NEW.id AND entry.governance_agent_id = NEW.governance_agent_id;
        END LOOP;
        UPDATE plant.audit_head h SET seq = head.seq, hash = head.hash
         WHERE h.governance_agent_id = head.governance_agent_id;
        IF NOT found_it THEN
            RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation',
                MESSAGE = 'a row of base_entity has no row in ' || NEW.entity_type,
                SCHEMA = 'plant', TABLE = 'base_entity', COLUMN = 'entity_type',
                CONSTRAINT = 'fk_base_entity_' || NEW.entity_type;
        END IF;
    END IF;
    IF agent <> acting THEN
        PERFORM set_config('app.current_agent_id', acting, true);
    END IF;
    RETURN NULL;
END $$
"""

# Stops at the first bad entry; `entries` counts the good ones before it.
VERIFY = f"""
CREATE FUNCTION plant.audit_verify(agent text, OUT entries bigint, OUT bad_seq bigint, OUT reason text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entry record;
    head record;
    before text := '{UNSETTLED}';
BEGIN
    IF row_security_active('plant.audit_log') AND agent IS DISTINCT FROM {AGENT} THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'the chain of another governance agent cannot be verified',
            SCHEMA = 'plant', TABLE = 'audit_log';
    END IF;
    entries := 0;
    FOR entry IN
        SELECT a.seq, a.prev_hash, a.hash, plant.audit_link(a.prev_hash, plant.audit_canonical(a.governance_agent_id,
                   a.seq, a.created_at, a.transaction_id, a.actor, a.action, a.entity_type, a.entity_id, a.version,
                   a.version_hash, a.content)) AS computed
          FROM plant.audit_log a WHERE a.governance_agent_id = agent ORDER BY a.seq
    LOOP
        reason := CASE WHEN entry.seq <> entries + 1 THEN 'missing' WHEN entry.prev_hash <> before THEN 'link'
                       WHEN entry.hash IS DISTINCT FROM entry.computed THEN 'hash' END;
        IF reason IS NOT NULL THEN
            bad_seq := entries + 1;
            RETURN;
        END IF;
        entries := entries + 1;
        before := entry.hash;
    END LOOP;
    SELECT coalesce(max(h.seq), 0) AS seq, coalesce(max(h.hash), '{UNSETTLED}') AS hash INTO head
      FROM plant.audit_head h WHERE h.governance_agent_id = agent;
    reason := CASE WHEN head.seq > entries THEN 'missing' WHEN head.seq < entries THEN 'forged'
                   WHEN head.hash <> before THEN 'head' END;
    bad_seq := CASE reason WHEN 'missing' THEN entries + 1 WHEN 'forged' THEN greatest(head.seq, 0) + 1
                           WHEN 'head' THEN greatest(entries, 1) END;
    entries := coalesce(bad_seq - 1, entries);
END $$
"""
