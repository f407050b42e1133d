"""A report over made-up runs, as a result and as a page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.render_report import written
from beast_dream_snow_loader.cli.report_format import ReportFormat
from beast_dream_snow_loader.core.digest import digest_of
from beast_dream_snow_loader.core.overview import Past, overview
from beast_dream_snow_loader.core.standing import Hanging, Standing
from tests.history.generate import HOSTILE, runs

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


def a_page(count: int) -> str:
    return written(ReportFormat.HTML)(report_over(count)).decode()
