"""A load shared out to processes: nobody is left out, and the parts are one slice again."""

from __future__ import annotations

import multiprocessing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.errors import ServerError
from pgmatrix.perf.loops import Slice
from pgmatrix.perf.shares import heard, members, merged, renumbered


@given(st.integers(min_value=1, max_value=200), st.integers(min_value=1, max_value=8))
def test_each_client_is_in_one_process(clients: int, processes: int) -> None:
    """Together they are all of them, and no process has more than one above its share."""
    parts = [members(clients, processes, number) for number in range(processes)]

    assert sorted(one for part in parts for one in part) == list(range(clients))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_slices_of_processes_are_one() -> None:
    """Every latency and every error, and the time of the longest."""
    one = Slice(latencies=(1.0, 2.0), seconds=5.0, errors={"A": 1}, texts={"A": "first"})
    other = Slice(latencies=(3.0,), seconds=6.0, errors={"A": 2, "B": 1}, texts={"A": "later", "B": "b"})

    assert merged([one, other]) == Slice(
        latencies=(1.0, 2.0, 3.0), seconds=6.0, errors={"A": 3, "B": 1}, texts={"A": "first", "B": "b"}
    )


async def test_a_client_keeps_its_number_in_another_process() -> None:
    """Each acts for itself: two processes never act as the same client."""
    seen = []

    async def once(client: int) -> None:
        seen.append(client)

    own = members(10, 4, 3)
    for place in range(len(own)):
        await renumbered(once, own)(place)

    assert seen == [3, 7]


def test_a_process_that_says_nothing_is_an_error() -> None:
    """Whether it has ended or is still silent, and what to do."""
    reader, writer = multiprocessing.Pipe(duplex=False)

    with pytest.raises(ServerError) as silent:
        heard(reader, 0.0)
    writer.close()
    with pytest.raises(ServerError) as ended:
        heard(reader, 0.0)
    reader.close()

    assert str(silent.value) == "a process of the load did not answer within 0 s\n  do    measure again"
    assert str(ended.value) == "a process of the load ended without a result\n  do    see what it printed above"
