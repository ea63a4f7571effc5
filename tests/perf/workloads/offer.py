"""What `nox -s perf` measures of plant, named in `[tool.pgmatrix.perf]`: the order of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pgmatrix.perf.contender import Contender, Ground
from tests.perf.workloads import reads, trouble, writes
from tests.perf.workloads.stage import Stage

WORKLOADS: tuple[Callable[[Stage], Iterator[Contender]], ...] = (
    reads.connect,
    reads.checkout,
    reads.point_read,
    reads.range_read,
    writes.inserting,
    writes.copying,
    writes.updating,
    writes.five,
    writes.appending,
    reads.chain_verify,
    reads.nearest,
    trouble.contending,
    trouble.cancelling,
    trouble.requests,
)


def contenders(ground: Ground) -> Iterator[Contender]:
    """Everything, on a stage of the cell's own."""
    stage = Stage(ground)
    for workload in WORKLOADS:
        yield from workload(stage)
