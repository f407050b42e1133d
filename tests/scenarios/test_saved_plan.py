"""``load --plan``: exactly what was saved, or a refusal that names what no longer fits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.conftest import Ended
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    LOAD,
    RETIRED,
    RETIRING,
    WRITES,
    OpenTown,
    by_hand,
    clean,
    could_write,
    keeps,
    key_of,
    leaves,
    remove,
    small,
    status,
    switch,
    value,
)


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(small())


def save(here: Town, *more: str) -> Path:
    file = here.run.home / "saved.plan"
    ended = here.run("plan", "--env", "testing", "--quiet", "--out", str(file), *more)
    assert ended.code in (0, 3), ended.err
    return file


def carry_out(here: Town, file: Path, *more: str, **variables: str) -> Ended:
    return here.run(*LOAD, "--plan", str(file), *more, **variables)


def two_renamed(here: Town) -> tuple[str, str]:
    """Two devices to be updated, by key."""
    assert here.run(*LOAD).code in (0, 3)
    devices = [d for console in here.estate.consoles() for d in here.estate.devices(console.host_id)]
    first, second = [device for device in devices if device.adopted and device.name][:2]
    here.estate.rename_device(first.mac, "first-renamed")
    here.estate.rename_device(second.mac, "second-renamed")
    return key_of(first), key_of(second)


def changed(file: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))
    return file


def test_a_saved_plan_writes_what_it_says_and_nothing_the_second_time(here: Town) -> None:
    """L3: a change in UniFi after the plan is not in it."""
    file = save(here)
    plan = json.loads(file.read_text())["plan"]
    before = switch(here.estate)
    here.estate.rename_device(before.mac, "renamed-after-the-plan")
    first = carry_out(here, file)
    assert first.code == 0, first.err
    written = first.document["written"]
    assert (written["created"], written["linked"]) == (plan["create"], plan["link"])
    assert value(here, key_of(before), "name") == before.name
    clean(here)
    everything = oracle.everything(here.app.instance)
    here.sandbox.log.clear()
    second = carry_out(here, file)
    assert (second.code, here.writes()) == (0, 0)
    assert second.document["from_plan"]["done_before"] == plan["create"] + plan["link"]
    assert oracle.everything(here.app.instance) == everything
    assert "made before" in here.run("load", "--env", "testing", "--plan", str(file)).out
    keeps(second.document)


def test_what_a_plan_held_is_held_and_told_when_it_is_applied(here: Town) -> None:
    device = switch(here.estate)
    with here.app.instance.lock, here.app.instance.acting_as("admin"):
        for number in (1, 2):
            here.app.instance.insert(
                "cmdb_ci_ip_switch", {"name": f"twin {number}", "serial_number": device.mac.upper()}
            )
    file = save(here)
    planned = json.loads(file.read_text())
    assert (planned["exit_code"], [one["key"] for one in planned["held"]]) == (3, [key_of(device)])
    applied = carry_out(here, file)
    assert (applied.code, applied.document["status"]) == (3, "partial")
    assert applied.document["held"] == planned["held"]
    again = carry_out(here, file)
    assert (again.code, again.document["held"]) == (3, planned["held"])
    keeps(applied.document)


def test_a_ci_changed_since_is_refused_by_name_and_the_rest_is_written(here: Town) -> None:
    edited, untouched = two_renamed(here)
    file = save(here)
    by_hand(here, edited, short_description="by a person")
    ended = carry_out(here, file)
    assert ended.code == 4, ended.err
    (stale,) = ended.document["from_plan"]["stale"]
    assert (stale["record"], stale["change"]) == (edited, "update")
    assert "short_description" in stale["reason"]
    assert edited in ended.err
    assert value(here, edited, "name") != "first-renamed"
    assert value(here, untouched, "name") == "second-renamed"
    keeps(ended.document)


def test_a_ci_updated_by_anybody_is_refused_though_our_fields_are_as_they_were(here: Town) -> None:
    """``sys_mod_count`` notices what is not read."""
    edited, _ = two_renamed(here)
    file = save(here)
    by_hand(here, edited, asset_tag="P1000479")
    ended = carry_out(here, file)
    assert ended.code == 4
    assert "sys_mod_count" in ended.document["from_plan"]["stale"][0]["reason"]


def test_a_plan_that_another_load_has_overtaken_is_refused(here: Town) -> None:
    first, second = two_renamed(here)
    file = save(here)
    assert here.run(*LOAD).code in (0, 3)
    here.sandbox.log.clear()
    ended = carry_out(here, file)
    assert (ended.code, here.writes()) == (4, 0)
    assert {stale["record"] for stale in ended.document["from_plan"]["stale"]} == {first, second}
    assert all("another run" in stale["reason"] for stale in ended.document["from_plan"]["stale"])


def test_a_record_that_is_no_longer_new_is_not_created_nor_linked(here: Town) -> None:
    file = save(here)
    device = switch(here.estate)
    with here.app.instance.lock, here.app.instance.acting_as("admin"):
        here.app.instance.insert("cmdb_ci_ip_switch", {"name": "bought", "serial_number": device.mac.upper()})
    ended = carry_out(here, file)
    assert ended.code == 4, ended.err
    stale = ended.document["from_plan"]["stale"]
    assert {one["record"] for one in stale} == {key_of(device)}
    assert {one["change"] for one in stale} == {"create", "link"}
    assert key_of(device) not in oracle.by_native_key(here.app.instance, "UniFi")
    clean(here)


def test_a_plan_carried_out_half_is_finished_by_the_same_plan(here: Town) -> None:
    """L7: what was done is left alone, what was not is written, edges between both included."""
    file = save(here)
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path=WRITES, from_request=2))
    half = carry_out(here, file, SNOWLOAD_SERVICENOW__BATCH_SIZE="5")
    assert half.code == 8, half.err
    here.sandbox.servicenow.faults.clear()
    whole = carry_out(here, file)
    assert whole.code == 0, (whole.err, whole.document["from_plan"])
    assert whole.document["from_plan"]["done_before"] > 0
    clean(here)
    assert not any(here.run(*LOAD).document["written"].values())


def test_a_dry_run_of_a_saved_plan_shows_what_is_left_of_it_and_writes_nothing(here: Town) -> None:
    edited, untouched = two_renamed(here)
    file = save(here)
    by_hand(here, edited, short_description="by a person")
    here.sandbox.log.clear()
    ended = carry_out(here, file, "--dry-run")
    assert (ended.code, could_write(here)) == (4, [])
    assert {change["record"] for change in ended.document["changes"]} == {untouched}


def test_a_plan_is_refused_elsewhere_under_other_settings_and_when_it_is_old(here: Town) -> None:
    file = save(here)
    elsewhere = here.run("load", "--env", "development", "--json", "--plan", str(file))
    assert (elsewhere.code, "development" in elsewhere.err) == (4, True)
    other = carry_out(here, file, SERVICENOW_INSTANCE="http://127.0.0.1:9")
    assert (other.code, "target" in other.err) == (4, True)
    mapped = carry_out(here, file, SNOWLOAD_CLIENTS__MODE="create")
    assert (mapped.code, "changed since" in mapped.err) == (4, True)
    retiring = carry_out(here, file, SNOWLOAD_RETIRE__ENABLED="true")
    assert (retiring.code, "retire" in retiring.err) == (4, True)
    bound = carry_out(here, file, SNOWLOAD_BINDINGS=json.dumps({key_of(switch(here.estate)): "0" * 32}))
    assert (bound.code, "bindings" in bound.err) == (4, True)
    old = carry_out(here, file, SNOWLOAD_PLAN__MAX_AGE_HOURS="0.0000001")
    assert (old.code, " old; plan.max_age_hours" in old.err) == (4, True), old.err
    assert here.writes() == 0


def test_a_plan_that_was_touched_or_does_not_read_is_an_integrity_error(here: Town) -> None:
    file = save(here)
    text = file.read_text()
    touched = carry_out(here, changed(file, lambda plan: plan["apply"]["lanes"][0]["items"][0]["send"].clear()))
    assert (touched.code, "does not verify" in touched.err) == (12, True)
    newer = carry_out(here, changed(file, lambda plan: plan.update(schema="snowload.plan/2")))
    assert (newer.code, "snowload.plan/2" in newer.err) == (12, True)
    file.write_text(text[: len(text) // 2])
    assert carry_out(here, file).code == 12
    file.unlink()
    assert carry_out(here, file).code == 2
    assert here.writes() == 0


@pytest.mark.parametrize(
    "more",
    [
        ("--site", "x"),
        ("--console", "x"),
        ("--kind", "switch"),
        ("--full",),
        ("--allow-upgrade",),
        ("--allow-retire", "50"),
    ],
)
def test_what_decided_over_a_plan_does_not_go_with_a_saved_one(here: Town, more: tuple[str, ...]) -> None:
    ended = carry_out(here, here.run.home / "any.plan", *more)
    assert (ended.code, more[0] in ended.err) == (2, True)


def about_to_retire(town: OpenTown) -> tuple[Town, str, Path]:
    """A town whose saved plan retires one CI, by key."""
    here = town(Estate.generate(seed=3, sites=2, devices=40))
    here.run.variables |= RETIRING
    assert here.run(*LOAD).code == 0
    [key] = remove(here)
    assert here.run(*LOAD).code == 0
    file = save(here)
    assert json.loads(file.read_text())["plan"]["retire"] == 1
    return here, key, file


def test_a_saved_plan_retires_what_was_gone_when_it_was_made(town: OpenTown) -> None:
    """L5."""
    here, key, file = about_to_retire(town)
    ended = carry_out(here, file)
    assert (ended.code, ended.document["written"]["retired"]) == (0, 1), ended.err
    assert status(here, key) == RETIRED
    here.sandbox.log.clear()
    again = carry_out(here, file)
    assert (again.code, here.writes()) == (0, 0), again.err
    clean(here)


def test_a_device_that_has_returned_since_is_not_retired_by_an_older_plan(town: OpenTown) -> None:
    here, key, file = about_to_retire(town)
    neighbour = leaves(here)[0]
    here.estate.add_device(site=neighbour.site, model="U7PRO", name="back", uplink="", mac=key.removeprefix("device/"))
    assert here.run(*LOAD, "--kind", "camera").code in (0, 3)
    ended = carry_out(here, file)
    assert ended.code == 4, ended.err
    stale = ended.document["from_plan"]["stale"]
    assert {one["change"] for one in stale} == {"retire", "unlink"}
    assert all("UniFi has shown it again since" in one["reason"] for one in stale)
    assert status(here, key) != RETIRED
