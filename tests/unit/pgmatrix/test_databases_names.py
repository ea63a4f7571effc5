"""Names of what we make: they fit, need no quoting, tell whose they are, and never collide."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.databases.names import (
    LIMIT,
    PREFIX,
    build_pattern,
    clone_name,
    clone_pattern,
    lock_number,
    new_token,
    private_name,
    template_name,
    token_of,
)

hexadecimal = st.text(alphabet="0123456789abcdef", min_size=1, max_size=64)
tokens = st.text(alphabet="0123456789abcdef", min_size=8, max_size=8)
anything = st.text(max_size=40) | st.from_regex(r"[A-Za-z0-9_-]{20,90}", fullmatch=True)
numbers = st.integers(0, 10**9)


def needs_no_quotes(name: str) -> bool:
    """Whether PostgreSQL reads the name unquoted as itself, and whole."""
    return re.fullmatch(r"[a-z_][a-z0-9_]*", name) is not None and len(name.encode()) <= LIMIT


def like(name: str, pattern: str) -> bool:
    """PostgreSQL's LIKE: a percent is anything, an underscore any character, a backslash takes both literally."""
    parts = re.findall(r"\\(.)|(.)", pattern)
    regex = "".join(
        re.escape(plain) if plain else {"%": ".*", "_": "."}.get(mark, re.escape(mark)) for plain, mark in parts
    )
    return re.fullmatch(regex, name) is not None


@given(tokens, anything, numbers)
def test_a_clones_name_fits_whatever_the_worker_is_called(token: str, worker: str, number: int) -> None:
    """The name of a clone is at most 63 bytes, needs no quotes and tells its session, for any worker."""
    name = clone_name(token, worker, number)

    assert needs_no_quotes(name)
    assert token_of(name) == token


@given(hexadecimal, tokens)
def test_a_templates_names_fit_whatever_its_key(key: str, token: str) -> None:
    """Both names of a template fit and need no quotes; only the unfinished one belongs to a session."""
    final, private = template_name(key), private_name(key, token)

    assert needs_no_quotes(final)
    assert needs_no_quotes(private)
    assert (token_of(final), token_of(private)) == (None, token)


workers = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True)


@given(tokens, st.tuples(workers, numbers), st.tuples(workers, numbers))
def test_two_clones_never_have_one_name(token: str, one: tuple[str, int], other: tuple[str, int]) -> None:
    """Different workers, or different numbers of one worker, give different names."""
    assert (clone_name(token, *one) == clone_name(token, *other)) == (one == other)


@given(tokens, tokens, tokens, workers, numbers)
def test_patterns_match_what_a_session_made_and_nothing_else(
    token: str, another: str, key: str, worker: str, number: int
) -> None:
    """A session's patterns match its own clones and unfinished templates, and those of no other session."""
    clone, private = clone_name(another, worker, number), private_name(key, another)

    assert like(clone, clone_pattern(token)) == (token == another)
    assert like(private, build_pattern(token)) == (token == another)
    assert not like(template_name(key), clone_pattern(token))
    assert not like(template_name(key), build_pattern(token))


def test_names_are_what_they_are_said_to_be() -> None:
    """The forms of all names, as people see them in a list of databases."""
    assert clone_name("0123abcd", "gw0", 7) == "pgmx_c_0123abcd_gw0_7"
    assert clone_name("0123abcd", "???", 0) == "pgmx_c_0123abcd_main_0"
    assert clone_name("0123abcd", "GW-1", 0) == "pgmx_c_0123abcd_gw1_0"
    assert template_name("f" * 40) == f"pgmx_t_{'f' * 32}"
    assert private_name("f" * 40, "0123abcd") == f"pgmx_b_{'f' * 32}_0123abcd"


@pytest.mark.parametrize(
    "name",
    ["postgres", "plant", "pgmx_", "pgmx_t_ff", "pgmx_c_", "pgmx_c_xyz_gw0_1", "pgmx_b_ff", "xpgmx_c_ab_gw0_1", ""],
)
def test_other_names_belong_to_no_session(name: str) -> None:
    """A name that is not a clone's or an unfinished template's tells no session."""
    assert token_of(name) is None


@pytest.mark.parametrize("text", ["", "xyz", "AB", "ab ", "a'; drop database postgres", "é"])
def test_what_is_not_hexadecimal_makes_no_name(text: str) -> None:
    """A key or token that is not hexadecimal is refused, so that no name can carry anything else."""
    for make in (template_name, clone_pattern, build_pattern, lambda token: clone_name(token, "gw0", 0)):
        with pytest.raises(ValueError) as error:
            make(text)

        assert str(error.value) == f"{text!r} is not hexadecimal"


def test_tokens_are_new_every_time() -> None:
    """A token is eight hexadecimal digits, and two are not the same."""
    found = [new_token() for _ in range(50)]

    assert len(set(found)) == 50
    assert all(re.fullmatch(r"[0-9a-f]{8}", token) for token in found)


@given(st.lists(anything, unique=True, max_size=50))
def test_lock_numbers_fit_and_do_not_collide(texts: list[str]) -> None:
    """A lock's number fits PostgreSQL's bigint, and different texts have different numbers."""
    found = [lock_number(text) for text in texts]

    assert all(-(2**63) <= number < 2**63 for number in found)
    assert len(set(found)) == len(texts)


def test_lock_numbers_are_the_same_in_every_process() -> None:
    """The number is 64-bit FNV-1a of the text's bytes, read as signed (its published test vectors)."""
    assert lock_number("") == 0xCBF29CE484222325 - 2**64
    assert lock_number("a") == 0xAF63DC4C8601EC8C - 2**64
    assert lock_number("foobar") == 0x85944171F73967E8 - 2**64


def test_everything_of_ours_has_the_prefix() -> None:
    """Whatever we make on a server can be told by how its name begins."""
    names = [clone_name("ab", "gw0", 0), template_name("ab"), private_name("ab", "ab")]

    assert all(name.startswith(PREFIX) for name in names)
