"""Layer 1, beyond the contract: what the README says of plant runs as it stands there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from pgmatrix.databases.database import Database as Clone
from plant.__main__ import app
from tests.fixtures.databases import APP

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("## plant in an application\n")[2].partition("\n## ")[0]
COMMANDS = re.findall(r"^python -m plant (.+?)  +#", SECTION, re.MULTILINE)


async def test_the_example_runs(
    pg_clone: Clone, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The application of the README stores a skill, does not show it to another agent, and finds it by its meaning."""
    (program,) = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    monkeypatch.setenv("PLANT_URL", pg_clone.url(APP))
    names: dict[str, Any] = {}
    exec(compile(program, "README.md", "exec"), names)  # noqa: S102 - the README is what is tested
    await names["main"]()

    assert capsys.readouterr().out.splitlines() == ["None", "['welding']"]


async def test_the_commands_run(
    pg_clone: Clone, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command of the README ends well on a database that is prepared already, as the role it names."""
    roles = {"bootstrap": None, "migrate": "plant_migrator", "audit": APP}
    for command in COMMANDS:
        words = command.split()
        monkeypatch.setenv("PLANT_URL", pg_clone.url(roles[words[0]]))
        await asyncio.to_thread(app, words, standalone_mode=False)

    assert capsys.readouterr().out.splitlines() == [
        "The database is ready for: python -m plant migrate up",
        "The database is at revision 005.",
        "The chain of acme is intact: 0 entries.",
    ]
