"""Owns one invocation of nox: its run's folder, the sessions it chose, their environments, the report in the end.

Standard library only, so a noxfile can import it. Starts no test itself.
"""

from __future__ import annotations

import argparse
import atexit
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pgmatrix.errors import ConfigError
from pgmatrix.servers.tuning import usable_cores

MOST_AT_ONCE = 8  # sessions, unless -j says otherwise: a server and up to 256 MB each
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PIP = "-m pip install -qq --no-compile --disable-pip-version-check".split()


def begin(root: Path, argv: Sequence[str], options: Any) -> Path:
    """The folder of this run. The process a person started opens it, and reports when everything has ended.

    `argv` are nox's arguments, `options` its options: unless `-j` says otherwise, as many sessions run at once as there
    are cores. PGMATRIX_RUN, where it is set, is the run's id: several jobs may share one. Raises ConfigError.
    """
    if "PGMATRIX_RUN_DIR" not in os.environ:
        run = os.environ.get("PGMATRIX_RUN") or f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        if not _RUN.fullmatch(run):
            raise ConfigError(
                f"PGMATRIX_RUN = {run!r} cannot name a folder",
                do_next="use letters, digits, - and _, a letter or digit first",
            )
        os.environ["PGMATRIX_RUN"] = run
        os.environ["PGMATRIX_RUN_DIR"] = str(root / ".pgmatrix" / "runs" / run)
        os.environ["PGMATRIX_PARALLEL_SESSIONS"] = str(_at_once(argv, options))
        os.environ["PGMATRIX_ARGV"] = json.dumps(list(argv))
        atexit.register(_report, root, Path(os.environ["PGMATRIX_RUN_DIR"]))
    return Path(os.environ["PGMATRIX_RUN_DIR"])


def _at_once(argv: Sequence[str], options: Any) -> int:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-j", "--parallel", default=os.environ.get("NOX_PARALLEL"))
    parser.add_argument("-s", "-e", "--session", "--sessions", nargs="*", default=["integration"])
    asked = parser.parse_known_args(list(argv))[0]
    if asked.parallel is None and "integration" in asked.session:  # one by its name prints as it goes
        asked.parallel = options.parallel = min(usable_cores(), MOST_AT_ONCE)
    return int(os.cpu_count() or 1) if asked.parallel == "auto" else int(asked.parallel or 1)


def _report(root: Path, run: Path) -> None:
    """Print the matrix and the merged coverage of this run, if it had any session, whatever became of them."""
    if (run / "plan.json").is_file():
        sys.stdout.flush()
        found = sorted((root / ".nox").glob("env-*/bin/python"))
        python = str(next((path for path in found if path.parts[-3] == "env-dev"), [*found, sys.executable][0]))
        subprocess.run([python, "-m", "pgmatrix", "report", str(run)], cwd=root)


def chosen(root: Path, session: str = "integration", parameter: str = "name") -> list[str]:
    """The values of a parametrized session's parameter that this invocation of nox selects: all of `integration`'s."""
    argv = json.loads(os.environ["PGMATRIX_ARGV"])
    own = argv[: argv.index("--")] if "--" in argv else argv  # what follows is another program's
    command = [sys.executable, "-m", "nox", *own, "--list", "--json"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    return [one["call_spec"][parameter] for one in json.loads(listed.stdout) if one["name"] == session]


def variables(run: Path, session: str) -> dict[str, str]:
    """What pytest is handed to leave the record and the coverage data of `session` in the run's folder."""
    for folder in ("coverage", "junit"):
        (run / folder).mkdir(parents=True, exist_ok=True)
    return {
        "PGMATRIX_SESSION": session,
        "PGMATRIX_CELL": session.rpartition("-")[0],
        "COVERAGE_FILE": str(run / "coverage" / session),
        "PGMATRIX_PARALLEL_SESSIONS": str(min(int(os.environ["PGMATRIX_PARALLEL_SESSIONS"]), _planned(run))),
    }


def _planned(run: Path) -> int:
    """How many sessions this run has: fewer than may run at once leave cores to each other's workers."""
    plan = run / "plan.json"
    return len(json.loads(plan.read_text(encoding="utf-8"))["sessions"]) if plan.is_file() else 1


def environment(root: Path, name: str, install: Sequence[str], *, pins: Path | None = None) -> str:
    """The interpreter of the environment `name`, made again only when its pins or the project have changed.

    `install` are pip's arguments. Raises ConfigError.
    """
    folder = root / ".nox" / f"env-{name}"
    python, stamp = str(folder / "bin" / "python"), folder / "pgmatrix-stamp"
    wanted = _fingerprint(root, install, pins)
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / f"env-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            constraint = ["--constraint", str(pins)] if pins else []
            for command in (
                [sys.executable, "-m", "virtualenv", "--quiet", str(folder)],
                [python, *_PIP, *constraint, *install],
            ):
                if subprocess.run(command, cwd=root).returncode != 0:
                    raise ConfigError(
                        f"cannot make the environment {name}: {' '.join(command)}", do_next="see what it printed above"
                    )
            stamp.write_text(wanted, encoding="utf-8")
    return python


def _fingerprint(root: Path, install: Sequence[str], pins: Path | None) -> str:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    parts = [project.get(table) for table in ("build-system", "project", "dependency-groups")]
    text = pins.read_text(encoding="utf-8") if pins else ""
    return hashlib.sha256(repr([text, list(install), parts, sys.version, str(root)]).encode()).hexdigest()
