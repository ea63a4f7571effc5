"""Export of a range of a chain with its proof, and its verification where there is no database.

Lines of JSON: a header, the entries, and a trailer whose signed checkpoint of the last entry is the proof; through the
links it speaks for every entry before it too.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy.ext.asyncio import AsyncSession

from plant.core.errors import InvalidValue
from plant.security.audit import END, checkpoint, entries
from plant.security.audit_chain import Chain, Entry, Verdict
from plant.security.audit_checkpoint import Checkpoint, sign

FORMAT: Final = "plant.export.1"
NUMBERS: Final = {"first", "seq", "transaction_id", "version"}


async def export(
    session: AsyncSession, agent: str, key: Ed25519PrivateKey, *, first: int = 1, last: int = END
) -> AsyncIterator[str]:
    """The lines of an export of entries `first` to `last`, both included; streams in constant memory.

    Raises InvalidValue for a range without entries or a chain that is not intact.
    """
    await checkpoint(session, agent, key)
    final: Entry | None = None
    async for entry in entries(session, agent, first=first, last=last):
        if final is None:
            yield _line(
                {"format": FORMAT, "governance_agent_id": agent, "first": entry.seq, "prev_hash": entry.prev_hash}
            )
        moment = entry.created_at and entry.created_at.isoformat()
        yield _line({**entry._asdict(), "created_at": moment, "entity_id": str(entry.entity_id)})
        final = entry
    if final is None:
        raise InvalidValue("the chain has no entry in this range: choose first and last within it.", field="first")
    yield sign(agent, final.seq, final.hash, key).to_json()


def verify_export(lines: Iterable[str], key: Ed25519PublicKey) -> Verdict:
    """Judge an export by its lines alone, in constant memory.

    Raises InvalidValue: field export for lines that are no export or have no signed end, signature for a wrong key.
    """
    rows = iter(lines)
    header = _parse(next(rows, ""), "format", "governance_agent_id", "first", "prev_hash")
    if header["format"] != FORMAT:
        raise _no_export("is of another format")
    chain = Chain(header["governance_agent_id"], first=header["first"], prev_hash=header["prev_hash"])
    for row in rows:
        if '"signature"' in row and (end := _trailer(row)) is not None:
            end.check(key)
            if next(rows, None) is not None or end.governance_agent_id != chain.agent:
                raise _no_export("goes on after its end, or ends another chain")
            chain.end(end.seq, end.hash)
            return chain.verdict()
        try:
            chain.feed(_entry(row))
        except UnicodeEncodeError:
            raise _no_export("has an entry with half a character") from None
    raise _no_export("has no signed end")


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False)


def _trailer(row: str) -> Checkpoint | None:
    """An entry may have the word in its content; a checkpoint has it as a key."""
    return Checkpoint.from_json(row) if "signature" in _parse(row) else None


def _entry(row: str) -> Entry:
    values = _parse(row, *Entry._fields)
    try:
        values["created_at"] = datetime.fromisoformat(values["created_at"])
    except ValueError:
        raise _no_export("has an entry without a moment") from None
    if values["created_at"].tzinfo is None:
        raise _no_export("has a moment without a time zone")
    return Entry(**{name: values[name] for name in Entry._fields})


def _parse(row: str, *names: str) -> dict[str, Any]:
    """A JSON object that has these names, with values of the right kind."""
    try:
        values = json.loads(row)
    except ValueError:
        values = None
    if not isinstance(values, dict) or not all(isinstance(values.get(name), _kind(name)) for name in names):
        raise _no_export("has a line that is none of its own")
    return values


def _kind(name: str) -> type:
    return int if name in NUMBERS else str


def _no_export(problem: str) -> InvalidValue:
    return InvalidValue(f"the export {problem}: pass the file as `plant audit export` wrote it.", field="export")
