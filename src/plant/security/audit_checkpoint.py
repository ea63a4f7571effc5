"""Signed checkpoints: what a chain's end was at a moment, kept outside the database, so that a cut tail shows.

Whoever can rewrite every table can make a chain that agrees with itself, but not one that agrees with a signature.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from plant.core.errors import ConfigurationError, InvalidValue

FORMAT: Final = "plant.checkpoint.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Entry `seq` of an agent's chain had this hash; `signed_at` is ISO 8601 in UTC, `signature` Ed25519 in hex."""

    governance_agent_id: str
    seq: int
    hash: str
    signed_at: str
    signature: str

    def message(self) -> bytes:
        """What is signed: a JSON array of every other field."""
        fields = (FORMAT, self.governance_agent_id, self.seq, self.hash, self.signed_at)
        return json.dumps(fields, ensure_ascii=False).encode()

    def check(self, key: Ed25519PublicKey) -> None:
        """Raises InvalidValue (field signature) unless this key's owner signed exactly this."""
        try:
            key.verify(bytes.fromhex(self.signature), self.message())
        except (InvalidSignature, ValueError):
            raise InvalidValue(
                f"the checkpoint of entry {self.seq} is not signed by this key: use the signer's public key, "
                "and the checkpoint as it was written.",
                field="signature",
            ) from None

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Checkpoint:
        """Raises InvalidValue (field checkpoint) for anything but a checkpoint's JSON."""
        try:
            values = json.loads(text)
            return cls(**{name: kind(values[name]) for name, kind in _FIELDS.items()})
        except (ValueError, TypeError, KeyError, OverflowError):
            raise InvalidValue(
                "this is not a checkpoint: pass one line written by `plant audit checkpoint`.", field="checkpoint"
            ) from None


_FIELDS: Final = {"governance_agent_id": str, "seq": int, "hash": str, "signed_at": str, "signature": str}


def sign(agent: str, seq: int, last_hash: str, key: Ed25519PrivateKey) -> Checkpoint:
    """A checkpoint of now."""
    bare = Checkpoint(
        governance_agent_id=agent,
        seq=seq,
        hash=last_hash,
        signed_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        signature="",
    )
    return Checkpoint(**{**asdict(bare), "signature": key.sign(bare.message()).hex()})


def private_key(path: Path) -> Ed25519PrivateKey:
    """Read an unencrypted PEM file; raises ConfigurationError (field key) for any other content."""
    key = _read(path, lambda data: load_pem_private_key(data, password=None))
    if not isinstance(key, Ed25519PrivateKey):
        raise _not_a_key(path, "private")
    return key


def public_key(path: Path) -> Ed25519PublicKey:
    """Read a PEM file; raises ConfigurationError (field key) for any other content."""
    key = _read(path, load_pem_public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise _not_a_key(path, "public")
    return key


def _read(path: Path, load: Callable[[bytes], object]) -> object:
    try:
        return load(path.read_bytes())
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _not_a_key(path: Path, kind: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path} holds no {kind} Ed25519 key in PEM: make one with `openssl genpkey -algorithm ed25519`, "
        "its public half with `openssl pkey -pubout`.",
        field="key",
    )
