"""plant.security.audit_chain: encoding and judging without a database."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.models.canonical import canonical_json
from plant.security.audit_chain import GENESIS, Chain, Entry, Reason, canonical, link

AGENT_A = "agent-a"
MOMENT = datetime(2026, 11, 23, 1, 2, 3, 4, tzinfo=UTC)

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
BARE = st.builds(
    Entry,
    governance_agent_id=st.just(AGENT_A),
    seq=st.just(0),
    created_at=st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
    transaction_id=st.integers(0, 2**63 - 1),
    actor=TEXT,
    action=TEXT,
    entity_type=TEXT,
    entity_id=st.uuids(),
    version=st.integers(1, 2**31 - 1),
    version_hash=TEXT,
    content=st.dictionaries(TEXT, st.none() | st.integers() | TEXT, max_size=3).map(canonical_json),
    prev_hash=st.just(""),
    hash=st.just(""),
)


def chained(bare: list[Entry]) -> list[Entry]:
    """These entries in a good chain."""
    made: list[Entry] = []
    for seq, one in enumerate(bare, 1):
        prev_hash = made[-1].hash if made else GENESIS
        entry = one._replace(seq=seq, prev_hash=prev_hash)
        made.append(entry._replace(hash=link(prev_hash, canonical(entry))))
    return made


@st.composite
def tampered(draw: st.DrawFn) -> tuple[list[Entry], list[Entry]]:
    """A good chain, and what someone made of it who cannot compute hashes: edited, cut, doubled, swapped, forged."""
    good = chained(draw(st.lists(BARE, min_size=1, max_size=6)))
    place = draw(st.integers(0, len(good) - 1))
    bad, one = list(good), good[place]
    match draw(st.sampled_from(["edit", "cut", "double", "swap", "forge"])):
        case "edit":
            field = draw(st.sampled_from(Entry._fields))
            bad[place] = one._replace(**{field: getattr(draw(BARE), field)})
        case "cut":
            del bad[place]
        case "double":
            bad.insert(place, one)
        case "swap":
            other = draw(st.integers(0, len(good) - 1))
            bad[place], bad[other] = bad[other], bad[place]
        case "forge":
            bad.insert(place, draw(BARE)._replace(seq=place + 1, prev_hash=one.prev_hash, hash=one.hash))
    return good, bad


def entries(count: int, agent: str = AGENT_A) -> list[Entry]:
    """A good chain."""
    made: list[Entry] = []
    for seq in range(1, count + 1):
        prev_hash = made[-1].hash if made else GENESIS
        bare = Entry(agent, seq, MOMENT, 7, "plant_app", "insert", "skill", "id", 1, "aa", "{}", prev_hash, "")
        made.append(bare._replace(hash=link(prev_hash, canonical(bare))))
    return made


def judge(found: list[Entry], seq: int, last_hash: str) -> tuple[int, int | None, Reason | None]:
    """Good entries, first bad one, reason."""
    chain = Chain(AGENT_A)
    for entry in found:
        chain.feed(entry)
    chain.end(seq, last_hash)
    verdict = chain.verdict()
    return verdict.entries, verdict.bad_seq, verdict.reason


def test_the_canonical_form_is_a_json_array() -> None:
    """Moments in microseconds, text quoted, the content as it is stored."""
    entry = entries(1)[0]._replace(actor='a"b', content='{"x": null}')

    assert canonical(entry) == (
        '["plant.audit.1", "agent-a", 1, 1795395723000004, 7, "a\\"b", "insert", "skill", "id", 1, "aa", {"x": null}]'
    )


def test_no_two_entries_share_a_form() -> None:
    """Moving a letter from one field to the next changes it."""
    entry = entries(1)[0]

    assert canonical(entry._replace(actor="ab", action="c")) != canonical(entry._replace(actor="a", action="bc"))


@given(BARE)
def test_an_entry_can_be_read_back_from_its_form(entry: Entry) -> None:
    """So no two entries share one, whatever letters their fields hold."""
    read: list[Any] = json.loads(canonical(entry))
    moment = entry.created_at
    assert moment is not None
    passed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    micro = (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds

    assert read[0] == "plant.audit.1"
    assert read[1:] == [
        *(entry.governance_agent_id, entry.seq, micro, entry.transaction_id, entry.actor, entry.action),
        *(entry.entity_type, str(entry.entity_id), entry.version, entry.version_hash, json.loads(entry.content)),
    ]


@given(tampered())
def test_the_first_entry_that_differs_is_named(chains: tuple[list[Entry], list[Entry]]) -> None:
    """Whatever was done to a chain, the judge counts what is still good and names the first place that is not."""
    good, bad = chains
    same = next((n for n, (one, other) in enumerate(zip(good, bad, strict=False)) if one != other), None)
    if same is None and len(good) != len(bad):
        same = min(len(good), len(bad))
    expected = (len(good), None) if same is None else (same, same + 1)

    assert judge(bad, len(good), good[-1].hash)[:2] == expected


@given(st.lists(BARE, min_size=1, max_size=6), st.data())
def test_a_chain_computed_anew_is_found_by_its_head(bare: list[Entry], data: st.DataObject) -> None:
    """Someone who edits an entry and computes all hashes from there on is betrayed by the last one."""
    good = chained(bare)
    place = data.draw(st.integers(0, len(bare) - 1))
    forged = chained([one._replace(actor=f"{one.actor}x") if n == place else one for n, one in enumerate(bare)])

    assert judge(forged, len(good), good[-1].hash) == (len(good) - 1, len(good), Reason.HEAD)


def test_a_link_is_sha256_of_both() -> None:
    """In UTF-8."""
    assert link("ab", "é") == hashlib.sha256("abé".encode()).hexdigest()


def test_a_good_chain_is_intact() -> None:
    """Every entry counts, the last hash is the head."""
    found = entries(3)

    assert judge(found, 3, found[-1].hash) == (3, None, None)
    assert judge([], 0, GENESIS) == (0, None, None)


@pytest.mark.parametrize(
    "field", [field for field in Entry._fields if field not in ("prev_hash", "hash", "created_at")]
)
def test_every_field_is_covered(field: str) -> None:
    """A change of any one is found at its entry."""
    found = entries(3)
    value = getattr(found[1], field)
    found[1] = found[1]._replace(**{field: value + 1 if isinstance(value, int) else f"{value} "})

    assert judge(found, 3, found[-1].hash)[:2] == (1, 2)


def test_the_moment_is_covered() -> None:
    """To the microsecond; one that no datetime holds is wrong too."""
    found = entries(2)
    for moment in (MOMENT.replace(microsecond=5), None):
        assert judge([found[0]._replace(created_at=moment), found[1]], 2, found[1].hash) == (0, 1, Reason.HASH)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ([0, 2, 3], (1, 2, Reason.MISSING)),
        ([1, 2, 3], (0, 1, Reason.MISSING)),
        ([0, 1, 2], (3, 4, Reason.MISSING)),
        ([], (0, 1, Reason.MISSING)),
    ],
)
def test_a_missing_entry_is_named(order: list[int], expected: tuple[int, int, Reason]) -> None:
    """In the middle, at the start, at the end, and all of them."""
    found = entries(4)

    assert judge([found[n] for n in order], 4, found[-1].hash) == expected


def test_a_forged_tail_is_named() -> None:
    """More entries than the head knows, or another last one."""
    found = entries(3)

    assert judge(found, 2, found[1].hash) == (2, 3, Reason.FORGED)
    assert judge(found, 3, "f" * 64) == (2, 3, Reason.HEAD)


def test_a_broken_link_is_named() -> None:
    """An entry that follows another hash than its predecessor's."""
    found = entries(3)
    found[1] = found[1]._replace(prev_hash="f" * 64)

    assert judge(found, 3, found[-1].hash) == (1, 2, Reason.LINK)


def test_marks_are_compared_where_they_are_reached() -> None:
    """A signed hash that differs names its entry; one that agrees is used up."""
    found = entries(3)
    chain, expected = Chain(AGENT_A), {1: {found[0].hash}, 2: {"f" * 64}, 9: {"e" * 64}}
    for entry in found:
        chain.feed(entry)
        chain.mark(expected)

    assert (chain.bad, expected.keys()) == ((2, Reason.CHECKPOINT), {9})


def test_the_judge_says_at_each_entry_whether_all_is_good() -> None:
    """True up to the first bad entry and False from there on; the verdict names the chain and its last good hash."""
    found = entries(4)
    found[2] = found[2]._replace(actor="another")
    chain = Chain(AGENT_A)
    told = [chain.feed(entry) for entry in found]
    verdict = chain.verdict()

    assert told == [True, True, False, False]
    assert (verdict.governance_agent_id, verdict.head_hash) == (AGENT_A, found[1].hash)
