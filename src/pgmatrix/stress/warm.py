"""A process that has the project's libraries loaded and forks a child for each start of pytest it is asked for.

Run as `python -m pgmatrix.stress.warm FOLDER FILE ...`: one order a line of JSON on standard input, one answer a line
on standard output. Loads what the tests' imports load of others, and nothing of the project: each child collects,
imports and configures anew, in a session of its own. It starts no thread, since it forks.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

HUNG = -1000  # no exit code, and no signal
CRASHED = 70


def main(argv: Sequence[str]) -> None:
    """Load, then serve orders until standard input ends."""
    folder, *files = argv
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    load(learn(Path(folder), files))
    for line in sys.stdin:
        order = json.loads(line)
        code = start(order["arguments"], order["environ"], Path(order["log"]), order["limit"])
        answers.write(json.dumps({"code": code}) + "\n")
        answers.flush()


def learn(folder: Path, files: Sequence[str]) -> list[str]:
    """The modules that collecting `files` loads, found out by a child that does so."""
    known = folder / f"modules-{os.getpid()}.json"
    child = os.fork()
    if child == 0:
        arguments = [*files, "--collect-only", "-q", "-p", "no:cacheprovider"]
        _become_pytest(arguments, known.with_suffix(".txt"), plugins=[_Listing(known)])
    os.waitpid(child, 0)
    names: list[str] = json.loads(known.read_text(encoding="utf-8")) if known.is_file() else []
    return names


class _Listing:
    """Writes down which modules are there once all tests are collected."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take the modules that are neither the project's nor plugins', which pytest wants to load itself."""
        plugins = {_top(getattr(one, "__name__", "")) for one in session.config.pluginmanager.get_plugins()}
        names = foreign(sys.modules, session.config.rootpath)
        self._path.write_text(json.dumps([name for name in names if _top(name) not in plugins]), encoding="utf-8")


def _top(name: str) -> str:
    return name.partition(".")[0]


def foreign(modules: Mapping[str, Any], root: Path) -> list[str]:
    """The names of those modules whose files are not in the project, unless they are installed inside it.

    In the order in which they were first asked for: a package comes before its parts in C, which need it.
    """
    files = {name: Path(module.__file__) for name, module in modules.items() if getattr(module, "__file__", None)}
    outside = (n for n, file in files.items() if "site-packages" in file.parts or not file.is_relative_to(root))
    return [name for name in outside if name != "__main__"]


def load(names: Iterable[str]) -> None:
    """Import what can be imported by its name; a child will meet what cannot, and say so."""
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def start(arguments: Sequence[str], environ: Mapping[str, str], log: Path, limit: float) -> int:
    """Run pytest in a child of its own to the end, or for `limit` seconds; its exit code, HUNG, or minus a signal."""
    child = os.fork()
    if child == 0:
        _become_pytest(arguments, log, environ=environ)
    deadline = time.monotonic() + limit
    try:
        while (found := os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is None:
            if time.monotonic() > deadline:
                return HUNG
            time.sleep(0.005)
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
    finally:  # also where we are told to end
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _become_pytest(
    arguments: Sequence[str], log: Path, *, environ: Mapping[str, str] | None = None, plugins: Sequence[object] = ()
) -> NoReturn:
    """In a forked child: run pytest in a process group of its own, its output in `log`, and end the process."""
    code = CRASHED
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _redirect(log)
        if environ is not None:
            os.environ.clear()
            os.environ.update(environ)
        code = int(pytest.main(list(arguments), plugins=list(plugins)))
    finally:  # whatever is raised must not go on in the parent's code
        if code == CRASHED:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _redirect(log: Path) -> None:
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for source, number in ((os.open(os.devnull, os.O_RDONLY), 0), (target, 1), (target, 2)):
        os.dup2(source, number)


if __name__ == "__main__":
    main(sys.argv[1:])
