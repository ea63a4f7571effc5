"""Faults of what migrations make and take away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pgmatrix.teeth.faults import Patch
from tests.faults.parts import Revision, fault, retyped


def _unlocked(preamble: Callable[[float], tuple[str, ...]]) -> Callable[[float], tuple[str, ...]]:
    return lambda wait: tuple(one for one in preamble(wait) if "advisory" not in one)


def _teams_for_skills(kinds: Mapping[str, Any]) -> dict[str, Any]:
    return {**kinds, "skill": kinds["team"]}


FAULTS = (
    fault(
        "downgrade-forgets-function",
        "the way back from 001 leaves a function",
        reds="""migration_001_base_entity_table_exists migration_002_skill_entity_table_exists
                migration_adds_columns_idempotently migrations_maintain_data_integrity""",
        changes=[
            Revision(file="001_base_entity.py", old='    op.execute("DROP FUNCTION plant.refuse()")\n', new=""),
        ],
    ),
    fault(
        "foreign-key-of-002-missing",
        "revision 002 gives skill no foreign key to base_entity",
        reds="migration_002_skill_entity_table_exists",
        changes=[
            Revision(
                file="002_skill.py",
                old="""    CONSTRAINT fk_skill_governance_agent_id_id_base_entity FOREIGN KEY (governance_agent_id, id)
        REFERENCES plant.base_entity (governance_agent_id, id) ON DELETE RESTRICT,
""",
                new="",
            ),
        ],
    ),
    fault(
        "embedding-of-another-dimension",
        "embeddings have 768 dimensions",
        reds="""skill_entity_has_embedding_column migration_creates_foreign_keys migration_null_constraints
                skill_embedding_column_exists vector_insert_and_retrieve vector_distance_calculation
                vector_index_creation vector_null_handling multiple_vectors_stored vector_type_compatibility""",
        sql=retyped("skill", "embedding", "public.vector(768)"),
    ),
    fault(
        "index-added",
        "there is an index nobody has asked for",
        reds="migration_creates_indexes schema_validation",
        sql="CREATE INDEX ix_base_entity_name ON plant.base_entity (name)",
    ),
    fault(
        "primary-key-dropped",
        "base_entity has no primary key, and nothing refers to it",
        reds="""base_entity_primary_key_exists migration_creates_indexes migration_creates_foreign_keys
                skill_entity_inherits_from_base_entity primary_key_enforcement
                constraint_violation_handling""",
        sql="ALTER TABLE plant.base_entity DROP CONSTRAINT pk_base_entity CASCADE",
    ),
    fault(
        "polymorphic-identity-wrong",
        "what is a skill is loaded as a team",
        reds="skill_entity_inherits_from_base_entity migrations_maintain_data_integrity",
        changes=[Patch(target="plant.models.base:BaseEntity.__mapper__.polymorphic_map", make=_teams_for_skills)],
    ),
    fault(
        "foreign-key-dropped",
        "an agent's team need not exist",
        reds="migration_creates_foreign_keys foreign_key_constraint schema_validation",
        sql="ALTER TABLE plant.agent DROP CONSTRAINT fk_agent_governance_agent_id_team_id_team",
    ),
    fault(
        "foreign-key-across-agents",
        "an agent's skill may be another governance agent's, if only its id exists",
        reds="migration_creates_foreign_keys schema_validation migration_creates_indexes",
        sql=[
            "ALTER TABLE plant.skill ADD CONSTRAINT uq_skill_id UNIQUE (id)",
            "ALTER TABLE plant.agent DROP CONSTRAINT fk_agent_governance_agent_id_skill_id_skill",
            """ALTER TABLE plant.agent ADD CONSTRAINT fk_agent_governance_agent_id_skill_id_skill
               FOREIGN KEY (skill_id) REFERENCES plant.skill (id) ON DELETE RESTRICT""",
        ],
    ),
    fault(
        "migration-lock-missing",
        "two migrations may run at once",
        reds="migration_adds_columns_idempotently",
        changes=[Patch(target="plant.database.migrate:preamble", make=_unlocked)],
    ),
    fault(
        "table-missing",
        "agents have no table",
        reds="""all_entity_tables_created migration_creates_indexes migration_creates_foreign_keys
                migration_null_constraints""",
        sql="DROP TABLE plant.agent CASCADE",
    ),
    fault(
        "table-left-over",
        "there is a table that no model knows",
        reds="all_entity_tables_created rls_policies_enabled_on_base_entity schema_validation",
        sql="CREATE TABLE plant.leftover (note text)",
    ),
    fault(
        "downgrade-loses-data",
        "the way back from 004 cuts descriptions short",
        reds="migrations_maintain_data_integrity",
        changes=[
            Revision(
                file="004_row_level_security.py",
                old='ALTER TABLE plant.{table} DISABLE ROW LEVEL SECURITY")\n',
                new='ALTER TABLE plant.{table} DISABLE ROW LEVEL SECURITY")\n'
                '    op.execute("ALTER TABLE plant.base_entity ALTER COLUMN description TYPE text'
                ' USING left(description, 4)")\n',
            ),
        ],
    ),
    fault(
        "not-null-dropped",
        "a skill needs no category",
        reds="migration_null_constraints non_null_constraints_enforced schema_validation",
        sql="ALTER TABLE plant.skill ALTER COLUMN category DROP NOT NULL",
    ),
)
