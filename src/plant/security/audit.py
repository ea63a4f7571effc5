"""The audit trail as callers use it: read it, verify it here or in the server, sign its end.

It never writes an entry; the database's triggers do, when the transaction commits. Reading needs a session that acts as
the agent.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.errors import Facts, InvalidValue, from_facts
from plant.security.audit_chain import GENESIS, Chain, Entry, Reason, Verdict
from plant.security.audit_checkpoint import Checkpoint, sign

BATCH: Final = 1000
# A moment no datetime can hold is nobody's but a forger's, and shall be judged, not raise the driver's error.
READ: Final = {
    "content": "content::text",
    "created_at": "CASE WHEN created_at >= '0001-01-03' AND created_at < '9999-12-30' THEN created_at END",
}
ENTRIES: Final = text(f"""
SELECT {", ".join(READ.get(name, name) for name in Entry._fields)}
  FROM plant.audit_log
 WHERE governance_agent_id = :agent AND seq >= CAST(:first AS bigint) AND seq <= CAST(:last AS bigint)
 ORDER BY seq
""")
# Where row-level security hides the chain it would look empty, and so intact.
HEAD: Final = text("""
SELECT h.seq, h.hash, row_security_active('plant.audit_log')
       AND CAST(:agent AS text) IS DISTINCT FROM nullif(current_setting('app.current_agent_id', true), '') AS hidden
  FROM (VALUES (1)) AS one LEFT JOIN plant.audit_head h ON h.governance_agent_id = CAST(:agent AS text)
""")
VERIFY: Final = text("SELECT entries, bad_seq, reason FROM plant.audit_verify(:agent)")
SEAL_NOW: Final = text("SET CONSTRAINTS plant.audit_seal IMMEDIATE")
SEAL_LATER: Final = text("SET CONSTRAINTS plant.audit_seal DEFERRED")
END: Final = 2**63 - 1


async def entries(session: AsyncSession, agent: str, *, first: int = 1, last: int = END) -> AsyncIterator[Entry]:
    """The agent's entries `first` to `last` in order, fetched 1000 at a time through a server-side cursor."""
    async with aclosing(_batches(session, agent, first, last)) as batches:
        async for batch in batches:
            for entry in batch:
                yield entry


async def verify(
    session: AsyncSession,
    agent: str,
    *,
    checkpoints: Sequence[Checkpoint] = (),
    key: Ed25519PublicKey | None = None,
) -> Verdict:
    """Recompute the whole chain here, in constant memory, independently of the server's own functions.

    With checkpoints, a cut, deleted or wholly rewritten chain shows too. Raises InvalidValue for a checkpoint that is
    another agent's or not signed by `key`, InsufficientPrivilege for a chain the session cannot see. Run it in
    REPEATABLE READ if the agent is being written to.
    """
    for checkpoint in checkpoints:
        _check(checkpoint, agent, key)
    expected: dict[int, set[str]] = {}
    for checkpoint in checkpoints:
        expected.setdefault(checkpoint.seq, set()).add(checkpoint.hash)
    head = await _head(session, agent)
    chain = Chain(agent)
    chain.mark(expected)
    async with aclosing(_batches(session, agent, 1, END)) as batches:
        async for batch in batches:
            if not all(_judged(chain, entry, expected) for entry in batch):
                return chain.verdict()
    chain.end(*head)
    if expected:
        chain.end(max(expected), "")
    return chain.verdict()


async def verify_in_server(session: AsyncSession, agent: str) -> Verdict:
    """The same judgement by the SQL function plant.audit_verify, without moving entries; it knows no checkpoints."""
    found = (await session.execute(VERIFY, {"agent": agent})).one()
    _, last_hash = await _head(session, agent)
    return Verdict(
        governance_agent_id=agent,
        entries=found.entries,
        bad_seq=found.bad_seq,
        reason=None if found.reason is None else Reason(found.reason),
        head_hash=last_hash,
    )


async def checkpoint(session: AsyncSession, agent: str, key: Ed25519PrivateKey) -> Checkpoint:
    """Verify the chain and sign its end; raises InvalidValue (field chain) for a chain that is not intact."""
    verdict = await verify(session, agent)
    if not verdict.intact:
        raise InvalidValue(
            f"entry {verdict.bad_seq} of the chain is bad ({verdict.reason}), so its end is not signed: "
            "find out who changed the database.",
            field="chain",
        )
    return sign(agent, verdict.entries, verdict.head_hash, key)


async def seal(session: AsyncSession) -> None:
    """Write the entries of what this transaction did so far now, not at COMMIT, to read them in the same transaction.

    The agent's chain stays locked until the transaction ends.
    """
    await session.execute(SEAL_NOW)
    await session.execute(SEAL_LATER)


async def _head(session: AsyncSession, agent: str) -> tuple[int, str]:
    head = (await session.execute(HEAD, {"agent": agent})).one()
    if head.hidden:
        problem = "the chain of another governance agent cannot be verified"
        raise from_facts(Facts(message=problem, sqlstate="42501", table="audit_log"))
    return (0, GENESIS) if head.seq is None else (head.seq, head.hash)


async def _batches(session: AsyncSession, agent: str, first: int, last: int) -> AsyncGenerator[Sequence[Entry], None]:
    result = await session.stream(
        ENTRIES, {"agent": agent, "first": first, "last": last}, execution_options={"yield_per": BATCH}
    )
    try:
        async for rows in result.partitions(BATCH):
            yield [Entry._make(row) for row in rows]
    finally:
        # Who stops early, at a bad entry say, must leave no cursor open in the server.
        await result.close()


def _judged(chain: Chain, entry: Entry, expected: dict[int, set[str]]) -> bool:
    good = chain.feed(entry)
    if good and expected:
        chain.mark(expected)
    return chain.bad is None


def _check(checkpoint: Checkpoint, agent: str, key: Ed25519PublicKey | None) -> None:
    if checkpoint.governance_agent_id != agent:
        raise InvalidValue("the checkpoint is another governance agent's: pass one of this chain.", field="checkpoint")
    if key is None:
        raise InvalidValue("a checkpoint proves nothing without its signer's public key: pass key.", field="key")
    checkpoint.check(key)
