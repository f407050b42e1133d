"""The page of a report in a real browser: silent, alone, labelled, readable in light and dark (R8.5)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.history.generate import HOSTILE
from tests.history.page import a_page
from tests.programs import program

CHARTS = ["runs", "steps", "errors", "queue", "classes", "sites", "tree"]
CONTRASTS = """() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => { const [r, g, b] = channels(colour).map(v => (v /= 255) <= 0.04045 ? v / 12.92
    : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = node => { for (; node; node = node.parentElement) { const c = getComputedStyle(node).backgroundColor;
    const parts = channels(c); if (parts.length < 4 || parts[3] > 0) return c; } return 'rgb(255, 255, 255)'; };
  const told = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) { const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.getClientRects().length) continue;
    const style = getComputedStyle(node);
    const [a, b] = [light(node.closest('svg') ? style.fill : style.color), light(behind(node))].sort((x, y) => y - x);
    told.push([(a + 0.05) / (b + 0.05), walker.currentNode.data.trim()]); }
  return told; }"""
BROKEN_WORDS = """headings => {
  const told = {};
  for (const table of document.querySelectorAll('table')) {
    const heads = [...table.querySelectorAll('th')];
    for (const cell of [...heads, ...table.querySelectorAll('td')]) {
      const heading = heads[cell.cellIndex].textContent;
      if (!headings.includes(heading)) continue;
      told[heading] ??= [];
      const text = cell.firstChild;
      for (const word of text ? text.data.matchAll(/[^\\s-]+/g) : []) {
        const range = document.createRange();
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map(one => one.top)).size > 1) told[heading].push(word[0]); } } }
  return told; }"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium as the machine has it."""
    found = program("chromium", "google-chrome", "chromium-browser")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    written = tmp_path_factory.mktemp("report") / "page.html"
    written.write_text(a_page(400), encoding="utf-8")
    return written


class Visit:
    """A page that was opened, and whatever it said or asked for."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page = page
        self.heard: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.heard.append(message.text))
        page.on("pageerror", lambda error: self.heard.append(str(error)))
        page.on("dialog", lambda dialog: (self.heard.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(file.as_uri(), wait_until="networkidle")


@pytest.fixture(params=["light", "dark"])
def visit(browser: Browser, file: Path, request) -> Iterator[Visit]:
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1240, "height": 2600})
    yield Visit(context.new_page(), file)
    context.close()


def test_the_page_says_nothing_on_the_console_and_asks_for_nothing(visit: Visit, file: Path) -> None:
    assert visit.heard == []
    assert [url for url in visit.asked if not url.startswith("data:")] == [file.as_uri()]


def test_every_chart_is_there_and_named_to_a_screen_reader(visit: Visit) -> None:
    drawn = visit.page.get_by_role("img")
    assert drawn.count() == len(CHARTS)
    for name in CHARTS:
        chart = visit.page.locator(f"section.{name} svg")
        box = chart.bounding_box()
        assert box, name
        assert box["width"] > 300, name
        assert box["height"] > 15, name
        assert (title := visit.page.locator(f"#t-{name}").text_content()), name
        assert visit.page.get_by_role("img", name=title.strip()).count() >= 1, name


def test_every_text_can_be_read_in_light_and_dark(visit: Visit) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 to 1."""
    visit.page.evaluate("() => document.querySelectorAll('details').forEach(one => one.open = true)")
    told: list[Any] = visit.page.evaluate(CONTRASTS)
    assert len(told) > 200
    assert not [(round(contrast, 2), text) for contrast, text in told if contrast < 4.5]


def test_hostile_names_are_shown_and_do_nothing(visit: Visit) -> None:
    assert "<script>alert(1)</script>" in visit.page.inner_text("body")
    assert "<script>alert(1)</script>" in HOSTILE
    assert visit.page.locator("script").count() == 0
    assert visit.heard == []


@pytest.mark.parametrize("width", [380, 800])
def test_a_narrow_window_scrolls_only_downwards(browser: Browser, file: Path, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = Visit(context.new_page(), file).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


@pytest.mark.parametrize("width", [900, 1200])
def test_no_short_word_of_a_table_is_broken(browser: Browser, file: Path, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = Visit(context.new_page(), file).page
    page.evaluate("() => document.querySelectorAll('details').forEach(one => one.open = true)")
    short = ["step", "command", "severity", "status", "category", "started"]
    told: dict[str, list[str]] = page.evaluate(BROKEN_WORDS, short)
    assert {"step", "command", "status"} <= told.keys()
    assert not [word for words in told.values() for word in words]
    context.close()


def test_the_page_prints_on_white_without_what_is_folded(browser: Browser, file: Path) -> None:
    context = browser.new_context(color_scheme="dark")
    page = Visit(context.new_page(), file).page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("details:visible").count() == 0
    assert page.pdf(prefer_css_page_size=True)[:5] == b"%PDF-"
    told = [contrast for contrast, _ in page.evaluate(CONTRASTS)]
    assert min(told) >= 4.5
    context.close()
