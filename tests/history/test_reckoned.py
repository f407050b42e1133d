"""What a report says of many runs is reckoned again from the runs themselves, in other words (R8, X8)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from statistics import mean, median
from typing import Any

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.run import Run
from beast_dream_snow_loader.state.store import open_store
from tests.conftest import Snowload
from tests.history.generate import runs

COUNT, SPAN, SEED = 500, timedelta(days=30), 2
History = tuple[Sequence[Run], Mapping[str, Any]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> History:
    """The runs, oldest first, and what the command reports of them."""
    home = tmp_path_factory.mktemp("reckoned")
    place = home / "state" / "testing"
    place.mkdir(parents=True, mode=0o700)
    clock = SystemClock()
    history = list(runs(COUNT, clock.now(), SPAN, SEED))
    with open_store(f"sqlite:///{place / 'state.sqlite'}", clock) as store:
        for run in history:
            store.memory.finish_run(run)
    ended = Snowload(home)(
        "report", "--env", "testing", "--json", "--since", "60d", SNOWLOAD_STATE_DIR=str(place.parent)
    )
    assert ended.code == 0, ended.err
    return history, ended.document


def seconds(run: Run) -> float:
    assert run.finished_at is not None
    return (run.finished_at - run.started_at).total_seconds()


def step(run: Run, name: str) -> float:
    return next(one["duration_seconds"] for one in run.report["steps"] if one["name"] == name)


def through(history: Sequence[Run]) -> list[Run]:
    return [run for run in history if run.status.value in ("ok", "partial")]


def test_alerts_are_of_what_takes_longer_than_it_did(told: History) -> None:
    history, document = told
    *before, _, _, _, _, _ = through(history)
    recent = through(history)[-5:]
    expected = {}
    for name in ("whole load", *(one["name"] for one in history[0].report["steps"])):
        of = seconds if name == "whole load" else lambda run, name=name: step(run, name)
        usual, now = [of(run) for run in before], median(of(run) for run in recent)
        deviation = 1.4826 * median(abs(value - median(usual)) for value in usual)
        if now - median(usual) > max(4 * deviation, median(usual) / 4, 1.0):
            expected[name] = (round(now, 3), round(median(usual), 3), recent[0].id)
    assert {one["what"]: (one["recent_seconds"], one["usual_seconds"], one["since"]) for one in document["alerts"]} == (
        expected
    )
    assert "fetch" in expected, "the made history has slow sources at its end"


def test_bottlenecks_are_the_steps_that_take_a_third_of_the_last_loads(told: History) -> None:
    history, document = told
    recent = through(history)[-5:]
    whole = sum(map(seconds, recent))
    share = {
        one["name"]: 100 * sum(step(run, one["name"]) for run in recent) / whole for one in history[0].report["steps"]
    }
    expected = {name: round(percent, 1) for name, percent in share.items() if percent >= 30}
    assert {one["step"]: one["share_percent"] for one in document["bottlenecks"]} == expected
    assert expected


def test_patterns_are_of_failures_that_come_at_a_time_of_their_own(told: History) -> None:
    history, document = told
    failed: dict[str, list[Run]] = defaultdict(list)
    for run in history:
        rows = [*run.report["failed"], *run.report["errors"]]
        for code in {row["code"] for row in rows if row["code"]}:
            failed[code].append(run)
    at_night = {
        code: len(those)
        for code, those in failed.items()
        if len(those) >= 4 and sum(run.started_at.hour < 3 for run in those) >= 0.75 * len(those)
    }
    found = {one["code"]: one["runs"] for one in document["patterns"] if one["pattern"] == "time_of_day"}
    assert found == at_night
    assert set(at_night) == {"transport.throttled"}
    standing = {code for code, those in failed.items() if len(those) >= 4 and those[-4:] == list(history[-4:])}
    assert {one["code"] for one in document["patterns"] if one["pattern"] == "standing"} == standing


@pytest.mark.parametrize("name", ["unsuccessful_runs", "load_duration", "queued_writes"])
def test_forecasts_are_the_median_of_all_slopes_between_days(told: History, name: str) -> None:
    history, document = told
    days: dict[int, list[Run]] = defaultdict(list)
    for run in history:
        days[int(run.started_at.timestamp() // 86400)].append(run)
    measure = {
        "unsuccessful_runs": lambda those: 100 * mean(run.status.value != "ok" for run in those),
        "load_duration": lambda those: mean(map(seconds, those)),
        "queued_writes": lambda those: mean(run.report["queued"] for run in those),
    }[name]
    points = [(day, measure(those)) for day, those in sorted(days.items())][-28:]
    (found,) = [one for one in document["forecasts"] if one["name"] == name]
    assert (found["points"], found["enough"]) == (28, True)
    lines = []
    for window in (28, 10):
        newest = points[-window:]
        slope = median((b - a) / (y - x) for (x, a), (y, b) in combinations(newest, 2))
        level = median(value + slope * (newest[-1][0] - day) for day, value in newest)
        lines.append((round(slope, 3), round(level, 3)))
    assert (found["slope_per_day"], found["level"]) in lines
    assert (found["breach_in_days"] is None) == (found["slope_low"] <= 0)
    assert (found["warning"] == "breached") == (sorted(value for _, value in points[-3:])[1] > found["limit"])


def test_a_history_of_a_few_runs_is_no_ground_for_any_of_them(tmp_path: Path) -> None:
    home = tmp_path / "state"
    place = home / "testing"
    place.mkdir(parents=True, mode=0o700)
    clock = SystemClock()
    with open_store(f"sqlite:///{place / 'state.sqlite'}", clock) as store:
        for run in runs(5, clock.now(), timedelta(hours=1), SEED):
            store.memory.finish_run(run)
    document = Snowload(tmp_path)("report", "--env", "testing", "--json", SNOWLOAD_STATE_DIR=str(home)).document
    assert (document["alerts"], document["patterns"]) == ([], [])
    assert document["forecasts"]
    assert not any(one["enough"] or one["warning"] for one in document["forecasts"])
