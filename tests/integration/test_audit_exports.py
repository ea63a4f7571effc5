"""Layer 5, beyond the contract: exports, which prove a range of a chain where there is no database."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.config import Isolation
from plant.core.database import Database
from plant.core.errors import InvalidValue
from plant.security import audit
from plant.security.audit_chain import GENESIS
from plant.security.audit_checkpoint import sign
from plant.security.audit_export import export, verify_export
from tests.fixtures.audit import judged
from tests.fixtures.databases import AGENT_A
from tests.fixtures.exports import KEY, OTHER_KEY, exported
from tests.fixtures.factories import Factory, skill
from tests.fixtures.locks import Observer
from tests.fixtures.tampering import CHAINED_IN_BULK, IN_BULK, TRIGGERS_OFF


async def test_a_chain_longer_than_a_batch_is_verified_and_exported(plant_db: Database, observer: Observer) -> None:
    """Chains of more than one batch verify, and any range of them is proved by its export alone."""
    for statement in (*TRIGGERS_OFF, IN_BULK.format(agent=AGENT_A, count=1_200), CHAINED_IN_BULK.format(agent=AGENT_A)):
        await observer.run(statement)
    async with plant_db.session(AGENT_A, isolation=Isolation.REPEATABLE_READ, read_only=True) as session:
        verdict = await judged(session)
        whole = [line async for line in export(session, AGENT_A, KEY)]
        part = [line async for line in export(session, AGENT_A, KEY, first=1_100, last=1_109)]
        numbers = [entry.seq async for entry in audit.entries(session, AGENT_A, first=999, last=1_001)]
    proofs = [verify_export(lines, KEY.public_key()) for lines in (whole, part)]

    assert (verdict.intact, verdict.entries) == (True, 1_200)
    assert [(proof.intact, proof.entries) for proof in proofs] == [(True, 1_200), (True, 10)]
    assert proofs[0].head_hash == verdict.head_hash
    assert (len(whole), len(part), numbers) == (1_202, 12, [999, 1_000, 1_001])


async def test_an_export_that_was_changed_proves_nothing(
    async_session: AsyncSession, create_test_skill: Factory
) -> None:
    """An export with any field of any line changed, dropped, doubled or moved is refused or found to be broken."""
    lines = await exported(async_session, create_test_skill)
    assert verify_export(lines, KEY.public_key()).intact
    changed = [
        [*lines[:number], other, *lines[number + 1 :]]
        for number, line in enumerate(lines)
        for other in _variants(json.loads(line))
    ]
    moved = [[*lines[:1], *lines[2:]], [*lines[:2], lines[1], *lines[2:]], [lines[0], lines[2], lines[1], *lines[3:]]]
    survivors = [attempt for attempt in (*changed, *moved) if not _refused(attempt)]

    assert survivors == []
    assert len(changed) > 60


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (lambda lines: [], "export", "has a line that is none of its own"),
        (lambda lines: ["no JSON"], "export", "has a line that is none of its own"),
        (lambda lines: ["[]"], "export", "has a line that is none of its own"),
        (lambda lines: [lines[0].replace("plant.export.1", "plant.export.2"), *lines[1:]], "export", "another format"),
        (lambda lines: [lines[0].replace('"first": 1', '"first": "1"'), *lines[1:]], "export", "none of its own"),
        (lambda lines: lines[:-1], "export", "has no signed end"),
        (lambda lines: [*lines, lines[1]], "export", "goes on after its end"),
        (lambda lines: [*lines[:-1], sign("x", 3, GENESIS, KEY).to_json()], "export", "or ends another chain"),
        (lambda lines: [*lines[:-1], sign(AGENT_A, 3, GENESIS, OTHER_KEY).to_json()], "signature", "not signed by"),
        (lambda lines: [lines[0], _with(lines[1], created_at="soon"), *lines[2:]], "export", "without a moment"),
        (lambda lines: [lines[0], _with(lines[1], created_at="2026-01-01"), *lines[2:]], "export", "time zone"),
        (lambda lines: [lines[0], _with(lines[1], actor="\ud800"), *lines[2:]], "export", "half a character"),
    ],
)
async def test_what_is_no_export_is_refused(
    async_session: AsyncSession,
    create_test_skill: Factory,
    change: Callable[[list[str]], list[str]],
    field: str,
    words: str,
) -> None:
    """Lines that are no export, have no signed end or another signer's raise InvalidValue and say so."""
    lines = await exported(async_session, create_test_skill)

    with pytest.raises(InvalidValue, match=words) as caught:
        verify_export(change(lines), KEY.public_key())
    assert caught.value.field == field


async def test_an_export_may_speak_of_signatures(plant_db: Database) -> None:
    """The word that marks the end may be an agent's name, and the export is proved all the same."""
    async with plant_db.session("signature") as session:
        session.add(skill(governance_agent_id="signature"))
    async with plant_db.session("signature") as session:
        lines = [line async for line in export(session, "signature", KEY)]

    assert '"signature"' in lines[1]
    assert verify_export(lines, KEY.public_key()).intact


async def test_an_empty_range_is_notexported(async_session: AsyncSession, create_test_skill: Factory) -> None:
    """A range without entries raises InvalidValue for `first`."""
    await exported(async_session, create_test_skill)

    with pytest.raises(InvalidValue, match="has no entry in this range: choose first and last within it") as caught:
        _ = [line async for line in export(async_session, AGENT_A, KEY, first=4)]
    assert caught.value.field == "first"


def _variants(values: dict[str, Any]) -> list[str]:
    """The same line with each field changed, given another kind of value, or missing."""
    found = []
    for name, value in values.items():
        other = (
            value + 1 if isinstance(value, int) else f"{value[:-1]}x" if name != "created_at" else "2020-01-01T00:00Z"
        )
        found += [values | {name: other}, values | {name: None}, values | {name: [value]}]
        found.append({key: kept for key, kept in values.items() if key != name})
    return [json.dumps(one) for one in found]


def _with(line: str, **values: Any) -> str:
    return json.dumps(json.loads(line) | values)


def _refused(lines: list[str]) -> bool:
    try:
        return not verify_export(lines, KEY.public_key()).intact
    except InvalidValue:
        return True
