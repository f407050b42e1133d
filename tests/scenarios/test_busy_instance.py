"""An instance that is nearly used up by others: bare 429s, an hourly limit (R2.2, X2, P10)."""

from __future__ import annotations

from beast_dream_snow_loader.sandbox.estate import Estate, Shape
from tests.scenarios.desk import OpenTown

LOAD = ("load", "--env", "staging", "--json")


def test_a_load_gets_through_an_instance_that_takes_one_request_at_a_time(town: OpenTown) -> None:
    here = town(Estate.of(Shape(seed=3, sites=4, devices=40, consoles=4)))
    here.app.backend.set_options(concurrency=1, queue_length=0, request_seconds=0.05)
    ended = here.run(*LOAD)
    told = ended.document
    assert ended.code == 0, told["errors"]
    assert here.app.backend.instance.count("cmdb_ci_hardware") == 40
    assert any(line.status == 429 for line in here.sandbox.log.lines("servicenow")), "it was never too much"
    needed = told["requests"]["servicenow"] - told["requests"]["retries"]
    assert told["requests"]["servicenow"] <= 1.1 * needed + 3
    assert told["requests"]["rejected"] == 0
