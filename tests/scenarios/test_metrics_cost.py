"""What metrics cost: an operation less than a millisecond, a load less than three parts in a hundred."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from beast_dream_snow_loader.core.events import RequestFinished
from beast_dream_snow_loader.operations.listeners import to_metrics
from beast_dream_snow_loader.operations.metrics import MetricsCollector
from beast_dream_snow_loader.sandbox.estate import Estate
from tests.conftest import Snowload
from tests.scenarios.conftest import Town

MOST_MILLISECONDS, MOST_SHARE = 1.0, 0.03
EVENTS, ROUNDS, DEVICES = 20_000, 5, 1000


@pytest.mark.bench
def test_an_operation_costs_less_than_a_millisecond_to_measure() -> None:
    collector = MetricsCollector()
    listen = to_metrics(collector)
    events = [
        RequestFinished(service="unifi", operation=f"unifi.{number % 40}", method="GET", status=200, milliseconds=1.5)
        for number in range(EVENTS)
    ]
    began = time.thread_time()
    for event in events:
        listen(event)
    each = (time.thread_time() - began) * 1000 / EVENTS
    began = time.thread_time()
    assert len(collector.operations()) == 40
    summed = (time.thread_time() - began) * 1000
    figure = f"{each * 1000:.2f} us for each operation, {summed:.2f} ms to sum up {EVENTS} of 40 kinds"
    sys.stdout.write(f"\n{figure}\n")
    assert each + summed / EVENTS < MOST_MILLISECONDS, figure


@pytest.mark.bench
def test_a_load_spends_less_than_three_in_a_hundred_on_its_metrics(tmp_path: Path) -> None:
    """Processor time in one process, so that whatever else the machine does falls upon both."""
    with Town(Estate.generate(seed=3, sites=10, devices=DEVICES), Snowload(tmp_path)) as here:
        assert here.run("load", "--env", "testing", timeout=110).code == 0
        found = [measured(here, tmp_path / "snowload.prom") for _ in range(ROUNDS)]
    share = statistics.median(one["metrics"] / one["load"] for one in found)
    load, metrics = (statistics.median(one[name] for one in found) for name in ("load", "metrics"))
    figure = (
        f"{DEVICES} devices: a load {load:.2f} s of processor time, its metrics {metrics:.3f} s: {100 * share:.2f} %"
    )
    sys.stdout.write(f"\n{figure}\n")
    assert share < MOST_SHARE, figure


def measured(here: Town, file: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.scenarios.metrics_share", str(file)]
    environment = here.run.environment({"PYTHONPATH": str(Path(__file__).resolve().parents[2])})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110, check=True)
    assert file.is_file()
    return json.loads(done.stdout.splitlines()[-1])
