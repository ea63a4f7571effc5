"""What pgbench's logs say: transactions between two ends, whatever its own clock read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgmatrix.perf.limits import find_pgbench, logged


def test_a_transaction_lasts_until_its_end(tmp_path: Path) -> None:
    """Of each client from its transaction before; of the first by its own latency. Latencies of zero are no zeros."""
    (tmp_path / "log.7").write_text("0 0 50 0 1700000000 999950\n0 1 0 0 1700000001 20\n", encoding="ascii")
    (tmp_path / "log.7.1").write_text("1 0 40 0 1700000000 999990\n1 1 7 0 1700000001 60\n", encoding="ascii")

    found, took = logged(tmp_path)

    assert found == [50e-6, 70e-6, 40e-6, 70e-6]
    assert took == 160e-6


def test_no_logs_are_no_transactions(tmp_path: Path) -> None:
    """Which the slice calls an error."""
    assert logged(tmp_path) == ([], 0.0)


def test_pgbench_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without one the reason stands in its place."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_pgbench(None) == (None, "no pgbench beside the server or on the path")
