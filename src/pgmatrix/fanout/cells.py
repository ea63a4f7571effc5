"""Owns the matrix as a CI system reads it: one job for each cell. Pure; starts and chooses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pgmatrix.matrix import Session


def job_matrix(sessions: Sequence[Session]) -> dict[str, list[dict[str, Any]]]:
    """`sessions` by cell, in their order, in the shape of GitHub's `strategy.matrix`: `{"include": [JOB, ...]}`.

    A job has `cell`, which is also the tag that selects its sessions (`nox -t CELL`), `postgres`, `driver`, and the
    names of its `layers` and `sessions`.
    """
    cells = dict.fromkeys(session.cell for session in sessions)
    return {
        "include": [
            {
                "cell": str(cell),
                "postgres": cell.major,
                "driver": str(cell.driver),
                "layers": [one.layer for one in sessions if one.cell == cell],
                "sessions": [str(one) for one in sessions if one.cell == cell],
            }
            for cell in cells
        ]
    }
