"""Owns what a run says in words: sentences a person can act on, the most important first. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from pgmatrix.perf.conclusions import CLEAR, Conclusion, conclusions
from pgmatrix.perf.results import BaselineFacts, Comparison, Kind, Load, Word


def sentences(
    comparisons: Sequence[Comparison], loads: Sequence[Load], baseline: BaselineFacts, agreement: str = ""
) -> tuple[str, ...]:
    """Budgets, what became slower, drivers and majors beside each other, what the data layer costs, the load.

    `agreement` is the last, where there was a run before (see `again`).
    """
    return (
        *_budgets([one for one in comparisons if one.kind is Kind.BUDGET]),
        *_baseline([one for one in comparisons if one.kind is Kind.BASELINE], baseline),
        *_beside(list(conclusions(comparisons))),
        *_cost([one for one in comparisons if one.kind is Kind.VARIANTS]),
        *(one.why for one in loads),
        *([agreement] if agreement else []),
    )


def _budgets(found: Sequence[Comparison]) -> Iterator[str]:
    if not found:
        yield "no budget is set: nothing says how slow is too slow"
        return
    bad = [one for one in found if not one.passes]
    noise = sum(one.word is Word.WITHIN_NOISE for one in found)
    kept = f"{len(found) - len(bad)} of {len(found)} budgets kept" + (
        f", {noise} of them within noise" if noise else ""
    )
    yield kept
    yield from (one.why for one in bad)


def _baseline(found: Sequence[Comparison], baseline: BaselineFacts) -> Iterator[str]:
    if not baseline.asked:
        yield "no baseline is named: nothing says whether it became slower since an earlier commit"
    elif baseline.problem:
        yield baseline.problem
    else:
        bad = [one for one in found if not one.passes]
        faster = sum(one.word is Word.FASTER for one in found)
        noise = sum(one.word is Word.WITHIN_NOISE for one in found)
        yield (
            f"since the baseline of {baseline.commit[:12] or 'an unknown commit'}: "
            f"{len(bad)} slower or not to be judged, {faster} faster, {noise} within noise"
        )
        yield from (one.why for one in bad)


def _beside(found: Sequence[Conclusion]) -> Iterator[str]:
    """`psycopg beside asyncpg is 1.4 times slower on point-read, 1.3 times faster on copy; within ...`."""
    groups: dict[tuple[str, str], list[Conclusion]] = {}
    for one in found:
        groups.setdefault((one.measured, one.beside), []).append(one)
    for (measured, beside), members in groups.items():
        parts = [part for word in (Word.SLOWER, Word.FASTER) if (part := _times(members, word))]
        invalid = [one.workload for one in members if one.word is Word.INVALID]
        text = f"{measured} beside {beside} is {', '.join(parts) or 'nowhere clearly slower or faster'}"
        text += "".join(f"; {_split(one)}" for one in members if one.split)
        text += _rest([one for one in members if one.word is Word.WITHIN_NOISE and not one.split])
        yield text + (f"; not to be judged on {', '.join(invalid)}" if invalid else "")


def _rest(members: Sequence[Conclusion]) -> str:
    """`; within 30% or noise on 13: 0.91 (connect) to 1.21 (transaction) times the time`."""
    if not members:
        return ""
    least, most = (pick(members, key=lambda one: one.ratio or 0.0) for pick in (min, max))
    texts = dict.fromkeys(f"{one.ratio:.2f} ({one.workload})" for one in (least, most))
    return f"; within {CLEAR - 1:.0%} or noise on {len(members)}: {' to '.join(texts)} times the time"


def _times(members: Sequence[Conclusion], word: Word) -> str:
    """`1.4 times slower on point-read, 1.2 on update`, the largest first."""
    chosen = [
        (one.workload, one.ratio if word is Word.SLOWER else 1 / one.ratio)
        for one in members
        if one.word is word and one.ratio
    ]
    chosen.sort(key=lambda pair: -pair[1])
    if not chosen:
        return ""
    texts = [f"{times:.1f} on {name}" for name, times in chosen]
    first, _, rest = texts[0].partition(" on ")
    return f"{first} times {word} on {', '.join([rest, *texts[1:]])}"


def _split(one: Conclusion) -> str:
    """`on update it depends: 1.3 times the time on pg15, 0.8 on pg16`."""
    first, *rest = (f"{ratio:.1f} on {place}" for place, ratio in one.split)
    figure, _, place = first.partition(" on ")
    return f"on {one.workload} it depends: {figure} times the time on {', '.join([place, *rest])}"


def _cost(found: Sequence[Comparison]) -> Iterator[str]:
    """How many times the bare driver's time the subject takes, over all cells."""
    beside: dict[tuple[str, str], dict[str, list[float]]] = {}
    for one in found:
        if one.ratio is not None and one.beside == "bare":
            beside.setdefault((one.measured, one.beside), {}).setdefault(one.workload, []).append(one.ratio)
    for (measured, other), workloads in beside.items():
        middles = {name: statistics.median(ratios) for name, ratios in workloads.items()}
        least, most = min(middles, key=middles.__getitem__), max(middles, key=middles.__getitem__)
        yield (
            f"{measured} takes {middles[least]:.1f} ({least}) to {middles[most]:.1f} ({most}) times"
            f" the time of {other}, half of all workloads up to {statistics.median(middles.values()):.1f}"
        )
