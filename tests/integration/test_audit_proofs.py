"""Layer 5, beyond the contract: proofs that leave the database, what they refuse, and how the chain meets roles."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.config import Isolation
from plant.core.database import Database
from plant.core.errors import ConfigurationError, ForeignKeyViolation, InsufficientPrivilege, InvalidValue
from plant.models import BaseEntity
from plant.security import audit
from plant.security.audit_chain import GENESIS, Chain, Reason
from plant.security.audit_checkpoint import Checkpoint, private_key, public_key, sign
from plant.security.audit_export import export, verify_export
from tests.fixtures.audit import (
    CHAINED_IN_BULK,
    CUT_CLEANLY,
    IN_BULK,
    TRIGGERS_OFF,
    hash_by_hand,
    judged,
    trail,
)
from tests.fixtures.databases import AGENT_A, AGENT_B, SettingsFor
from tests.fixtures.factories import Factory, skill
from tests.fixtures.locks import Observer
from tests.fixtures.pools import DatabaseWith
from tests.fixtures.rows import insert, records

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
SIGNED = sign(AGENT_A, 12, "ab" * 32, KEY)


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
    lines = await _exported(async_session, create_test_skill)
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
    lines = await _exported(async_session, create_test_skill)

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


async def test_an_empty_range_is_not_exported(async_session: AsyncSession, create_test_skill: Factory) -> None:
    """A range without entries raises InvalidValue for `first`."""
    await _exported(async_session, create_test_skill)

    with pytest.raises(InvalidValue, match="has no entry in this range: choose first and last within it") as caught:
        _ = [line async for line in export(async_session, AGENT_A, KEY, first=4)]
    assert caught.value.field == "first"


async def test_a_checkpoint_is_what_was_signed_and_nothing_else() -> None:
    """A checkpoint survives its JSON, and no field of it can be changed without the signature failing."""
    again = Checkpoint.from_json(SIGNED.to_json())
    changes: list[dict[str, Any]] = [
        {"governance_agent_id": AGENT_B},
        {"seq": 13},
        {"hash": GENESIS},
        {"signed_at": "2020-01-01T00:00:00.000000+00:00"},
        {"signature": "00" * 64},
        {"signature": "not hexadecimal"},
        {"hash": "\ud800"},
    ]
    again.check(KEY.public_key())

    assert again == SIGNED
    for change in changes:
        with pytest.raises(InvalidValue, match="is not signed by this key: use the signer's public key") as caught:
            replace(SIGNED, **change).check(KEY.public_key())
        assert caught.value.field == "signature"


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"seq": 1}', SIGNED.to_json().replace("12,", "Infinity,")])
async def test_what_is_no_checkpoint_is_refused(line: str) -> None:
    """Anything but a checkpoint's JSON raises InvalidValue for `checkpoint`."""
    with pytest.raises(InvalidValue, match="this is not a checkpoint: pass one line written by") as caught:
        Checkpoint.from_json(line)
    assert caught.value.field == "checkpoint"


async def test_keys_are_read_from_pem_files(tmp_path: Path) -> None:
    """Ed25519 keys are read from PEM; any other content raises ConfigurationError for `key` and names the file."""
    secret, public, wrong = (tmp_path / name for name in ("secret.pem", "public.pem", "wrong.pem"))
    secret.write_bytes(_pem(KEY))
    public.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    wrong.write_bytes(_pem(generate_private_key(SECP256R1())))
    read = private_key(secret), public_key(public)
    readers: list[tuple[Callable[[Path], object], str]] = [(private_key, "private"), (public_key, "public")]

    assert read[0].private_bytes_raw() == KEY.private_bytes_raw()
    assert read[1] == KEY.public_key()
    for path in (wrong, tmp_path / "missing.pem", Path(__file__)):
        for reader, kind in readers:
            with pytest.raises(ConfigurationError, match=rf"{path.name} holds no {kind} Ed25519 key in PEM") as caught:
                reader(path)
            assert caught.value.field == "key"


async def test_checkpoints_are_judged_before_they_are_believed(
    async_session: AsyncSession, create_test_skill: Factory
) -> None:
    """Checkpoints of another chain, of another signer or without a key are refused; this chain's hold for good."""
    empty = await audit.checkpoint(async_session, AGENT_A, KEY)
    at_start = await audit.verify(async_session, AGENT_A, checkpoints=[empty], key=KEY.public_key())
    await _exported(async_session, create_test_skill)
    middle = await audit.checkpoint(async_session, AGENT_A, KEY)
    await create_test_skill()
    await audit.seal(async_session)
    grown = await audit.verify(async_session, AGENT_A, checkpoints=[middle, empty], key=KEY.public_key())
    refused = {}
    for name, mark, key in (
        ("another governance agent's", sign(AGENT_B, 1, GENESIS, KEY), KEY.public_key()),
        ("without its signer's public key", middle, None),
        ("not signed by this key", middle, OTHER_KEY.public_key()),
    ):
        with pytest.raises(InvalidValue, match=name) as caught:
            await audit.verify(async_session, AGENT_A, checkpoints=[mark], key=key)
        refused[name] = caught.value.field

    assert (empty.seq, middle.seq, at_start.intact) == (0, 3, True)
    assert (grown.intact, grown.entries) == (True, 4)
    assert list(refused.values()) == ["checkpoint", "key", "signature"]


async def test_checkpoints_that_contradict_the_chain_name_their_entry(
    async_session: AsyncSession, create_test_skill: Factory
) -> None:
    """The first entry that a checkpoint contradicts is named, also where another checkpoint agrees with it."""
    await _exported(async_session, create_test_skill)
    right = {entry.seq: entry.hash for entry in await trail(async_session)}
    wrong = sign(AGENT_A, 2, "ab" * 32, KEY)
    found = []
    for marks in ([wrong], [wrong, sign(AGENT_A, 2, right[2], KEY)], [sign(AGENT_A, 0, right[1], KEY)], [SIGNED]):
        verdict = await audit.verify(async_session, AGENT_A, checkpoints=marks, key=KEY.public_key())
        found.append((verdict.entries, verdict.bad_seq, verdict.reason))

    assert found == [
        (1, 2, Reason.CHECKPOINT),
        (1, 2, Reason.CHECKPOINT),
        (0, 1, Reason.CHECKPOINT),
        (3, 4, Reason.MISSING),
    ]


async def test_a_chain_that_cannot_be_seen_is_not_called_intact(plant_db: Database) -> None:
    """Verifying the chain of another agent, or as none, is refused, in Python and in SQL alike."""
    async with plant_db.session(AGENT_A) as session:
        session.add(skill())
    for acting in (AGENT_B, None):
        for judge in (audit.verify, audit.verify_in_server):
            with pytest.raises(
                InsufficientPrivilege, match="the chain of another governance agent cannot be"
            ) as caught:
                async with plant_db.session(acting) as session:
                    await judge(session, AGENT_A)
            assert (caught.value.sqlstate, caught.value.table) == ("42501", "audit_log")


async def test_a_broken_chain_is_not_signed(database_with: DatabaseWith, observer: Observer) -> None:
    """No checkpoint and no export is made of a chain that is not intact; the bad entry is named."""
    database = database_with(pool_size=1, max_overflow=0)
    async with database.session(AGENT_A) as session:
        session.add_all([skill() for _ in range(3)])
    for statement in (*TRIGGERS_OFF, "UPDATE plant.audit_log SET actor = 'nobody' WHERE seq = 2"):
        await observer.run(statement)
    for name in ("checkpoint", "export"):
        async with database.session(AGENT_A) as session:
            with pytest.raises(
                InvalidValue, match=r"entry 2 of the chain is bad \(hash\), so its end is not"
            ) as caught:
                if name == "checkpoint":
                    await audit.checkpoint(session, AGENT_A, KEY)
                else:
                    _ = [line async for line in export(session, AGENT_A, KEY)]
        assert caught.value.field == "chain"


async def test_a_chain_stays_bad_after_its_first_bad_entry(
    async_session: AsyncSession, create_test_skill: Factory
) -> None:
    """The judge of a chain takes no entry after a bad one and does not change its verdict."""
    await _exported(async_session, create_test_skill)
    stored = [entry async for entry in audit.entries(async_session, AGENT_A)]
    chain = Chain(AGENT_A)
    fed = [chain.feed(stored[0]), chain.feed(stored[2]), chain.feed(stored[1])]
    chain.end(3, stored[2].hash)

    assert fed == [True, False, False]
    assert (chain.verdict().entries, chain.verdict().bad_seq, chain.verdict().reason) == (1, 2, Reason.MISSING)


async def test_entries_can_be_read_before_the_commit(async_session: AsyncSession, create_test_skill: Factory) -> None:
    """`seal` writes the entries of the transaction so far, and what is changed after it is in the chain as well."""
    first = await create_test_skill()
    await audit.seal(async_session)
    sealed = await trail(async_session)
    first.name = "renamed"
    second = await create_test_skill()
    await async_session.flush()
    pending = await trail(async_session)
    await audit.seal(async_session)
    final = await trail(async_session)

    assert sealed == pending == final[:1]
    assert [(entry.entity_id, entry.version) for entry in final] == [(first.id, 1), (first.id, 2), (second.id, 1)]
    assert [entry.hash for entry in final] == [hash_by_hand(entry) for entry in final]
    assert (await judged(async_session)).intact


async def test_an_entity_needs_its_own_row(plant_db: Database, observer: Observer) -> None:
    """A row of base_entity without its child, which would have no content, is refused when the transaction ends."""
    base, _ = records(skill())
    with pytest.raises(ForeignKeyViolation, match="a row of base_entity has no row in skill") as caught:
        async with plant_db.session(AGENT_A) as session:
            await insert(session, base)

    assert (caught.value.table, caught.value.constraint) == ("base_entity", "fk_base_entity_skill")
    assert await trail(observer.connection) == []


async def test_the_actor_is_the_role_that_made_the_change(database_with: DatabaseWith, observer: Observer) -> None:
    """The entry names the role that was set when the row was written, not the one at COMMIT, on every version."""
    base, own = records(skill())
    async with database_with("plant_migrator").session(AGENT_A) as session:
        await session.execute(text("SET LOCAL ROLE plant_owner"))
        await insert(session, base, own)
        await session.execute(text("RESET ROLE"))
    async with database_with(None).session(AGENT_A) as session:
        login = await session.scalar(text("SELECT session_user"))
        await session.execute(text("UPDATE plant.base_entity SET name = 'another'"))
    entries = await trail(observer.connection)

    assert [entry.actor for entry in entries] == ["plant_owner", login]
    assert [entry.hash for entry in entries] == [hash_by_hand(entry) for entry in entries]


async def test_nobody_writes_entries_through_a_trigger_of_his_own(plant_db: Database) -> None:
    """The functions that write with the owner's rights cannot be made triggers of the application's own tables."""
    for function in ("audit_seal", "base_entity_version", "skill_capture"):
        with pytest.raises(InsufficientPrivilege, match=rf"permission denied for function .*{function} "):
            async with plant_db.session(AGENT_A) as session:
                await session.execute(text("CREATE TEMP TABLE mine (LIKE plant.base_entity) ON COMMIT DROP"))
                await session.execute(
                    text(f"CREATE TRIGGER mine AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION plant.{function}()")
                )


async def test_snapshots_that_collide_fail_and_leave_no_gap(plant_db: Database, observer: Observer) -> None:
    """At REPEATABLE READ a writer whose chain has grown is retried, and the chain has neither gap nor fork."""
    async with plant_db.session(AGENT_A) as session:
        session.add(skill())
    met = asyncio.Barrier(2)
    attempts: list[str] = []

    async def add(session: AsyncSession) -> None:
        await session.scalar(text("SELECT 1 FROM plant.audit_head"))
        if len(attempts) < 2:
            attempts.append("first")
            await met.wait()
        else:
            attempts.append("again")
        session.add(skill())

    writers = [plant_db.run_in_transaction(add, isolation=Isolation.REPEATABLE_READ, agent=AGENT_A) for _ in range(2)]
    await asyncio.gather(*writers)
    entries = await trail(observer.connection)

    assert attempts == ["first", "first", "again"]
    assert [entry.seq for entry in entries] == [1, 2, 3]
    async with plant_db.session(AGENT_A) as session:
        assert (await judged(session)).intact


async def test_the_command_names_a_cut_tail(
    database_with: DatabaseWith, settings_for: SettingsFor, observer: Observer, tmp_path: Path
) -> None:
    """`python -m plant audit verify` with a checkpoint names the first entry that was cut, and ends with 1."""
    database = database_with()
    async with database.session(AGENT_A) as session:
        session.add_all([skill() for _ in range(12)])
    async with database.session(AGENT_A) as session:
        mark = await audit.checkpoint(session, AGENT_A, KEY)
    for statement in (*TRIGGERS_OFF, *CUT_CLEANLY):
        await observer.run(statement)
    (tmp_path / "marks").write_text(f"{mark.to_json()}\n")
    (tmp_path / "key").write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    arguments = ["--agent", AGENT_A, "--checkpoint", str(tmp_path / "marks"), "--key", str(tmp_path / "key")]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "plant", "audit", "verify", *arguments),
        env={**os.environ, "PLANT_URL": settings_for().url.get_secret_value()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()

    assert output.decode() == f"The chain of {AGENT_A} is broken at entry 9: missing.\n"
    assert process.returncode == 1


async def _exported(session: AsyncSession, create: Factory) -> list[str]:
    """An export of three entries, which the test's transaction made."""
    entity: BaseEntity = await create(attributes={"id": str(uuid4())})
    await audit.seal(session)
    entity.name = "renamed"
    await create()
    await session.flush()
    await audit.seal(session)
    return [line async for line in export(session, AGENT_A, KEY)]


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


def _pem(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
