"""Rows of ours that others delete beside the CIs: relations, native keys, the discovery source (X5, L3, L4)."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.scenarios.ageing import pass_time
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, clean, key_of, switch, value

OpenTown = Callable[[Estate], Town]
_DAY = 90_000.0


@pytest.fixture
def here(town: OpenTown) -> Town:
    """A loaded town."""
    opened = town(Estate.generate(seed=3, sites=1, devices=24))
    first = opened.run(*LOAD)
    assert first.code == 0, first.err
    return opened


def delete(here: Town, table: str, **wanted: str) -> int:
    """By an administrator; how many."""
    instance = here.app.instance
    with instance.lock, instance.acting_as("admin"):
        rows = [row["sys_id"] for row in instance.find(table, **wanted)]
        for sys_id in rows:
            instance.delete(table, sys_id)
    return len(rows)


def told(document: dict[str, Any], rule: str) -> list[dict[str, str]]:
    return [finding for finding in document["findings"] if finding["rule"] == rule]


def some_edges_gone(here: Town) -> tuple[str, int]:
    """A device without the edges of which it is the parent: its native key, and how many they were."""
    key, item = sorted(oracle.by_native_key(here.app.instance, "UniFi").items())[-1]
    return key, delete(here, "cmdb_rel_ci", parent=item.sys_id)


def test_the_rate_says_that_relations_were_removed_by_hand(here: Town) -> None:
    key, gone = some_edges_gone(here)
    assert gone > 0
    for _ in range(2):
        load = here.run(*LOAD).document
        assert len(told(load, "relation.removed_by_hand")) == gone
        assert load["links"]["linked"] == load["links"]["wanted"] - gone
        assert load["links"]["rate"] < 1
        assert not any(load["written"].values())
    explained = here.run("explain", key.removeprefix("device/"), "--env", "testing", "--json").document
    rules = [
        edge["rule"]
        for edge in explained["relations"]
        if edge["edge"].startswith(("uplink " + key, "managed_by " + key))
    ]
    assert rules.count("relation.removed_by_hand") >= gone
    again = here.run(*LOAD, "--full").document
    assert (again["written"]["linked"], again["links"]["rate"]) == (gone, 1.0)
    assert here.run(*LOAD).document["links"]["rate"] == 1.0
    clean(here)


def test_looking_at_relations_costs_an_unchanged_run_no_request_more(here: Town) -> None:
    here.run(*LOAD)
    here.sandbox.log.clear()
    assert not any(here.run(*LOAD).document["written"].values())
    # As before relations were looked at: the count, the look, and what the instance lacked (test_backbone.py).
    assert Counter(here.servicenow_reads()) == {"/api/now/stats/sys_object_source": 1, "/api/now/v1/batch": 4}


def test_a_dry_run_notices_removed_relations_and_remembers_nothing(here: Town) -> None:
    _, gone = some_edges_gone(here)
    planned = here.run(*LOAD, "--dry-run", SNOWLOAD_MAPPING='{"on_manual_change": "overwrite"}').document
    assert planned["plan"]["link"] == gone
    kept = here.run(*LOAD, "--dry-run").document
    assert (kept["plan"]["link"], len(told(kept, "relation.removed_by_hand"))) == (0, gone)


def test_relations_that_cannot_be_read_are_told_once_and_stay_believed(here: Town) -> None:
    before = here.run(*LOAD).document["links"]
    here.app.backend.set_options(table_reading={"cmdb_rel_ci": "refused"})
    closed = here.run(*LOAD)
    assert (closed.code, len(told(closed.document, "relation.unreadable"))) == (0, 1)
    here.app.backend.set_options(table_reading={})
    assert here.run(*LOAD).document["links"] == before


def test_relations_that_all_seem_gone_do_not_count_as_linked_until_they_are_seen_again(here: Town) -> None:
    """A closed table may look like an empty one (servicenow-api 6.1)."""
    before = here.run(*LOAD).document["links"]
    here.app.backend.set_options(table_reading={"cmdb_rel_ci": "empty"})
    empty = here.run(*LOAD)
    assert (empty.code, len(told(empty.document, "relation.none_seen"))) == (0, 1)
    assert empty.document["links"]["linked"] == 0
    here.app.backend.set_options(table_reading={})
    assert here.run(*LOAD).document["links"] == before
    with sqlite3.connect(next(here.run.home.rglob("state.sqlite"))) as state:
        assert state.execute("select distinct state, ours from ledger_relations").fetchall() == [("linked", 1)]


def test_a_native_key_that_was_deleted_is_written_again_to_the_same_ci_and_told(here: Town) -> None:
    key, before = sorted(oracle.by_native_key(here.app.instance, "UniFi").items())[-1]
    assert delete(here, "sys_object_source", id=key) == 1
    planned = here.run(*LOAD, "--dry-run").document
    assert planned["plan"]["heartbeat"] == 1
    load = here.run(*LOAD)
    assert (load.code, [one["record"] for one in told(load.document, "ledger.key_lost")]) == (0, [key])
    assert oracle.by_native_key(here.app.instance, "UniFi")[key].sys_id == before.sys_id
    after = here.run(*LOAD).document
    assert not told(after, "ledger.key_lost")
    assert not any(after["written"].values())
    clean(here)


@pytest.mark.parametrize("reading", ["refused", "empty"])
def test_native_keys_that_cannot_be_seen_are_told_once(town: OpenTown, reading: str) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    here.app.backend.set_options(table_reading={"sys_object_source": reading})
    first, second = here.run(*LOAD), here.run(*LOAD)
    assert len(told(first.document, "verify.skipped" if reading == "refused" else "verify.count")) == 1
    assert (second.code, len(told(second.document, "verify.skipped"))) == (0, 1), second.err


def test_all_native_keys_deleted_are_told_and_written_again_by_a_full_load(here: Town) -> None:
    there = {key: item.sys_id for key, item in oracle.by_native_key(here.app.instance, "UniFi").items()}
    delete(here, "sys_object_source")
    assert len(told(here.run(*LOAD).document, "verify.skipped")) == 1
    full = here.run(*LOAD, "--full")
    assert full.code == 0, full.err
    assert {key: item.sys_id for key, item in oracle.by_native_key(here.app.instance, "UniFi").items()} == there
    assert not told(here.run(*LOAD).document, "verify.skipped")
    clean(here)


@pytest.mark.parametrize("loaded", [True, False])
def test_an_unregistered_discovery_source_is_told_once_with_its_remedy_before_anything_is_sent(
    town: OpenTown, loaded: bool
) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=8))
    if loaded:
        assert here.run(*LOAD).code == 0
    assert delete(here, "sys_choice", element="discovery_source", value="UniFi") == 1
    here.estate.add_device(
        site=here.estate.sites()[0].legacy_id, model="U7PRO", name="new", uplink="", mac="0c00000000aa"
    )
    here.sandbox.log.clear()
    refused = here.run(*LOAD)
    assert (refused.code, refused.document["error"]["code"], here.writes()) == (6, "config.data_source", 0)
    assert "doctor --register-source" in refused.err
    assert (refused.document["failed"], len(refused.document["errors"])) == ([], 1)
    with here.app.instance.lock, here.app.instance.acting_as("admin"):
        row = {"name": "cmdb_ci", "element": "discovery_source", "label": "UniFi", "value": "UniFi"}
        here.app.instance.insert("sys_choice", row)
    assert here.run(*LOAD).code == 0
    clean(here)


def test_a_saved_plan_is_not_sent_under_a_discovery_source_that_is_not_registered(here: Town) -> None:
    device = next(d for d in here.estate.devices(here.estate.consoles()[0].host_id) if d.adopted and d.name)
    here.estate.rename_device(device.mac, "renamed")
    file = here.run.home / "saved.plan"
    assert here.run("plan", "--env", "testing", "--quiet", "--out", str(file)).code == 0
    delete(here, "sys_choice", element="discovery_source", value="UniFi")
    here.sandbox.log.clear()
    refused = here.run(*LOAD, "--plan", str(file))
    assert (refused.code, refused.document["error"]["code"], here.writes()) == (6, "config.data_source", 0)


def test_what_the_account_cannot_see_any_more_is_not_taken_for_gone(here: Town) -> None:
    """Rights taken away show as empty lists, also of CIs that get their sign of life: nothing is forgotten, so that
    what UniFi says later still reaches CIs that are ours."""
    faults = here.sandbox.servicenow.faults
    faults.add(Fault(effect=Effect.STATUS, status=403, path="/api/now/stats/*"))
    faults.add(Fault(effect=Effect.STATUS, status=403, path="/api/now/v1/batch"))
    faults.add(Fault(effect=Effect.STATUS, status=200, path="/api/now/table/cmdb_*", body='{"result":[]}'))
    faults.add(Fault(effect=Effect.STATUS, status=200, path="/api/now/table/sys_object_source", body='{"result":[]}'))
    pass_time(_DAY, here.estate, here.app.instance, here.run.home)
    blind = here.run(*LOAD)
    assert told(blind.document, "ledger.hidden"), blind.document["findings"]
    assert not told(blind.document, "ledger.gone")
    faults.clear()
    device = switch(here.estate)
    here.estate.rename_device(device.mac, "renamed-when-seen-again")
    assert here.run(*LOAD).code == 0
    assert value(here, key_of(device), "name") == "renamed-when-seen-again"
    clean(here)
