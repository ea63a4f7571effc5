"""Memory is summed over a family of processes, and the family is told by parents, not by names."""

from __future__ import annotations

from tests.perf.memory import Peak, descendants, pss

PARENTS = {10: 1, 11: 10, 12: 11, 20: 1, 21: 20}


def test_descendants_are_the_whole_tree() -> None:
    """Children of children belong to the family, other trees do not."""
    found = descendants(10, [], PARENTS)

    assert found == {10, 11, 12}


def test_who_lost_its_parent_stays() -> None:
    """A process that was known, and its children, stay when it has been adopted by process 1."""
    found = descendants(10, [20], PARENTS)

    assert found == {10, 11, 12, 20, 21}


def test_who_has_gone_is_left_out() -> None:
    """Known processes that no longer exist are not looked for."""
    found = descendants(99, [11, 98], PARENTS)

    assert found == {11, 12}


def test_pss_is_read_in_kilobytes() -> None:
    """The line `Pss:` counts, not `Pss_Anon:` or `Rss:`, and a text without it counts nothing."""
    text = "00400000-7ffc ---p 00000000 00:00 0 [rollup]\nRss:  900 kB\nPss:  321 kB\nPss_Anon:  300 kB\n"

    assert pss(text) == 321
    assert pss("") == 0


def test_the_peak_is_the_largest_sum() -> None:
    """The peak is of one moment: sums of different moments are never mixed."""
    peak = Peak()

    for sizes in ({1: 1024, 2: 2048}, {1: 4096}, {1: 2048, 3: 1024}):
        peak.take(sizes)

    assert (peak.megabytes, peak.looks, peak.processes) == (4.0, 3, 1)
