"""Each optional part has one switch; off, it does nothing at all, and that is told (X3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, REPLAY, OpenTown, clean, edges, keeps, keys

RELATIONS = "/cmdb_rel_ci"
TRIED = "/identifyreconcile/queryEnhanced"


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=1, devices=8))


def off(name: str) -> dict[str, str]:
    return {f"SNOWLOAD_FEATURES__{name.upper()}": "false"}


def asked(here: Town, ending: str) -> int:
    """Requests whose path ends so."""
    return sum(line.path.endswith(ending) for line in here.sandbox.log.lines("servicenow"))


def test_config_show_lists_every_part_with_the_setting_that_carries_it_and_where_it_was_set(here: Town) -> None:
    shown = here.run("config", "show", "--env", "testing", "--json", **off("links"), SNOWLOAD_CLIENTS__MODE="link")
    keeps(shown.document)
    parts = {part["name"]: part for part in shown.document["features"]}
    assert {"links", "clients", "retirement", "pre-flight", "verify", "healing", "adapters", "sessions"} <= set(parts)
    assert (parts["links"]["on"], parts["links"]["source"]) == (False, "environment variable")
    assert (parts["clients"]["on"], parts["clients"]["setting"]) == (True, "clients.mode")
    assert (parts["verify"]["on"], parts["verify"]["source"]) == (True, "default")
    settings = {one["key"] for one in shown.document["settings"]}
    assert {part["setting"] for part in parts.values() if not part["setting"].startswith("mapping.")} <= settings
    assert "Optional parts" in here.run("config", "show", "--env", "testing").out


def test_without_links_no_edge_is_asked_for_or_drawn_and_they_come_when_it_is_on_again(here: Town) -> None:
    without = here.run(*LOAD, **off("links"))
    assert (without.code, without.document["written"]["linked"], edges(here)) == (0, 0, [])
    assert asked(here, RELATIONS) == 0
    linked = here.run(*LOAD).document["written"]["linked"]
    assert linked == len(edges(here)) > 0
    here.sandbox.log.clear()
    assert here.run(*LOAD, "--full", **off("links")).code == 0
    assert asked(here, RELATIONS) == 0
    assert len(edges(here)) == linked
    clean(here)


def test_edges_that_wait_in_the_queue_stay_there_while_links_are_off(here: Town) -> None:
    held = here.run(*LOAD, SNOWLOAD_SERVICENOW__MODE="read-only").document
    links = held["plan"]["link"]
    assert links > 0
    assert here.run(*REPLAY, **off("links")).document["left"] == links
    assert edges(here) == []
    assert here.run(*REPLAY).document["left"] == 0
    assert len(edges(here)) == links


def test_without_pre_flight_new_records_are_not_tried_and_get_names_that_nobody_shares(here: Town) -> None:
    load = here.run(*LOAD, **off("preflight"))
    assert (load.code, asked(here, TRIED)) == (0, 1)  # whether the engine is open to the account at all
    assert len(keys(here)) == load.document["written"]["created"]
    assert not any(here.run(*LOAD).document["written"].values())
    clean(here)


def test_without_verify_nothing_is_read_back_after_the_last_write(here: Town) -> None:
    load = here.run(*LOAD, **off("verify")).document
    assert load["verify"]["checked"] == 0
    assert "verify" not in [step["name"] for step in load["steps"]]
    paths = [line.path for line in here.sandbox.log.lines("servicenow")]
    last = max(place for place, path in enumerate(paths) if path.endswith("/identifyreconcile/enhanced"))
    assert len(paths) == last + 1
    assert not any(here.run(*LOAD).document["written"].values())


def test_without_healing_our_cis_are_not_looked_at_and_a_deleted_one_is_noticed_when_it_is_on_again(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    here.sandbox.log.clear()
    usual = here.run(*LOAD)
    looked = len(here.servicenow_reads())
    here.sandbox.log.clear()
    assert here.run(*LOAD, **off("healing")).code == usual.code == 0
    assert len(here.servicenow_reads()) < looked
    before = keys(here)
    with here.app.instance.lock, here.app.instance.acting_as("admin"):
        row = next(r for r in here.app.instance.rows("cmdb_ci_ip_switch"))
        here.app.instance.delete("cmdb_ci_ip_switch", row["sys_id"])
    assert not any(here.run(*LOAD, **off("healing")).document["written"].values())
    assert here.run(*LOAD).document["written"]["created"] == 1
    assert keys(here) == before


def test_without_a_log_file_none_is_made(here: Town) -> None:
    assert here.run(*LOAD, **off("log_file")).code == 0
    assert not list(here.run.home.rglob("*.jsonl"))
    assert here.run(*LOAD).code == 0
    assert list(here.run.home.rglob("*.jsonl"))


def test_a_plan_made_with_links_is_not_applied_without_them(here: Town, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    assert here.run("plan", "--env", "testing", "--out", str(file)).code == 0
    refused = here.run(*LOAD, "--plan", str(file), **off("links"))
    assert (refused.code, here.writes()) == (4, 0), refused.err
    assert here.run(*LOAD, "--plan", str(file)).code == 0
