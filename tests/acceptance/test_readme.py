"""What the README says is there to be run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator

import pytest

from pgmatrix.__main__ import main
from pgmatrix.config import KEYS
from tests.acceptance.conftest import ROOT, Nox

README = (ROOT / "README.md").read_text(encoding="utf-8")
TWO = [
    "python3 -m venv .venv && .venv/bin/pip install nox && .venv/bin/nox -s integration",
    "python3 -m venv .venv && .venv/bin/pip install nox && .venv/bin/nox -s tests",
]


def commands() -> Iterator[str]:
    """Every nox command of the README's shell blocks, from `nox` on."""
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL):
        for line in block.splitlines():
            found = re.search(r"(?:^|[/ ])(nox .*?)(?:\s+#.*)?$", line.split(" && ")[-1])
            if found:
                yield found[1]


def test_the_two_commands_stand_in_the_readme_word_for_word() -> None:
    """A newcomer's two commands are one line each."""
    lines = README.splitlines()

    assert all(command in lines for command in TWO)


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_every_nox_command_selects_sessions(nox: Nox, command: str) -> None:
    """Each nox command of the README selects at least one session."""
    words = shlex.split(command)[1:]
    if "--" in words:
        words = words[: words.index("--")]

    listed = nox("--list", "--json", *words)

    assert listed.code == 0, listed.output
    assert json.loads(listed.output)


def test_every_command_of_pgmatrix_exists(capsys: pytest.CaptureFixture[str]) -> None:
    """Each `python -m pgmatrix` command of the README, with its options, is one that its own help has."""
    found = re.findall(r"python -m pgmatrix ([a-z]+)((?: +--[a-z]+)*)", README)
    assert len({command for command, _ in found}) >= 8

    for command, options in found:
        with pytest.raises(SystemExit) as end:
            main([command, "--help"])
        text = capsys.readouterr().out
        assert (end.value.code, [one for one in options.split() if one not in text]) == (0, [])


def test_the_settings_table_is_the_code_s() -> None:
    """Every setting stands in the README with its variable, and no other does."""
    rows = re.findall(r"^\| `([a-z-]+)` \| (?:`(PGMATRIX_[A-Z_]+)`)? ?\|", README, re.MULTILINE)

    assert {(name, env or None) for name, env in rows} == {(key.name, key.env) for key in KEYS}
