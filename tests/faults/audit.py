"""Faults of the audit trail: its tables and triggers, its chain, and the verification of it."""

from __future__ import annotations

from tests.faults.parts import fault, function_sql, rewritten

CHAIN = "plant.security.audit_chain"
CANONICAL = """CREATE OR REPLACE FUNCTION plant.audit_canonical(governance_agent_id text, seq bigint,
    created_at timestamptz, transaction_id bigint, actor text, action text, entity_type text, entity_id uuid,
    version integer, version_hash text, content jsonb)
RETURNS text LANGUAGE sql STABLE RETURN {}"""

FAULTS = (
    fault(
        "grant-too-many",
        "the application may write entries",
        reds="audit_table_exists append_only_pattern_enforcement",
        sql="GRANT INSERT ON plant.audit_log TO plant_app",
    ),
    fault(
        "queue-readable",
        "the application may read what is not yet sealed",
        reds="audit_table_exists",
        sql="GRANT SELECT ON plant.audit_pending TO plant_app",
    ),
    fault(
        "definer-open",
        "the application may call a function that has the owner's rights",
        reds="audit_table_exists",
        sql="GRANT EXECUTE ON FUNCTION plant.audit_seal() TO PUBLIC",
    ),
    fault(
        "seal-dropped",
        "no change reaches the trail",
        reds="""audit_table_exists skill_insert_creates_audit_record timestamp_immutability entity_version_tracking
                hash_chain_computation audit_log_retention tamper_detection_via_hash_verification
                sequential_audit_entries""",
        sql="DROP TRIGGER audit_seal ON plant.base_entity",
    ),
    fault(
        "actor-is-owner",
        "every entry says that the owner did it",
        reds="skill_insert_creates_audit_record",
        sql="CREATE OR REPLACE FUNCTION plant.audit_actor() RETURNS text LANGUAGE sql STABLE RETURN current_user::text",
    ),
    fault(
        "created-at-chosen",
        "a client may choose when an entity was created",
        reds="timestamp_immutability",
        sql=function_sql("base_entity_guard_insert()", ("NEW.created_at <> now()", "false")),
    ),
    fault(
        "created-at-changed",
        "created_at may be changed",
        reds="timestamp_immutability",
        sql=function_sql("base_entity_guard_update()", ("NEW.created_at IS DISTINCT FROM OLD.created_at", "false")),
    ),
    fault(
        "version-not-raised",
        "a change leaves the version as it is",
        reds="""audit_table_exists entity_version_tracking hash_chain_computation append_only_pattern_enforcement
                audit_log_retention tamper_detection_via_hash_verification sequential_audit_entries""",
        sql=function_sql("base_entity_version()", ("NEW.version + 1", "NEW.version + 0")),
    ),
    fault(
        "version-chosen",
        "a client may choose a version",
        reds="entity_version_tracking",
        sql=function_sql("base_entity_guard_update()", ("NEW.version <> OLD.version", "false")),
    ),
    fault(
        "fields-joined",
        "what is hashed are fields joined by a separator",
        reds="""hash_chain_computation tamper_detection_via_hash_verification sequential_audit_entries
                audit_log_retention""",
        sql=CANONICAL.format("""concat_ws('|', governance_agent_id, seq,
                (extract(epoch FROM created_at) * 1000000)::bigint, transaction_id, actor, action, entity_type,
                entity_id, version, version_hash, content)"""),
    ),
    fault(
        "hash-depends-on-settings",
        "an entry's moment is hashed as the session's TimeZone shows it",
        reds="hash_chain_computation",
        sql=CANONICAL.format("""CASE WHEN isfinite(created_at) THEN jsonb_build_array('plant.audit.1',
                governance_agent_id, seq, (extract(epoch FROM created_at::timestamp) * 1000000)::bigint,
                transaction_id, actor, action, entity_type, entity_id, version, version_hash, content)::text END"""),
    ),
    fault(
        "entry-refusal-dropped",
        "the owner may rewrite entries",
        reds="audit_table_exists timestamp_immutability append_only_pattern_enforcement",
        sql="DROP TRIGGER audit_log_10_refuse ON plant.audit_log",
    ),
    fault(
        "refusal-not-in-replicas",
        "a superuser in replica mode may rewrite entries",
        reds="audit_table_exists append_only_pattern_enforcement",
        sql="ALTER TABLE plant.audit_log ENABLE TRIGGER audit_log_10_refuse",
    ),
    fault(
        "time-index-dropped",
        "the trail has no index on created_at",
        reds="created_at_indexed_for_audit",
        sql="DROP INDEX plant.ix_audit_log_governance_agent_id_created_at",
    ),
    fault(
        "entries-go-with-entities",
        "what removes an entity removes its entries: ON DELETE CASCADE",
        reds="audit_log_retention created_at_indexed_for_audit tamper_detection_via_hash_verification",
        sql=[
            """ALTER TABLE plant.audit_log ADD CONSTRAINT fk_audit_log FOREIGN KEY (governance_agent_id, entity_id)
               REFERENCES plant.base_entity (governance_agent_id, id) ON DELETE CASCADE""",
        ],
    ),
    fault(
        "deletes-not-told",
        "a soft delete is an update like any other",
        reds="entity_version_tracking audit_log_retention",
        sql=function_sql("base_entity_version()", ("THEN 'delete'", "THEN 'update'")),
    ),
    fault(
        "link-not-verified",
        "verification does not look at the hash of the entry before",
        reds="tamper_detection_via_hash_verification",
        changes=[rewritten(f"{CHAIN}:Chain._problem", ("if entry.prev_hash != self.last_hash:", "if False:"))],
    ),
    fault(
        "field-not-verified",
        "the server's verification skips the actor",
        reds="tamper_detection_via_hash_verification",
        sql=function_sql(
            "audit_verify(text)", ("a.transaction_id, a.actor, a.action", "a.transaction_id, 'plant_app', a.action")
        ),
    ),
    fault(
        "checkpoint-not-compared",
        "verification does not compare what was signed",
        reds="tamper_detection_via_hash_verification",
        changes=[rewritten(f"{CHAIN}:Chain.mark", ("signed != {self.last_hash}", "False"))],
    ),
    fault(
        "chain-not-locked",
        "writers of one chain do not wait for each other",
        reds="sequential_audit_entries",
        sql=function_sql("audit_seal()", (" FOR UPDATE", "")),
    ),
)
