"""What was sent without an answer is looked up before anything else is done about the record (Q3, Q8)."""

from __future__ import annotations

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, REPLAY, WRITES, OpenTown, away, clean, one_switch, switch, value


def requests_to_the_write(here: Town, name: str) -> int:
    """How many requests a load sends that has one rename to write, the write itself counted."""
    before = len(here.sandbox.log.lines("servicenow"))
    here.estate.rename_device(switch(here.estate).mac, name)
    assert here.run(*LOAD).document["written"]["updated"] == 1
    paths = [line.path for line in here.sandbox.log.lines("servicenow")[before:]]
    return next(number for number, path in enumerate(paths, 1) if path == WRITES)


def test_a_write_without_an_answer_is_looked_up_though_a_newer_one_had_to_wait_meanwhile(town: OpenTown) -> None:
    """Otherwise what it brought about would pass for a person's doing, and the newer value would never be written."""
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    here.run.variables["SNOWLOAD_RETRY__MAX_ATTEMPTS"] = "1"
    assert here.run(*LOAD).code == 0
    count = requests_to_the_write(here, "first")
    here.estate.rename_device(switch(here.estate).mac, "second")
    faults = here.sandbox.servicenow.faults
    faults.add(Fault(effect=Effect.RESET_AFTER, path=WRITES))
    faults.add(Fault(effect=Effect.STATUS, status=503, path="*", from_request=count + 1))
    here.run(*LOAD)
    assert value(here, one_switch(here.estate), "name") == "second"
    here.estate.rename_device(switch(here.estate).mac, "third")
    faults.clear()
    away(here)
    assert here.run(*LOAD).code == 8
    faults.clear()
    assert here.run(*REPLAY).code == 0
    ended = here.run(*LOAD)
    assert (ended.code, value(here, one_switch(here.estate), "name")) == (0, "third")
    clean(here)
