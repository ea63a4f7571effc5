"""Owns the conductor's end of a cell's process: starting it, asking it, and what is said when it is gone.

A cell that fails keeps its reason and is asked no more; the other cells go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pgmatrix.matrix import Cell

LINE = 2**26
READY = 240.0
PATIENCE = 180.0
GOODBYE = 20.0


@dataclass(slots=True, kw_only=True)
class CellProcess:
    """One cell: its process, what it offers, and why it gives no more figures (`problem`), if it does not."""

    cell: Cell
    argv: Sequence[str]
    root: Path
    ready: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until its server and contenders are there."""
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self.argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                cwd=self.root,
                limit=LINE,
                start_new_session=True,  # what interrupts us is passed on by closing its input
            )
        except OSError as error:
            self.problem = f"its process could not be started: {error}"
            return
        answer = await self._hear(READY)
        if answer is not None and "problem" in answer:
            self.problem = answer["problem"].replace("\n", ";")
        elif answer is not None:
            self.ready = answer["ready"]

    async def ask(self, **order: Any) -> dict[str, Any] | None:
        """The answer, or None once the cell has a problem."""
        if self.problem or self.process is None or self.process.stdin is None:
            return None
        self.process.stdin.write((json.dumps(order) + "\n").encode())
        try:
            await self.process.stdin.drain()
        except ConnectionError:
            await self._gone()
            return None
        answer = await self._hear(PATIENCE + order.get("seconds", 0.0))
        if answer is not None and "problem" in answer:
            self.problem = answer["problem"].replace("\n", ";")
            return None
        if answer is not None and answer.get("dead"):
            self.problem = f"its server ended during {_what(order)}: {answer['dead']}"
        return answer

    async def _hear(self, patience: float) -> dict[str, Any] | None:
        assert self.process is not None
        assert self.process.stdout is not None
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), patience)
        except TimeoutError:
            self.problem = f"its process did not answer within {patience:g} s"
            return None
        if not line:
            await self._gone()
            return None
        found: dict[str, Any] = json.loads(line)
        return found

    async def _gone(self) -> None:
        assert self.process is not None
        code = await self.process.wait()
        self.problem = f"its process ended with exit code {code}; what it said is above"

    async def stop(self) -> None:
        """Close its input, which ends it and its server; be firm with one that does not listen."""
        if self.process is None or self.process.returncode is not None:
            return
        if self.process.stdin is not None:
            self.process.stdin.close()
        for insist in (None, self.process.terminate, self.process.kill):
            if insist is not None:
                with contextlib.suppress(ProcessLookupError):
                    insist()
            try:
                await asyncio.wait_for(self.process.wait(), GOODBYE)
            except TimeoutError:
                continue
            return


def _what(order: Mapping[str, Any]) -> str:
    return f"{order.get('workload', order['do'])} {order.get('variant', '')} x{order.get('clients', 1)}"
