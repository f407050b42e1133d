"""Episodes of failure, the times between them, and what they have in common (X8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from beast_dream_snow_loader.core.digest import Digest, digest_of
from beast_dream_snow_loader.core.performance import alerts, bottlenecks
from beast_dream_snow_loader.core.postmortem import Evidence, postmortem
from beast_dream_snow_loader.core.reliability import patterns, reliability
from beast_dream_snow_loader.core.run import Run, RunStatus

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)


def run(hours, status=RunStatus.OK, code="", seconds=60.0, **more):
    at = MONDAY + timedelta(hours=hours)
    return Digest(
        run_id=f"run-{hours:07.2f}",
        command="load",
        target="dev1",
        started_at=at,
        finished_at=at + timedelta(seconds=seconds),
        status=status,
        failures={code: [1, ""]} if code else {},
        **more,
    )


def test_times_to_repair_and_between_failures_are_those_of_the_loads():
    bad = {3, 4, 13, 23}
    told = reliability([run(hour, RunStatus.PARTIAL if hour in bad else RunStatus.OK) for hour in range(24)])
    minute = 60
    assert told["episodes"] == 3
    assert told["mttr_seconds"] == ((2 * 3600 + minute) + (3600 + minute)) / 2
    assert told["mtbf_seconds"] == 10 * 3600
    assert (told["failing_since"], told["failing_runs"]) == ("2026-11-02T23:00:00Z", 1)


def test_without_failures_nothing_is_made_up():
    told = reliability([run(hour) for hour in range(5)])
    assert told == {
        "episodes": 0, "mttr_seconds": None, "mtbf_seconds": None, "failing_since": None, "failing_runs": 0,
    }  # fmt: skip


def test_failures_of_one_hour_of_the_night_are_a_pattern_and_spread_ones_are_none():
    nightly = [run(hour, code="transport.throttled" if hour % 24 == 2 else "") for hour in range(24 * 6)]
    assert [(one["pattern"], one["code"]) for one in patterns(nightly)] == [("time_of_day", "transport.throttled")]
    assert patterns([run(hour, code="x" if hour % 7 == 0 else "") for hour in range(24 * 7)]) == []


def test_where_loads_run_once_a_night_the_night_is_no_pattern():
    assert patterns([run(24 * day + 2, code="x" if day % 3 == 0 else "") for day in range(30)]) == []


def test_what_fails_in_every_late_run_is_standing_and_mondays_are_told():
    late = [run(hour, code="x" if hour >= 20 else "") for hour in range(24)]
    assert "standing" in {one["pattern"] for one in patterns(late)}
    mondays = [run(6 * n, code="x" if (n // 4) % 7 == 0 else "") for n in range(4 * 28 - 6)]
    assert [(one["pattern"], one["text"]) for one in patterns(mondays)] == [("day_of_week", "100% on Mondays")]


def test_a_load_that_got_slower_is_an_alert_with_the_step_and_a_steady_one_is_none():
    def steps(fetch):
        return {"fetch": [fetch, 100], "load": [20.0, 10]}

    before = [run(n, seconds=30 + n % 3, steps=steps(5.0 + n % 3)) for n in range(20)]
    slow = [run(20 + n, seconds=70, steps=steps(45.0), counts={"unifi": 12}) for n in range(5)]
    told = alerts([*before, *slow])
    assert [(one["what"], one["usual_seconds"], one["recent_seconds"]) for one in told] == [
        ("whole load", 31.0, 70.0),
        ("fetch", 6.0, 45.0),
    ]
    assert told[1]["cause"] == "source_latency"
    assert alerts([*before, *(run(20 + n, seconds=31, steps=steps(6.0)) for n in range(5))]) == []
    assert alerts(slow) == []


@pytest.mark.parametrize(
    ("steps", "counts", "cause"),
    [
        ({"fetch": [50.0, 9]}, {"unifi": 10}, "source_latency"),
        ({"load": [50.0, 9]}, {"servicenow": 10, "waits": 4}, "quota"),
        ({"load": [50.0, 900]}, {"servicenow": 300, "created": 900}, "batch_size"),
        ({"load": [50.0, 900]}, {"servicenow": 10, "created": 900}, "target_latency"),
        ({"verify": [50.0, 9]}, {"servicenow": 100}, "target_latency"),
        ({"recall": [50.0, 9]}, {"servicenow": 10}, "local_disk"),
        ({"fetch": [1.0, 9]}, {"unifi": 10}, "lock_contention"),
    ],
)
def test_a_bottleneck_is_told_with_its_cause(steps, counts, cause):
    (found,) = bottlenecks([run(n, steps=steps, counts=counts) for n in range(6)])
    assert found["cause"] == cause
    assert found["suggestion"]


@pytest.mark.parametrize("shape", [[], {}, [{"name": "servicenow"}], "text", 7, None, ["text"]])
def test_a_run_of_any_command_has_numbers_and_a_post_mortem_whatever_its_document_holds(shape):
    names = (
        "written", "source", "requests", "findings", "failed", "held", "parked", "queued", "reduced", "links", "verify",
        "errors", "errors_omitted", "error", "incidents", "steps", "breakers", "degradation", "healings",
        "configuration", "plan", "asked",
    )  # fmt: skip
    one = Run(
        id="run-1",
        command="breakers",
        environment="testing",
        target="dev1",
        started_at=MONDAY,
        report=dict.fromkeys(names, shape),
    )
    assert digest_of(one).run_id == postmortem(Evidence(run=one))["run"]["run_id"] == "run-1"
