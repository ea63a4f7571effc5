"""The hash chain of the audit trail, computed without the database: encoding, links, and the judge of a chain. Pure.

Entry n has `hash = sha256(prev_hash || canonical(entry))` over UTF-8, in hexadecimal; the first follows 64 zeros. The
canonical form is a JSON array as PostgreSQL's jsonb prints it: no two entries share one, no session setting takes part.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from plant.models.canonical import microseconds

FORMAT: Final = "plant.audit.1"
GENESIS: Final = "0" * 64
_encode = json.JSONEncoder(ensure_ascii=False).encode


class Entry(NamedTuple):
    """One row of audit_log; `content` is jsonb's own text, byte for byte. A tuple: millions of them are judged.

    `created_at` is None where a datetime cannot hold what is stored, which no entry of the database's own has.
    """

    governance_agent_id: str
    seq: int
    created_at: datetime | None
    transaction_id: int
    actor: str
    action: str
    entity_type: str
    entity_id: UUID | str
    version: int
    version_hash: str
    content: str
    prev_hash: str
    hash: str


class Reason(StrEnum):
    """What is wrong with the first bad entry."""

    MISSING = "missing"
    LINK = "link"
    HASH = "hash"
    FORGED = "forged"
    HEAD = "head"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How many entries are good, and the first bad one with its reason; `bad_seq` is None for an intact chain."""

    governance_agent_id: str
    entries: int
    bad_seq: int | None = None
    reason: Reason | None = None
    head_hash: str = GENESIS

    @property
    def intact(self) -> bool:
        """Whether every entry is in place and no end is missing."""
        return self.bad_seq is None


def canonical(entry: Entry) -> str:
    """What is hashed of an entry: every column but the two hashes of the chain itself."""
    head = _encode(
        (
            FORMAT,
            entry.governance_agent_id,
            entry.seq,
            microseconds(entry.created_at),
            entry.transaction_id,
            entry.actor,
            entry.action,
            entry.entity_type,
            str(entry.entity_id),
            entry.version,
            entry.version_hash,
        )
    )
    return f"{head[:-1]}, {entry.content}]"


def link(prev_hash: str, text: str) -> str:
    """The hash of an entry that follows `prev_hash`."""
    return hashlib.sha256((prev_hash + text).encode()).hexdigest()


class Chain:
    """Judges one chain entry by entry in order of `seq`, in constant memory, up to the first bad one."""

    def __init__(self, agent: str, *, first: int = 1, prev_hash: str = GENESIS) -> None:
        self.agent = agent
        self.last_hash = prev_hash
        self.bad: tuple[int, Reason] | None = None
        self._first = first
        self._next = first

    def feed(self, entry: Entry) -> bool:
        """Take the next entry as it is stored; False from the first bad one on."""
        if self.bad is None:
            reason = self._problem(entry)
            if reason is None:
                self._next += 1
                self.last_hash = entry.hash
                return True
            self.bad = (self._next, reason)
        return False

    def end(self, seq: int, last_hash: str) -> None:
        """Judge the end against what the chain's head, or a checkpoint of its end, says."""
        last = self._next - 1
        if self.bad is not None:
            return
        if seq > last:
            self.bad = (last + 1, Reason.MISSING)
        elif seq < last:
            self.bad = (max(seq + 1, self._first), Reason.FORGED)
        elif last_hash != self.last_hash:
            self.bad = (max(last, self._first), Reason.HEAD)

    def mark(self, expected: dict[int, set[str]]) -> None:
        """Judge the entry just fed, or the start, against the hashes signed for its `seq`; these are taken out."""
        signed = expected.pop(self._next - 1, None)
        if self.bad is None and signed is not None and signed != {self.last_hash}:
            self.bad = (max(self._next - 1, self._first), Reason.CHECKPOINT)

    def verdict(self) -> Verdict:
        """What was found so far."""
        seq, reason = self.bad or (None, None)
        good = self._next if seq is None else min(seq, self._next)
        return Verdict(
            governance_agent_id=self.agent,
            entries=good - self._first,
            bad_seq=seq,
            reason=reason,
            head_hash=self.last_hash,
        )

    def _problem(self, entry: Entry) -> Reason | None:
        if entry.seq != self._next or entry.governance_agent_id != self.agent:
            return Reason.MISSING
        if entry.prev_hash != self.last_hash:
            return Reason.LINK
        if entry.created_at is None or entry.hash != link(entry.prev_hash, canonical(entry)):
            return Reason.HASH
        return None
