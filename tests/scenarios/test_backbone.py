"""The path from UniFi to the CMDB, judged by reading the sandbox's tables, not by the tool's own report."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.scenarios.desk import LOAD, OpenTown, clean, key_of, switch, uplinks


def test_a_first_load_creates_and_links_and_a_second_writes_nothing(town: OpenTown) -> None:
    """L3, L4, L7: over environment variables only."""
    here = town(Estate.demo())
    first = here.run(*LOAD)
    assert first.code in (0, 3), first.err
    items, edges = oracle.by_native_key(here.app.instance, "UniFi"), oracle.edges(here.app.instance, "UniFi")
    assert len(items) == first.document["written"]["created"] + first.document["written"]["updated"]
    assert len([edge for edge in edges if edge.type]) >= first.document["written"]["linked"]
    clean(here)
    before = oracle.everything(here.app.instance)
    here.sandbox.log.clear()
    second = here.run(*LOAD)
    assert second.code == first.code
    assert not any(second.document["written"].values())
    assert here.writes() == 0
    assert oracle.everything(here.app.instance) == before
    # Are all of ours there, and what has become of a share of them? And what the instance lacked: all its missing
    # classes in one request, rows in two.
    assert Counter(here.servicenow_reads()) == {"/api/now/stats/sys_object_source": 1, "/api/now/v1/batch": 4}


def test_two_thousand_devices_land_once_each_in_at_most_25_write_requests(town: OpenTown) -> None:
    """L3, P2: 2,000 devices on 10 sites; every device and relation exactly once; a second load writes nothing."""
    here = town(Estate.generate(seed=7, sites=10, devices=2000))
    first = here.run(*LOAD, timeout=110)
    assert first.code in (0, 3), first.err
    assert (first.code, first.document["held"], first.document["failed"]) == (0, [], [])
    there = oracle.by_native_key(here.app.instance, "UniFi")
    devices = uplinks(here.estate)
    assert set(devices) <= set(there)
    drawn = {(edge.parent, edge.child) for edge in oracle.edges(here.app.instance, "UniFi") if "Connects" in edge.type}
    assert {(key, uplink) for key, uplink in devices.items() if uplink} == drawn
    assert here.writes() <= 25
    clean(here)
    here.sandbox.log.clear()
    second = here.run(*LOAD, timeout=110)
    assert (here.writes(), any(second.document["written"].values())) == (0, False)


def test_one_changed_device_costs_one_write(town: OpenTown) -> None:
    """P4."""
    estate = Estate.generate(seed=3, sites=2, devices=60)
    here = town(estate)
    assert here.run(*LOAD).code in (0, 3)
    device = switch(estate)
    estate.rename_device(device.mac, "renamed-by-a-test")
    here.sandbox.log.clear()
    again = here.run(*LOAD)
    assert again.document["plan"]["update"] == 1
    assert here.writes() == 1
    names = [item.name for item in oracle.config_items(here.app.instance, "UniFi") if item.native_keys]
    assert "renamed-by-a-test" in names


def test_a_foreign_ci_of_the_same_name_is_never_touched(town: OpenTown) -> None:
    """cmdb-model 2.4: a match by name alone to a CI with another serial number is refused; the next name is used."""
    estate = Estate.generate(seed=3, sites=1, devices=20)
    here = town(estate)
    device = switch(estate)
    with here.app.instance.lock:
        foreign = here.app.instance.insert(
            "cmdb_ci_ip_switch", {"name": device.name, "serial_number": "FOREIGN1", "discovery_source": "ServiceNow"}
        )
        before = dict(here.app.instance.get("cmdb_ci_ip_switch", foreign["sys_id"]))
    assert here.run(*LOAD).code in (0, 3)
    assert dict(here.app.instance.get("cmdb_ci_ip_switch", foreign["sys_id"])) == before
    assert key_of(device) in oracle.by_native_key(here.app.instance, "UniFi")
    clean(here)


def test_an_outage_queues_the_changes_and_a_replay_sends_them_once(town: OpenTown) -> None:
    """R6.5."""
    estate = Estate.generate(seed=3, sites=2, devices=40)
    here = town(estate)
    assert here.run(*LOAD).code in (0, 3)
    device = switch(estate)
    estate.rename_device(device.mac, "renamed-during-an-outage")
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path="/api/*"))
    away = here.run(*LOAD)
    assert away.code == 8, (away.out[-2000:], away.err)
    assert away.document["queued"] == 1
    here.sandbox.servicenow.faults.clear()
    here.sandbox.log.clear()
    replayed = here.run("replay-queue", "--env", "testing", "--json")
    assert (replayed.code, replayed.document["sent"], here.writes()) == (0, 1, 1), replayed.err
    again = here.run("replay-queue", "--env", "testing", "--json")
    assert (again.code, again.document["sent"], here.writes()) == (0, 0, 1)
    assert not any(here.run(*LOAD).document["written"].values())


def test_a_dry_run_prints_the_plan_and_writes_nothing(town: OpenTown) -> None:
    here = town(Estate.demo())
    before = oracle.everything(here.app.instance)
    planned = here.run(*LOAD, "--dry-run")
    assert planned.code in (0, 3), planned.err
    assert planned.document["plan"]["create"] > 0
    assert planned.document["changes"]
    assert here.writes() == 0
    assert oracle.everything(here.app.instance) == before


@pytest.mark.parametrize("variable", ["SERVICENOW_PASSWORD", "UNIFI_API_KEY"])
def test_a_wrong_password_exits_with_7_or_says_which_source_failed(town: OpenTown, variable: str) -> None:
    """R1.4."""
    here = town(Estate.generate(seed=3, sites=1, devices=5))
    ended = here.run(*LOAD, **{variable: "canary-wrong", "SNOWLOAD_UNIFI__CONSOLES": "[]"})
    assert ended.code == 7, ended.err
    assert variable in ended.err
    assert "canary" not in ended.out + ended.err


def test_health_is_green_against_a_working_sandbox_and_red_when_it_sleeps(town: OpenTown) -> None:
    """R4.1."""
    here = town(Estate.demo())
    well = here.run("health", "--env", "testing", "--json")
    assert well.code == 0, well.out
    here.app.backend.set_options(hibernating=True)
    ill = here.run("health", "--env", "testing", "--json")
    assert ill.code == 2
    assert next(c for c in ill.document["checks"] if c["name"] == "servicenow")["status"] == "unhealthy"


@pytest.mark.parametrize("command", [LOAD, ("plan", "--env", "testing", "--json")])
def test_a_target_that_sleeps_is_named_also_when_there_is_nothing_to_queue(
    town: OpenTown, command: tuple[str, ...]
) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=5))
    assert here.run(*LOAD).code == 0
    here.app.backend.set_options(hibernating=True)
    asleep = here.run(*command)
    assert (asleep.code, asleep.document["error"]["code"]) == (5, "cmdb.asleep")
    assert "hibernates" in asleep.err
    assert "developer.servicenow.com" in asleep.err
    if command is LOAD:
        (told,) = asleep.document["errors"]
        assert (told["code"], told["severity"]) == ("cmdb.asleep", "high")
        assert "developer.servicenow.com" in told["message"]


def test_runs_are_remembered_and_reported(town: OpenTown) -> None:
    """R8.1."""
    here = town(Estate.generate(seed=3, sites=1, devices=5))
    load = here.run(*LOAD)
    report = here.run("report", "--env", "testing", "--since", "1h", "--json")
    assert report.document["summary"]["runs"] == 1
    assert report.document["summary"]["created"] == load.document["written"]["created"]
    shown = here.run("runs", "show", load.document["run_id"], "--env", "testing", "--json")
    assert shown.document["run"]["report"]["written"] == load.document["written"]


def test_a_run_leaves_a_private_log_of_json_lines_that_carry_its_id(town: OpenTown, tmp_path: Path) -> None:
    """R1.2, X4."""
    here = town(Estate.generate(seed=3, sites=1, devices=5))
    log = tmp_path / "run.jsonl"
    load = here.run("load", "--env", "development", "--json", "--log-file", str(log))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {line["correlation_id"] for line in lines if "correlation_id" in line} >= {load.document["run_id"]}
    assert {"operation.started", "operation.completed"} <= {line["event"] for line in lines}
    assert log.stat().st_mode & 0o777 == 0o600
    assert "snowload-demo" not in log.read_text()


def test_a_filter_by_the_sites_display_name_loads_that_site_only(town: OpenTown) -> None:
    estate = Estate.generate(seed=3, sites=2, devices=30)
    here = town(estate)
    title = estate.sites()[1].title
    assert here.run(*LOAD, "--site", title).code in (0, 3)
    some = len(oracle.by_native_key(here.app.instance, "UniFi"))
    assert here.run(*LOAD).code in (0, 3)
    assert 0 < some < len(oracle.by_native_key(here.app.instance, "UniFi"))


@pytest.mark.parametrize("flag", ["--site", "--console", "--kind"])
def test_a_filter_that_names_nothing_is_refused_with_what_there_is(town: OpenTown, flag: str) -> None:
    ended = town(Estate.generate(seed=3, sites=1, devices=5)).run(*LOAD, flag, "no-such-thing")
    assert ended.code == 2
    assert "no-such-thing" in ended.err
