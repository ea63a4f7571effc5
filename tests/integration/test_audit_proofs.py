"""Layer 5, beyond the contract: checkpoints and what they refuse, the command, and how the chain meets roles."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.config import Isolation
from plant.core.database import Database
from plant.core.errors import ConfigurationError, ForeignKeyViolation, InsufficientPrivilege, InvalidValue
from plant.security import audit
from plant.security.audit_chain import GENESIS, Chain, Reason
from plant.security.audit_checkpoint import Checkpoint, private_key, public_key, sign
from plant.security.audit_export import export
from tests.fixtures.audit import hash_by_hand, judged, trail
from tests.fixtures.databases import AGENT_A, AGENT_B, SettingsFor
from tests.fixtures.exports import KEY, OTHER_KEY, exported
from tests.fixtures.factories import Factory, skill
from tests.fixtures.locks import Observer
from tests.fixtures.pools import DatabaseWith
from tests.fixtures.rows import insert, records
from tests.fixtures.tampering import CUT_CLEANLY, TRIGGERS_OFF

SIGNED = sign(AGENT_A, 12, "ab" * 32, KEY)


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
    await exported(async_session, create_test_skill)
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
    await exported(async_session, create_test_skill)
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
    await exported(async_session, create_test_skill)
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


def _pem(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
