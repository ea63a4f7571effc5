"""A patch changes an attribute where it is looked up, and refuses to change nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from pgmatrix.errors import FaultError
from pgmatrix.teeth.faults import Fault, Patch


class _Parent:
    def inherited(self) -> str:
        return "inherited"


class _Sample(_Parent):
    limit = 5

    @staticmethod
    def static() -> str:
        return "static"

    @property
    def shown(self) -> str:
        return "shown"

    def method(self) -> str:
        return "method"


@pytest.fixture
def sample() -> Iterator[Any]:
    """A module of its own that may be patched."""
    module: Any = ModuleType("sample_of_teeth")
    module.Sample = type("Sample", (_Sample,), dict(vars(_Sample)))
    module.limit = 5
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def test_a_value_of_a_module_is_replaced(sample: Any) -> None:
    """`module:name` is what its maker makes of it."""
    Patch(target="sample_of_teeth:limit", make=lambda old: old + 1).apply()

    assert sample.limit == 6


@pytest.mark.parametrize("name", ["method", "inherited"])
def test_a_method_is_replaced_for_every_instance(sample: Any, name: str) -> None:
    """A class's own methods and those it inherits can be wrapped; its parent stays as it was."""

    def loud(old: Callable[[Any], str]) -> Callable[[Any], str]:
        return lambda self: old(self).upper()

    Patch(target=f"sample_of_teeth:Sample.{name}", make=loud).apply()

    assert getattr(sample.Sample(), name)() == name.upper()
    assert _Parent().inherited() == "inherited"


def test_descriptors_are_given_as_they_are_stored(sample: Any) -> None:
    """A static method and a property reach the maker as such, not as what looking them up gives."""
    Patch(target="sample_of_teeth:Sample.static", make=lambda old: staticmethod(lambda: old.__func__() + "!")).apply()
    Patch(target="sample_of_teeth:Sample.shown", make=lambda old: property(lambda self: old.fget(self) + "!")).apply()

    assert (sample.Sample.static(), sample.Sample().shown) == ("static!", "shown!")


@pytest.mark.parametrize("make", [lambda old: old, lambda old: 2 + 3])
def test_a_patch_that_changes_nothing_is_refused(sample: Any, make: Callable[[Any], Any]) -> None:
    """The same object, or an equal value of the same type, is no fault."""
    with pytest.raises(FaultError) as caught:
        Patch(target="sample_of_teeth:limit", make=make).apply()

    assert str(caught.value) == "sample_of_teeth:limit is the same as before\n  do    give it another value"


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("sample_of_teeth:missing", ""),
        ("sample_of_teeth:Missing.method", ": module 'sample_of_teeth' has no attribute 'Missing'"),
        ("no_such_module_of_teeth:limit", ": No module named 'no_such_module_of_teeth'"),
    ],
)
def test_a_patch_of_what_is_not_there_is_refused(sample: Any, target: str, why: str) -> None:
    """A module, class or attribute that does not exist is told by name."""
    with pytest.raises(FaultError) as caught:
        Patch(target=target, make=lambda old: None).apply()

    assert str(caught.value) == f"{target} does not exist{why}\n  do    name an attribute that does"


def test_only_sql_alone_stays_in_the_template() -> None:
    """What changes the process, or the whole server, every test can see."""
    patch = Patch(target="a:b", make=lambda old: None)

    def fault(**how: Any) -> Fault:
        return Fault(name="one", breaks="it", reds=frozenset({"test_a"}), **how)

    assert fault(sql=("DROP TABLE a",)).is_in_template
    assert not fault(sql=("ALTER ROLE a",), undo=("ALTER ROLE b",)).is_in_template
    assert not fault(sql=("DROP TABLE a",), changes=(patch,)).is_in_template
