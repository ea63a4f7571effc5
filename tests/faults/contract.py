"""Owns the contract: the 74 tests that must be shown to fail when what they guard is broken, by layer."""

from __future__ import annotations

_FILES: dict[str, tuple[str, str]] = {
    "connection": (
        "test_database_connection.py",
        """
        test_async_engine_created
        test_pgvector_extension_loaded
        test_uuid_ossp_extension_loaded
        test_base_entity_table_created
        test_async_session_lifecycle
        test_database_connection_timeout
        test_schema_validation
        test_database_insert_and_retrieve
        test_connection_pool_properties
        test_multiple_concurrent_connections
        test_transaction_rollback
        test_async_context_manager
        """,
    ),
    "migrations": (
        "test_alembic_migrations.py",
        """
        test_migration_001_base_entity_table_exists
        test_migration_002_skill_entity_table_exists
        test_skill_entity_has_embedding_column
        test_migration_creates_indexes
        test_base_entity_primary_key_exists
        test_skill_entity_inherits_from_base_entity
        test_migration_creates_foreign_keys
        test_migration_adds_columns_idempotently
        test_all_entity_tables_created
        test_migrations_maintain_data_integrity
        test_migration_null_constraints
        """,
    ),
    "rls": (
        "test_rls_policies.py",
        """
        test_rls_policies_enabled_on_base_entity
        test_insert_valid_skill
        test_append_only_enforcement
        test_skill_entity_insert_allowed
        test_non_null_constraints_enforced
        test_unique_constraint_on_external_id
        test_primary_key_enforcement
        test_foreign_key_constraint
        test_check_constraint_status
        test_insert_skill_with_valid_data
        test_constraint_violation_handling
        """,
    ),
    "pgvector": (
        "test_pgvector_functionality.py",
        """
        test_pgvector_extension_available
        test_skill_embedding_column_exists
        test_vector_insert_and_retrieve
        test_vector_distance_calculation
        test_vector_index_creation
        test_vector_null_handling
        test_multiple_vectors_stored
        test_vector_type_compatibility
        test_embedding_dimension_compatibility
        """,
    ),
    "audit": (
        "test_audit_trail.py",
        """
        test_audit_table_exists
        test_skill_insert_creates_audit_record
        test_timestamp_immutability
        test_entity_version_tracking
        test_hash_chain_computation
        test_append_only_pattern_enforcement
        test_created_at_indexed_for_audit
        test_audit_log_retention
        test_tamper_detection_via_hash_verification
        test_sequential_audit_entries
        """,
    ),
    "pooling": (
        "test_connector_pooling.py",
        """
        test_pool_size_configuration
        test_max_overflow_configuration
        test_concurrent_connection_acquisition
        test_connection_reuse
        test_connection_timeout_handling
        test_pool_exhaustion_handling
        test_connection_cleanup_after_error
        test_session_lifecycle_connection_release
        test_nested_transaction_connection_reuse
        test_pool_monitoring_metrics
        test_readonly_vs_readwrite_pooling
        """,
    ),
    "transactions": (
        "test_transactions.py",
        """
        test_transaction_commit_atomicity
        test_transaction_rollback_on_constraint_violation
        test_transaction_isolation_level
        test_dirty_read_prevention
        test_repeatable_read_consistency
        test_phantom_read_handling
        test_serialization_consistency
        test_concurrent_transaction_non_interference
        test_transaction_deadlock_prevention
        test_transaction_savepoint_support
        """,
    ),
}

CONTRACT = {
    layer: tuple(f"tests/integration/{file}::{name}" for name in names.split())
    for layer, (file, names) in _FILES.items()
}
