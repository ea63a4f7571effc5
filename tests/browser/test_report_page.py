"""The report in a browser: verdict first, everything reachable, by mouse and keyboard, at any size, from one file."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from pgmatrix.report.history import summary
from pgmatrix.verdict import Verdict
from tests.browser.conftest import DESKTOP, PHONE, Show
from tests.unit.pgmatrix.samples import hostile, troubled, verdict
from tests.unit.pgmatrix.verdicts import NASTY

pytestmark = pytest.mark.browser
RLS = "tests/integration/test_rls_1.py::test_rls_holds_001"
SESSION = "pg15-psycopg-rls"


def width_needed(page: Page) -> int:
    """How wide the page would be without a horizontal scroll bar."""
    return int(page.evaluate("document.documentElement.scrollWidth"))


def focused(page: Page) -> str:
    """What has the focus, in words."""
    words = "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"
    return str(page.evaluate(words)).strip()


def past(found: Verdict) -> tuple[object, ...]:
    """Two runs before that one, and that one."""
    now = summary(found)
    earlier = [replace(now, run=f"run-{n}", started=now.started - n * 1000, ship=n == 1) for n in (2, 1)]
    return (*earlier, now)


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("made", [troubled, verdict])
def test_the_verdict_comes_first(show: Show, size: tuple[int, int], scheme: str, made: type[Verdict]) -> None:
    """The first screen says ship or do not ship, on a desktop and on a phone, without scrolling sideways."""
    found = made()
    shown = show(found, size=size, color_scheme=scheme)

    heading = shown.page.get_by_role("heading", level=1)
    expect(heading).to_have_text("✓Ship" if found.ship else "✗Do not ship")
    expect(heading).to_be_in_viewport()
    assert shown.page.title().startswith("✓ Ship" if found.ship else "✗ Do not ship")
    assert width_needed(shown.page) == size[0]


def test_one_file_asks_for_nothing(show: Show) -> None:
    """Opened and clicked through, the page loads only itself, and the browser has nothing to complain of."""
    found = troubled()
    shown = show(found, history=past(found))
    for name in ("session=" + SESSION, "test=" + quote(RLS, safe=""), ""):
        shown.page.goto(f"{shown.address}#{name}")

    assert {one.partition("#")[0] for one in shown.requests if not one.startswith("data:image/svg+xml,")} == {
        shown.address
    }
    assert shown.complaints == []


@pytest.mark.parametrize("text", [one for one in NASTY if one.strip()])
def test_hostile_texts_are_shown_and_never_run(show: Show, text: str) -> None:
    """Markup, escapes and template code in test ids, messages and facts stay text, in the page and in both sheets."""
    found = hostile(text)
    test = found.reasons[0].test
    shown = show(found)
    page = shown.page
    for link in page.locator("main a[href^='#test='], main a[href^='#session=']").all()[:2]:
        page.goto(shown.address + str(link.get_attribute("href")))
        expect(page.locator("dialog[open]")).to_be_visible()
        expect(page.locator("#sheet-body")).not_to_contain_text("This run has no such")
        page.goto(shown.address + "#")

    assert shown.complaints == []
    assert page.locator("script").count() == 2
    assert page.locator("img, iframe, object, embed").count() == 0
    assert "test_x[" in test
    assert page.locator("#failures-list h3").last.inner_text().count("test_x[") == 1


def test_a_session_opens_from_the_matrix(show: Show) -> None:
    """A place of the matrix opens its session: state, server, tests with the worst first; Escape closes it."""
    page = show(troubled()).page
    page.get_by_role("link", name=SESSION + ": failed, 2 failed").click()

    sheet = page.get_by_role("dialog", name=SESSION)
    expect(sheet).to_contain_text("PostgreSQL 15.5")
    expect(sheet.locator(".row").first).to_contain_text("failed")
    expect(sheet.locator(".row")).to_have_count(12)
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert "#" not in page.url


def test_the_whole_way_by_keyboard(show: Show) -> None:
    """Tab and Enter lead from the matrix to a session to a test; focus goes in, stays in, and comes back."""
    page = show(troubled()).page
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the matrix"
    place = page.get_by_role("link", name=SESSION + ": failed")
    place.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name=SESSION)).to_be_visible()
    page.keyboard.press("Tab")
    assert focused(page) == "Close"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#sheet-title")).to_contain_text("test_rls_holds_00")
    page.keyboard.press("Escape")

    expect(page.locator("dialog[open]")).to_have_count(0)
    assert focused(page).startswith(SESSION + ": failed")


def test_a_sheet_is_drawn_once(show: Show) -> None:
    """Going to a sheet, and back and forward again: what has the focus by then keeps it."""
    page = show(troubled()).page
    page.evaluate(
        "window.drawn = 0; new MutationObserver(() => window.drawn++).observe(document.getElementById('sheet-title'),"
        " { childList: true })"
    )
    page.get_by_role("link", name=SESSION + ": failed").click()
    expect(page.get_by_role("dialog", name=SESSION)).to_be_visible()
    page.go_back()
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.go_forward()
    expect(page.get_by_role("dialog", name=SESSION)).to_be_visible()
    page.wait_for_timeout(100)

    assert page.evaluate("window.drawn") == 2


def test_a_test_is_shown_over_all_cells_with_its_traceback(show: Show) -> None:
    """A link to a test shows what became of it on each cell, the traceback once for those that share it, and logs."""
    page = show(troubled(), at=f"#test={quote(RLS, safe='')}").page

    sheet = page.get_by_role("dialog", name=RLS)
    expect(sheet.locator(".row")).to_have_count(6)
    expect(sheet).to_contain_text("failed on pg15-psycopg, pg16-psycopg, passed on 4 cells")
    expect(sheet.locator("pre").first).to_contain_text("assert found == []")
    expect(sheet.locator("pre .e")).to_have_count(2)
    sheet.get_by_text("PostgreSQL log of this test").click()
    expect(sheet).to_contain_text("permission denied for table skill (42501)")


def test_back_leads_from_test_to_session_to_page(show: Show) -> None:
    """The browser's Back goes the way back, and closes the sheet in the end."""
    page = show(troubled()).page
    page.get_by_role("link", name=SESSION + ": failed").click()
    page.locator("dialog .row").first.click()
    expect(page.locator("#sheet-title")).to_contain_text("test_rls_holds")
    page.go_back()
    expect(page.locator("#sheet-title")).to_have_text(SESSION)
    page.go_back()

    expect(page.locator("dialog[open]")).to_have_count(0)


@pytest.mark.parametrize("at", ["#session=pg99-nothing", "#test=no%2Fsuch", "#test=%E0%A4%A"])
def test_an_address_of_nothing_says_so(show: Show, at: str) -> None:
    """A link to a session or test that is not in this run, or a broken one, is answered in words."""
    shown = show(troubled(), at=at)

    expect(shown.page.locator("#sheet-body")).to_contain_text("This run has no such")
    assert shown.complaints == []


def test_tests_are_searched_and_filtered(show: Show) -> None:
    """Words, outcome and layer narrow the list; how many are left is announced."""
    page = show(troubled()).page
    part = page.locator("#tests")
    part.get_by_role("searchbox").fill("RLS 00")
    expect(part.get_by_role("status")).to_have_text("10 tests found")
    part.get_by_role("combobox", name="Outcome").select_option("failed")
    expect(part.get_by_role("status")).to_have_text("2 tests found")
    expect(part.locator(".row")).to_have_count(2)
    part.get_by_role("combobox", name="Layer").select_option("audit")
    expect(part.get_by_role("status")).to_have_text("No test is like that.")
    part.get_by_role("searchbox").fill("")
    part.get_by_role("combobox", name="Outcome").select_option("")
    expect(part.get_by_role("status")).to_have_text("12 tests found")


def test_a_group_of_tests_opens_with_a_word_for_every_strip(show: Show) -> None:
    """Each test's row says in words what its coloured strip shows."""
    page = show(troubled()).page
    group = page.locator("#tests .group", has_text="test_rls_1.py").first
    group.locator("summary").click()

    row = group.locator(".row", has_text="test_rls_holds_001")
    expect(row).to_contain_text("failed on pg15-psycopg, pg16-psycopg, passed on 4 cells")
    expect(row.locator(".strip i")).to_have_count(6)


def test_without_scripts_the_essentials_are_there(show: Show) -> None:
    """With JavaScript off the page still has verdict, reasons, matrix, differences, coverage and servers."""
    page = show(troubled(), java_script_enabled=False).page

    expect(page.get_by_role("heading", level=1)).to_contain_text("Do not ship")
    expect(page.locator("#why .reasons").first).to_contain_text("no record")
    expect(page.locator(".matrix a.place")).to_have_count(42)
    expect(page.locator("#differences")).to_contain_text("fails on psycopg, on 15 and 16")
    expect(page.locator("#coverage")).to_contain_text("src/plant/models/")
    expect(page.locator("#failures-list")).to_contain_text("verdict.json")


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("at", ["", f"#session={SESSION}", f"#test={quote(RLS, safe='')}"])
def test_axe_finds_nothing(show: Show, size: tuple[int, int], scheme: str, at: str) -> None:
    """Names, roles, contrast, headings and order hold for a screen reader: axe-core reports no violation."""
    found = troubled()
    shown = show(found, size=size, color_scheme=scheme, at=at, history=past(found))

    results = Axe().run(shown.page)

    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("size", [(320, 640), PHONE, (768, 1024), DESKTOP, (1920, 1080)])
def test_nothing_is_wider_than_the_screen(show: Show, size: tuple[int, int]) -> None:
    """From the smallest phone on, the page and its sheets fit; what is wider scrolls in its own place."""
    name = "tests/integration/test_long.py::test_" + "x" * 200
    found = hostile("a" * 300)
    shown = show(replace(found, reasons=(replace(found.reasons[0], test=name), *found.reasons)), size=size)

    assert width_needed(shown.page) == size[0]
    for link in shown.page.locator(".matrix a.place").all():
        shown.page.goto(shown.address + str(link.get_attribute("href")))
        assert width_needed(shown.page) == size[0]
        assert shown.page.evaluate("document.getElementById('sheet').scrollWidth <= innerWidth")


def test_many_cells_and_tests_are_drawn_when_they_are_wanted(show: Show) -> None:
    """With 200,000 results the page starts with few elements, and the last of the tests is found by a search."""
    cells = [f"pg{major}-{driver}" for major in range(11, 36) for driver in ("asyncpg", "psycopg")]
    layers = [f"layer{number}" for number in range(10)]
    shown = show(verdict(cells=cells, layers=layers, tests=400))

    assert shown.page.evaluate("document.querySelectorAll('*').length") < 12_000
    shown.page.get_by_role("searchbox").fill("layer9_holds_399")
    expect(shown.page.get_by_role("status")).to_have_text("1 test found")
    shown.page.locator("#tests .row").click()
    expect(shown.page.locator("dialog .row")).to_have_count(50)
    assert width_needed(shown.page) == DESKTOP[0]
    assert shown.complaints == []
