"""Owns the choice of a provider for a cell: the order of `auto`, the reason, and the one error when nothing serves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pgmatrix.config import ProviderName
from pgmatrix.errors import Attempt, ServerUnavailable
from pgmatrix.matrix import Cell
from pgmatrix.servers.protocol import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A provider and, in a few words, why it and not one before it."""

    provider: Provider
    reason: str


def choose(cell: Cell, wanted: ProviderName, providers: Iterable[Provider]) -> Choice:
    """The first of `providers` (in order) that can serve `cell`; only `wanted` itself unless that is `auto`.

    Raises ServerUnavailable, which lists every provider asked and its answer.
    """
    asked: list[Attempt] = []
    for provider in providers:
        if wanted not in (ProviderName.AUTO, provider.name):
            continue
        refusal = provider.refusal(cell)
        if refusal is None:
            return Choice(provider=provider, reason=_reason(wanted, asked))
        asked.append(Attempt(what=provider.name, why=refusal))
    raise ServerUnavailable(
        f"no provider can serve PostgreSQL {cell.major}",
        tried=asked,
        do_next=f"set PGMATRIX_DSN_{cell.major}, start Docker, or choose a major the embedded provider has",
    )


def _reason(wanted: ProviderName, asked: Sequence[Attempt]) -> str:
    if wanted is not ProviderName.AUTO:
        return "asked for"
    return "; ".join(f"no {attempt.what}: {attempt.why}" for attempt in asked) or "first choice"
