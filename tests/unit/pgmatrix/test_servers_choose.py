"""The choice of a provider: the first that can serve, why it and not one before, and the one error when none can."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from pgmatrix.config import ProviderName
from pgmatrix.errors import ServerUnavailable
from pgmatrix.matrix import Cell
from pgmatrix.servers.choose import choose
from pgmatrix.servers.protocol import Lease, ServerSpec
from tests.unit.pgmatrix.builders import CELL


@dataclass
class FakeProvider:
    """A provider that refuses with a text, or serves; it counts how often it was asked."""

    name: ProviderName
    why: str | None = None
    keeps_snapshots: bool = False
    asked: list[Cell] = field(default_factory=list)

    def refusal(self, cell: Cell) -> str | None:
        self.asked.append(cell)
        return self.why

    def build(self, cell: Cell) -> str:
        return f"build of {cell}"

    def has(self, key: str) -> bool:
        return key == ""

    def start(self, spec: ServerSpec, *, key: str | None, reason: str) -> Lease:
        raise AssertionError(f"a choice starts nothing: {spec}, {key}, {reason}")


def order(external: str | None, container: str | None, embedded: str | None) -> list[FakeProvider]:
    """The three providers in the order of `auto`, each with its refusal."""
    return [
        FakeProvider(ProviderName.EXTERNAL, external),
        FakeProvider(ProviderName.CONTAINER, container),
        FakeProvider(ProviderName.EMBEDDED, embedded),
    ]


def test_auto_takes_the_first_that_can_serve() -> None:
    """`auto` asks in order, takes the first that does not refuse, and asks nobody after it."""
    providers = order("no DSN", None, None)

    choice = choose(CELL, ProviderName.AUTO, providers)

    assert choice.provider is providers[1]
    assert choice.reason == "no external: no DSN"
    assert [provider.asked for provider in providers] == [[CELL], [CELL], []]


def test_the_reason_lists_all_that_refused() -> None:
    """The reason says of every provider that was passed over why."""
    choice = choose(CELL, ProviderName.AUTO, order("no DSN", "no engine answers", None))

    assert choice.reason == "no external: no DSN; no container: no engine answers"


def test_the_first_needs_no_reason() -> None:
    """A provider with none before it is the first choice."""
    assert choose(CELL, ProviderName.AUTO, order(None, None, None)).reason == "first choice"


def test_a_wanted_provider_is_the_only_one_asked() -> None:
    """A provider that was asked for by name is taken for that reason, though others come before it."""
    providers = order(None, None, None)

    choice = choose(CELL, ProviderName.EMBEDDED, providers)

    assert (choice.provider, choice.reason) == (providers[2], "asked for")
    assert [len(provider.asked) for provider in providers] == [0, 0, 1]


def test_when_nothing_serves_one_error_lists_every_answer() -> None:
    """When nobody can serve the major the error says what was wanted, each refusal, and what to do."""
    with pytest.raises(ServerUnavailable) as error:
        choose(CELL, ProviderName.AUTO, order("no DSN", "no engine", "no wheel"))

    assert str(error.value) == (
        "no provider can serve PostgreSQL 16\n"
        "  tried external: no DSN\n"
        "  tried container: no engine\n"
        "  tried embedded: no wheel\n"
        "  do    set PGMATRIX_DSN_16, start Docker, or choose a major the embedded provider has"
    )


def test_a_wanted_provider_that_refuses_is_not_replaced() -> None:
    """A provider that was asked for and refuses is an error, even where another could serve."""
    with pytest.raises(ServerUnavailable) as error:
        choose(CELL, ProviderName.CONTAINER, order(None, "no engine", None))

    assert [str(attempt) for attempt in error.value.tried] == ["container: no engine"]
