"""Owns the browser: a headless Chromium with an empty profile, and pages that may not reach any network.

A missing Chromium is a failure here: who asked for these tests wants them to be run.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

from pgmatrix.report.history import Summary
from pgmatrix.report.html import render
from pgmatrix.verdict import Verdict

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = (1280, 900), (390, 844)


@dataclass(slots=True, kw_only=True)
class Shown:
    """A report in the browser, with all it asked for and all it complained of."""

    page: Page
    address: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


Show = Callable[..., Shown]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.fail(f"no Chromium: none of {', '.join(NAMES)} is on the path; apt-get install chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    """Open the report of a verdict, at a size and in a colour scheme; every context is closed in the end."""
    contexts = []

    def opened(
        verdict: Verdict,
        *,
        size: tuple[int, int] = DESKTOP,
        at: str = "",
        history: tuple[Summary, ...] = (),
        **options: Any,
    ) -> Shown:
        path = tmp_path / f"report-{len(contexts)}.html"
        path.write_text(render(verdict, history), encoding="utf-8")
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
        contexts.append(context)
        found = Shown(page=context.new_page(), address=path.as_uri())
        _listen(found)
        found.page.goto(found.address + at)
        return found

    yield opened
    for context in contexts:
        context.close()


def _listen(shown: Shown) -> None:
    def asked(request: Request) -> None:
        shown.requests.append(request.url)

    shown.page.on("request", asked)
    shown.page.on("console", lambda message: shown.complaints.append(message.text))
    shown.page.on("pageerror", lambda error: shown.complaints.append(str(error)))
    shown.page.on("dialog", lambda dialog: (shown.complaints.append(f"dialog {dialog.message}"), dialog.dismiss()))
