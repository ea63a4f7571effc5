"""plant.core.errors: SQLSTATE to class, and the text people read."""

from __future__ import annotations

import pytest

from plant.core import errors
from plant.core.errors import Facts, PlantError, Retryable, error_class, from_facts

STATES = {
    "23505": errors.UniqueViolation,
    "23503": errors.ForeignKeyViolation,
    "23502": errors.NotNullViolation,
    "23514": errors.CheckViolation,
    "23P01": errors.ExclusionViolation,
    "23001": errors.ConstraintViolation,
    "42501": errors.InsufficientPrivilege,
    "42P01": errors.StatementRefused,
    "25006": errors.ReadOnlyTransaction,
    "25P02": errors.FailedTransaction,
    "25P03": errors.ConnectionLost,
    "25001": errors.TransactionProblem,
    "40001": errors.SerializationFailure,
    "40P01": errors.DeadlockDetected,
    "40003": errors.TransactionProblem,
    "55P03": errors.LockTimeout,
    "57014": errors.QueryCanceled,
    "57P01": errors.ConnectionLost,
    "57P03": errors.ConnectFailed,
    "08006": errors.ConnectionLost,
    "3D000": errors.ConnectFailed,
    "22P02": errors.InvalidValue,
    "0A000": errors.StatementRefused,
    "53300": errors.ResourceExhausted,
    "P0001": errors.ServerError,
    "XX000": errors.ServerError,
}


@pytest.mark.parametrize(("state", "kind"), STATES.items())
def test_a_sqlstate_has_one_class(state: str, kind: type[PlantError]) -> None:
    """The exact state decides, else its first two characters, else it is a ServerError."""
    assert error_class(state, "anything") is kind


@pytest.mark.parametrize("text", ["expected 3 dimensions, not 2", "different vector dimensions 2 and 3"])
def test_a_wrong_dimension_is_told_from_other_bad_values(text: str) -> None:
    """pgvector gives 22000 for it, as for much else."""
    assert error_class("22000", text) is errors.DimensionMismatch


@pytest.mark.parametrize(
    "text",
    ["cached plan must not change result type", "cached statement plan is invalid due to a database schema"],
)
def test_a_stale_plan_is_told_from_a_missing_feature(text: str) -> None:
    """Both are 0A000."""
    assert error_class("0A000", text) is errors.StaleStatement


def test_no_state_and_no_kind_is_a_server_error() -> None:
    """Nothing is guessed."""
    assert error_class(None, "?") is errors.ServerError


def test_the_facts_are_attributes_and_the_text_says_what_to_do() -> None:
    """What happened, its SQLSTATE, and the advice of the class."""
    error = from_facts(
        Facts(message="duplicate key value violates x.", sqlstate="23505", table="skill", constraint="uq_skill")
    )

    assert (error.sqlstate, error.table, error.column, error.constraint) == (
        "23505",
        "skill",
        None,
        "uq_skill",
    )
    assert str(error) == (
        "duplicate key value violates x (SQLSTATE 23505). Use another value, or update the row that has it."
    )


def test_a_class_without_advice_ends_with_its_state() -> None:
    """Nothing is added where there is nothing to say."""
    assert str(from_facts(Facts(message="no", sqlstate="P0001"))) == "no (SQLSTATE P0001)."


def test_the_column_is_the_field() -> None:
    """NotNullViolation names the field in both attributes."""
    error = from_facts(Facts(message="null value", sqlstate="23502", column="name"))

    assert (error.column, error.field) == ("name", "name")


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (errors.ConnectFailed, "08001"),
        (errors.ConnectTimeout, "08001"),
        (errors.ConnectionLost, "08006"),
        (errors.InvalidValue, "22000"),
        (errors.DimensionMismatch, "22000"),
        (errors.QueryCanceled, "57014"),
        (errors.PoolTimeout, None),
    ],
)
def test_an_error_found_without_the_server_has_its_classs_state(kind: type[PlantError], state: str | None) -> None:
    """So callers find one state on both drivers."""
    assert kind("x").sqlstate == state


def test_what_may_be_run_again_is_marked() -> None:
    """40001, 40P01, a stale entity and a stale plan, and nothing else."""
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Retryable))

    assert {kind.__name__ for kind in kinds} == {
        "Retryable",
        "SerializationFailure",
        "DeadlockDetected",
        "StaleEntity",
        "StaleStatement",
    }
