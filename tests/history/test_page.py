"""The report of 10,000 runs, and as a page: it is quick, small, inert, and says in tables what it draws (R8)."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.render_report import written
from beast_dream_snow_loader.cli.report_format import ReportFormat
from beast_dream_snow_loader.core.digest import digest_of
from beast_dream_snow_loader.core.overview import Past, overview
from beast_dream_snow_loader.core.standing import Hanging, Standing
from tests.history.generate import HOSTILE, fill, runs

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
HANGING = [Hanging(key=f"device/{n:012x}", name=HOSTILE, kind="switch", above=f"device/{n - 1:012x}" if n else "")
           for n in range(6)]  # fmt: skip
STANDING = Standing(classes={"cmdb_ci_ip_switch": 6}, sites={HOSTILE: 6}, site=HOSTILE, tree=HANGING)


def report_over(count: int, days: float = 30) -> Result:
    history = list(runs(count, NOW, timedelta(days=days), seed=2))
    digests = [digest_of(run) for run in reversed(history)]
    waiting = {"waiting": 3, "unsettled": 0, "parked": 1}
    past = Past(digests=digests, buckets=[], load=history[-1] if history else None, queue=waiting, queue_limit=1000,
                inventory=STANDING.document())  # fmt: skip
    body = overview(past)
    failures = [{**one, "category": "network"} for one in body["failures"]]
    told = {"since": "2026-10-28T12:00:00Z", "until": None, **body, "failures": failures}
    return Result(command="report", status="ok", environment=HOSTILE, generated_at="2026-11-27T12:00:00Z", body=told)


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
    return written(ReportFormat.HTML)(report_over(400)).decode()


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


@pytest.mark.bench
@pytest.mark.parametrize("scheme", [0, 1], ids=["dark", "light"])
def test_a_browser_shows_the_page_without_a_word_on_its_console(page: str, tmp_path, scheme: int) -> None:
    """Not in the suite because few machines have a browser."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here")
    file, picture = tmp_path / "page.html", tmp_path / "page.png"
    file.write_text(page, encoding="utf-8")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
         f"--blink-settings=preferredColorScheme={scheme}", f"--user-data-dir={tmp_path / 'profile'}",
         "--window-size=1240,2600", f"--screenshot={picture}", file.as_uri()],
        capture_output=True, text=True, check=True, timeout=110,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    assert picture.stat().st_size > 50_000
