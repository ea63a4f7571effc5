"""Faults of row-level security and of the rules that rows must keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pgmatrix.teeth.faults import Patch
from tests.faults.parts import fault, function_sql, rewritten, value

AGENT = "nullif(current_setting('app.current_agent_id', true), '')"


def _without_constraint(facts: Callable[..., Any]) -> Callable[..., Any]:
    return lambda chain: replace(facts(chain), constraint=None)


FAULTS = (
    fault(
        "row-security-not-forced",
        "the trail's owner sees every agent's entries",
        reds="rls_policies_enabled_on_base_entity audit_table_exists",
        sql="ALTER TABLE plant.audit_log NO FORCE ROW LEVEL SECURITY",
    ),
    fault(
        "row-security-off-one-child",
        "teams are visible to every agent",
        reds="rls_policies_enabled_on_base_entity insert_valid_skill skill_entity_insert_allowed",
        sql="ALTER TABLE plant.team DISABLE ROW LEVEL SECURITY",
    ),
    fault(
        "policy-missing",
        "no policy says which skills may be deleted",
        reds="rls_policies_enabled_on_base_entity",
        sql="DROP POLICY skill_delete ON plant.skill",
    ),
    fault(
        "application-bypasses-row-security",
        "plant_app has BYPASSRLS",
        reds="""rls_policies_enabled_on_base_entity insert_valid_skill skill_entity_insert_allowed
                unique_constraint_on_external_id""",
        sql="ALTER ROLE plant_app BYPASSRLS",
        undo=["ALTER ROLE plant_app NOBYPASSRLS"],
    ),
    fault(
        "application-is-owner",
        "plant_app is a member of the owner's role",
        reds="rls_policies_enabled_on_base_entity append_only_enforcement",
        sql="GRANT plant_owner TO plant_app",
        undo=["REVOKE plant_owner FROM plant_app"],
    ),
    fault(
        "policy-shows-all-parents",
        "base_entity shows every row: USING (true)",
        reds="insert_valid_skill",
        sql="ALTER POLICY base_entity_select ON plant.base_entity USING (true)",
    ),
    fault(
        "policy-shows-all-children",
        "skill shows every row: USING (true)",
        reds="insert_valid_skill",
        sql="ALTER POLICY skill_select ON plant.skill USING (true)",
    ),
    fault(
        "policy-shows-all-entries",
        "the trail shows every entry: USING (true)",
        reds="insert_valid_skill audit_table_exists",
        sql="ALTER POLICY audit_log_select ON plant.audit_log USING (true)",
    ),
    fault(
        "policy-shows-all-to-nobody",
        "who names no agent sees every skill",
        reds="insert_valid_skill",
        sql=f"""ALTER POLICY skill_select ON plant.skill
                USING ({AGENT} IS NULL OR governance_agent_id = {AGENT})""",
    ),
    fault(
        "refusal-dropped",
        "rows of base_entity may be deleted",
        reds="append_only_enforcement",
        sql="DROP TRIGGER base_entity_10_refuse ON plant.base_entity",
    ),
    fault(
        "key-guard-dropped",
        "the key of a skill may be changed",
        reds="append_only_enforcement",
        sql="DROP TRIGGER skill_10_guard_key ON plant.skill",
    ),
    fault(
        "author-may-be-rewritten",
        "created_by may be changed",
        reds="append_only_enforcement",
        sql=function_sql("base_entity_guard_update()", ("NEW.created_by IS DISTINCT FROM OLD.created_by", "false")),
    ),
    fault(
        "policy-checks-no-insert",
        "a team may be inserted for another agent: WITH CHECK (true)",
        reds="skill_entity_insert_allowed",
        sql="ALTER POLICY team_insert ON plant.team WITH CHECK (true)",
    ),
    fault(
        "policy-checks-no-update",
        "a skill may be moved to another agent: WITH CHECK (true)",
        reds="skill_entity_insert_allowed",
        sql="ALTER POLICY skill_update ON plant.skill WITH CHECK (true)",
    ),
    fault(
        "name-not-required",
        "an entity needs no name",
        reds="""non_null_constraints_enforced constraint_violation_handling migration_null_constraints
                base_entity_table_created schema_validation""",
        sql="ALTER TABLE plant.base_entity ALTER COLUMN name DROP NOT NULL",
    ),
    fault(
        "unique-dropped",
        "an agent may use an external id twice",
        reds="unique_constraint_on_external_id constraint_violation_handling",
        sql="ALTER TABLE plant.base_entity DROP CONSTRAINT uq_base_entity_governance_agent_id_external_id",
    ),
    fault(
        "unique-across-agents",
        "an external id of one agent is refused to every other",
        reds="unique_constraint_on_external_id",
        sql=[
            "ALTER TABLE plant.base_entity DROP CONSTRAINT uq_base_entity_governance_agent_id_external_id",
            """ALTER TABLE plant.base_entity ADD CONSTRAINT uq_base_entity_governance_agent_id_external_id
               UNIQUE (external_id)""",
        ],
    ),
    fault(
        "child-key-dropped",
        "skill has no primary key",
        reds="primary_key_enforcement foreign_key_constraint",
        sql="ALTER TABLE plant.skill DROP CONSTRAINT pk_skill CASCADE",
    ),
    fault(
        "industry-may-be-missing",
        "an agent's industry need not exist",
        reds="foreign_key_constraint",
        sql="ALTER TABLE plant.agent DROP CONSTRAINT fk_agent_governance_agent_id_industry_id_industry",
    ),
    fault(
        "check-dropped",
        "any text is a status",
        reds="check_constraint_status constraint_violation_handling",
        sql="ALTER TABLE plant.base_entity DROP CONSTRAINT ck_base_entity_status",
    ),
    fault(
        "status-not-allowed",
        "an allowed status is refused",
        reds="check_constraint_status",
        sql=[
            "ALTER TABLE plant.base_entity DROP CONSTRAINT ck_base_entity_status",
            """ALTER TABLE plant.base_entity ADD CONSTRAINT ck_base_entity_status
               CHECK (status IN ('draft', 'active', 'deprecated', 'deleted'))""",
        ],
    ),
    fault(
        "default-missing",
        "no default says who created an entity",
        reds="insert_skill_with_valid_data",
        sql="ALTER TABLE plant.base_entity ALTER COLUMN created_by DROP DEFAULT",
    ),
    fault(
        "default-changed",
        "a new entity is active, not a draft",
        reds="insert_skill_with_valid_data base_entity_table_created schema_validation",
        sql="ALTER TABLE plant.base_entity ALTER COLUMN status SET DEFAULT 'active'",
    ),
    fault(
        "hash-forgets-a-field",
        "the server's version hash leaves the name out",
        reds="insert_skill_with_valid_data",
        sql=function_sql("content_hash(jsonb)", ("(content)::text", "(content - 'name')::text")),
    ),
    fault(
        "constraint-not-named",
        "typed errors do not tell which constraint was violated",
        reds="""constraint_violation_handling unique_constraint_on_external_id primary_key_enforcement
                foreign_key_constraint check_constraint_status""",
        changes=[Patch(target="plant.core.drivers.failures:_facts", make=_without_constraint)],
    ),
    fault(
        "details-not-redacted",
        "the server's DETAIL, with the row's values, is part of an error's text",
        reds="constraint_violation_handling",
        changes=[
            value("plant.core.drivers.failures:_redact", lambda chain: None),
            rewritten(
                "plant.core.drivers.failures:_facts",
                (
                    "or str(link)\n",
                    "or str(link)\n"
                    '    text += f\' {getattr(fields, "message_detail", None)} {getattr(link, "detail", None)}\'\n',
                ),
            ),
        ],
    ),
    fault(
        "errors-not-translated",
        "what the driver raises arrives as SQLAlchemy wraps it",
        reds="""constraint_violation_handling unique_constraint_on_external_id primary_key_enforcement
                foreign_key_constraint check_constraint_status non_null_constraints_enforced
                append_only_enforcement skill_entity_insert_allowed""",
        changes=[Patch(target="plant.core.pool:_typed", make=lambda _: lambda context: None)],
    ),
)
