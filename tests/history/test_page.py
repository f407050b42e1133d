"""The report of 10,000 runs, and as a page: it is quick, small, inert, and says in tables what it draws (R8)."""

from __future__ import annotations

import csv
import io
import re
import time
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from beast_dream_snow_loader.cli.render_report import written
from beast_dream_snow_loader.cli.report_format import ReportFormat
from tests.history.generate import fill
from tests.history.page import HANGING, STANDING, a_page, report_over


class Seen(HTMLParser):
    """Tags with their attributes, and the text of each."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: dict[str, list[str]] = {}
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        self.words.setdefault(self.open[-1] if self.open else "", []).append(data)


@pytest.fixture(scope="module")
def page() -> str:
    return a_page(400)


def test_names_of_devices_are_text_and_nothing_else(page: str) -> None:
    seen = Seen()
    seen.feed(page)
    assert not [tag for tag, _ in seen.tags if tag in ("script", "iframe", "object", "embed", "img", "form", "base")]
    assert not [name for _, attributes in seen.tags for name in attributes if name.startswith("on")]
    assert "&lt;script&gt;alert(1)" in page
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    seen = Seen()
    seen.feed(page)
    links = [value for _, attributes in seen.tags for name, value in attributes.items() if name in ("src", "href")]
    assert links == ["data:,"]
    assert "url(" not in page
    assert "@import" not in page


def test_every_chart_is_labelled_and_told_as_a_table(page: str) -> None:
    seen = Seen()
    seen.feed(page)
    drawn = [attributes for tag, attributes in seen.tags if tag == "svg"]
    names = ["runs", "steps", "errors", "queue", "classes", "sites", "tree"]
    assert [one["aria-labelledby"] for one in drawn] == [f"t-{name} d-{name}" for name in names]
    assert {one["role"] for one in drawn} == {"img"}
    ids = {attributes.get("id") for _, attributes in seen.tags}
    assert {f"{part}-{name}" for name in names for part in "td"} <= ids
    assert sum(tag == "details" for tag, _ in seen.tags) == len(names)
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_a_chart_draws_the_numbers_of_its_table() -> None:
    told = report_over(300, days=5).body
    for period in told["periods"]:
        assert sum(period["by_status"].values()) == period["runs"]
    assert sum(period["runs"] for period in told["periods"]) == told["summary"]["runs"] == 300
    assert sum(told["summary"]["by_status"].values()) == 300


def test_a_ring_of_uplinks_is_drawn_once() -> None:
    ring = [replace(one, above=HANGING[(n + 1) % 6].key) for n, one in enumerate(HANGING)]
    result = report_over(5)
    told = replace(result, body={**result.body, "inventory": replace(STANDING, tree=ring).document()})
    assert "6 devices, each under what it hangs on" in written(ReportFormat.HTML)(told).decode()


@pytest.mark.parametrize("form", [ReportFormat.CSV, ReportFormat.MARKDOWN])
def test_other_forms_keep_foreign_text_inert(form: ReportFormat) -> None:
    text = written(form)(report_over(50)).decode()
    assert "<script" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r"])
def test_a_spreadsheet_reckons_with_no_cell(begins: str) -> None:
    """S6."""
    result = report_over(1)
    (run,) = result.body["runs"]
    told = replace(result, body={**result.body, "runs": [{**run, "run_id": f"{begins}HYPERLINK(1)"}]})
    _, row = csv.reader(io.StringIO(written(ReportFormat.CSV)(told).decode()))
    assert "HYPERLINK(1)" in row[0]
    assert row[0][0] not in "=+-@\t\r"


def test_without_a_run_the_page_is_a_page() -> None:
    assert b"there was no run in this time" in written(ReportFormat.HTML)(report_over(0))


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_10000_runs_take_under_2_seconds_and_under_a_megabyte(snowload, tmp_path) -> None:
    """R8: through the real store, as a command of its own."""
    from beast_dream_snow_loader.clock import SystemClock
    from beast_dream_snow_loader.state.store import open_store

    clock = SystemClock()
    place = tmp_path / "state" / "testing"
    place.mkdir(parents=True, mode=0o700)
    with open_store(f"sqlite:///{place / 'state.sqlite'}", clock) as store:
        fill(store, 10_000, clock.now(), span=timedelta(days=29))
    file = tmp_path / "month.html"
    spent = []
    for _ in range(3):
        started = time.perf_counter()
        ended = snowload("report", "--env", "testing", "--since", "30d", "--format", "html", "--output", str(file),
                         SERVICENOW_INSTANCE="dev1")  # fmt: skip
        spent.append(time.perf_counter() - started)
        assert ended.code == 0, ended.err
    assert file.stat().st_size < 1_000_000
    assert min(spent) < 2.0, spent
