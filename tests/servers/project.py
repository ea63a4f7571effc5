"""The smallest project that uses pgmatrix: a table, a template callable in pure SQL, a role of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pgmatrix.config import Config, load

ROLE = "pgmx_test_reader"
TEMPLATE = """\
from pgmatrix.clients import connect


def build(database):
    client = connect(database.server, database=database.name)
    try:
        if not client.execute("select 1 from pg_roles where rolname = '{role}'"):
            client.execute("create role {role} login")
        for name in {extensions}:
            client.execute('create extension "' + name + '"')
        client.execute("create table thing (id int primary key, name text not null)")
        client.execute("insert into thing select n, 'thing ' || n from generate_series(1, 3) n")
        client.execute("grant select, insert on thing to {role}")
    finally:
        client.close()
"""


def write_project(
    folder: Path,
    *,
    template: str = TEMPLATE,
    extensions: Sequence[str] = ("vector", "uuid-ossp"),
    role: str = ROLE,
    lines: Sequence[str] = (),
    layers: Sequence[str] = ("layer",),
) -> Path:
    """Write pyproject.toml and the template module to `folder`; `lines` are further settings of the table."""
    table = [
        "[tool.pgmatrix]",
        "postgres = [15, 16, 18]",
        'template = "things:build"',
        'template-sources = ["things.py"]',
        f"extensions = {json.dumps(list(extensions))}",
        f"roles = {json.dumps([role] if role else [])}",
        *lines,
        "[tool.pgmatrix.layers]",
        *(f'{name} = ["test_{name}.py"]' for name in layers),
    ]
    (folder / "pyproject.toml").write_text("\n".join(table) + "\n", encoding="utf-8")
    text = template.replace("{role}", role).replace("{extensions}", repr(list(extensions)))
    (folder / "things.py").write_text(text, encoding="utf-8")
    return folder


def load_project(folder: Path, **environ: str) -> Config:
    """The configuration of that project under these environment variables alone."""
    return load(folder, environ=environ)
