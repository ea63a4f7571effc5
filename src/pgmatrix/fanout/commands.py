"""Owns the commands of this package: their arguments and what they print. What they do is in the modules beside it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pgmatrix.config import Config
from pgmatrix.fanout.cells import job_matrix
from pgmatrix.matrix import Session


def add_commands(commands: Any) -> None:
    """Add `merge`, `ci` and `init` to the subparsers."""
    from pgmatrix.fanout.workflow import PLACE, REQUIREMENT

    merge = commands.add_parser("merge", help="make one run of the records and coverage data that several jobs left")
    merge.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of a run, or one that holds such")
    merge.add_argument("--into", required=True, type=Path, metavar="DIR", help="the new run's folder")
    merge.set_defaults(run=_merge)
    ci = commands.add_parser("ci", help="print a GitHub workflow: a job for each cell, then merge and gate")
    ci.add_argument("--write", action="store_true", help=f"write it to {PLACE} instead")
    ci.add_argument("--install", default=REQUIREMENT, metavar="WHAT", help="what pip is given to get pgmatrix")
    ci.add_argument("--python", default="3.12", metavar="VERSION", help="the jobs' Python")
    ci.set_defaults(run=_ci)
    init = commands.add_parser("init", help="write a first table, template, test and noxfile into this folder")
    init.add_argument("--drivers", metavar="LIST", help="such as psycopg,asyncpg; those installed here by default")
    init.add_argument("--postgres", default="15,16", metavar="LIST", help="majors, such as 15,16,18")
    init.set_defaults(run=_init, table=False)


def print_job_matrix(sessions: Sequence[Session]) -> int:
    """Print the matrix for a CI system, in one line."""
    print(json.dumps(job_matrix(sessions)))
    return 0


def _merge(options: argparse.Namespace, config: Config) -> int:
    from pgmatrix.fanout.merge import merge

    made = merge(options.folders, options.into, planned=config.matrix.sessions, root=config.root)
    for path in made.left_out:
        print(f"left out, no session's file: {path}")
    for name in made.damaged:
        print(f"cannot be read, taken over as it is: the record of {name}")
    print(f"{made.folder}: {len(made.sessions)} records from {len(made.sources)} folders, commit {made.commit or '-'}")
    missing = [str(one) for one in config.matrix.sessions if str(one) not in {*made.sessions, *made.damaged}]
    if missing:
        print(f"no record of {', '.join(missing)}")
    return 0


def _ci(options: argparse.Namespace, config: Config) -> int:
    from pgmatrix.fanout.workflow import PLACE, workflow, write_workflow

    text = workflow(options.install, python=options.python)
    if not options.write:
        print(text, end="")
    elif write_workflow(config.root, text):
        print(f"wrote {PLACE}: a job for each of {', '.join(map(str, config.matrix.cells))}")
    else:
        print(f"{PLACE} is there, word for word")
    return 0


def _init(options: argparse.Namespace, _: None) -> int:
    from pgmatrix.fanout.start import start

    for line in start(Path.cwd(), drivers=options.drivers, postgres=options.postgres):
        print(line)
    return 0
