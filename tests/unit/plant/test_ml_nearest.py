"""What a search tries in which order, when it believes an answer, and the statements it sends."""

from __future__ import annotations

import pytest
from sqlalchemy import ColumnElement
from sqlalchemy.dialects import postgresql

from plant.ml.nearest import Attempt, Capabilities, Metric, count_statement, nearest_statement, plan, trusted
from plant.models import Skill

OLD = Capabilities(version=(0, 5, 1))
NEW = Capabilities(version=(0, 8, 5))


def sql(attempt: Attempt, *where: ColumnElement[bool], metric: Metric = Metric.COSINE) -> str:
    """The statement as it is sent, white space folded."""
    statement = nearest_statement(metric, attempt, where)
    compiled = statement.params(query=[1.0] * 384, k=10).compile(
        dialect=postgresql.dialect(), compile_kwargs={"render_postcompile": True}
    )
    return " ".join(str(compiled).split())


@pytest.mark.parametrize(
    ("version", "iterative"),
    [((0, 5, 1), False), ((0, 7, 4), False), ((0, 8), True), ((0, 8, 0), True), ((1, 0), True)],
)
def test_iterative_scans_came_with_version_0_8(version: tuple[int, ...], iterative: bool) -> None:
    """A server's pgvector can go on scanning from 0.8 on."""
    assert Capabilities(version=version).iterative_scan is iterative


@pytest.mark.parametrize("able", [None, OLD, NEW])
@pytest.mark.parametrize("k", [1, 10, 1000])
def test_every_plan_ends_with_all_rows(able: Capabilities | None, k: int) -> None:
    """Whatever the server can do, the last attempt compares everything and is trusted."""
    last = plan(k, able)[-1]

    assert last == Attempt(fetch=None)
    assert trusted(last, k, 0, 0)


def test_without_the_index_candidates_are_sorted() -> None:
    """An exact search sorts four times k candidates first, to spare reading the names of all rows."""
    assert plan(10, None) == (Attempt(fetch=40), Attempt(fetch=None))


def test_an_iterative_scan_is_tried_once() -> None:
    """One scan finds four times k, as wide as that, within the server's bounds."""
    assert plan(10, NEW)[0] == Attempt(fetch=40, ef_search=100, enough=40)
    assert plan(100, NEW)[0] == Attempt(fetch=400, ef_search=400, enough=400)
    assert plan(1000, NEW)[0] == Attempt(fetch=4000, ef_search=1000, enough=4000)


def test_a_single_scan_grows_until_it_can_be_believed() -> None:
    """Without iteration the scan is widened in steps; widths that cannot hold twice k are left out."""
    assert [attempt.ef_search for attempt in plan(10, OLD)] == [100, 400, 1000, None, None]
    assert [attempt.ef_search for attempt in plan(100, OLD)] == [400, 1000, None, None]
    assert [attempt.ef_search for attempt in plan(600, OLD)] == [None, None]


@pytest.mark.parametrize(
    ("attempt", "found", "seen", "believed"),
    [
        (Attempt(fetch=40, ef_search=100, enough=40), 10, 40, True),
        (Attempt(fetch=40, ef_search=100, enough=40), 10, 39, False),
        (Attempt(fetch=40, ef_search=100, enough=40), 9, 40, False),
        (Attempt(fetch=100, ef_search=100, enough=20), 10, 20, True),
        (Attempt(fetch=100, ef_search=100, enough=20), 10, 19, False),
        (Attempt(fetch=40), 10, 40, True),
        (Attempt(fetch=40), 9, 40, False),
        (Attempt(fetch=40), 9, 39, True),
        (Attempt(fetch=40), 0, 0, False),
    ],
)
def test_when_an_answer_is_believed(attempt: Attempt, found: int, seen: int, believed: bool) -> None:
    """Short answers are believed only where all rows were candidates, index scans only with some to spare."""
    assert trusted(attempt, 10, found, seen) is believed


def test_an_index_search_orders_by_the_operator_alone() -> None:
    """The inner order is what the index offers; its output is sorted again, being only nearly in order."""
    text = sql(Attempt(fetch=40, ef_search=100, enough=40))

    assert "ORDER BY distance LIMIT 40)" in text
    assert "plant.skill.embedding <=> %(query)s AS distance" in text
    assert "ORDER BY near.distance + " in text


def test_a_sorted_search_cannot_use_the_index() -> None:
    """Adding 0 to the distance makes it an expression that no index orders by."""
    text = sql(Attempt(fetch=40))

    assert "(plant.skill.embedding <=> %(query)s) + " in text
    assert "LIMIT 40)" in text


def test_the_last_attempt_has_no_limit_on_candidates() -> None:
    """All rows are candidates, and only the answer is limited."""
    assert sql(Attempt(fetch=None)).count("LIMIT") == 1


@pytest.mark.parametrize(("metric", "operator"), [("cosine", "<=>"), ("l2", "<->"), ("inner_product", "<#>")])
def test_each_metric_has_its_operator(metric: str, operator: str) -> None:
    """Cosine, Euclidean and inner product are pgvector's three operators."""
    assert f"embedding {operator} " in sql(Attempt(fetch=40), metric=Metric(metric))


def test_missing_embeddings_and_deleted_skills_are_left_out() -> None:
    """Every statement excludes both."""
    text = sql(Attempt(fetch=None))

    assert "embedding IS NOT NULL" in text
    assert "plant.base_entity.status != " in text


def test_conditions_are_applied_to_the_candidates() -> None:
    """Conditions on the skill and on its entity stand inside, where candidates are chosen, as parameters."""
    text = sql(Attempt(fetch=40), Skill.category == "technical", Skill.name != "x' OR true --")

    inside = text.split("AS MATERIALIZED")[1].split("LIMIT 40)")[0]
    assert "plant.skill.category = %(" in inside
    assert "plant.base_entity.name != %(" in inside
    assert "OR true" not in text


def test_plain_statements_are_built_once() -> None:
    """Without conditions the same statement object serves every search; with them each has its own."""
    attempt = Attempt(fetch=40)

    assert nearest_statement(Metric.L2, attempt, ()) is nearest_statement(Metric.L2, attempt, ())
    assert count_statement(()) is count_statement(())
    assert count_statement((Skill.category == "technical",)) is not count_statement(())


def test_the_count_reads_the_entity_only_for_conditions() -> None:
    """Without conditions only the skill's keys are counted."""
    dialect = postgresql.dialect()

    assert "base_entity" not in str(count_statement(()).compile(dialect=dialect))
    assert "base_entity" in str(count_statement((Skill.status == "active",)).compile(dialect=dialect))
