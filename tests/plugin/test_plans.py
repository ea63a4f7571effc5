"""Promise: a plan that a test notes is in the session's record, in its shape, also from an xdist worker."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Nest

NOTES_A_PLAN = """
from pgmatrix.clients import connect


def test_by_key(pg_clone, pg_plans):
    client = connect(pg_clone.server, database=pg_clone.name)
    try:
        client.execute("set enable_seqscan = off")
        found = client.execute("explain (format json) select * from thing where id = 2")
    finally:
        client.close()

    assert pg_plans("thing by key", found[0][0]) == "Index Scan using thing_pkey on thing"


def test_refused(pg_plans):
    pg_plans("nonsense", "Seq Scan on thing")
"""


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["serial", "parallel"])
def test_a_plan_is_recorded(nest: Nest, recorded: str, arguments: tuple[str, ...]) -> None:
    """The record has test, name and shape, beside JUnit XML too; what is no plan fails its test, and is not noted."""
    nest.write("test_layer.py", NOTES_A_PLAN)

    ran = nest.run("--junitxml=junit.xml", "-W", "error", *arguments)

    ran.assert_outcomes(passed=1, failed=1)
    ran.stdout.fnmatch_lines(["*this is not what EXPLAIN (FORMAT JSON) returns:*"])
    assert nest.record(recorded)["plans"] == [
        {
            "test": "test_layer.py::test_by_key",
            "name": "thing by key",
            "shape": "Index Scan using thing_pkey on thing",
        }
    ]
